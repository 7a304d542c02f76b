package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"docket/api"
	"docket/internal/annotation"
	"docket/internal/auth"
	"docket/internal/catalog"
	"docket/internal/export"
	"docket/internal/idempotency"
	"docket/internal/postgres"
	"docket/internal/progress"
	"docket/internal/ranking"
	"docket/internal/robots"
	"docket/internal/submissions"
	"docket/internal/views"
)

// serveConfig is what serve has beside the configuration of all commands.
type serveConfig struct {
	*config
	addr, adminAddr string
	ranking         string
	viewsMaxAge     time.Duration
	migrate         bool
	timings         bool
	printCurl       bool
	corsOrigins     []string
	openCatalog     bool
	readTimeout     time.Duration
	requestTimeout  time.Duration
	exportTimeout   time.Duration
	idleTimeout     time.Duration
	shutdownTimeout time.Duration
}

func serveCommand(shared *config) *cobra.Command {
	cfg := &serveConfig{config: shared}
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Serve the REST interface",
		Long: `Serve the REST interface until SIGINT or SIGTERM; requests under way are finished first.

The database is migrated at the start. With --migrate=false, or when it is ahead of this program or holds an edited
migration, a database of another version is refused.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			log, err := cfg.logger()
			if err != nil {
				return err
			}
			defer func() { _ = log.Sync() }() // standard error cannot always be synced
			if err := cfg.check(); err != nil {
				return err
			}
			return cfg.serve(cmd, log)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&cfg.addr, "addr", "127.0.0.1:8080", "`address` to serve on; port 0 takes a free one")
	flags.StringVar(&cfg.adminAddr, "admin-addr", "", "`address` of /internal/metrics for Prometheus; none when empty")
	flags.StringVar(&cfg.ranking, "ranking", "queue",
		"what orders the URLs: queue, always fresh, or matview, as fresh as the last docket refresh")
	flags.DurationVar(&cfg.viewsMaxAge, "views-max-age", 0,
		"not ready when a materialized view is older; 0 means however old it is")
	flags.BoolVar(&cfg.migrate, "migrate", true, "apply pending migrations at the start")
	flags.BoolVar(&cfg.timings, "timings", true, "time the phases of requests, for the log, Server-Timing and Prometheus")
	flags.BoolVar(&cfg.printCurl, "print-curl", false, "once ready, print a curl line that asks for the next URL, token and all")
	flags.StringSliceVar(&cfg.corsOrigins, "cors-origin", api.DefaultCORSOrigins(),
		"`origin` whose pages may call; may be repeated or a list with commas; * admits every one, none none")
	flags.BoolVar(&cfg.openCatalog, "open-catalog", false,
		"let everybody write agencies and locations and delete URLs, without a token")
	flags.DurationVar(&cfg.readTimeout, "read-timeout", 10*time.Second, "longest time to read a request")
	flags.DurationVar(&cfg.requestTimeout, "request-timeout", api.DefaultRequestTimeout, "longest time to answer a request")
	flags.DurationVar(&cfg.exportTimeout, "export-timeout", api.DefaultExportTimeout, "longest time of an export")
	flags.DurationVar(&cfg.idleTimeout, "idle-timeout", 2*time.Minute, "how long an idle connection is kept")
	flags.DurationVar(&cfg.shutdownTimeout, "shutdown-timeout", 30*time.Second, "longest time to finish requests at the end")
	return cmd
}

func (cfg *serveConfig) serve(cmd *cobra.Command, log *zap.Logger) (err error) {
	ctx := cmd.Context()
	key, err := cfg.secretKey()
	if err != nil {
		return err
	}
	verifier, err := auth.NewVerifier(key, time.Now)
	if err != nil {
		return err
	}

	ranked, err := cfg.rankingByName()
	if err != nil {
		return err
	}

	db := newDatabase(cfg.databaseURL, nil)
	if cfg.databaseURL == "" {
		if db, err = cfg.startDatabase(ctx, cmd.CommandPath(), log); err != nil {
			return err
		}
	}
	defer func() {
		err = errors.Join(err, db.close())
		log.Info("stopped")
	}()
	if err := cfg.bringUpToDate(ctx, db, log); err != nil {
		return err
	}
	pool, err := postgres.Open(ctx, postgres.PoolConfig{
		URL: db.url, MaxConns: cfg.maxConns, StatementTimeout: cfg.statementTimeout,
		// The statements of the other ranking read whole tables, which is worth a plan of their own each time.
		GenericPlans: cfg.ranking == "queue",
	})
	if err != nil {
		return err
	}
	defer pool.Close()

	checks := []api.Check{
		{Name: "database", Run: pool.Ping},
		{Name: "migrations", Run: db.checkMigrated},
	}
	if cfg.ranking == "matview" {
		if err := prepareMatview(ctx, pool, log); err != nil {
			return err
		}
	}
	if cfg.ranking == "matview" || cfg.viewsMaxAge > 0 {
		checks = append(checks, api.Check{Name: "views", Run: func(ctx context.Context) error {
			return views.Check(ctx, pool, cfg.viewsMaxAge)
		}})
	}
	viewAges := func(ctx context.Context) ([]views.View, error) { return views.List(ctx, pool) }

	metrics := api.NewMetrics(poolStats(pool))
	metrics.AddViews(viewAges)
	handler, err := api.New(api.Config{
		Annotations: annotation.New(pool, ranked),
		Catalog:     catalog.New(pool),
		Robots:      robots.New(pool),
		Submissions: submissions.New(pool),
		Progress:    progress.New(pool),
		Export:      export.New(pool, key),
		Idempotency: idempotency.New(pool),
		Verifier:    verifier,
		Metrics:     metrics,
		Log:         log,
		Checks:      checks,
		Views:       viewAges,

		RequestTimeout: cfg.requestTimeout,
		ExportTimeout:  cfg.exportTimeout,
		Timings:        cfg.timings,
		CORSOrigins:    cfg.origins(),
		OpenCatalog:    cfg.openCatalog,
		Unavailable:    postgres.IsUnavailable,
	})
	if err != nil {
		return err
	}
	return cfg.listen(ctx, cmd, db, key, handler, metrics, log)
}

// origins are those of --cors-origin, where none stands for an empty list: a variable cannot hold one.
func (cfg *serveConfig) origins() []string {
	if slices.Equal(cfg.corsOrigins, []string{"none"}) {
		return nil
	}
	return cfg.corsOrigins
}

// check refuses times that would leave no request alive.
func (cfg *serveConfig) check() error {
	for flag, value := range map[string]time.Duration{
		"read-timeout": cfg.readTimeout, "request-timeout": cfg.requestTimeout, "export-timeout": cfg.exportTimeout,
		"idle-timeout": cfg.idleTimeout, "shutdown-timeout": cfg.shutdownTimeout,
	} {
		if value < time.Millisecond {
			return usageError{fmt.Errorf("--%s: %s is less than a millisecond", flag, value)}
		}
	}
	if err := api.CheckCORSOrigins(cfg.origins()); err != nil {
		return usageError{fmt.Errorf("--cors-origin: %w", err)}
	}
	if cfg.viewsMaxAge < 0 {
		return usageError{fmt.Errorf("--views-max-age: %s is negative", cfg.viewsMaxAge)}
	}
	return nil
}

// prepareMatview sees to it that there is an order before anybody asks for it.
func prepareMatview(ctx context.Context, pool *postgres.Pool, log *zap.Logger) error {
	refreshed, err := ranking.Matview{}.Prepare(ctx, pool)
	for _, view := range refreshed {
		log.Info("view filled", zap.String("view", view.Name), zap.String("outcome", string(view.Outcome)),
			zap.Int64("rows", view.Rows), zap.Duration("duration", view.Took))
	}
	return err
}

func (cfg *serveConfig) rankingByName() (annotation.Ranking, error) {
	switch cfg.ranking {
	case "queue":
		return ranking.NewQueue(), nil
	case "matview":
		return ranking.Matview{}, nil
	default:
		return nil, usageError{fmt.Errorf("--ranking: %q is neither queue nor matview", cfg.ranking)}
	}
}

// bringUpToDate leaves the database at this program's version or fails.
func (cfg *serveConfig) bringUpToDate(ctx context.Context, db *database, log *zap.Logger) error {
	if !cfg.migrate {
		return db.checkMigrated(ctx)
	}
	report, err := db.migrate(ctx)
	for _, file := range report.Files {
		log.Info("migration applied", zap.String("version", file.Version), zap.String("name", file.Name),
			zap.Int("statements", file.Statements), zap.Duration("duration", file.Duration))
	}
	return err
}

// listen serves until the context ends or something breaks, then finishes what is under way.
func (cfg *serveConfig) listen(
	ctx context.Context, cmd *cobra.Command, db *database, key []byte, handler http.Handler, metrics *api.Metrics, log *zap.Logger,
) (err error) {
	ctx, stop := context.WithCancel(ctx)
	group, ctx := errgroup.WithContext(ctx)
	defer func() {
		stop() // what was begun before something failed
		err = errors.Join(err, group.Wait())
	}()
	addr, err := cfg.serveOn(ctx, group, cfg.addr, handler, log)
	if err != nil {
		return err
	}
	log.Info("serving", zap.String("address", "http://"+addr))
	if cfg.adminAddr != "" {
		mux := http.NewServeMux()
		mux.Handle("GET /internal/metrics", metrics.Handler())
		adminAddr, err := cfg.serveOn(ctx, group, cfg.adminAddr, mux, log)
		if err != nil {
			return err
		}
		log.Info("serving metrics", zap.String("address", "http://"+adminAddr+"/internal/metrics"))
	}
	if db.server != nil {
		group.Go(func() error {
			select {
			case <-db.server.Done():
				return fmt.Errorf("PostgreSQL ended: %w", db.server.Err())
			case <-ctx.Done():
				return nil
			}
		})
	}
	if cfg.printCurl {
		if err := printCurl(cmd, key, addr); err != nil {
			return err
		}
	}
	group.Go(func() error {
		<-ctx.Done()
		log.Info("stopping: finishing requests under way")
		return nil
	})
	<-ctx.Done() // asked to stop, or something ended
	return nil
}

// serveOn serves a handler until ctx ends, as part of the group, and returns the address it listens on.
func (cfg *serveConfig) serveOn(
	ctx context.Context, group *errgroup.Group, addr string, handler http.Handler, log *zap.Logger,
) (string, error) {
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return "", fmt.Errorf("listen: %w; choose another address with --addr or --admin-addr", err)
	}
	server := &http.Server{
		Handler:     handler,
		ReadTimeout: cfg.readTimeout,
		// The request's own deadline answers; this one only cuts off clients who do not read. What takes longer to send sets its own.
		WriteTimeout: cfg.readTimeout + cfg.requestTimeout + 5*time.Second,
		IdleTimeout:  cfg.idleTimeout,
		ErrorLog:     zap.NewStdLog(log),
	}
	group.Go(func() error {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serve %s: %w", addr, err)
		}
		return nil
	})
	group.Go(func() error {
		<-ctx.Done()
		drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), cfg.shutdownTimeout)
		defer cancel()
		if err := server.Shutdown(drain); err != nil {
			_ = server.Close()
			return fmt.Errorf("finish requests under way: %w", err)
		}
		return nil
	})
	return listener.Addr().String(), nil
}

// sampleUser is a user that the sample data does not have.
const sampleUser = 1000

func printCurl(cmd *cobra.Command, key []byte, addr string) error {
	token, err := auth.Issue(key, sampleUser, []auth.Permission{auth.AccessSourceCollector}, 24*time.Hour, time.Now())
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "\nDocket is ready. Ask it for the next URL to annotate:\n\n"+
		"  curl -H 'Authorization: Bearer %s' http://%s/annotate/all\n\n", token, addr)
	return err
}

func poolStats(pool *postgres.Pool) func() api.PoolStats {
	return func() api.PoolStats {
		stat := pool.Stat()
		return api.PoolStats{
			Max:              stat.MaxConns(),
			Open:             stat.TotalConns(),
			Idle:             stat.IdleConns(),
			Acquired:         stat.AcquiredConns(),
			Acquires:         stat.AcquireCount(),
			EmptyAcquires:    stat.EmptyAcquireCount(),
			CanceledAcquires: stat.CanceledAcquireCount(),
			AcquireTime:      stat.AcquireDuration(),
		}
	}
}
