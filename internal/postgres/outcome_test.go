package postgres

import (
	"context"
	"errors"
	"os"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"docket/internal/faultproxy"
	"docket/internal/postgres/embedded"
)

// The connection breaks at the COMMIT of each transaction, before or after the server receives it. InTx reports what became of
// the transaction.
func TestInTxKnowsTheOutcome(t *testing.T) {
	t.Parallel()
	url := newDatabase(t)
	execute(t, url, "CREATE TABLE fact (n int)")
	for _, tt := range []struct {
		name      string
		at        faultproxy.Point
		committed bool
	}{
		{"before the server receives the commit", faultproxy.BeforeStatement, false},
		{"before the client receives the answer", faultproxy.BeforeAnswer, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			proxy := faultproxy.New(t, url)
			pool, err := Open(t.Context(), PoolConfig{URL: proxy.URL(), MaxConns: 2})
			require.NoError(t, err)
			defer pool.Close()
			execute(t, url, "TRUNCATE fact")
			proxy.Set(faultproxy.Rule{Match: faultproxy.Commit, At: tt.at, Do: faultproxy.Cut})
			const times = 20
			succeeded := 0
			for n := range times {
				err := InTx(t.Context(), pool, func(tx pgx.Tx) error {
					_, err := tx.Exec(t.Context(), "INSERT INTO fact VALUES ($1)", n)
					return err
				})
				require.Equal(t, tt.committed, err == nil, err)
				if err == nil {
					succeeded++
				} else {
					require.True(t, IsUnavailable(err), err)
					require.NotErrorIs(t, err, ErrOutcomeUnknown)
				}
			}
			require.Equal(t, times, proxy.Faults())
			var stored int
			require.NoError(t, pool.QueryRow(t.Context(), "SELECT count(*) FROM fact").Scan(&stored))
			require.Equal(t, succeeded, stored)
		})
	}
}

// After a crash another transaction can get the id of a transaction that was lost. It must not be taken for that one.
func TestInTxKnowsThatTheServerCrashed(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "docket-postgres-")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	require.NoError(t, os.Chmod(dir, 0o711))
	server, err := embedded.Start(t.Context(), embedded.Config{DataDir: dir, Ephemeral: true})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Stop(context.Background())) })
	proxy := faultproxy.New(t, server.URL())
	pool, err := Open(t.Context(), PoolConfig{URL: proxy.URL(), MaxConns: 2})
	require.NoError(t, err)
	t.Cleanup(pool.Close)

	var lost, pid string
	reused := false
	recovered := make(chan struct{}, 1)
	crash := func(*faultproxy.Conn) {
		defer func() {
			select {
			case recovered <- struct{}{}:
			default: // the last lookup has not waited for it
			}
		}()
		number, err := strconv.Atoi(pid)
		require.NoError(t, err)
		require.NoError(t, syscall.Kill(number, syscall.SIGKILL)) // PostgreSQL then ends all others, and recovers
		require.Eventually(t, func() bool {
			conn, err := pgx.Connect(t.Context(), server.URL())
			if err != nil {
				return false
			}
			defer conn.Close(context.Background())
			var last bool
			err = conn.QueryRow(t.Context(), "SELECT x = $1::text::xid8, x >= $1::text::xid8 FROM pg_current_xact_id() x", lost).
				Scan(&reused, &last)
			return err == nil && last // the connection was ended if it is older than the recovery
		}, time.Minute, 10*time.Millisecond)
	}
	// The transaction changes nothing, so that nothing of it is on disk. Something else may have written its id there, as every 15
	// seconds the server does; then no other transaction gets it.
	for !reused {
		proxy.Set(
			faultproxy.Rule{Match: faultproxy.Commit, At: faultproxy.BeforeStatement, Do: crash, Times: 1},
			faultproxy.Rule{Match: faultproxy.SQL("pg_xact_status"), At: faultproxy.BeforeStatement, Times: 1,
				Do: func(*faultproxy.Conn) { <-recovered }},
		)
		err = InTx(t.Context(), pool, func(tx pgx.Tx) error {
			return tx.QueryRow(t.Context(), "SELECT pg_current_xact_id()::text, pg_backend_pid()::text").Scan(&lost, &pid)
		})
		require.Error(t, err)
	}
	require.ErrorIs(t, err, ErrOutcomeUnknown)
	require.True(t, IsUnavailable(err), err)
}

