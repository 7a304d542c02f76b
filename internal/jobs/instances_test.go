package jobs_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"docket/internal/dbtest"
	"docket/internal/faultproxy"
	"docket/internal/jobs"
	"docket/internal/postgres"
)

// processVariable makes the test binary a process that runs a job on the database that the variable names, until it is killed.
const processVariable = "DOCKET_TEST_JOBS_PROCESS"

func TestMain(m *testing.M) {
	if address := os.Getenv(processVariable); address != "" {
		if err := beProcess(address); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// beProcess prints a line when the job runs, which then does not end.
func beProcess(address string) error {
	pool, err := postgres.Open(context.Background(), postgres.PoolConfig{URL: address, MaxConns: 8})
	if err != nil {
		return err
	}
	runner, err := jobs.New(jobs.Config{Pool: pool, Times: quick, Jobs: []jobs.Job{
		job("test", func(context.Context, int32) (string, error) {
			fmt.Println("running")
			select {}
		}),
	}})
	if err != nil {
		return err
	}
	return runner.Run(context.Background())
}

// endLease makes the process that leads River lose that, as after it was killed: its lease would last for 15 seconds.
const endLease = "DELETE FROM river.river_leader"

// neverAgain keeps the process that leads River now from leading it again, once its lease has ended.
const neverAgain = `
	CREATE TABLE river.led AS SELECT leader_id FROM river.river_leader;
	CREATE FUNCTION river.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
		RETURN CASE WHEN NOT EXISTS (SELECT FROM river.led WHERE leader_id = NEW.leader_id) THEN NEW END;
	END $$;
	CREATE TRIGGER refuse BEFORE INSERT ON river.river_leader FOR EACH ROW EXECUTE FUNCTION river.refuse()`

// letTimePass makes the job that runs an old one.
const letTimePass = "UPDATE river.river_job SET attempted_at = attempted_at - interval '1 hour' WHERE state = 'running'"

// TestKilledProcess kills a process with SIGKILL halfway through a job. Another one takes up the same job, and schedules from then
// on.
func TestKilledProcess(t *testing.T) {
	t.Parallel()
	address := dbtest.URL(t)
	pool := openPool(t, address)
	_, err := jobs.Migrate(t.Context(), pool)
	require.NoError(t, err)
	program, err := os.Executable()
	require.NoError(t, err)
	process := exec.CommandContext(t.Context(), program)
	process.Env = append(os.Environ(), processVariable+"="+address)
	stdout, err := process.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, process.Start())
	line, err := bufio.NewReader(stdout).ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "running\n", line)
	require.NoError(t, process.Process.Kill())
	require.Error(t, process.Wait())

	dbtest.Exec(t, pool, endLease)
	dbtest.Exec(t, pool, letTimePass)
	run(t, pool, job("test", succeed))
	eventually(t, pool, 1, countDone)
	require.Equal(t, []string{"never-completed", "complete"}, dbtest.List(t, pool, "SELECT task_status::text FROM tasks ORDER BY id"))
	require.Equal(t, 1, dbtest.Count(t, pool, "SELECT count(DISTINCT job_id) FROM task_runs"))
	dbtest.Exec(t, pool, makeDue)
	eventually(t, pool, 2, countDone)
}

// TestThreeInstances runs three instances through several periods: each is run once, and no two runs at a time.
func TestThreeInstances(t *testing.T) {
	t.Parallel()
	const instances, periods = 3, 6
	pool := newDatabase(t)
	var active, overlaps atomic.Int32
	alone := job("test", func(context.Context, int32) (string, error) {
		if active.Add(1) > 1 {
			overlaps.Add(1)
		}
		time.Sleep(time.Millisecond)
		active.Add(-1)
		return "done", nil
	})
	for range instances {
		run(t, openPool(t, pool.Config().ConnString()), alone)
	}
	for period := 1; period <= periods; period++ {
		eventually(t, pool, period, countDone)
		eventually(t, pool, period, "SELECT count(*) FROM river.river_job WHERE state = 'completed'")
		if period < periods {
			dbtest.Exec(t, pool, makeDue)
		}
	}
	require.Equal(t, periods, dbtest.Count(t, pool, "SELECT count(*) FROM river.river_job"), "inserted once for each period")
	require.Equal(t, periods, dbtest.Count(t, pool, countRuns))
	require.Zero(t, overlaps.Load())
}

