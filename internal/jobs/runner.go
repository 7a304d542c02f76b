package jobs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivertype"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
	"go.uber.org/zap"
	"go.uber.org/zap/exp/zapslog"
	"go.uber.org/zap/zapcore"
	"golang.org/x/sync/errgroup"

	"docket/internal/postgres"
	"docket/internal/tasks"
)

// Schema is the schema of River's tables. Docket's own are in public.
const Schema = "river"

// Config describes a Runner.
type Config struct {
	// Pool is for River, for the locks of runs, and for the history. Each run holds one connection for as long as it takes.
	Pool *postgres.Pool
	Jobs []Job
	Log  *zap.Logger

	Workers int // most runs in this process at the same time; 0: 3
	// StopTimeout is how long runs may take to end by themselves when Run stops. Then their contexts are cancelled. 0: 30 seconds.
	StopTimeout time.Duration
	// Unscheduled makes Run insert no jobs. It works those that other processes and operators insert.
	Unscheduled bool

	// Traces makes each run a span, and its statements, if the pools have the same provider. nil: none is made.
	Traces trace.TracerProvider

	// Times is for tests. The zero values are the usual times.
	Times Times
}

// Times are how often the Runner does what, see defaultTimes.
type Times struct {
	Tick     time.Duration   // from one look at the schedule to the next
	Poll     time.Duration   // from one look for jobs to the next
	FirstRun time.Duration   // from the first start of all to the first run of the first job
	Stagger  time.Duration   // from there to that of the next job
	Rescue   time.Duration   // after which a run that this process does not do itself may have been interrupted
	Snooze   time.Duration   // until a job whose lock is held is tried again
	Backoff  []time.Duration // before each repetition of a failed run; then the job waits for its next period
}

// defaultTimes: a job of a killed process is taken up after at most Rescue, 30 seconds until River looks for such jobs, a
// Backoff, and 5 seconds until River looks for jobs to repeat, which is less than two minutes together.
var defaultTimes = Times{
	Tick: 5 * time.Second, Poll: time.Second, FirstRun: 10 * time.Second, Stagger: 5 * time.Second,
	Rescue: time.Minute, Snooze: 15 * time.Second,
	Backoff: []time.Duration{5 * time.Second, 10 * time.Second, 20 * time.Second, 20 * time.Second, 20 * time.Second},
}

const defaultWorkers = 3

func (t Times) withDefaults() Times {
	d := defaultTimes
	t.Tick, t.Poll = cmp.Or(t.Tick, d.Tick), cmp.Or(t.Poll, d.Poll)
	t.FirstRun, t.Stagger = cmp.Or(t.FirstRun, d.FirstRun), cmp.Or(t.Stagger, d.Stagger)
	t.Rescue, t.Snooze = cmp.Or(t.Rescue, d.Rescue), cmp.Or(t.Snooze, d.Snooze)
	if t.Backoff == nil {
		t.Backoff = d.Backoff
	}
	return t
}

// pgxTx is a transaction of River.
type pgxTx = pgx.Tx

// riverDriver gives River the connections of a pool. Its statements are not limited by the gate of writers: the pool is not the one
// that requests use.
func riverDriver(own *postgres.Pool) *riverpgxv5.Driver { return riverpgxv5.New(own.Pool) }

// riverLog is where River logs warnings and errors, each message once a minute: while the database cannot be reached it logs one
// every second. Its other messages repeat every few seconds.
func riverLog(log *zap.Logger) *slog.Logger {
	level := max(zap.WarnLevel, log.Level()) // a lower one than that of the logger would be refused, on standard error
	core := zapcore.NewSamplerWithOptions(log.WithOptions(zap.IncreaseLevel(level)).Core(), time.Minute, 1, 0)
	return slog.New(zapslog.NewHandler(core, zapslog.WithName("river")))
}

// Runner inserts jobs and, while Run runs, works them.
type Runner struct {
	cfg     Config
	periods []tasks.Period // of the jobs that are enabled
	client  *river.Client[pgxTx]
	metrics *metrics
	tracer  trace.Tracer
	running running
}

