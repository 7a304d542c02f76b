package postgres

import (
	"context"
	"errors"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"
)

// numbers returns a Next that counts to n.
func numbers(n int) func() (int, error) {
	i := 0
	return func() (int, error) {
		if i == n {
			return 0, io.EOF
		}
		i++
		return i, nil
	}
}

// insertNumbers stores numbers in the table part, and appends them to stored after the commit.
func insertNumbers(ctx context.Context, stored *[][]int) func(pgx.Tx, []int) (func() error, error) {
	return func(tx pgx.Tx, part []int) (func() error, error) {
		part = slices.Clone(part)
		_, err := tx.Exec(ctx, "INSERT INTO part SELECT unnest($1::integer[])", part)
		return func() error { *stored = append(*stored, part); return nil }, err
	}
}

func partPool(t *testing.T) (*Pool, InTxFunc) {
	t.Helper()
	pool := newPool(t, PoolConfig{MaxConns: 4})
	_, err := pool.Exec(t.Context(), "CREATE TABLE part (n integer CONSTRAINT part_n_key UNIQUE CONSTRAINT part_n_check CHECK (n <> 13))")
	require.NoError(t, err)
	return pool, func(ctx context.Context, fn func(pgx.Tx) error) error { return InTx(ctx, pool, fn) }
}

func stored(t *testing.T, pool *Pool) (n int) {
	t.Helper()
	require.NoError(t, pool.QueryRow(t.Context(), "SELECT count(*) FROM part").Scan(&n))
	return n
}

func TestPartsStoreEachItemOnce(t *testing.T) {
	t.Parallel()
	pool, inTx := partPool(t)
	var parts [][]int
	p := Parts[int]{Next: numbers(12), Store: insertNumbers(t.Context(), &parts), Size: 5}
	require.NoError(t, p.Run(t.Context(), inTx))
	require.Equal(t, [][]int{{1, 2, 3, 4, 5}, {6, 7, 8, 9, 10}, {11, 12}}, parts)

	parts = nil
	p = Parts[int]{Next: numbers(0), Store: insertNumbers(t.Context(), &parts)}
	require.NoError(t, p.Run(t.Context(), inTx))
	require.Empty(t, parts)
	require.Equal(t, 12, stored(t, pool))
}

// TestPartsKeepWhatWasStored fails in the third part, by an item, by what the caller does with a part, and by the end of the items.
func TestPartsKeepWhatWasStored(t *testing.T) {
	t.Parallel()
	failure := errors.New("failure")
	tests := map[string]func(ctx context.Context, p *Parts[int], parts *[][]int){
		"statement": func(context.Context, *Parts[int], *[][]int) {}, // 13 violates a constraint
		"caller": func(ctx context.Context, p *Parts[int], parts *[][]int) {
			insert := p.Store
			p.Store = func(tx pgx.Tx, part []int) (func() error, error) {
				kept, err := insert(tx, part)
				return func() error {
					if len(*parts) == 1 {
						return errors.Join(kept(), failure)
					}
					return kept()
				}, err
			}
		},
		"items": func(_ context.Context, p *Parts[int], _ *[][]int) {
			next := p.Next
			p.Next = func() (int, error) {
				if n, err := next(); n != 12 {
					return n, err
				}
				return 0, failure
			}
		},
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pool, inTx := partPool(t)
			var parts [][]int
			p := Parts[int]{Next: numbers(20), Store: insertNumbers(t.Context(), &parts), Size: 5}
			change(t.Context(), &p, &parts)
			require.Error(t, p.Run(t.Context(), inTx))
			require.Equal(t, [][]int{{1, 2, 3, 4, 5}, {6, 7, 8, 9, 10}}, parts)
			require.Equal(t, 10, stored(t, pool))
		})
	}
}

// TestPartsReleaseTheirLocks stores 1 to 4 while another transaction has stored 3. A third one stores 1 as soon as the part waits: it
// gets through although the other transaction continues, because the part does not keep 1.
func TestPartsReleaseTheirLocks(t *testing.T) {
	t.Parallel()
	pool, inTx := partPool(t)
	other, err := pool.Begin(t.Context())
	require.NoError(t, err)
	defer func() { _ = other.Rollback(context.Background()) }()
	_, err = other.Exec(t.Context(), "INSERT INTO part VALUES (3)")
	require.NoError(t, err)

	const ignoring = "INSERT INTO part SELECT unnest($1::integer[]) ON CONFLICT DO NOTHING"
	var parts [][]int
	p := Parts[int]{Next: numbers(4), Store: func(tx pgx.Tx, part []int) (func() error, error) {
		part = slices.Clone(part)
		_, err := tx.Exec(t.Context(), ignoring, part)
		return func() error { parts = append(parts, part); return nil }, err
	}}
	failed := make(chan error, 1)
	go func() { failed <- p.Run(t.Context(), inTx) }()
	waiting(t, pool.Config().ConnString(), 1)
	_, err = pool.Exec(t.Context(), ignoring, []int{1})
	require.NoError(t, err)
	require.NoError(t, other.Commit(t.Context()))
	require.NoError(t, <-failed)
	require.Equal(t, []int{1, 2, 3, 4}, slices.Concat(parts...))
	require.Equal(t, 4, stored(t, pool))
}

func TestPartsGiveUp(t *testing.T) {
	t.Parallel()
	timeout := &pgconn.PgError{Code: lockNotAvailable}
	var sizes []int
	p := Parts[int]{Next: numbers(100), pause: time.Nanosecond, Store: func(_ pgx.Tx, part []int) (func() error, error) { return nil, nil }}
	err := p.Run(t.Context(), func(_ context.Context, _ func(pgx.Tx) error) error {
		sizes = append(sizes, 0)
		return timeout
	})
	require.ErrorIs(t, err, timeout)
	require.Len(t, sizes, partAttempts)

	ctx, cancel := context.WithCancel(t.Context())
	p.pause, p.Next = time.Hour, numbers(1)
	err = p.Run(ctx, func(context.Context, func(pgx.Tx) error) error { cancel(); return timeout })
	require.ErrorIs(t, err, context.Canceled)
}

func TestNextSize(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		items int
		took  time.Duration
		want  int
	}{
		{100, partTime, 100},
		{100, partTime * 4 / 5, 125},
		{100, partTime * 5 / 4, 80},
		{100, 0, 200},
		{100, time.Hour, 50},
		{1, time.Hour, 1},
		{1, 0, 2},
		{mostOfPart, time.Millisecond, mostOfPart},
	} {
		require.Equal(t, tt.want, nextSize(tt.items, tt.took), "%d items in %s", tt.items, tt.took)
	}
}