// TestLongRun shows that a job that is taken up while its process is alive does not run a second time, neither meanwhile nor
// afterwards.
func TestLongRun(t *testing.T) {
	t.Parallel()
	pool := newDatabase(t)
	began, end := make(chan struct{}, 9), make(chan struct{})
	long := job("test", func(ctx context.Context, _ int32) (string, error) {
		began <- struct{}{}
		select {
		case <-end:
		case <-ctx.Done():
		}
		return "done", ctx.Err()
	})
	run(t, pool, long)
	<-began
	eventually(t, pool, 1, "SELECT count(*) FROM river.river_leader")
	dbtest.Exec(t, pool, neverAgain) // this process would leave its own job alone
	dbtest.Exec(t, pool, endLease)
	dbtest.Exec(t, pool, letTimePass)
	run(t, openPool(t, pool.Config().ConnString()), long)
	// River gives the job to a process again, which finds the lock held.
	eventually(t, pool, 1, `SELECT count(*) FROM river.river_job
		WHERE (metadata ->> 'snoozes')::integer > 2 AND cardinality(errors) = 1`)
	close(end)
	eventually(t, pool, 1, "SELECT count(*) FROM river.river_job WHERE state = 'completed'")
	require.Equal(t, 1, dbtest.Count(t, pool, countRuns))
	require.Empty(t, began)
}

// TestOwnLongRunIsLeftAlone shows that the process that looks for jobs of killed processes does not take up its own.
func TestOwnLongRunIsLeftAlone(t *testing.T) {
	t.Parallel()
	pool := newDatabase(t)
	began, end := make(chan struct{}, 1), make(chan struct{})
	first := job("first", func(ctx context.Context, _ int32) (string, error) {
		began <- struct{}{}
		<-end
		return "done", ctx.Err()
	})
	run(t, pool, first)
	<-began
	dbtest.Exec(t, pool, letTimePass)
	dbtest.Exec(t, pool, endLease) // the process leads again, and looks at once
	eventually(t, pool, 1, "SELECT count(*) FROM river.river_leader")
	close(end)
	eventually(t, pool, 1, "SELECT count(*) FROM river.river_job WHERE state = 'completed' AND errors IS NULL")
}

// TestOverrun lets a run last longer than its period: the next one begins when it has ended.
func TestOverrun(t *testing.T) {
	t.Parallel()
	pool := newDatabase(t)
	began, end := make(chan struct{}, 9), make(chan struct{}, 9)
	run(t, pool, job("test", func(context.Context, int32) (string, error) {
		began <- struct{}{}
		<-end
		return "done", nil
	}))
	<-began
	dbtest.Exec(t, pool, makeDue)
	// It stays due although it is claimed again and again.
	const inserts = "SELECT last_value::integer FROM river.river_job_id_seq"
	require.Eventually(t, func() bool { return dbtest.Count(t, pool, inserts) > 3 }, patience, 5*time.Millisecond)
	require.Equal(t, 1, dbtest.Count(t, pool, "SELECT count(*) FROM task_schedule WHERE next_run_at < now()"))
	require.Equal(t, 1, dbtest.Count(t, pool, countRuns))
	end <- struct{}{}
	<-began
	end <- struct{}{}
	eventually(t, pool, 2, countDone)
}

// TestScheduleSurvives stops and starts: what is not due does not run, and what became due meanwhile runs at the start.
func TestScheduleSurvives(t *testing.T) {
	t.Parallel()
	pool := newDatabase(t)
	stop := run(t, pool, job("test", succeed))
	eventually(t, pool, 1, countDone)
	stop()
	next := dbtest.Value[time.Time](t, pool, "SELECT next_run_at FROM task_schedule")

	stop = run(t, pool, job("test", succeed), job("new", succeed))
	eventually(t, pool, 1, countDone+" AND job = 'new'") // so it has looked at the schedule
	stop()
	require.Equal(t, 1, dbtest.Count(t, pool, countRuns+" WHERE job = 'test'"))
	require.Equal(t, next, dbtest.Value[time.Time](t, pool, "SELECT next_run_at FROM task_schedule WHERE job = 'test'"))

	dbtest.Exec(t, pool, "UPDATE task_schedule SET next_run_at = next_run_at - interval '4 hours 30 minutes' WHERE job = 'test'")
	run(t, pool, job("test", succeed), job("new", succeed))
	eventually(t, pool, 2, countDone+" AND job = 'test'")
	require.Equal(t, next.Add(-30*time.Minute), dbtest.Value[time.Time](t, pool,
		"SELECT next_run_at FROM task_schedule WHERE job = 'test'"), "four missed periods are one run, and the grid stays")
}

