package postgres

import (
	"context"
	"runtime"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"docket/internal/phase"
)

func TestOpen(t *testing.T) {
	t.Parallel()
	pool := newPool(t, PoolConfig{StatementTimeout: 1500 * time.Millisecond})
	require.Equal(t, int32(5*runtime.GOMAXPROCS(0)), pool.Config().MaxConns)
	for setting, want := range map[string]string{"TimeZone": "UTC", "application_name": "docket", "statement_timeout": "1500ms"} {
		var got string
		require.NoError(t, pool.QueryRow(t.Context(), "SELECT current_setting($1)", setting).Scan(&got))
		require.Equal(t, want, got, setting)
	}
	require.Equal(t, "off", pool.Config().ConnConfig.RuntimeParams["jit"], "the tests' server has it off as well")
}

func TestOpenUsesSettingsOfTheURL(t *testing.T) {
	t.Parallel()
	url := newDatabase(t) + "&pool_max_conns=3&application_name=elsewhere&connect_timeout=7&jit=on"
	config, err := poolConfig(PoolConfig{URL: url})
	require.NoError(t, err)
	require.Equal(t, int32(3), config.MaxConns)
	require.Equal(t, "elsewhere", config.ConnConfig.RuntimeParams["application_name"])
	require.Equal(t, 7*time.Second, config.ConnConfig.ConnectTimeout)
	require.Equal(t, "on", config.ConnConfig.RuntimeParams["jit"])
	config, err = poolConfig(PoolConfig{URL: url, MaxConns: 2})
	require.NoError(t, err)
	require.Equal(t, int32(2), config.MaxConns, "a field has precedence")
}

func TestErrorsOfOpenHideThePassword(t *testing.T) {
	t.Parallel()
	for _, url := range []string{
		"postgres://docket:hunter2@127.0.0.1:1/facts",        // no server
		"postgres://docket:hunter2@127.0.0.1:port/facts",     // malformed
		"postgres://docket:hunter2/x#y@127.0.0.1:5432/facts", // the password, unescaped
		"host=127.0.0.1 password=hunter2 port=x",
	} {
		pool, err := Open(t.Context(), PoolConfig{URL: url})
		require.Error(t, err, url)
		require.Nil(t, pool)
		require.NotContains(t, err.Error(), "hunter2")
	}
	_, err := Open(t.Context(), PoolConfig{URL: "postgres://docket:hunter2@127.0.0.1:1/facts"})
	require.ErrorContains(t, err, `connect to database "facts" on 127.0.0.1 as "docket"`)
}

func TestStatementTimeoutIsADeadline(t *testing.T) {
	t.Parallel()
	pool := newPool(t, PoolConfig{StatementTimeout: time.Millisecond})
	_, err := pool.Exec(t.Context(), "SELECT pg_sleep(60)")
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

func TestWaitForAConnectionIsAPhase(t *testing.T) {
	t.Parallel()
	pool := newPool(t, PoolConfig{MaxConns: 1})
	held, err := pool.Acquire(t.Context())
	require.NoError(t, err)
	now := time.Unix(0, 0)
	rec := phase.NewRecorder(func() time.Time { now = now.Add(time.Second); return now })
	ctx, cancel := context.WithCancel(phase.NewContext(t.Context(), rec))
	cancel()
	_, err = pool.Acquire(ctx)
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, []phase.Timing{{Name: phase.Acquire, Duration: time.Second}}, rec.Timings(), "a wait that was cancelled counts")
	held.Release()
	_, err = pool.Exec(phase.NewContext(t.Context(), rec), "SELECT 1")
	require.NoError(t, err)
	require.Equal(t, []phase.Timing{{Name: phase.Acquire, Duration: 2 * time.Second}}, rec.Timings())
}

func TestAcquireTracerIsFreeWithoutARecorder(t *testing.T) {
	ctx := t.Context()
	require.Zero(t, testing.AllocsPerRun(100, func() {
		started := acquireTracer{}.TraceAcquireStart(ctx, nil, pgxpool.TraceAcquireStartData{})
		acquireTracer{}.TraceAcquireEnd(started, nil, pgxpool.TraceAcquireEndData{})
	}))
}
