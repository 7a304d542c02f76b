package idempotency_test

import (
	"crypto/sha256"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"docket/internal/dbtest"
	"docket/internal/faultproxy"
	"docket/internal/idempotency"
	"docket/internal/postgres"
)

// setup returns a pool that is connected through a proxy, and one that is not.
func setup(t *testing.T) (proxy *faultproxy.Proxy, through, direct *postgres.Pool) {
	url := dbtest.URL(t)
	proxy = faultproxy.New(t, url)
	open := func(url string) *postgres.Pool {
		pool, err := postgres.Open(t.Context(), postgres.PoolConfig{URL: url, MaxConns: 4, Served: true})
		require.NoError(t, err)
		t.Cleanup(pool.Close)
		return pool
	}
	return proxy, open(proxy.URL()), open(url)
}

// Whatever happens to the connection at the commit: a success is stored, a failure is not, and a repetition has one effect.
func TestConnectionBreaksAtCommit(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		rule   faultproxy.Rule
		stored bool
	}{
		"cut before the server has it": {faultproxy.Rule{At: faultproxy.BeforeStatement, Do: faultproxy.Cut}, false},
		"cut while it is executed":     {faultproxy.Rule{At: faultproxy.AfterSend, Do: faultproxy.Cut}, true},
		"cut after it":                 {faultproxy.Rule{At: faultproxy.BeforeAnswer, Do: faultproxy.Cut}, true},
		"half-closed":                  {faultproxy.Rule{At: faultproxy.BeforeAnswer, Do: faultproxy.HalfClose(faultproxy.ToClient)}, true},
		// PostgreSQL does not notice the end of this connection. InTx ends its process, which would hold the lock of the key.
		"silence before the server has it": {faultproxy.Rule{At: faultproxy.BeforeStatement, Do: faultproxy.Stall(faultproxy.Both)}, false},
		"silence after it":                 {faultproxy.Rule{At: faultproxy.BeforeAnswer, Do: faultproxy.Stall(faultproxy.Both)}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			proxy, through, direct := setup(t)
			defer proxy.Heal()
			test.rule.Match, test.rule.Times = faultproxy.Commit, 1
			proxy.Set(test.rule)
			got, again, err := do(t.Context(), through, request)
			require.Equal(t, 1, proxy.Faults())
			require.False(t, again)
			if !test.stored {
				require.True(t, postgres.IsUnavailable(err), err)
				require.NotErrorIs(t, err, postgres.ErrOutcomeUnknown)
				require.Zero(t, dbtest.Count(t, direct, keys))
				require.Zero(t, dbtest.Count(t, direct, work))
				got = executed(t, through, request)
			}
			if test.stored {
				require.NoError(t, err)
			}
			replayed(t, through, request, got)
			require.Equal(t, 1, dbtest.Count(t, direct, work))
		})
	}
}

// The transaction of a replay changes nothing, so that the fate of its commit does not matter.
func TestConnectionBreaksAtCommitOfReplay(t *testing.T) {
	t.Parallel()
	proxy, through, _ := setup(t)
	first := executed(t, through, request)
	proxy.Set(faultproxy.Rule{Match: faultproxy.Commit, At: faultproxy.BeforeStatement, Do: faultproxy.Cut, Times: 1})
	replayed(t, through, request, first)
	require.Equal(t, 1, proxy.Faults())
}

// InTx cannot find out what became of the transaction, as after a crash of the server. The key shows it.
func TestResultIsLookedUpByKey(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		at     faultproxy.Point
		stored int
	}{"committed": {faultproxy.BeforeAnswer, 1}, "rolled back": {faultproxy.BeforeStatement, 0}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			proxy, through, direct := setup(t)
			proxy.Set(
				faultproxy.Rule{Match: faultproxy.Commit, At: test.at, Do: faultproxy.Cut, Times: 1},
				faultproxy.Rule{Match: faultproxy.SQL("pg_xact_status"), At: faultproxy.BeforeStatement, Do: faultproxy.Cut},
			)
			got, _, err := do(t.Context(), through, request)
			require.Equal(t, test.stored, dbtest.Count(t, direct, work))
			if test.stored == 0 {
				require.ErrorIs(t, err, idempotency.ErrNotStored)
				got = executed(t, through, request)
			} else {
				require.NoError(t, err)
			}
			replayed(t, through, request, got)
		})
	}
}

// While the database cannot be reached, the client learns that the result is unknown, and that it may repeat the request.
func TestResultCannotBeLookedUp(t *testing.T) {
	t.Parallel()
	proxy, through, direct := setup(t)
	rules := []faultproxy.Rule{
		{Match: faultproxy.Commit, At: faultproxy.BeforeAnswer, Do: faultproxy.Cut, Times: 1},
		{Match: faultproxy.SQL("pg_try_advisory"), At: faultproxy.BeforeStatement, Do: faultproxy.Cut, Skip: 1},
		{Match: faultproxy.SQL("pg_xact_status"), At: faultproxy.BeforeStatement, Do: faultproxy.Cut},
	}
	proxy.Set(rules...)
	_, _, err := do(t.Context(), through, request)
	require.ErrorIs(t, err, idempotency.ErrUnknown)
	require.Equal(t, 1, dbtest.Count(t, direct, work))

	proxy.Set(rules[0], rules[2])
	_, err = idempotency.Once(t.Context(), through, addAgency)
	require.ErrorIs(t, err, idempotency.ErrUnknown, "without a key")
	require.Equal(t, 2, dbtest.Count(t, direct, work))

	proxy.Set()
	_, again, err := do(t.Context(), through, request)
	require.NoError(t, err)
	require.True(t, again)
}

func TestManyLostCommits(t *testing.T) {
	t.Parallel()
	proxy, through, direct := setup(t)
	proxy.Set(
		faultproxy.Rule{Match: faultproxy.Commit, At: faultproxy.BeforeStatement, Do: faultproxy.Cut, Probability: 0.3},
		faultproxy.Rule{Match: faultproxy.Commit, At: faultproxy.BeforeAnswer, Do: faultproxy.Cut, Probability: 0.3},
	)
	const requests = 50
	ids := make(map[int32]bool)
	for i := range requests {
		r := idempotency.Request{Caller: "user 7", Key: fmt.Sprint(i), Digest: sha256.Sum256([]byte{byte(i)})}
		for {
			got, _, err := do(t.Context(), through, r)
			if err == nil {
				ids[got.ID] = true
				break
			}
			require.True(t, postgres.IsUnavailable(err), "%v", err)
		}
	}
	require.Positive(t, proxy.Faults())
	require.Len(t, ids, requests)
	require.Equal(t, requests, dbtest.Count(t, direct, work))
}
