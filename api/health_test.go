package api

import (
	"context"
	"errors"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

func TestHealth(t *testing.T) {
	t.Parallel()
	broken := true
	core, logs := observer.New(zap.InfoLevel)
	cfg := testConfig(t)
	cfg.Log = zap.New(core)
	check := func(err error) func(context.Context) error {
		return func(ctx context.Context) error {
			if _, bounded := ctx.Deadline(); !bounded {
				return errors.New("a check must not take for ever")
			}
			if !broken {
				return nil
			}
			return err
		}
	}
	cfg.Checks = []Check{
		{"database", check(errors.New(secret))}, {"always fine", check(nil)}, {"migrations", check(errors.New("behind"))},
	}
	router, err := New(cfg)
	require.NoError(t, err)
	get := func(path string) *httptest.ResponseRecorder {
		answer := httptest.NewRecorder()
		router.ServeHTTP(answer, httptest.NewRequest("GET", path, nil))
		return answer
	}

	require.JSONEq(t, `{"status":"ok"}`, get("/healthz").Body.String(), "alive whatever the checks say")
	answer := get("/readyz")
	require.Equal(t, 503, answer.Code)
	require.Equal(t, "Not ready: database, migrations", problemIn(t, answer).Detail)
	require.NotContains(t, answer.Body.String(), secret)
	require.Contains(t, logs.All()[1].ContextMap()["error"], "check database: "+secret)

	broken = false
	answer = get("/readyz")
	require.Equal(t, 200, answer.Code)
	require.JSONEq(t, `{"status":"ok"}`, answer.Body.String())
}
