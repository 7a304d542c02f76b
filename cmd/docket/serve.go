package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"docket/api"
	"docket/internal/agreement"
	"docket/internal/annotation"
	"docket/internal/auth"
	"docket/internal/catalog"
	"docket/internal/consensus"
	"docket/internal/export"
	"docket/internal/follows"
	"docket/internal/history"
	"docket/internal/postgres"
	"docket/internal/postgres/embedded"
	"docket/internal/progress"
	"docket/internal/ranking"
	"docket/internal/robots"
	"docket/internal/submissions"
	"docket/internal/tasks"
	"docket/internal/views"
)

// serveConfig is the configuration of serve.
type serveConfig struct {
	processConfig
	overloadConfig
	addr           string
	readURL        string
	jobs           bool
	ranking        string
	reserve        annotation.ReservePolicy
	skipFor        time.Duration
	viewsMaxAge    time.Duration
	timings        bool
	slowRequest    time.Duration
	printCurl      bool
	tls            tlsFiles
	keySet         keySetConfig
	corsOrigins    []string
	trustedProxies []string
	rateLimits     api.RateLimits
	addressVotes   bool
	openCatalog    bool
	readTimeout    time.Duration
	tokenLeeway    time.Duration
	serverRestarts int
	requestTimeout time.Duration
	exportTimeout  time.Duration
	idleTimeout    time.Duration
}

const (
	// longestLockWait is how long a statement waits for one lock. Answers hold theirs for milliseconds, parts of imports for 150 ms.
	longestLockWait = 2 * time.Second
	// lockWaits is how many waits for a lock a request has time for.
	lockWaits = 6
)

func serveCommand(shared *config) *cobra.Command {
	cfg := &serveConfig{processConfig: processConfig{config: shared}}
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Serve the REST interface, and run the periodic jobs",
		Long: `Serve the REST interface and run the periodic jobs until SIGINT or SIGTERM. Requests in progress are finished first.

Pending migrations are applied at the start. A database of another version is refused when it is ahead of this program,
when it has a migration that was edited afterwards, or with --migrate=false.`,
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
	addAddrFlag(flags, &cfg.addr)
	flags.BoolVar(&cfg.jobs, "jobs", true, "run the periodic jobs in this process too; without, docket work must run them")
	flags.StringVar(&cfg.ranking, "ranking", "queue",
		"what orders the URLs: queue, always current, or matview, as current as the last docket refresh")
	addReadFlags(flags, &cfg.readURL)
	addReserveFlags(flags, &cfg.reserve)
	addTLSFlags(flags, &cfg.tls)
	addKeySetFlags(flags, &cfg.keySet)
	flags.DurationVar(&cfg.skipFor, "skip-for", annotation.DefaultSkipFor,
		"how long a skipped URL comes after all others for its annotator; 0 means until the annotator answers it")
	flags.DurationVar(&cfg.viewsMaxAge, "views-max-age", 0,
		"not ready when a materialized view is older; 0 means any age")
	flags.BoolVar(&cfg.timings, "timings", true, "measure the phases of requests, for the log, Server-Timing and Prometheus")
	flags.DurationVar(&cfg.slowRequest, "slow-request", 500*time.Millisecond,
		"a request that takes this long is logged as a warning with its slowest phase, unless it is an export; 0 means none")
	flags.BoolVar(&cfg.printCurl, "print-curl", false, "once ready, print curl commands, with tokens, to try first")
	flags.StringSliceVar(&cfg.corsOrigins, "cors-origin", api.DefaultCORSOrigins(),
		"`origin` whose pages may send requests; may be repeated or a list with commas; * allows all, none allows none")
	flags.StringSliceVar(&cfg.trustedProxies, "trusted-proxy", nil,
		"`address` or CIDR of a proxy whose X-Forwarded-For names its clients; may be repeated or a list with commas")
	cfg.addCallerFlags(flags)
	flags.BoolVar(&cfg.openCatalog, "open-catalog", false,
		"allow all clients, without a token, to write and delete agencies and locations and to delete URLs with all their answers")
	flags.IntVar(&cfg.serverRestarts, "server-restarts", 15,
		"failed starts in a row after which Docket ends when its own PostgreSQL has exited; 0 means end without starting it again")
	flags.DurationVar(&cfg.tokenLeeway, "token-leeway", auth.DefaultLeeway,
		"how much the clock of the issuer of tokens may differ from that of this machine; from 0s to "+auth.MaxLeeway.String())
	flags.DurationVar(&cfg.readTimeout, "read-timeout", 10*time.Second, "longest time to read a request")
	flags.DurationVar(&cfg.requestTimeout, "request-timeout", api.DefaultRequestTimeout, "longest time to process a request")
	flags.DurationVar(&cfg.exportTimeout, "export-timeout", api.DefaultExportTimeout, "longest time of an export")
	flags.DurationVar(&cfg.idleTimeout, "idle-timeout", 2*time.Minute, "how long an idle connection is kept")
	cfg.overloadConfig.addFlags(flags)
	cfg.processConfig.addFlags(flags)
	return cmd
}

