package api_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"docket/api"
	"docket/internal/annotation"
	"docket/internal/dbtest"
	"docket/internal/ranking"
)

// TestReservations shows reservations over HTTP: what the headers say, the heartbeat and the end of a reservation.
func TestReservations(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t)
	dbtest.Exec(t, pool, "INSERT INTO urls (id, url, source) VALUES (1, 'one.org', 'manual'), (2, 'two.org', 'manual')")
	require.NoError(t, ranking.Reconcile(t.Context(), pool, func(ranking.Difference) {}))
	server := httptest.NewServer(api.Conforming(t, newHandler(t, pool, ranking.NewQueue(), zap.NewNop(), func(c *api.Config) {
		c.Annotations = annotation.New(pool, ranking.NewQueue(), annotation.Reserve(annotation.ReservePolicy{
			For: 10 * time.Minute, Overlap: 1, WhenAllReserved: annotation.Wait,
		}))
	})))
	t.Cleanup(server.Close)
	c := &conversation{pool: pool, server: server}
	const session = "?session_id=6f1f5c5e-4b6a-4c7e-9d7e-0123456789ab"
	send := func(method, path string, user int32) outcome {
		var bearer string
		if user > 0 {
			bearer = tokenFor(t, user)
		}
		answered := c.request(t.Context(), method, path, bearer, "")
		require.NoError(t, answered.err)
		return answered
	}
	reserveFor := 10 * time.Minute
	offered := func(path string, user int32, url, reason string) {
		t.Helper()
		answered := send(http.MethodGet, path, user)
		require.Equal(t, http.StatusOK, answered.status, answered.body)
		require.Contains(t, answered.body, `"url":"`+url+`"`)
		require.Equal(t, reason, answered.header.Get("Annotation-Reason"))
		until, err := time.Parse(time.RFC3339, answered.header.Get("Reserved-Until"))
		require.NoError(t, err)
		require.WithinDuration(t, time.Now().Add(reserveFor), until, time.Minute)
	}
	offered("/annotate/all", 7, "one.org", "next")
	offered("/annotate/anonymous"+session, 0, "two.org", "next")
	offered("/annotate/all", 7, "one.org", "reserved-by-you")

	none := send(http.MethodGet, "/annotate/all", 8)
	require.Contains(t, none.body, `"next_annotation":null`)
	require.Equal(t, "all-reserved", none.header.Get("Annotation-Reason"))
	require.Regexp(t, "^(599|600)$", none.header.Get("Retry-After"))
	require.Empty(t, none.header.Get("Reserved-Until"))

	held := send(http.MethodPost, "/annotate/all/1/reservation", 7)
	require.Equal(t, http.StatusOK, held.status)
	require.Regexp(t, `^\{"expires_at":"[^"]+Z","url_id":1\}\n$`, held.body)
	refused := send(http.MethodPost, "/annotate/anonymous/1/reservation"+session, 0)
	require.Equal(t, http.StatusConflict, refused.status)
	require.Contains(t, refused.body, "urn:docket:problem:held-by-others")
	require.Equal(t, http.StatusNotFound, send(http.MethodPost, "/annotate/all/3/reservation", 7).status)
	require.Equal(t, http.StatusNotFound, send(http.MethodDelete, "/annotate/all/3/reservation", 7).status)

	for range 2 {
		ended := send(http.MethodDelete, "/annotate/all/1/reservation", 7)
		require.Equal(t, http.StatusOK, ended.status)
		require.JSONEq(t, `{"message": "Reservation ended."}`, ended.body)
	}
	offered("/annotate/all", 8, "one.org", "next")
	require.Equal(t, http.StatusOK, send(http.MethodPost, "/annotate/anonymous/2/reservation"+session+"&suggestions=hidden", 0).status)
	require.Equal(t, http.StatusOK, send(http.MethodDelete, "/annotate/anonymous/2/reservation"+session, 0).status)
	offered("/annotate/all?anno_url_id=2", 8, "two.org", "requested")
	require.Equal(t, http.StatusOK, send(http.MethodDelete, "/annotate/all/2/reservation", 8).status)
	reserveFor = 2 * time.Minute // of a session that is new
	offered("/annotate/anonymous", 0, "one.org", "next")
}
