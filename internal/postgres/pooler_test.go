package postgres

import (
	"context"
	"fmt"
	"net/url"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"docket/internal/dbtest/pgbouncer"
	"docket/internal/phase"
)

// with returns a URL with one more setting.
func with(t testing.TB, address, name, value string) string {
	t.Helper()
	parsed, err := url.Parse(address)
	require.NoError(t, err)
	query := parsed.Query()
	query.Set(name, value)
	parsed.RawQuery = query.Encode()
	return parsed.String()
}

// behind opens a pool through a pooler.
func behind(t testing.TB, cfg PoolConfig) *Pool {
	t.Helper()
	pool, err := Open(t.Context(), cfg)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	require.True(t, pool.IsPooled())
	return pool
}

// one reads the only value of a result.
func one[T any](rows pgx.Rows, into *T) error {
	value, err := pgx.CollectExactlyOneRow(rows, pgx.RowTo[T])
	*into = value
	return err
}

// Each kind of work applies the settings of its own pool, and leaves none in the session that others use after it.
func TestSettingsBehindAPooler(t *testing.T) {
	t.Parallel()
	direct := newDatabase(t)
	for name, options := range map[string]map[string]string{
		"refuses": {"default_pool_size": "1"},
		"drops": {"default_pool_size": "1", "ignore_startup_parameters": "jit, plan_cache_mode, statement_timeout, lock_timeout, " +
			"idle_in_transaction_session_timeout, tcp_user_timeout, tcp_keepalives_idle, tcp_keepalives_interval, tcp_keepalives_count"},
	} {
		through := pgbouncer.Start(t, direct, options)
		pool := behind(t, PoolConfig{
			URL: with(t, through, "work_mem", "5MB"), MaxConns: 2, StatementTimeout: 7 * time.Second, LockTimeout: 3 * time.Second,
			Served: true, GenericPlans: true,
		})
		const settings = `SELECT concat_ws(' ', current_setting('statement_timeout'), current_setting('lock_timeout'),
			current_setting('plan_cache_mode'), current_setting('jit'), current_setting('idle_in_transaction_session_timeout'),
			current_setting('TimeZone'), current_setting('work_mem'))`
		const want = "7s 3s force_generic_plan off 10s UTC 5MB"
		var got string
		for kind, read := range map[string]func(ctx context.Context) error{
			"row": func(ctx context.Context) error { return pool.QueryRow(ctx, settings).Scan(&got) },
			"rows": func(ctx context.Context) error {
				rows, err := pool.Query(ctx, settings)
				if err != nil {
					return err
				}
				return one(rows, &got)
			},
			"batch": func(ctx context.Context) error {
				var batch pgx.Batch
				batch.Queue(settings).QueryRow(func(row pgx.Row) error { return row.Scan(&got) })
				return pool.SendBatch(ctx, &batch).Close()
			},
			"transaction": func(ctx context.Context) error {
				return InTx(ctx, pool, func(tx pgx.Tx) error { return tx.QueryRow(ctx, settings).Scan(&got) })
			},
			"lock": func(ctx context.Context) error { return WithLock(pool, "x").QueryRow(ctx, settings).Scan(&got) },
			"pipeline": func(ctx context.Context) error {
				conn, err := pool.Acquire(ctx)
				if err != nil {
					return err
				}
				defer conn.Release()
				return Pipeline(ctx, conn, []Step{{SQL: settings, Read: func(rows pgx.Rows) error { return one(rows, &got) }}})
			},
			"kept": func(ctx context.Context) error {
				keeping := pool.Keep()
				defer keeping.LetGo()
				return keeping.QueryRow(ctx, settings).Scan(&got)
			},
		} {
			got = ""
			require.NoError(t, read(t.Context()), "%s: %s", name, kind)
			require.Equal(t, want, got, "%s: %s", name, kind)
		}
		require.Equal(t, "0 0", value(t, with(t, through, "default_query_exec_mode", "exec"),
			"SELECT current_setting('statement_timeout') || ' ' || current_setting('lock_timeout')"), name)
		_, err := pool.Exec(t.Context(), "SELECT pg_sleep(1), set_config('statement_timeout', '1', true)")
		require.NoError(t, err)
	}
}