func (cfg *serveConfig) serve(cmd *cobra.Command, log *zap.Logger) (err error) {
	ctx := cmd.Context()
	if err := cfg.startTraces(ctx, log); err != nil {
		return err
	}
	defer cfg.traces.Close()
	key, err := cfg.secretKey()
	if err != nil {
		return err
	}
	secure, err := cfg.tls.load(log)
	if err != nil {
		return err
	}
	ranked, err := cfg.rankingByName()
	if err != nil {
		return err
	}
	db := cfg.named()
	if cfg.databaseURL == "" {
		server, err := embedded.Start(ctx, embedded.Config{
			DataDir: cfg.dataDir, Owner: cmd.CommandPath(), Restarts: cfg.serverRestarts, Log: log,
			BeforeRestart: func() {
				if queue, ok := ranked.(*ranking.Queue); ok {
					queue.Forget()
				}
			},
		})
		if err != nil {
			return err
		}
		db = newDatabase(server.URL(), server)
	}
	defer func() {
		err = errors.Join(err, db.close())
		log.Info("stopped")
	}()
	err = postgres.CheckUsable(ctx, db.url)
	if errors.Is(err, postgres.ErrReadOnly) {
		// That can end while Docket runs, and requests that read can be served until then.
		log.Warn("requests that write will get 503", zap.Error(err))
		err = nil
	}
	if err != nil {
		return err
	}
	if err := db.checkDirect(ctx); err != nil {
		return err
	}
	if err := cfg.bringUpToDate(ctx, db, cfg.jobs, log); err != nil {
		return err
	}
	poolConfig := postgres.PoolConfig{
		URL: db.url, MaxConns: cfg.maxConns, StatementTimeout: cfg.statementTimeout, Served: true, Primary: true, Health: db.health,
		Traces:      cfg.traces.Provider(),
		OnDeath:     func(err error) { log.Warn("database connection closed", zap.Error(err)) },
		WaitTimeout: cfg.maxWait, LockTimeout: min(longestLockWait, cfg.requestTimeout/lockWaits),
		// The statements of ranking matview read whole tables, so that planning each execution takes less time than a bad plan.
		GenericPlans: cfg.ranking == rankingQueue,
	}
	pool, err := postgres.Open(ctx, poolConfig)
	if err != nil {
		return err
	}
	defer pool.Close()
	logPooler(pool, log)
	standby, err := cfg.openStandby(ctx, poolConfig, log)
	if err != nil {
		return err
	}
	if standby != nil {
		defer standby.Close()
	}
	if cfg.ranking == rankingMatview {
		if err := prepareMatview(ctx, pool, log); err != nil {
			return err
		}
	}
	var jobsPool *postgres.Pool // of its own
	if !cfg.jobs {
		jobsPool = pool // which only inserts what an operator asks for
	}
	background, err := cfg.newBackground(ctx, db, jobsPool, log)
	if err != nil {
		return err
	}
	defer background.close()
	background.sweeper = annotation.NewSweeper(pool, func(err error) { log.Error("sweep failed", zap.Error(err)) })
	metrics := api.NewMetrics(func() api.PoolStats { return api.PoolStats(pool.Stats()) })
	if standby != nil {
		metrics.AddReads(readStats(standby))
		background.standby = standby
	}
	handler, err := cfg.handler(pool, db, ranked, key, background, metrics, log)
	if err != nil {
		return err
	}
	return cfg.listen(ctx, cmd, db, pool, key, handler, metrics, background, secure, log)
}

