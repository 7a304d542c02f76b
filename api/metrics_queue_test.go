package api

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/stretchr/testify/require"

	"docket/internal/ranking"
)

// Several scrapes within some seconds read the queue one time.
func TestQueueMetrics(t *testing.T) {
	t.Parallel()
	now, reads := time.Unix(1000, 0), 0
	var failure error
	metrics := NewMetrics(func() PoolStats { return PoolStats{} })
	metrics.AddQueue(func(ctx context.Context) (ranking.Available, error) {
		if _, bounded := ctx.Deadline(); !bounded {
			return ranking.Available{}, errors.New("the scrape has no time limit")
		}
		reads++
		return ranking.Available{URLs: int64(reads), Oldest: 90 * time.Second}, failure
	}, func() time.Time { return now })
	for range 2 {
		text := scrape(t, metrics)
		require.Contains(t, text, "\ndocket_queue_available_urls 1\n")
		require.Contains(t, text, "\ndocket_queue_oldest_available_seconds 90\n")
	}
	now = now.Add(queueCached)
	require.Contains(t, scrape(t, metrics), "\ndocket_queue_available_urls 2\n")

	failure, now = errors.New("no database"), now.Add(queueCached)
	text := scrape(t, metrics)
	require.NotContains(t, text, "docket_queue")
	require.Contains(t, text, "go_goroutines")
	failure = nil
	require.Contains(t, scrape(t, metrics), "\ndocket_queue_available_urls 4\n", "a failure is not cached")
}

// A request is in flight until it has ended, even by a panic.
func TestRequestsInFlight(t *testing.T) {
	t.Parallel()
	var during string
	var metrics *Metrics
	b := setup(t, func(*gin.Context, func(*gin.Context, error)) {
		during = scrape(t, metrics)
		panic("boom")
	})
	metrics = b.metrics
	b.send("POST", "/things/7", `{"color":"red"}`)
	require.Contains(t, during, "\ndocket_http_requests_in_flight 1\n")
	require.Contains(t, scrape(t, metrics), "\ndocket_http_requests_in_flight 0\n")
}
