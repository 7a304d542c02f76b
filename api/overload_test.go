package api_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"docket/api"
	"docket/internal/admission"
	"docket/internal/auth"
	"docket/internal/dbtest"
	"docket/internal/postgres"
)

// bounded admits requests to the connections of the pool, without a limit of their wait.
func bounded(t *testing.T, queue int) func(*api.Config, *postgres.Pool) {
	return func(cfg *api.Config, pool *postgres.Pool) {
		health := postgres.NewHealth(pool.Config().ConnString())
		t.Cleanup(health.Close)
		cfg.Checks = []api.Check{{Name: "database", Run: health.Check}}
		cfg.Admission = admission.New(admission.Config{
			Conns: int(pool.Config().MaxConns), Writers: pool.MaxWriters(), MaxWait: time.Hour, MaxQueue: queue, MaxRequests: 1000,
		})
	}
}

func (c *conversation) get(t *testing.T, path string, permissions ...auth.Permission) outcome {
	t.Helper()
	return c.request(t.Context(), http.MethodGet, path, tokenFor(t, 7, permissions...), "")
}

// Answers wait for rows that another program has locked. As many are processed as the limits allow and as many wait; all others are
// refused while the rows are still locked. Requests that read are answered, the instance is ready, and nothing of a refused
// answer is stored.
func TestOverloadByAnswers(t *testing.T) {
	t.Parallel()
	const conns, processed, queue = 4, 2, 3
	db := newLockedRows(t)
	c := db.serve(t, conns, 0, bounded(t, queue))
	arriving := c.answersOf(t)
	for range writers - processed - queue {
		got := <-arriving
		require.Equal(t, http.StatusServiceUnavailable, got.status, got.body)
		require.Contains(t, got.body, "urn:docket:problem:overloaded")
		require.Contains(t, []string{"1", "2"}, got.header.Get("Retry-After"))
	}
	for _, path := range []string{"/readyz", "/annotate/all", "/annotate/anonymous", "/search/url?url=1.org", "/metrics/backlog"} {
		got := c.get(t, path, auth.AccessSourceCollector)
		require.Equal(t, http.StatusOK, got.status, path, got.body)
	}
	require.Zero(t, db.answers(t))
	db.unlock(t)
	for range processed + queue {
		got := <-arriving
		require.Equal(t, http.StatusOK, got.status, got.body)
	}
	require.Equal(t, processed+queue, db.answers(t), "nothing of a refused answer is stored")
}

// Exports and lists that wait for locked tables take only their part of the connections: annotators get URLs and answer meanwhile.
func TestOtherRequestsLeaveConnectionsToAnnotators(t *testing.T) {
	t.Parallel()
	const conns, queue = 4, 2
	db := newLockedRows(t)
	db.unlock(t)
	c := db.serve(t, conns, 0, bounded(t, queue))
	tx, err := db.outside.Begin(t.Context())
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), "LOCK TABLE batches, flag_url_auto_validated IN ACCESS EXCLUSIVE MODE")
	require.NoError(t, err)
	const each = 10
	outcomes := make(chan outcome, 2*each)
	for range each {
		for _, path := range []string{"/export/facts", "/batch"} {
			go func() { outcomes <- c.get(t, path, auth.AccessSourceCollector) }()
		}
	}
	const held = 2 // half of the connections
	dbtest.WaitForLocks(t, db.outside, held)
	for i := range 3 {
		got := c.get(t, "/annotate/all")
		require.Equal(t, http.StatusOK, got.status, got.body)
		got = c.post(t.Context(), fmt.Sprintf("/annotate/all/%d", 1+i), tokenFor(t, 7), `{"suggested_status": "broken page"}`)
		require.Equal(t, http.StatusOK, got.status, got.body)
	}
	require.NoError(t, tx.Rollback(t.Context()))
	refused := 0
	for range 2 * each {
		switch got := <-outcomes; got.status {
		case http.StatusOK:
		case http.StatusServiceUnavailable:
			refused++
			require.NotEmpty(t, got.header.Get("Retry-After"))
		default:
			t.Errorf("%d %s", got.status, got.body)
		}
	}
	require.NotZero(t, refused)
}
