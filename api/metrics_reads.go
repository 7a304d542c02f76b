package api

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// ReadStats is the current state of a standby, and the reads that could use it.
type ReadStats struct {
	Reads map[string]int64 // by the reason to read the primary; the empty one is that of reads on the standby
	Used  bool             // reads go to the standby
	Lag   *StandbyLag      // nil when the standby could not be asked
}

// StandbyLag is how far a standby is behind the primary.
type StandbyLag struct {
	Bytes int64
	Age   time.Duration
}

// AddReads adds the reads by server, and the state of the standby. It calls stats at every scrape. There is no series of the lag
// while the standby cannot be asked.
func (m *Metrics) AddReads(stats func() ReadStats) { m.registry.MustRegister(readCollector(stats)) }

// readCollector reads the state of a standby at every scrape.
type readCollector func() ReadStats

var (
	readsDesc = prometheus.NewDesc("docket_reads_total",
		"Reads that may use the standby, by the server they used and the reason if that was the primary.",
		[]string{"server", "reason"}, nil)
	standbyUsedDesc  = prometheus.NewDesc("docket_standby_used", "1 while reads go to the standby.", nil, nil)
	standbyBytesDesc = prometheus.NewDesc("docket_standby_lag_bytes",
		"Write-ahead log that the standby had not replayed at the last probe.", nil, nil)
	standbyAgeDesc = prometheus.NewDesc("docket_standby_lag_seconds",
		"Age of the last transaction that the standby had replayed at the last probe; 0 when none was missing.", nil, nil)
)

func (readCollector) Describe(descs chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{readsDesc, standbyUsedDesc, standbyBytesDesc, standbyAgeDesc} {
		descs <- desc
	}
}

func (stats readCollector) Collect(metrics chan<- prometheus.Metric) {
	now := stats()
	for reason, number := range now.Reads {
		server := "primary"
		if reason == "" {
			server = "standby"
		}
		metrics <- prometheus.MustNewConstMetric(readsDesc, prometheus.CounterValue, float64(number), server, reason)
	}
	gauge := func(desc *prometheus.Desc, value float64) {
		metrics <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value)
	}
	used := 0.0
	if now.Used {
		used = 1
	}
	gauge(standbyUsedDesc, used)
	if now.Lag != nil {
		gauge(standbyBytesDesc, float64(now.Lag.Bytes))
		gauge(standbyAgeDesc, now.Lag.Age.Seconds())
	}
}