// A statement whose deadline comes while it runs has either no effect, or its caller learns that it succeeded. The connection is kept.
func TestCanceledStatementsHaveAnOutcome(t *testing.T) {
	t.Parallel()
	url := newDatabase(t)
	pool, err := Open(t.Context(), PoolConfig{URL: url, MaxConns: 4, Served: true})
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	_, err = pool.Exec(t.Context(), "CREATE TABLE fact (n int CONSTRAINT fact_key UNIQUE DEFERRABLE INITIALLY DEFERRED)")
	require.NoError(t, err)
	before := pool.Stat().NewConnsCount()

	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = pool.Exec(ctx, "INSERT INTO fact SELECT 1 FROM pg_sleep(60)")
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Equal(t, before, pool.Stat().NewConnsCount())

	// The commit waits for another transaction, which has the same key, and cannot be interrupted by its client before it succeeds.
	other, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	defer other.Close(context.Background())
	tx, err := other.Begin(t.Context())
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), "INSERT INTO fact VALUES (2)")
	require.NoError(t, err)
	ctx, cancel = context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	err = InTx(ctx, pool, func(tx pgx.Tx) error { _, err := tx.Exec(t.Context(), "INSERT INTO fact VALUES (2)"); return err })
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.NoError(t, tx.Commit(t.Context()))
	var stored int
	require.NoError(t, pool.QueryRow(t.Context(), "SELECT count(*) FROM fact").Scan(&stored))
	require.Equal(t, 1, stored)
}

// The server does not notice that the connection is dead. Its process is ended, and with it its locks.
func TestProcessOfSilentConnectionIsEnded(t *testing.T) {
	t.Parallel()
	url := newDatabase(t)
	execute(t, url, "CREATE TABLE fact (n int); INSERT INTO fact VALUES (1)")
	proxy := faultproxy.New(t, url)
	pool, err := Open(t.Context(), PoolConfig{URL: proxy.URL(), MaxConns: 2, Served: true})
	require.NoError(t, err)
	defer pool.Close()
	defer proxy.Heal()
	proxy.Set(faultproxy.Rule{Match: faultproxy.Commit, At: faultproxy.BeforeStatement, Do: faultproxy.Stall(faultproxy.Both), Times: 1})
	update := func(tx pgx.Tx) error { _, err := tx.Exec(t.Context(), "UPDATE fact SET n = n + 1"); return err }
	err = InTx(t.Context(), pool, update)
	require.Error(t, err)
	require.NotErrorIs(t, err, ErrOutcomeUnknown)
	require.NoError(t, InTx(t.Context(), pool, update), "the row is not locked")
	require.Equal(t, "2", value(t, url, "SELECT n::text FROM fact"))
}

// An id that the server has not given yet is that of a transaction that a crash has undone.
func TestOutcomeOfIDOfTheFuture(t *testing.T) {
	t.Parallel()
	pool := newPool(t, PoolConfig{MaxConns: 1})
	failure := errors.New("the connection broke")
	require.Equal(t, failure, pool.lookUp(t.Context(), txID{"1000000000", "another"}, failure))
}

// A transaction that got the id of one that a crash has undone is not ended in its place.
func TestTransactionWithAReusedIDIsNotEnded(t *testing.T) {
	t.Parallel()
	url := newDatabase(t)
	execute(t, url, "CREATE TABLE fact (n int)")
	pool, err := Open(t.Context(), PoolConfig{URL: url, MaxConns: 2})
	require.NoError(t, err)
	defer pool.Close()
	failure := errors.New("the connection broke")
	require.NoError(t, InTx(t.Context(), pool, func(tx pgx.Tx) error {
		var id string
		require.NoError(t, tx.QueryRow(t.Context(), "INSERT INTO fact VALUES (1) RETURNING pg_current_xact_id()::text").Scan(&id))
		err := pool.lookUp(t.Context(), txID{id, "before the crash"}, failure)
		require.ErrorIs(t, err, ErrOutcomeUnknown)
		require.ErrorIs(t, err, failure)
		return nil
	}))
	require.Equal(t, "1", value(t, url, "SELECT n::text FROM fact"))
}
