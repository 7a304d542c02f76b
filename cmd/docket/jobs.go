package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/spf13/pflag"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"docket/api"
	"docket/internal/annotation"
	"docket/internal/consensus"
	"docket/internal/httpserver"
	"docket/internal/jobs"
	"docket/internal/postgres"
	"docket/internal/schema"
	"docket/internal/tracing"
	"docket/internal/upkeep"
)

// processConfig is the configuration of a process that runs until it is stopped: serve and work.
type processConfig struct {
	*config
	upkeepConfig
	adminAddr       string
	migrate         bool
	jobsMaxConns    int32
	shutdownTimeout time.Duration

	traces *tracing.Traces // nil when they are off, and before the process has started
}

func (cfg *processConfig) addFlags(flags *pflag.FlagSet) {
	flags.StringVar(&cfg.adminAddr, "admin-addr", "",
		"`address` for operators only, with /internal/metrics for Prometheus, the page /admin/jobs/ and profiles under /debug/pprof/; none when empty")
	flags.BoolVar(&cfg.migrate, "migrate", true, "apply pending migrations at the start")
	flags.Int32Var(&cfg.jobsMaxConns, "jobs-max-conns", 10,
		fmt.Sprintf("most connections of jobs to the database, beyond --max-conns; at least %d", leastJobsConns))
	flags.DurationVar(&cfg.shutdownTimeout, "shutdown-timeout", 30*time.Second,
		"longest time to finish requests and jobs when stopping")
	cfg.upkeepConfig.addFlags(flags)
}

const (
	// leastJobsConns are enough for one job at a time.
	leastJobsConns = 5
	// connsPerJob are the connection that holds the lock of a run, and that of its work.
	connsPerJob = 2
	// connsBesides are for River, for the schedule and the history, and for the validation of answers.
	connsBesides = 3
)

func (cfg *processConfig) check() error {
	switch {
	case cfg.jobsMaxConns < leastJobsConns || cfg.jobsMaxConns > mostConns:
		return usageError{fmt.Errorf("--jobs-max-conns: %d is not from %d to %d", cfg.jobsMaxConns, leastJobsConns, mostConns)}
	case cfg.shutdownTimeout < time.Millisecond:
		return usageError{fmt.Errorf("--shutdown-timeout: %s is less than a millisecond", cfg.shutdownTimeout)}
	}
	return errors.Join(cfg.checkUpkeep(), checkTraces())
}

// bringUpToDate brings the database to this program's version or fails. A process that runs no jobs does without River's tables if
// its role may not create them.
func (cfg *processConfig) bringUpToDate(ctx context.Context, db *database, runsJobs bool, log *zap.Logger) error {
	if err := db.checkGrants(ctx); err != nil {
		return err
	}
	if err := cfg.applyMigrations(ctx, db, log); err != nil {
		return err
	}
	err := cfg.prepareRiver(ctx, db, log)
	if err != nil && !runsJobs {
		log.Warn("operators cannot start jobs through this process", zap.Error(err))
		return nil
	}
	return err
}

// prepareRiver checks that the role may use River's tables, and brings them to this program's version.
func (cfg *processConfig) prepareRiver(ctx context.Context, db *database, log *zap.Logger) error {
	// First, because their version cannot be read without rights. Tables that this process creates are its role's own.
	if err := db.checkJobsGrants(ctx); err != nil {
		return err
	}
	if !cfg.migrate {
		return withJobsPool(ctx, db.direct, func(pool *postgres.Pool) error { return jobs.Check(ctx, pool) })
	}
	applied, err := applyRiver(ctx, db.direct)
	if len(applied) > 0 {
		log.Info("migrations of River's tables applied", zap.Strings("versions", applied))
	}
	return err
}

func (cfg *processConfig) applyMigrations(ctx context.Context, db *database, log *zap.Logger) error {
	if !cfg.migrate {
		return db.checkMigrated(ctx)
	}
	report, err := db.applyMigrations(ctx)
	for _, file := range report.Files {
		log.Info("migration applied", zap.String("version", file.Version), zap.String("name", file.Name),
			zap.Int("statements", file.Statements), zap.Duration("duration", file.Duration))
	}
	if errors.Is(err, schema.ErrNotOwner) {
		err = fmt.Errorf("migrations are pending: %w. To serve as this role, let the owner run docket migrate apply first", err)
	}
	return err
}

// background is what a process does by itself.
type background struct {
	runner    *jobs.Runner
	pool      *postgres.Pool // of its own; nil in a process that runs no jobs
	works     *upkeep.Service
	dueAge    func(context.Context) (time.Duration, error)
	validator *consensus.Validator // nil when the process does not validate
	sweeper   *annotation.Sweeper  // nil when the process serves no requests
	standby   *postgres.HotStandby // nil without --read-url
}

// jobsStatementTimeout is longer than any job may take. It replaces the limit that the URL, the role or the database may have
// for requests, under which the job over all URLs would never end.
const jobsStatementTimeout = 24 * time.Hour

