package idempotency_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"docket/internal/dbtest"
	"docket/internal/idempotency"
	"docket/internal/postgres"
)

const (
	keys = "SELECT count(*) FROM idempotency_keys"
	work = "SELECT count(*) FROM agencies"
)

var request = idempotency.Request{Caller: "user 7", Key: "k", Digest: sha256.Sum256([]byte("a"))}

// result is like the results of use cases.
type result struct {
	ID    int32
	Name  *string
	Texts []string
}

// addAgency is work that a repetition would double. The agency has the next number as its name.
func addAgency(tx pgx.Tx) (r result, err error) {
	err = tx.QueryRow(context.Background(), `INSERT INTO agencies (name, jurisdiction_type) SELECT count(*) + 1, 'local' FROM agencies
		RETURNING id, name`).Scan(&r.ID, &r.Name)
	r.Texts = []string{"a\x00b", "ä"}
	return r, err
}

// do executes a request once, and returns whether its result was stored before.
func do(ctx context.Context, pool *postgres.Pool, r idempotency.Request) (result, bool, error) {
	ctx = idempotency.NewContext(ctx, r)
	got, err := idempotency.Once(ctx, pool, addAgency)
	return got, idempotency.FromContext(ctx).Replayed(), err
}

func executed(t *testing.T, pool *postgres.Pool, r idempotency.Request) result {
	t.Helper()
	got, replayed, err := do(t.Context(), pool, r)
	require.NoError(t, err)
	require.False(t, replayed)
	require.NotZero(t, got.ID)
	return got
}

func replayed(t *testing.T, pool *postgres.Pool, r idempotency.Request, expected result) {
	t.Helper()
	got, replayed, err := do(t.Context(), pool, r)
	require.NoError(t, err)
	require.True(t, replayed)
	require.Equal(t, expected, got)
}

func TestResultIsReplayed(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t)
	first := executed(t, pool, request)
	replayed(t, pool, request, first)
	replayed(t, pool, request, first)
	require.Equal(t, 1, dbtest.Count(t, pool, work))
}

func TestWithoutKeyEachTakesEffect(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t)
	for range 2 {
		_, err := idempotency.Once(t.Context(), pool, addAgency)
		require.NoError(t, err)
	}
	require.Equal(t, 2, dbtest.Count(t, pool, work))
	require.Zero(t, dbtest.Count(t, pool, keys))
}

func TestOnceDo(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t)
	for _, again := range []bool{false, true} {
		ctx := idempotency.NewContext(t.Context(), request)
		require.NoError(t, idempotency.OnceDo(ctx, pool, func(tx pgx.Tx) error {
			_, err := addAgency(tx)
			return err
		}))
		require.Equal(t, again, idempotency.FromContext(ctx).Replayed())
	}
	require.Equal(t, 1, dbtest.Count(t, pool, work))
}

// After a failure nothing is stored, and the key is free for any request.
func TestFailureStoresNothing(t *testing.T) {
	t.Parallel()
	pool, refused := dbtest.New(t), errors.New("refused")
	ctx := idempotency.NewContext(t.Context(), request)
	got, err := idempotency.Once(ctx, pool, func(tx pgx.Tx) (result, error) {
		r, err := addAgency(tx)
		require.NoError(t, err)
		return r, refused
	})
	require.ErrorIs(t, err, refused)
	require.Zero(t, got)
	require.False(t, idempotency.FromContext(ctx).Decided())
	require.Zero(t, dbtest.Count(t, pool, keys))
	require.Zero(t, dbtest.Count(t, pool, work))

	other := request
	other.Digest = sha256.Sum256([]byte("b"))
	executed(t, pool, other)
}

func TestRulesTranslateErrors(t *testing.T) {
	t.Parallel()
	taken := errors.New("taken")
	pool := dbtest.New(t).WithRules(postgres.On("idempotency_keys_request_check", taken))
	_, err := idempotency.Once(idempotency.NewContext(t.Context(), request), pool, func(tx pgx.Tx) (int, error) {
		_, err := tx.Exec(t.Context(), "INSERT INTO idempotency_keys (caller, key, request, expires_at) VALUES ('', '', '', now())")
		return 0, err
	})
	require.ErrorIs(t, err, taken)
}

// The transaction that a deadlock has rolled back is run again as a whole, together with the lookup and the storing of the key.
func TestDeadlockRunsAllAgain(t *testing.T) {
	t.Parallel()
	pool, runs := dbtest.New(t), 0
	got, err := idempotency.Once(idempotency.NewContext(t.Context(), request), pool, func(tx pgx.Tx) (result, error) {
		r, err := addAgency(tx)
		if runs++; runs < 3 {
			return r, &pgconn.PgError{Code: "40P01"}
		}
		return r, err
	})
	require.NoError(t, err)
	require.Equal(t, 3, runs)
	require.Equal(t, 1, dbtest.Count(t, pool, work))
	replayed(t, pool, request, got)
}

func TestConcurrentRequestIsRefused(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t)
	_, err := idempotency.Once(idempotency.NewContext(t.Context(), request), pool, func(tx pgx.Tx) (result, error) {
		_, _, err := do(t.Context(), pool, request)
		require.ErrorIs(t, err, idempotency.ErrInProgress)
		other := request
		other.Caller = "user 8"
		executed(t, pool, other)
		return addAgency(tx)
	})
	require.NoError(t, err)
	require.Equal(t, 2, dbtest.Count(t, pool, work))
}

