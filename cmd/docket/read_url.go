package main

import (
	"context"
	"fmt"

	"github.com/spf13/pflag"
	"go.uber.org/zap"

	"docket/api"
	"docket/internal/postgres"
)

// readURLFlag names the standby that searches, metrics and exports read.
const readURLFlag = "read-url"

func addReadFlags(flags *pflag.FlagSet, readURL *string) {
	flags.StringVar(readURL, readURLFlag, "",
		"`URL` of a hot standby of the database, for searches, the leaderboard, metrics and exports; without it they read the primary")
}

// openStandby opens the standby of --read-url, whose connections have the settings of those to the primary. It returns nil without
// the flag.
func (cfg *serveConfig) openStandby(
	ctx context.Context, primary postgres.PoolConfig, log *zap.Logger,
) (*postgres.HotStandby, error) {
	if cfg.readURL == "" {
		return nil, nil
	}
	if cfg.directURL != "" {
		primary.URL = cfg.directURL
	}
	standby := primary
	standby.URL, standby.Primary = cfg.readURL, false
	primary.Health, standby.Health = nil, nil // readiness is about the requests that need the primary
	standby.OnDeath = func(err error) { log.Warn("standby connection closed", zap.Error(err)) }
	hot, err := postgres.OpenHotStandby(ctx, primary, standby, func(reason string, err error) {
		if reason == "" {
			log.Info("reads go to the standby")
			return
		}
		log.Warn("reads go to the primary until the standby can be used", zap.String("reason", reason), zap.Error(err))
	})
	if err != nil {
		return nil, usageError{fmt.Errorf("--%s: %w", readURLFlag, err)}
	}
	return hot, nil
}

// readStats returns the state of a standby for the metrics.
func readStats(hot *postgres.HotStandby) func() api.ReadStats {
	return func() api.ReadStats {
		stats := hot.Stats()
		return api.ReadStats{Reads: stats.Reads, Used: stats.Away == "", Lag: (*api.StandbyLag)(stats.Lag)}
	}
}