func TestStatementTimeoutBehindAPooler(t *testing.T) {
	t.Parallel()
	pool := behind(t, PoolConfig{URL: pgbouncer.Start(t, newDatabase(t), nil), StatementTimeout: 20 * time.Millisecond})
	_, err := pool.Exec(t.Context(), "SELECT pg_sleep(60)")
	require.ErrorIs(t, err, context.DeadlineExceeded)
	err = InTx(t.Context(), pool, func(tx pgx.Tx) error {
		_, err := tx.Exec(t.Context(), "SELECT pg_sleep(60)")
		return err
	})
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

// Many clients share four sessions, and each gets the answer to its own question, also while a migration changes a type.
func TestAnswersBehindAPooler(t *testing.T) {
	t.Parallel()
	direct := newDatabase(t)
	execute(t, direct, "CREATE TABLE fact (id integer PRIMARY KEY, name text)")
	execute(t, direct, "INSERT INTO fact SELECT n, 'name ' || n FROM generate_series(1, 1000) AS n")
	through := pgbouncer.Start(t, direct, nil)
	var asked atomic.Int64
	const clients, questions = 12, 40
	run := func(pool *Pool) {
		group, ctx := errgroup.WithContext(t.Context())
		for client := range clients {
			group.Go(func() error {
				for i := range questions {
					if err := askAll(ctx, pool, client*questions+i+1); err != nil {
						return err
					}
					asked.Add(1)
				}
				return nil
			})
		}
		require.NoError(t, group.Wait())
	}
	first := behind(t, PoolConfig{URL: through, MaxConns: clients, StatementTimeout: time.Minute})
	second := behind(t, PoolConfig{URL: through, MaxConns: clients, StatementTimeout: time.Minute})
	run(first)
	execute(t, direct, "ALTER TABLE fact ALTER COLUMN id TYPE bigint")
	run(first) // has the descriptions of before
	run(second)
	require.EqualValues(t, 3*clients*questions, asked.Load())
}

// askAll asks the same in each way that the package has.
func askAll(ctx context.Context, pool *Pool, id int) error {
	const byID, byName = "SELECT name FROM fact WHERE id = $1", "SELECT id::text FROM fact WHERE name = $1"
	name := "name " + strconv.Itoa(id)
	var names [5]string
	if err := pool.QueryRow(ctx, byID, id).Scan(&names[0]); err != nil {
		return fmt.Errorf("statement: %w", err)
	}
	var batch pgx.Batch
	var found string
	batch.Queue(byID, id).QueryRow(func(row pgx.Row) error { return row.Scan(&names[1]) })
	batch.Queue(byName, name).QueryRow(func(row pgx.Row) error { return row.Scan(&found) })
	if err := pool.SendBatch(ctx, &batch).Close(); err != nil {
		return fmt.Errorf("batch: %w", err)
	}
	err := InTx(ctx, pool, func(tx pgx.Tx) error { return tx.QueryRow(ctx, byID, id).Scan(&names[2]) })
	if err != nil {
		return fmt.Errorf("transaction: %w", err)
	}
	if err := WithLock(pool, "lock of "+strconv.Itoa(id%7)).QueryRow(ctx, byID, id).Scan(&names[3]); err != nil {
		return fmt.Errorf("under a lock: %w", err)
	}
	conn, err := pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	var again string
	if id%2 == 0 {
		ctx = phase.NewContext(ctx, phase.NewRecorder(time.Now)) // each result is flushed
	}
	err = Pipeline(ctx, conn, []Step{
		{SQL: byID, Args: []any{id}, Read: func(rows pgx.Rows) error { return one(rows, &names[4]) }},
		{SQL: byName, Args: []any{name}, Read: func(rows pgx.Rows) error { return one(rows, &again) }},
	})
	if err != nil {
		return fmt.Errorf("pipeline: %w", err)
	}
	if want := [5]string{name, name, name, name, name}; names != want || found != strconv.Itoa(id) || again != found {
		return fmt.Errorf("asked for %d, got %q, %q, %q", id, names, found, again)
	}
	return nil
}

func TestWhatAPoolerCannotDoIsRefused(t *testing.T) {
	t.Parallel()
	direct := newDatabase(t)
	through := pgbouncer.Start(t, direct, nil)
	for _, test := range []struct{ url, want string }{
		{with(t, direct, "default_query_exec_mode", "describe_exec"), "describe_exec"},
		{with(t, through, "default_query_exec_mode", "describe_exec"), "describe_exec"},
		{with(t, through, "default_query_exec_mode", "cache_statement"), "remove it"},
		{with(t, through, "options", "-c search_path=public"), "name each setting by itself"},
	} {
		_, err := Open(t.Context(), PoolConfig{URL: test.url})
		require.ErrorContains(t, err, test.want)
	}
	pool := behind(t, PoolConfig{URL: through})
	require.ErrorIs(t, InSession(t.Context(), pool, "key", nil, func(*Conn) error { return nil }), ErrPooler)
	held, err := TryHold(t.Context(), pool, "key", func(ctx context.Context) error {
		again, err := TryHold(ctx, pool, "key", func(context.Context) error { return nil })
		require.False(t, again, "the lock of a transaction excludes others")
		return err
	})
	require.NoError(t, err)
	require.True(t, held)

	for address, want := range map[string]bool{direct: false, through: true, with(t, through, "statement_timeout", "5000"): true} {
		found, err := FindPooler(t.Context(), address)
		require.NoError(t, err)
		require.Equal(t, want, found)
		require.NoError(t, CheckUsable(t.Context(), address))
	}
	plain, err := Open(t.Context(), PoolConfig{URL: direct})
	require.NoError(t, err)
	defer plain.Close()
	require.False(t, plain.IsPooled())
}

// A statement that waits for a session, because others use them all, is not taken for one over a dead connection.
func TestSilenceBehindABusyPooler(t *testing.T) {
	t.Parallel()
	limits := watchLimits{silent: 50 * time.Millisecond, question: time.Second, pause: 10 * time.Millisecond,
		connect: 5 * time.Second, cancel: time.Second}
	var deaths atomic.Int64
	pool := behind(t, PoolConfig{
		URL: pgbouncer.Start(t, newDatabase(t), map[string]string{"default_pool_size": "1"}), MaxConns: 2, Served: true, limits: limits,
		OnDeath: func(error) { deaths.Add(1) },
	})
	group, ctx := errgroup.WithContext(t.Context())
	for range 2 {
		group.Go(func() error {
			_, err := pool.Exec(ctx, "SELECT pg_sleep(1.3)")
			return err
		})
	}
	require.NoError(t, group.Wait())
	require.Zero(t, deaths.Load())
}
