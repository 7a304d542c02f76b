package main

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"docket/api"
	"docket/internal/httpserver"
	"docket/internal/postgres"
)

func workCommand(shared *config) *cobra.Command {
	cfg := &processConfig{config: shared}
	cmd := &cobra.Command{
		Use:   "work",
		Short: "Run the periodic jobs, and serve no requests",
		Long: `Run the periodic jobs until SIGINT or SIGTERM. docket serve runs them too, unless it has --jobs=false. Any number of
processes share the jobs of one database: each job runs in one of them at a time.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := cfg.check(); err != nil {
				return err
			}
			log, err := cfg.logger()
			if err != nil {
				return err
			}
			defer func() { _ = log.Sync() }() // standard error cannot always be synced
			return cfg.withDatabase(cmd, func(ctx context.Context, db *database) error { return cfg.work(ctx, db, log) })
		},
	}
	cfg.addFlags(cmd.Flags())
	return cmd
}

func (cfg *processConfig) work(ctx context.Context, db *database, log *zap.Logger) (err error) {
	if err := cfg.startTraces(ctx, log); err != nil {
		return err
	}
	defer cfg.traces.Close()
	if err := postgres.CheckUsable(ctx, db.url); err != nil {
		return err
	}
	if err := cfg.bringUpToDate(ctx, db, true, log); err != nil {
		return err
	}
	background, err := cfg.newBackground(ctx, db, nil, log)
	if err != nil {
		return err
	}
	defer background.close()
	logPooler(background.pool, log)
	ctx, stop := context.WithCancel(ctx)
	group, ctx := errgroup.WithContext(ctx)
	defer func() {
		stop() // ends what was started before an error
		err = errors.Join(err, group.Wait())
		log.Info("stopped")
	}()
	metrics := api.NewMetrics(func() api.PoolStats { return api.PoolStats(background.pool.Stats()) })
	limits := httpserver.Limits{Read: 10 * time.Second, Write: time.Minute, Idle: 2 * time.Minute, Shutdown: cfg.shutdownTimeout}
	if err := cfg.serveAdmin(ctx, group, metrics, background, limits, log); err != nil {
		return err
	}
	db.watchServer(ctx, group)
	background.run(ctx, group)
	log.Info("running jobs")
	notifyManager(serviceReady, log)
	<-ctx.Done() // a signal, or a part has ended
	notifyManager(serviceStopping, log)
	log.Info("stopping: finishing jobs in progress")
	return nil
}