// handler wires the use cases to the REST interface. It warns when the configuration lets clients delete without a token.
func (cfg *serveConfig) handler(
	pool *postgres.Pool, db *database, ranked annotation.Ranking, key []byte, b *background, metrics *api.Metrics, log *zap.Logger,
) (http.Handler, error) {
	keys, err := cfg.keySet.open(log)
	if err != nil {
		return nil, err
	}
	verifier, err := auth.NewVerifier(key, keys, cfg.tokenLeeway, time.Now)
	if err != nil {
		return nil, err
	}
	if cfg.openCatalog {
		log.Warn("--open-catalog: all clients can write and delete agencies and locations, and delete URLs with all their answers, " +
			"without a token; serve without it unless a proxy authenticates them")
	}
	viewAges := func(ctx context.Context) (found []views.View, err error) {
		err = postgres.WithOneConn(ctx, db.direct, func(pool *postgres.Pool) error {
			found, err = views.List(ctx, pool)
			return err
		})
		return found, err
	}
	metrics.AddViews(viewAges)
	metrics.AddReservations(func(ctx context.Context) (live int64, err error) {
		err = postgres.WithOneConn(ctx, db.direct, func(pool *postgres.Pool) error {
			live, err = annotation.ReservationCount(ctx, pool)
			return err
		})
		return live, err
	})
	metrics.AddQueue(func(ctx context.Context) (found ranking.Available, err error) {
		err = postgres.WithOneConn(ctx, db.direct, func(pool *postgres.Pool) error {
			found, err = ranking.AvailableURLs(ctx, pool)
			return err
		})
		return found, err
	}, time.Now)
	metrics.AddSkips(func(ctx context.Context) (found []progress.SkipCounts, err error) {
		err = postgres.WithOneConn(ctx, db.direct, func(pool *postgres.Pool) error {
			found, err = progress.New(pool).SkipsByReason(ctx)
			return err
		})
		return found, err
	})
	ids := annotation.NewSessionIDs(key)
	// Searches, the leaderboard, metrics and exports read from the standby, if there is one, and everything else from the primary.
	lagging := pool.WithStandby(b.standby)
	return api.New(api.Config{
		Annotations: annotation.New(pool, ranked,
			annotation.OnDue(b.wake), annotation.SkipFor(cfg.skipFor), annotation.Reserve(cfg.reserve),
			annotation.WithSessionIDs(ids),
			annotation.Report(func(err error) { log.Error("reservations after an answer are not settled", zap.Error(err)) })),
		Catalog:     catalog.New(lagging),
		Robots:      robots.New(pool),
		Submissions: submissions.New(pool),
		Consensus:   consensus.NewExplainer(pool),
		Reopener:    consensus.NewReopener(pool),
		History:     history.NewReader(pool),
		Progress:    progress.New(lagging),
		Agreement:   agreement.New(lagging),
		Export:      export.New(lagging, key),
		Follows:     follows.New(pool),
		Tasks:       tasks.NewHistory(pool),
		Control:     tasks.NewControl(pool, b.runner),
		Verifier:    verifier,
		Metrics:     metrics,
		Admission:   cfg.limiter(pool, metrics),
		Log:         log,
		Checks:      cfg.checks(db),
		Views:       lastKnown(viewAges),

		RequestTimeout: cfg.requestTimeout,
		ExportTimeout:  cfg.exportTimeout,
		Timings:        cfg.timings,
		SlowRequest:    cfg.slowRequest,
		Traces:         cfg.traces.Provider(),
		ContinueTraces: cfg.traces.Continued(),
		CORSOrigins:    cfg.allowedOrigins(),
		TrustedProxies: cfg.trustedProxies,
		RateLimits:     cfg.rateLimits,
		IssuedSession:  ids.Issued,
		Origins:        cfg.origins(key),
		OpenCatalog:    cfg.openCatalog,
		Unavailable:    postgres.IsUnavailable,
	})
}

// The values of --ranking.
const (
	rankingQueue   = "queue"
	rankingMatview = "matview"
)

// allowedOrigins are those of --cors-origin. "none" means an empty list, which an environment variable cannot hold.
func (cfg *serveConfig) allowedOrigins() []string {
	if slices.Equal(cfg.corsOrigins, []string{"none"}) {
		return nil
	}
	return cfg.corsOrigins
}

// check refuses times in which no request could finish.
func (cfg *serveConfig) check() error {
	if err := cfg.processConfig.check(); err != nil {
		return err
	}
	if err := cfg.overloadConfig.check(); err != nil {
		return err
	}
	for flag, value := range map[string]time.Duration{
		"read-timeout": cfg.readTimeout, "request-timeout": cfg.requestTimeout, "export-timeout": cfg.exportTimeout,
		"idle-timeout": cfg.idleTimeout,
	} {
		if value < time.Millisecond {
			return usageError{fmt.Errorf("--%s: %s is less than a millisecond", flag, value)}
		}
	}
	if err := api.CheckCORSOrigins(cfg.allowedOrigins()); err != nil {
		return usageError{fmt.Errorf("--cors-origin: %w", err)}
	}
	if err := auth.CheckLeeway(cfg.tokenLeeway); err != nil {
		return usageError{fmt.Errorf("--token-leeway: %w", err)}
	}
	if cfg.serverRestarts < 0 {
		return usageError{fmt.Errorf("--server-restarts: %d is negative", cfg.serverRestarts)}
	}
	if err := api.CheckProxies(cfg.trustedProxies); err != nil {
		return usageError{fmt.Errorf("--trusted-proxy: %w", err)}
	}
	if err := errors.Join(checkReserve(cfg.reserve), cfg.tls.check(), cfg.keySet.check()); err != nil {
		return err
	}
	for flag, value := range map[string]time.Duration{
		"views-max-age": cfg.viewsMaxAge, "skip-for": cfg.skipFor, "slow-request": cfg.slowRequest,
	} {
		if value < 0 {
			return usageError{fmt.Errorf("--%s: %s is negative", flag, value)}
		}
	}
	return nil
}

// prepareMatview fills the view that ranking matview reads, if it was never filled.
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
	case rankingQueue:
		return ranking.NewQueue(), nil
	case rankingMatview:
		return ranking.Matview{}, nil
	default:
		return nil, usageError{fmt.Errorf("--ranking: %q is neither queue nor matview", cfg.ranking)}
	}
}
