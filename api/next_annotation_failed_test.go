package api_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"docket/api"
	"docket/internal/annotation"
	"docket/internal/db"
	"docket/internal/dbtest"
	"docket/internal/postgres"
	"docket/internal/ranking"
)

// failingRanking fails to choose, in the way that it is given.
type failingRanking func() error

func (r failingRanking) NextForUser(context.Context, db.DBTX, int32, ranking.Filter) (*ranking.Choice, error) {
	return nil, r()
}

func (r failingRanking) NextForSession(context.Context, db.DBTX, annotation.Session, int32) (*ranking.Choice, error) {
	return nil, r()
}

// A stored answer is never reported as failed: when the next URL cannot be chosen, the response is 200, a header says why, and the
// log has the cause.
func TestNextAnnotationFailed(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		choose func() error
		reason string
		logged string
	}{
		"timeout":     {func() error { return context.DeadlineExceeded }, "timeout", "deadline exceeded"},
		"unavailable": {func() error { return postgres.ErrBusy }, "unavailable", "no connection"},
		"error":       {func() error { return fmt.Errorf("a bug") }, "error", "a bug"},
		"panic":       {func() error { panic("a crash") }, "error", "a crash"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pool := dbtest.New(t)
			dbtest.Exec(t, pool, "INSERT INTO urls (id, url, source) VALUES (1, 'one.org', 'manual')")
			require.NoError(t, ranking.Reconcile(t.Context(), pool, func(ranking.Difference) {}))
			core, logs := observer.New(zap.ErrorLevel)
			handler := newHandler(t, pool, failingRanking(tt.choose), zap.New(core), func(c *api.Config) {
				c.Unavailable = postgres.IsUnavailable
				c.CORSOrigins = []string{"https://annotate.example"}
			})
			server := httptest.NewServer(api.Conforming(t, handler))
			t.Cleanup(server.Close)
			c := &conversation{pool: pool, server: server}

			const body = `{"suggested_status": "broken page"}`
			const session = "?session_id=6f1f5c5e-4b6a-4c7e-9d7e-0123456789ab"
			for path, bearer := range map[string]string{"/annotate/all/1": tokenFor(t, 7), "/annotate/anonymous/1" + session: ""} {
				response := c.post(t.Context(), path, bearer, body)
				require.NoError(t, response.err)
				require.Equal(t, http.StatusOK, response.status, response.body)
				require.Contains(t, response.body, `"next_annotation":null`)
				require.Equal(t, tt.reason, response.header.Get("Next-Annotation-Failed"))
				entries := logs.TakeAll()
				require.Len(t, entries, 1)
				require.Contains(t, entries[0].ContextMap()["error"], tt.logged)
				require.Equal(t, name == "panic", entries[0].ContextMap()["stack"] != nil)
			}
			var stored int
			require.NoError(t, pool.QueryRow(t.Context(), `SELECT (SELECT count(*) FROM annotation__url_type__user)
				+ (SELECT count(*) FROM annotation__url_type__anon)`).Scan(&stored))
			require.Equal(t, 2, stored)

			response := c.post(t.Context(), "/annotate/all/1?get_next_url=false", tokenFor(t, 8), body)
			require.Equal(t, http.StatusOK, response.status, response.body)
			require.Empty(t, response.header.Get("Next-Annotation-Failed"), "none was asked for")
		})
	}
}