// TestDatabaseGone refuses all connections for as long as it takes until the instance notices.
func TestDatabaseGone(t *testing.T) {
	t.Parallel()
	pool := newDatabase(t)
	own := openPool(t, pool.Config().ConnString())
	core, logs := observer.New(zap.WarnLevel)
	runWith(t, jobs.Config{Pool: own, Times: quick, Log: zap.New(core), Jobs: []jobs.Job{job("test", succeed)}})
	eventually(t, pool, 1, countDone)

	outside := dbtest.Connect(t, dbtest.Empty(t))
	name := pgx.Identifier{pool.Config().ConnConfig.Database}.Sanitize()
	pool.Reset()
	dbtest.Exec(t, outside, "ALTER DATABASE "+name+" ALLOW_CONNECTIONS false")
	dbtest.Exec(t, outside, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1",
		pool.Config().ConnConfig.Database)
	require.Eventually(t, func() bool {
		return logs.FilterMessageSnippet("the schedule cannot be read").Len() == 1
	}, patience, 5*time.Millisecond)
	dbtest.Exec(t, outside, "ALTER DATABASE "+name+" ALLOW_CONNECTIONS true")

	after := openPool(t, pool.Config().ConnString())
	dbtest.Exec(t, after, makeDue)
	eventually(t, after, 2, countDone)
	require.Equal(t, 1, logs.FilterMessageSnippet("the schedule cannot be read").Len(), "said one time")
}

// TestLostLock breaks the connections of an instance while it runs a job: the job ends, because another instance may begin it now,
// and is repeated.
func TestLostLock(t *testing.T) {
	t.Parallel()
	pool := newDatabase(t)
	proxy := faultproxy.New(t, pool.Config().ConnString())
	began := make(chan struct{}, 9)
	var runs atomic.Int32
	run(t, openPool(t, proxy.URL()), job("test", func(ctx context.Context, _ int32) (string, error) {
		if runs.Add(1) > 1 {
			return "done", nil
		}
		close(began)
		<-ctx.Done()
		if cause := context.Cause(ctx); !errors.Is(cause, postgres.ErrLockLost) {
			return "", fmt.Errorf("another cause: %w", cause)
		}
		return "", ctx.Err()
	}))
	<-began
	proxy.Each(faultproxy.Cut)
	eventually(t, pool, 1, countDone)
	require.Equal(t, 1, dbtest.Count(t, pool,
		"SELECT count(*) FROM task_errors WHERE error LIKE 'the connection that held the lock has broken: %'"))
}

func TestMigrate(t *testing.T) {
	t.Parallel()
	address := dbtest.URL(t)
	pool := openPool(t, address)
	before := dbtest.Count(t, pool, "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace")
	require.ErrorIs(t, jobs.Check(t.Context(), pool), jobs.ErrNotMigrated)
	pending, err := jobs.Pending(t.Context(), pool)
	require.NoError(t, err)
	require.NotEmpty(t, pending)

	var applied atomic.Int32
	require.NoError(t, dbtest.Together(3, func(int) error {
		versions, err := jobs.Migrate(t.Context(), openPool(t, address))
		applied.Add(int32(len(versions)))
		return err
	}))
	require.Len(t, pending, int(applied.Load()), "each version once")
	require.NoError(t, jobs.Check(t.Context(), pool))

	dbtest.Exec(t, pool, "INSERT INTO river.river_migration (version, line) VALUES (99, 'main')")
	require.ErrorContains(t, jobs.Check(t.Context(), pool), "99 not found in migrator bundle; tables that a newer Docket")
	require.Equal(t, before, dbtest.Count(t, pool, "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace"))
}

// A role that may not create the tables learns what to do.
func TestMigrateAsAnotherRole(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t)
	role := "worker_" + dbtest.Value[string](t, pool, "SELECT right(current_database()::text, 12)")
	admin := dbtest.Connect(t, dbtest.Empty(t))
	dbtest.Exec(t, admin, "CREATE ROLE "+role+" LOGIN")
	t.Cleanup(func() { _, _ = admin.Exec(context.Background(), "DROP ROLE "+role) })
	address, err := url.Parse(pool.Config().ConnString())
	require.NoError(t, err)
	address.User = url.User(role)
	other := openPool(t, address.String())
	_, err = jobs.Migrate(t.Context(), other)
	require.ErrorContains(t, err, "The role needs CREATE on the database, and to own what is in the schema river")
	other.Close()
}
