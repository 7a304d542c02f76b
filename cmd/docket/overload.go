package main

import (
	"fmt"
	"time"

	"github.com/spf13/pflag"

	"docket/api"
	"docket/internal/admission"
	"docket/internal/postgres"
)

// overloadConfig says when docket serve refuses requests because it has too many.
type overloadConfig struct {
	maxWait     time.Duration
	maxQueue    int
	maxRequests int
	maxClients  int
}

func (cfg *overloadConfig) addFlags(flags *pflag.FlagSet) {
	flags.DurationVar(&cfg.maxWait, "max-wait", admission.DefaultMaxWait,
		"longest wait of a request for a database connection, before it is refused with 503; a tenth of it while requests wait all the time")
	flags.IntVar(&cfg.maxQueue, "max-queue", 0,
		fmt.Sprintf("most requests of a kind that wait for a database connection; 0 means %d per connection", admission.DefaultQueue))
	flags.IntVar(&cfg.maxRequests, "max-requests", admission.DefaultMaxRequests,
		"most requests in progress, including those whose body is being read; further ones are refused with 503")
	flags.IntVar(&cfg.maxClients, "max-clients", 10_000, "most open connections of clients; further ones are not accepted until one is closed")
}

func (cfg *overloadConfig) check() error {
	switch {
	case cfg.maxWait < time.Millisecond:
		return usageError{fmt.Errorf("--max-wait: %s is less than a millisecond", cfg.maxWait)}
	case cfg.maxQueue < 0:
		return usageError{fmt.Errorf("--max-queue: %d is negative", cfg.maxQueue)}
	case cfg.maxRequests < 1:
		return usageError{fmt.Errorf("--max-requests: %d is less than 1", cfg.maxRequests)}
	case cfg.maxClients < 1:
		return usageError{fmt.Errorf("--max-clients: %d is less than 1", cfg.maxClients)}
	}
	return nil
}

// limiter returns what admits requests to the connections of a pool. Its metrics are among those of the process.
func (cfg *overloadConfig) limiter(pool *postgres.Pool, metrics *api.Metrics) *admission.Limiter {
	limiter := admission.New(admission.Config{
		Conns: int(pool.Config().MaxConns), Writers: pool.MaxWriters(),
		MaxWait: cfg.maxWait, MaxQueue: cfg.maxQueue, MaxRequests: cfg.maxRequests,
	})
	metrics.Add(limiter.Metrics()...)
	return limiter
}