// New returns a Runner that does nothing yet. It does not use the database.
func New(cfg Config) (*Runner, error) {
	cfg.Workers = cmp.Or(cfg.Workers, defaultWorkers)
	cfg.StopTimeout = cmp.Or(cfg.StopTimeout, 30*time.Second)
	cfg.Times = cfg.Times.withDefaults()
	if cfg.Log == nil {
		cfg.Log = zap.NewNop()
	}
	if cfg.Traces == nil {
		cfg.Traces = noop.NewTracerProvider()
	}
	r := &Runner{cfg: cfg, metrics: newMetrics(cfg.Jobs), tracer: cfg.Traces.Tracer("docket/internal/jobs")}
	if err := r.choose(); err != nil {
		return nil, err
	}
	workers := river.NewWorkers()
	for _, job := range cfg.Jobs {
		river.AddWorkerArgs(workers, args{kind: job.Name}, river.Worker[args](&worker{runner: r, job: job}))
	}
	client, err := river.NewClient(riverDriver(cfg.Pool), &river.Config{
		Schema:  Schema,
		Queues:  map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: cfg.Workers}},
		Workers: workers,
		Logger:  riverLog(cfg.Log),
		// LISTEN would need a connection more, and is lost without an error behind a proxy that shares sessions among clients. Jobs that
		// run every few minutes need not start sooner than by polling.
		PollOnly:             true,
		FetchPollInterval:    cfg.Times.Poll,
		FetchCooldown:        min(river.FetchCooldownDefault, cfg.Times.Poll),
		SoftStopTimeout:      cfg.StopTimeout,
		MaxAttempts:          len(cfg.Times.Backoff) + 1,
		JobTimeout:           -1, // see worker.Timeout
		RescueStuckJobsAfter: cfg.Times.Rescue,
		// The nightly REINDEX needs the owner of the tables, and leaves invalid indexes when a long transaction makes it give up.
		ReindexerIndexNames: []string{},
	})
	if err != nil {
		return nil, fmt.Errorf("configure River: %w", err)
	}
	r.client = client
	return r, nil
}

// choose checks the jobs and finds those that this process schedules.
func (r *Runner) choose() error {
	names := map[string]bool{}
	for _, job := range r.cfg.Jobs {
		if job.Name == "" || names[job.Name] || job.Work == nil || job.Interval <= 0 || job.Timeout <= 0 {
			return fmt.Errorf("job %q: needs a name of its own, work, an interval and a timeout", job.Name)
		}
		names[job.Name] = true
		if !job.Disabled && !r.cfg.Unscheduled {
			r.periods = append(r.periods, tasks.Period{Job: job.Name, Interval: job.Interval})
		}
	}
	return nil
}

// Run keeps the schedule and works jobs until ctx ends, and survives a database that cannot be reached. When ctx ends, no job
// begins. Those that run have Config.StopTimeout to end, then their contexts are cancelled, and another process takes them up at
// once.
func (r *Runner) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return r.work(ctx) })
	group.Go(func() error { return r.keepSchedule(ctx) })
	return group.Wait()
}

// work starts River, again when that fails for a reason that may end.
func (r *Runner) work(ctx context.Context) error {
	for {
		err := r.client.Start(ctx)
		if err == nil {
			<-r.client.Stopped()
			err = errors.New("the client of River has stopped by itself")
		} else if ctx.Err() == nil && !postgres.IsUnavailable(err) {
			return fmt.Errorf("start River: %w", err)
		}
		if ctx.Err() != nil {
			return nil
		}
		r.cfg.Log.Warn("jobs do not run; trying again", zap.Error(err))
		pause(ctx, r.cfg.Times.Tick)
	}
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// undefinedTable is the SQLSTATE of a statement about a table that does not exist.
const undefinedTable = "42P01"

// RunNow makes all jobs of a type run once tx is committed, also those that are disabled, in a process that works jobs: a job that
// waits for its repetition does not wait any longer, and one that runs already is left alone. It returns what became of each, by
// name.
func (r *Runner) RunNow(ctx context.Context, tx pgx.Tx, taskType tasks.Type) (started []tasks.Start, err error) {
	for _, job := range r.cfg.Jobs {
		if job.Type != taskType {
			continue
		}
		inserted, err := r.client.InsertTx(ctx, tx, args{kind: job.Name}, insertOpts())
		if pgErr, ok := errors.AsType[*pgconn.PgError](err); ok && pgErr.Code == undefinedTable {
			return nil, fmt.Errorf("%w: %w", tasks.ErrNoJobTables, err)
		}
		if err != nil {
			return nil, fmt.Errorf("insert job %s: %w", job.Name, err)
		}
		start := tasks.Start{Job: job.Name, State: tasks.Started, JobID: inserted.Job.ID}
		switch {
		case !inserted.UniqueSkippedAsDuplicate:
		case inserted.Job.State == rivertype.JobStateRunning:
			start.State = tasks.AlreadyRunning
		default:
			start.State = tasks.AlreadyWaiting
			if _, err := r.client.JobRetryTx(ctx, tx, inserted.Job.ID); err != nil {
				return nil, fmt.Errorf("repeat job %s now: %w", job.Name, err)
			}
		}
		started = append(started, start)
	}
	slices.SortFunc(started, func(a, b tasks.Start) int { return cmp.Compare(a.Job, b.Job) })
	return started, nil
}

// Types returns the types of the jobs, sorted.
func (r *Runner) Types() (types []tasks.Type) {
	for _, job := range r.cfg.Jobs {
		types = append(types, job.Type)
	}
	slices.Sort(types)
	return slices.Compact(types)
}

// insertOpts allows one job of a kind that waits or runs.
func insertOpts() *river.InsertOpts {
	return &river.InsertOpts{UniqueOpts: river.UniqueOpts{ByState: []rivertype.JobState{
		rivertype.JobStateAvailable, rivertype.JobStatePending, rivertype.JobStateRunning, rivertype.JobStateScheduled,
		rivertype.JobStateRetryable,
	}}}
}
