package postgres

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
)

func TestTranslate(t *testing.T) {
	t.Parallel()
	taken, locked := errors.New("name is taken"), errors.New("busy")
	rules := rules{On("thing_name_key", taken), onState("55P03", locked)}
	unique := &pgconn.PgError{Code: "23505", ConstraintName: "thing_name_key"}
	for _, tt := range []struct {
		name string
		err  error
		want error // nil: unchanged
	}{
		{"constraint", fmt.Errorf("insert: %w", unique), taken},
		{"another constraint", &pgconn.PgError{Code: "23505", ConstraintName: "thing_pkey"}, nil},
		{"constraint only in the text", &pgconn.PgError{Code: "23505", Message: `violates "thing_name_key"`}, nil},
		{"no rows", pgx.ErrNoRows, nil},
		{"state", &pgconn.PgError{Code: "55P03"}, locked},
		{"statement timeout", &pgconn.PgError{Code: "57014"}, context.DeadlineExceeded},
		{"anything else", errors.New("else"), nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := rules.translate(tt.err)
			require.ErrorIs(t, got, tt.err, "the cause stays")
			if tt.want == nil {
				require.Equal(t, tt.err, got)
				return
			}
			require.ErrorIs(t, got, tt.want)
			require.Equal(t, got, rules.translate(got), "a second translation changes nothing")
		})
	}
	require.NoError(t, rules.translate(nil))
}

func TestInTx(t *testing.T) {
	t.Parallel()
	pool := newPool(t, PoolConfig{MaxConns: 1})
	_, err := pool.Exec(t.Context(), "CREATE TABLE fact (n int CONSTRAINT fact_pkey PRIMARY KEY)")
	require.NoError(t, err)
	count := func() (n int) {
		require.NoError(t, pool.QueryRow(t.Context(), "SELECT count(*) FROM fact").Scan(&n))
		return n
	}
	insert := func(n int, then error) func(pgx.Tx) error {
		return func(tx pgx.Tx) error {
			_, err := tx.Exec(t.Context(), "INSERT INTO fact VALUES ($1)", n)
			return errors.Join(err, then)
		}
	}
	require.NoError(t, InTx(t.Context(), pool, insert(1, nil)))
	require.Equal(t, 1, count())

	failure := errors.New("fn fails")
	require.ErrorIs(t, InTx(t.Context(), pool, insert(2, failure)), failure)
	require.Equal(t, 1, count(), "rolled back")

	require.Panics(t, func() { _ = InTx(t.Context(), pool, func(tx pgx.Tx) error { _ = insert(3, nil)(tx); panic("no") }) })
	require.Equal(t, 1, count(), "rolled back, and the only connection is free")

	ctx, cancel := context.WithCancel(t.Context())
	before := pool.Stat().NewConnsCount()
	require.ErrorIs(t, InTx(ctx, pool, func(tx pgx.Tx) error { cancel(); return ctx.Err() }), context.Canceled)
	require.Equal(t, 1, count())
	require.Equal(t, before, pool.Stat().NewConnsCount(), "the cancelled transaction closed no connection")
}

func TestInTxRetriesConflictsOnly(t *testing.T) {
	t.Parallel()
	pool := newPool(t, PoolConfig{})
	for _, tt := range []struct {
		code      string
		fails     int
		wantCalls int
		wantErr   bool
	}{
		{"40001", 2, 3, false},
		{"40P01", 1, 2, false},
		{"40P01", 100, attempts, true},
		{"23505", 100, 1, true},
	} {
		calls := 0
		err := InTx(t.Context(), pool, func(tx pgx.Tx) error {
			if calls++; calls <= tt.fails {
				return fmt.Errorf("update: %w", &pgconn.PgError{Code: tt.code})
			}
			return nil
		})
		require.Equal(t, tt.wantErr, err != nil, tt)
		require.Equal(t, tt.wantCalls, calls, tt)
	}
}

func TestInTxSurvivesARealDeadlock(t *testing.T) {
	t.Parallel()
	pool := newPool(t, PoolConfig{})
	_, err := pool.Exec(t.Context(), "CREATE TABLE counter (id int, n int); INSERT INTO counter VALUES (1, 0), (2, 0)")
	require.NoError(t, err)
	var meet sync.WaitGroup
	meet.Add(2)
	var group errgroup.Group
	for _, order := range [][2]int{{1, 2}, {2, 1}} {
		group.Go(func() error {
			first := true
			return InTx(t.Context(), pool, func(tx pgx.Tx) error {
				if _, err := tx.Exec(t.Context(), "UPDATE counter SET n = n + 1 WHERE id = $1", order[0]); err != nil {
					return err
				}
				if first {
					first = false
					meet.Done()
					meet.Wait()
				}
				_, err := tx.Exec(t.Context(), "UPDATE counter SET n = n + 1 WHERE id = $1", order[1])
				return err
			})
		})
	}
	require.NoError(t, group.Wait())
	var counted int
	require.NoError(t, pool.QueryRow(t.Context(), "SELECT sum(n) FROM counter").Scan(&counted))
	require.Equal(t, 4, counted)
}

// waiting returns when that many sessions of the database wait for a lock.
func waiting(t *testing.T, url string, sessions int) {
	t.Helper()
	require.Eventually(t, func() bool {
		return value(t, url, `SELECT count(*)::text FROM pg_stat_activity
			WHERE datname = current_database() AND wait_event_type = 'Lock'`) == fmt.Sprint(sessions)
	}, time.Minute, 5*time.Millisecond)
}

// A snapshot does not show concurrent commits, refuses writes, and leaves the settings of the connection unchanged.
func TestInSnapshot(t *testing.T) {
	t.Parallel()
	pool := newPool(t, PoolConfig{MaxConns: 2})
	_, err := pool.Exec(t.Context(), "CREATE TABLE seen (n int)")
	require.NoError(t, err)
	count := func(tx pgx.Tx) (n int) {
		require.NoError(t, tx.QueryRow(t.Context(), "SELECT count(*) FROM seen").Scan(&n))
		return n
	}
	runs := 0
	failure := &pgconn.PgError{Code: serializationFailure}
	err = InSnapshot(t.Context(), pool, func(tx pgx.Tx) error {
		runs++
		require.Zero(t, count(tx))
		_, err := pool.Exec(t.Context(), "INSERT INTO seen VALUES (1)")
		require.NoError(t, err)
		require.Zero(t, count(tx))
		return failure
	})
	require.ErrorIs(t, err, failure)
	require.Equal(t, 1, runs, "the caller may have passed on what it read")

	err = InSnapshot(t.Context(), pool, func(tx pgx.Tx) error {
		_, err := tx.Exec(t.Context(), "INSERT INTO seen VALUES (2)")
		return err
	})
	require.ErrorContains(t, err, "read-only transaction")
	require.Eventually(t, func() bool { return pool.Stat().AcquiredConns() == 0 }, time.Minute, time.Millisecond)
	require.NoError(t, InTx(t.Context(), pool, func(tx pgx.Tx) error {
		require.Equal(t, 1, count(tx))
		_, err := tx.Exec(t.Context(), "INSERT INTO seen VALUES (3)")
		return err
	}))
}
