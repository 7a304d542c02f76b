package api_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"docket/api"
	"docket/internal/auth"
	"docket/internal/dbtest"
	"docket/internal/postgres"
	"docket/internal/ranking"
)

// lockedRows is a database whose rows of the queue another program locks.
type lockedRows struct {
	outside *postgres.Pool
	held    []pgx.Tx
}

const (
	lockedURLs = 4
	writers    = 40
)

func newLockedRows(t *testing.T) *lockedRows {
	db := &lockedRows{outside: dbtest.New(t)}
	dbtest.Exec(t, db.outside, fmt.Sprintf("INSERT INTO urls (id, url, source) SELECT n, n || '.org', 'manual' FROM generate_series(1, %d) n", lockedURLs))
	require.NoError(t, ranking.Reconcile(t.Context(), db.outside, func(ranking.Difference) {}))
	for url := 1; url <= lockedURLs; url++ {
		tx, err := db.outside.Begin(t.Context())
		require.NoError(t, err)
		t.Cleanup(func() { _ = tx.Rollback(context.Background()) })
		_, err = tx.Exec(t.Context(), "SELECT FROM annotation_queue WHERE url_id = $1 FOR UPDATE", url)
		require.NoError(t, err)
		db.held = append(db.held, tx)
	}
	return db
}

func (db *lockedRows) unlock(t *testing.T) {
	for _, tx := range db.held {
		require.NoError(t, tx.Rollback(t.Context()))
	}
}

func (db *lockedRows) count(t *testing.T, query string) (n int) {
	require.NoError(t, db.outside.QueryRow(t.Context(), query).Scan(&n))
	return n
}

func (db *lockedRows) answers(t *testing.T) int {
	return db.count(t, "SELECT (SELECT count(*) FROM annotation__url_type__user) + (SELECT count(*) FROM annotation__url_type__anon)")
}

// serve serves the database with so many connections.
func (db *lockedRows) serve(t *testing.T, conns int32, lockTimeout time.Duration, change ...func(*api.Config, *postgres.Pool)) *conversation {
	pool, err := postgres.Open(t.Context(), postgres.PoolConfig{
		URL: db.outside.Config().ConnString(), MaxConns: conns, Served: true, LockTimeout: lockTimeout,
	})
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	handler := newHandler(t, pool, ranking.NewQueue(), zap.NewNop(), func(c *api.Config) {
		c.Unavailable = postgres.IsUnavailable
		c.RequestTimeout = 2 * time.Minute
		for _, f := range change {
			f(c, pool)
		}
	})
	server := httptest.NewServer(api.Conforming(t, handler))
	t.Cleanup(server.Close)
	return &conversation{pool: pool, server: server}
}

// answerAll lets many users and sessions answer at the same time.
func (c *conversation) answerAll(t *testing.T) (all []outcome) {
	arriving := c.answersOf(t)
	for range writers {
		all = append(all, <-arriving)
	}
	return all
}

// answersOf is answerAll, but returns the outcomes in the order in which they arrive.
func (c *conversation) answersOf(t *testing.T) <-chan outcome {
	outcomes := make(chan outcome, writers)
	for i := range writers {
		const body = `{"suggested_status": "broken page"}`
		path, bearer := fmt.Sprintf("/annotate/all/%d", 1+i%lockedURLs), tokenFor(t, int32(i)+1)
		if i%2 == 1 {
			path = fmt.Sprintf("/annotate/anonymous/%d?session_id=6f1f5c5e-4b6a-4c7e-9d7e-%012d", 1+i%lockedURLs, i)
			bearer = ""
		}
		go func() { outcomes <- c.post(t.Context(), path, bearer, body) }()
	}
	return outcomes
}

// Many writers wait for rows that another program has locked. Requests that only read are answered meanwhile.
func TestWaitingWritersDoNotBlockReaders(t *testing.T) {
	t.Parallel()
	for _, conns := range []int32{2, 8} {
		t.Run(fmt.Sprintf("%d connections", conns), func(t *testing.T) {
			t.Parallel()
			db := newLockedRows(t)
			c := db.serve(t, conns, 0)
			answered := make(chan []outcome)
			go func() { answered <- c.answerAll(t) }()
			waiting := map[int32]int{2: 1, 8: 5}[conns] // more wait for a connection
			require.Eventually(t, func() bool {
				return db.count(t, `SELECT count(*) FROM pg_stat_activity
					WHERE datname = current_database() AND wait_event_type = 'Lock'`) == waiting
			}, time.Minute, time.Millisecond)
			for _, path := range []string{
				"/annotate/all", "/annotate/anonymous", "/url", "/batch", "/agencies", "/search/url?url=1.org",
				"/typeahead/agencies?query=a", "/metrics/backlog", "/contributions/leaderboard", "/proposal/agencies",
			} {
				req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, c.server.URL+path, nil)
				require.NoError(t, err)
				req.Header.Set("Authorization", "Bearer "+tokenFor(t, 7, auth.AccessSourceCollector))
				resp, err := c.server.Client().Do(req)
				require.NoError(t, err)
				require.NoError(t, resp.Body.Close())
				require.Equal(t, http.StatusOK, resp.StatusCode, path)
			}
			require.Zero(t, db.answers(t))
			db.unlock(t)
			for _, got := range <-answered {
				require.Equal(t, http.StatusOK, got.status, got.body)
			}
			require.Equal(t, writers, db.answers(t))
		})
	}
}

// Writers that wait too long for a lock get 503 with nothing stored. Their repetition succeeds when the locks are released.
func TestWaitForALockIsBounded(t *testing.T) {
	t.Parallel()
	db := newLockedRows(t)
	c := db.serve(t, 8, 20*time.Millisecond)
	for _, got := range c.answerAll(t) {
		require.Equal(t, http.StatusServiceUnavailable, got.status, got.body)
		require.Equal(t, "1", got.header.Get("Retry-After"))
	}
	require.Zero(t, db.answers(t))
	db.unlock(t)
	c = db.serve(t, 8, 0) // the answers wait for each other
	for _, got := range c.answerAll(t) {
		require.Equal(t, http.StatusOK, got.status, got.body)
	}
	require.Equal(t, writers, db.answers(t))
}
