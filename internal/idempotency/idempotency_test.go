package idempotency_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"docket/internal/dbtest"
	"docket/internal/idempotency"
	"docket/internal/postgres"
)

const (
	lease = time.Hour
	keys  = "SELECT count(*) FROM idempotency_keys"
)

var (
	request  = idempotency.Request{Caller: "user 7", Key: "k", Digest: sha256.Sum256([]byte("a"))}
	response = idempotency.StoredResponse{Status: 200, ContentType: "application/json", Body: []byte(`{"id":1}`)}
)

func setup(t *testing.T) (*idempotency.Store, *postgres.Pool) {
	pool := dbtest.New(t)
	return idempotency.New(pool), pool
}

func claim(t *testing.T, s *idempotency.Store, r idempotency.Request) *idempotency.Claim {
	t.Helper()
	claim, stored, err := s.Claim(t.Context(), r, lease)
	require.NoError(t, err)
	require.Nil(t, stored)
	return claim
}

func replayed(t *testing.T, s *idempotency.Store, r idempotency.Request) {
	t.Helper()
	claim, stored, err := s.Claim(t.Context(), r, lease)
	require.NoError(t, err)
	require.Nil(t, claim)
	require.Equal(t, &response, stored)
}

func TestResponseIsReplayed(t *testing.T) {
	t.Parallel()
	s, _ := setup(t)
	require.NoError(t, claim(t, s, request).Save(t.Context(), response))
	replayed(t, s, request)
	replayed(t, s, request)
}

func TestResponseWithoutBody(t *testing.T) {
	t.Parallel()
	s, _ := setup(t)
	require.NoError(t, claim(t, s, request).Save(t.Context(), idempotency.StoredResponse{Status: 204}))
	_, stored, err := s.Claim(t.Context(), request, lease)
	require.NoError(t, err)
	require.Equal(t, &idempotency.StoredResponse{Status: 204, Body: []byte{}}, stored)
}

func TestConcurrentRequestIsRefused(t *testing.T) {
	t.Parallel()
	s, pool := setup(t)
	first := claim(t, s, request)
	_, _, err := s.Claim(t.Context(), request, lease)
	require.ErrorIs(t, err, idempotency.ErrInProgress)

	require.NoError(t, first.Release(t.Context()))
	require.Zero(t, dbtest.Count(t, pool, keys))
	claim(t, s, request)
}

func TestCallersHaveSeparateKeys(t *testing.T) {
	t.Parallel()
	s, _ := setup(t)
	require.NoError(t, claim(t, s, request).Save(t.Context(), response))
	other := request
	other.Caller = "user 8"
	claim(t, s, other)
	replayed(t, s, request)
}

func TestDifferentRequestIsRefused(t *testing.T) {
	t.Parallel()
	s, pool := setup(t)
	other := request
	other.Digest = sha256.Sum256([]byte("b"))
	refused := func() {
		t.Helper()
		_, _, err := s.Claim(t.Context(), other, lease)
		require.ErrorIs(t, err, idempotency.ErrOtherRequest)
	}
	first := claim(t, s, request)
	refused()
	dbtest.Exec(t, pool, "UPDATE idempotency_keys SET claimed_until = now()")
	refused() // the result of the first attempt is unknown, so the key stays reserved for its request
	require.NoError(t, first.Save(t.Context(), response))
	refused()

	dbtest.Exec(t, pool, "UPDATE idempotency_keys SET expires_at = now()")
	claim(t, s, other)
}

// A request whose attempt died is executed again. If the first attempt still runs, it does not overwrite the second.
func TestExpiredLease(t *testing.T) {
	t.Parallel()
	s, pool := setup(t)
	late := claim(t, s, request)
	dbtest.Exec(t, pool, "UPDATE idempotency_keys SET claimed_until = now()")
	again := claim(t, s, request)
	_, _, err := s.Claim(t.Context(), request, lease)
	require.ErrorIs(t, err, idempotency.ErrInProgress, "the second attempt has its own lease")

	require.NoError(t, late.Release(t.Context()))
	require.NoError(t, late.Save(t.Context(), idempotency.StoredResponse{Status: 201, Body: []byte("late")}))
	_, _, err = s.Claim(t.Context(), request, lease)
	require.ErrorIs(t, err, idempotency.ErrInProgress)

	require.NoError(t, again.Save(t.Context(), response))
	require.NoError(t, late.Release(t.Context()))
	require.NoError(t, again.Release(t.Context()), "a release after a save changes nothing")
	replayed(t, s, request)
}

func TestResponsesExpireAfter24Hours(t *testing.T) {
	t.Parallel()
	s, pool := setup(t)
	require.NoError(t, claim(t, s, request).Save(t.Context(), response))
	days := dbtest.Value[float64](t, pool, "SELECT extract(epoch FROM expires_at - now())::float8 / 86400 FROM idempotency_keys")
	require.InDelta(t, 1, days, 0.1)

	dbtest.Exec(t, pool, "UPDATE idempotency_keys SET expires_at = now()")
	require.NoError(t, claim(t, s, request).Save(t.Context(), response))
	replayed(t, s, request)
}

func TestExpiredKeysAreDeleted(t *testing.T) {
	t.Parallel()
	s, pool := setup(t)
	insert := func(prefix string, n int, expires string) {
		dbtest.Exec(t, pool, fmt.Sprintf(`INSERT INTO idempotency_keys (caller, key, request, claim, claimed_until, expires_at)
			SELECT 'c', '%s' || i, sha256(''), gen_random_uuid(), now(), now() + '%s' FROM generate_series(1, %d) AS i`, prefix, expires, n))
	}
	insert("expired", 150, "-1 second")
	insert("alive", 10, "1 hour")
	require.NoError(t, claim(t, s, request).Save(t.Context(), response)) // the first one sweeps
	require.Equal(t, 50+10+1, dbtest.Count(t, pool, keys), "sweepLimit in one sweep")
	for i := range 19 {
		r := request
		r.Key = fmt.Sprint(i)
		require.NoError(t, claim(t, s, r).Save(t.Context(), response))
	}
	require.Equal(t, 50+10+20, dbtest.Count(t, pool, keys), "no sweep in the next 19")
	r := request
	r.Key = "last"
	require.NoError(t, claim(t, s, r).Save(t.Context(), response))
	require.Equal(t, 10+21, dbtest.Count(t, pool, keys))
	replayed(t, s, request)
}

// Of many concurrent attempts exactly one executes the request, and all others get its response.
func TestRace(t *testing.T) {
	t.Parallel()
	s, pool := setup(t)
	dbtest.Exec(t, pool, `INSERT INTO idempotency_keys (caller, key, request, claim, claimed_until, expires_at)
		VALUES ('user 7', 'k', sha256('a'), gen_random_uuid(), now(), now() + '1 hour')`) // an expired attempt
	var done, failed atomic.Int32
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for {
				claim, stored, err := s.Claim(context.WithoutCancel(t.Context()), request, lease)
				switch {
				case claim != nil && done.Add(1) > 1:
					failed.Add(1)
					return
				case claim != nil:
					if claim.Save(context.WithoutCancel(t.Context()), response) != nil {
						failed.Add(1)
					}
				case stored != nil:
					if stored.Status != response.Status || string(stored.Body) != string(response.Body) {
						failed.Add(1)
					}
					return
				case err == nil || err.Error() != idempotency.ErrInProgress.Error():
					failed.Add(1)
					return
				}
			}
		})
	}
	group.Wait()
	require.EqualValues(t, 1, done.Load())
	require.Zero(t, failed.Load())
}
