package api

import (
	"context"
	"errors"
	"io"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"docket/internal/views"
)

func TestHealth(t *testing.T) {
	t.Parallel()
	broken := true
	core, logs := observer.New(zap.InfoLevel)
	cfg := testConfig(t)
	cfg.Log = zap.New(core)
	now := time.Now()
	cfg.Clock = func() time.Time { return now }
	check := func(err error) func(context.Context) error {
		return func(ctx context.Context) error {
			if _, bounded := ctx.Deadline(); !bounded {
				return errors.New("a check has no time limit")
			}
			if !broken {
				return nil
			}
			return err
		}
	}
	cfg.Checks = []Check{
		{"database", check(errors.New(secret))}, {"always ready", check(nil)}, {"migrations", check(errors.New("behind"))},
	}
	router, err := New(cfg)
	require.NoError(t, err)
	get := func(path string) *httptest.ResponseRecorder {
		response := httptest.NewRecorder()
		router.ServeHTTP(response, httptest.NewRequest("GET", path, nil))
		return response
	}

	require.JSONEq(t, `{"status":"ok"}`, get("/healthz").Body.String(), "the checks do not matter")
	response := get("/readyz")
	require.Equal(t, 503, response.Code)
	require.Equal(t, "Not ready: database, migrations", problemIn(t, response).Detail)
	require.NotContains(t, response.Body.String(), secret)
	require.Contains(t, logs.All()[1].ContextMap()["error"], "check database: "+secret)

	broken = false
	require.Equal(t, 503, get("/readyz").Code, "the result of the last run is used again")
	now = now.Add(checksCached)
	response = get("/readyz")
	require.Equal(t, 200, response.Code)
	require.JSONEq(t, `{"status":"ok","views":[]}`, response.Body.String())
}

func TestReadyzShowsViews(t *testing.T) {
	t.Parallel()
	refreshed := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	cfg := testConfig(t)
	now := time.Now()
	cfg.Clock = func() time.Time { return now }
	var failure error
	cfg.Views = func(ctx context.Context) ([]views.View, error) {
		if _, bounded := ctx.Deadline(); !bounded {
			return nil, errors.New("reading the views has no time limit")
		}
		return []views.View{
			{Name: "old", RefreshedAt: &refreshed, Age: 90 * time.Second, Rows: 3, Took: time.Second, Failure: secret}, {Name: "never"},
		}, failure
	}
	router, err := New(cfg)
	require.NoError(t, err)
	get := func() *httptest.ResponseRecorder {
		response := httptest.NewRecorder()
		router.ServeHTTP(response, httptest.NewRequest("GET", "/readyz", nil))
		return response
	}
	response := get()
	require.Equal(t, 200, response.Code)
	require.JSONEq(t, `{"status":"ok","views":[
		{"name":"old","refreshed_at":"2026-01-02T03:04:05Z","age_seconds":90},
		{"name":"never","refreshed_at":null,"age_seconds":null}]}`, response.Body.String())

	failure = errors.New(secret)
	now = now.Add(checksCached)
	response = get()
	require.Equal(t, 503, response.Code)
	require.Equal(t, "Not ready: views", problemIn(t, response).Detail)
	require.NotContains(t, response.Body.String(), secret)
}

func TestHeadIsGetWithoutBody(t *testing.T) {
	t.Parallel()
	router, err := New(testConfig(t))
	require.NoError(t, err)
	server := httptest.NewServer(router)
	defer server.Close()
	resp, err := server.Client().Head(server.URL + "/healthz")
	require.NoError(t, err)
	defer resp.Body.Close()
	require.Equal(t, 200, resp.StatusCode)
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Empty(t, body)
	resp, err = server.Client().Head(server.URL + "/annotate/all/1")
	require.NoError(t, err)
	defer resp.Body.Close()
	require.Equal(t, 405, resp.StatusCode)
}

// Requests that waited for a slow run of the checks get its result and do not start another run.
func TestSlowChecksRunOnce(t *testing.T) {
	t.Parallel()
	now := time.Now()
	runs := 0
	cfg := testConfig(t)
	cfg.Clock = func() time.Time { return now }
	cfg.Checks = []Check{{"slow", func(context.Context) error {
		runs++
		now = now.Add(2 * checksCached)
		return errors.New("slow")
	}}}
	router, err := New(cfg)
	require.NoError(t, err)
	for range 3 {
		response := httptest.NewRecorder()
		router.ServeHTTP(response, httptest.NewRequest("GET", "/readyz", nil))
		require.Equal(t, 503, response.Code)
	}
	require.Equal(t, 1, runs)
}