func TestRequestHasOneResult(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t)
	ctx := idempotency.NewContext(t.Context(), request)
	_, err := idempotency.Once(ctx, pool, addAgency)
	require.NoError(t, err)
	require.True(t, idempotency.FromContext(ctx).Decided())
	_, err = idempotency.Once(ctx, pool, func(pgx.Tx) (int, error) { return 1, nil })
	require.ErrorContains(t, err, "two results")
}

func TestDifferentRequestIsRefused(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t)
	other := request
	other.Digest = sha256.Sum256([]byte("b"))
	executed(t, pool, request)
	_, _, err := do(t.Context(), pool, other)
	require.ErrorIs(t, err, idempotency.ErrOtherRequest)

	dbtest.Exec(t, pool, "UPDATE idempotency_keys SET expires_at = now()")
	executed(t, pool, other)
	require.Equal(t, 2, dbtest.Count(t, pool, work))
}

func TestResultsExpireAfter24Hours(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t)
	executed(t, pool, request)
	days := dbtest.Value[float64](t, pool, "SELECT extract(epoch FROM expires_at - now())::float8 / 86400 FROM idempotency_keys")
	require.InDelta(t, 1, days, 0.1)

	dbtest.Exec(t, pool, "UPDATE idempotency_keys SET expires_at = now()")
	second := executed(t, pool, request)
	replayed(t, pool, request, second)
	require.Equal(t, 1, dbtest.Count(t, pool, keys))
}

// A result that another version has stored is not executed again.
func TestUnreadableResult(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t)
	executed(t, pool, request)
	for _, outcome := range []string{"NULL", `'{"ID": 1, "Renamed": 2}'`, `'7'`, `'{"ID": "text"}'`} {
		dbtest.Exec(t, pool, "UPDATE idempotency_keys SET outcome = "+outcome)
		_, _, err := do(t.Context(), pool, request)
		require.ErrorIs(t, err, idempotency.ErrUnreadable, outcome)
	}
	require.Equal(t, 1, dbtest.Count(t, pool, work))
}

// keysThatSweep returns so many requests that delete expired keys, and others that do not.
func keysThatSweep(t *testing.T, pool *postgres.Pool, n int) (sweeping, others []idempotency.Request) {
	t.Helper()
	for i := 0; len(sweeping) < n || len(others) < n; i++ {
		r := request
		r.Key = fmt.Sprint(i)
		dbtest.Exec(t, pool, "INSERT INTO idempotency_keys (caller, key, request, expires_at) VALUES ('expired', '', sha256(''), now())")
		executed(t, pool, r)
		if dbtest.Count(t, pool, "SELECT count(*) FROM idempotency_keys WHERE caller = 'expired'") == 0 {
			sweeping = append(sweeping, r)
		} else {
			others = append(others, r)
		}
		dbtest.Exec(t, pool, "DELETE FROM idempotency_keys")
	}
	return sweeping, others
}

func TestExpiredKeysAreDeleted(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t)
	sweeping, others := keysThatSweep(t, pool, 2)
	require.Less(t, len(others), 200, "about one of twenty keys")
	require.Greater(t, len(others), 4)
	insert := func(prefix string, n int, expires string) {
		dbtest.Exec(t, pool, fmt.Sprintf(`INSERT INTO idempotency_keys (caller, key, request, expires_at)
			SELECT 'c', '%s' || i, sha256(''), now() + '%s' FROM generate_series(1, %d) AS i`, prefix, expires, n))
	}
	insert("expired", 150, "-1 second")
	insert("alive", 10, "1 hour")
	executed(t, pool, others[0])
	require.Equal(t, 150+10+1, dbtest.Count(t, pool, keys))
	first := executed(t, pool, sweeping[0])
	require.Equal(t, 50+10+2, dbtest.Count(t, pool, keys), "a hundred in one transaction")
	replayed(t, pool, sweeping[0], first)
	require.Equal(t, 50+10+2, dbtest.Count(t, pool, keys), "a repetition deletes none")
	executed(t, pool, sweeping[1])
	require.Equal(t, 10+3, dbtest.Count(t, pool, keys))
}

func TestFailedSweepDoesNotMatter(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t)
	sweeping, _ := keysThatSweep(t, pool, 1)
	dbtest.Exec(t, pool, `INSERT INTO idempotency_keys (caller, key, request, expires_at) VALUES ('expired', '', sha256(''), now());
		CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$;
		CREATE TRIGGER refuse BEFORE DELETE ON idempotency_keys FOR EACH ROW EXECUTE FUNCTION refuse()`)
	ctx := idempotency.NewContext(t.Context(), sweeping[0])
	got, err := idempotency.Once(ctx, pool, addAgency)
	require.NoError(t, err)
	require.ErrorContains(t, idempotency.FromContext(ctx).SweepErr(), "no")
	replayed(t, pool, sweeping[0], got)
}

// Of many concurrent attempts exactly one executes the request, and all others get its result.
func TestRace(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t)
	var first, failed atomic.Int32
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for {
				got, replayed, err := do(t.Context(), pool, request)
				switch {
				case errors.Is(err, idempotency.ErrInProgress):
					continue
				case err != nil || *got.Name != "1":
					failed.Add(1)
				case !replayed:
					first.Add(1)
				}
				return
			}
		})
	}
	group.Wait()
	require.Zero(t, failed.Load())
	require.EqualValues(t, 1, first.Load())
	require.Equal(t, 1, dbtest.Count(t, pool, work))
}
