package api

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"docket/internal/ranking"
)

// QueueFunc returns what the queue offers.
type QueueFunc func(context.Context) (ranking.Available, error)

// queueCached is how long what the queue offers is cached. Several Prometheus servers may scrape, each every few seconds.
const queueCached = 15 * time.Second

// AddQueue adds the number of URLs that are offered, and the age of the oldest of them. It calls available at a scrape, and at most
// once in queueCached by clock. There is no series when available fails.
func (m *Metrics) AddQueue(available QueueFunc, clock func() time.Time) {
	m.registry.MustRegister(&queueCollector{available: available, clock: clock})
}

type queueCollector struct {
	available QueueFunc
	clock     func() time.Time

	mu     sync.Mutex // held while available runs, so that concurrent scrapes share one call
	readAt time.Time  // zero before the first success
	last   ranking.Available
}

var (
	queueURLs = prometheus.NewDesc("docket_queue_available_urls",
		"URLs that are offered to annotators, counted up to 100000.", nil, nil)
	queueOldest = prometheus.NewDesc("docket_queue_oldest_available_seconds",
		"Time since the oldest of these URLs was added; 0 without any.", nil, nil)
)

func (*queueCollector) Describe(descs chan<- *prometheus.Desc) {
	descs <- queueURLs
	descs <- queueOldest
}

func (q *queueCollector) Collect(metrics chan<- prometheus.Metric) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.readAt.IsZero() || q.clock().Sub(q.readAt) >= queueCached {
		ctx, cancel := context.WithTimeout(context.Background(), readTimeout)
		defer cancel()
		read, err := q.available(ctx)
		if err != nil {
			return // as for views
		}
		q.last, q.readAt = read, q.clock()
	}
	metrics <- prometheus.MustNewConstMetric(queueURLs, prometheus.GaugeValue, float64(q.last.URLs))
	metrics <- prometheus.MustNewConstMetric(queueOldest, prometheus.GaugeValue, q.last.Oldest.Seconds())
}