// newBackground wires the jobs. Without a pool, it opens one, which close closes. With one, the process only starts jobs that
// others run.
func (cfg *processConfig) newBackground(
	ctx context.Context, db *database, pool *postgres.Pool, log *zap.Logger,
) (*background, error) {
	b := &background{}
	if pool == nil {
		var err error
		if b.pool, err = postgres.Open(ctx, postgres.PoolConfig{
			URL: db.url, MaxConns: cfg.jobsMaxConns, StatementTimeout: jobsStatementTimeout, Served: true, Primary: true,
			Traces:  cfg.traces.Provider(),
			OnDeath: func(err error) { log.Warn("database connection of jobs closed", zap.Error(err)) },
		}); err != nil {
			return nil, err
		}
		pool = b.pool
	}
	if err := b.wire(cfg, pool, log); err != nil {
		b.close()
		return nil, err
	}
	return b, nil
}

func (b *background) wire(cfg *processConfig, pool *postgres.Pool, log *zap.Logger) error {
	b.dueAge = func(ctx context.Context) (time.Duration, error) { return consensus.DueAge(ctx, pool) }
	b.works = upkeep.New(pool)
	list, err := jobsOf(cfg.upkeepConfig, pool, b.works)
	if err != nil {
		return err
	}
	on, err := scheduled()
	if err != nil {
		return err
	}
	b.runner, err = jobs.New(jobs.Config{
		Pool: pool, Jobs: list, Unscheduled: !on, Log: log, StopTimeout: cfg.shutdownTimeout, Traces: cfg.traces.Provider(),
		Workers: int(cfg.jobsMaxConns-connsBesides) / connsPerJob,
	})
	if err != nil || b.pool == nil || !on {
		return err
	}
	for _, job := range list {
		if job.Name == consensus.JobName && !job.Disabled {
			b.validator = consensus.New(pool, consensus.Config{Report: func(err error) { log.Error("validation failed", zap.Error(err)) }})
		}
	}
	return nil
}

// wake has this process validate what answers have made due. Without a validator, another process does so within its next poll.
func (b *background) wake() {
	if b.validator != nil {
		b.validator.Wake()
	}
}

func (b *background) close() {
	if b.pool != nil {
		b.pool.Close()
	}
}

// run runs jobs and validates in goroutines of the group until ctx ends, unless the process only starts jobs.
func (b *background) run(ctx context.Context, group *errgroup.Group) {
	if b.pool != nil {
		group.Go(func() error { return b.runner.Run(ctx) })
	}
	if b.validator != nil {
		group.Go(func() error { return b.validator.Run(ctx) })
	}
	if b.standby != nil {
		group.Go(func() error {
			b.standby.Watch(ctx)
			return nil
		})
	}
	if b.sweeper != nil {
		group.Go(func() error { return b.sweeper.Run(ctx) })
	}
}

// jobsPage is the path of River's page.
const jobsPage = "/admin/jobs"

// serveAdmin serves what is for operators, if it has an address.
func (cfg *processConfig) serveAdmin(
	ctx context.Context, group *errgroup.Group, metrics *api.Metrics, b *background, limits httpserver.Limits, log *zap.Logger,
) error {
	if cfg.adminAddr == "" {
		return nil
	}
	b.addMetrics(metrics)
	host, _, err := net.SplitHostPort(cfg.adminAddr)
	if err != nil {
		return usageError{fmt.Errorf("--admin-addr: %w", err)}
	}
	page, err := b.runner.UI(jobsPage, host)
	if err != nil {
		return err
	}
	addr, err := serveOn(ctx, group, cfg.adminAddr, adminHandler(metrics.Handler(), page, host), limits, nil, log)
	if err != nil {
		return err
	}
	log.Info("serving metrics and jobs to operators", zap.String("metrics", "http://"+addr+"/internal/metrics"),
		zap.String("jobs", "http://"+addr+jobsPage+"/"))
	return nil
}

// serveOn serves a handler until ctx ends, in goroutines of the group, and returns the address it listens on.
func serveOn(
	ctx context.Context, group *errgroup.Group, addr string, handler http.Handler, limits httpserver.Limits, secure *tls.Config,
	log *zap.Logger,
) (string, error) {
	served, err := httpserver.Serve(ctx, group, addr, handler, limits, secure, log)
	if err != nil {
		return "", fmt.Errorf("%w; choose another address with --addr or --admin-addr", err)
	}
	return served, nil
}

// watchServer ends the group when Docket's own PostgreSQL has ended for good.
func (d *database) watchServer(ctx context.Context, group *errgroup.Group) {
	if d.server == nil {
		return
	}
	group.Go(func() error {
		select {
		case <-d.server.Done():
			return fmt.Errorf("PostgreSQL ended: %w", d.server.Err())
		case <-ctx.Done():
			return nil
		}
	})
}
