package measure_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"docket/benchmarks/measure"
)

func TestQuantile(t *testing.T) {
	t.Parallel()
	s := measure.Series{Times: []time.Duration{1, 2, 3, 4}}
	require.Equal(t, time.Duration(3), s.Quantile(0.5))
	require.Equal(t, time.Duration(4), s.Quantile(0.99))
	require.Zero(t, measure.Series{}.Quantile(0.5))
}

func TestInterleaveRunsBeforeEachCall(t *testing.T) {
	t.Parallel()
	var before, calls int
	found, err := measure.Interleave(t.Context(), []measure.Probe{{
		Name: "counted", Before: func() { before++ }, Call: func(context.Context) error { calls++; return nil },
	}}, time.Millisecond)
	require.NoError(t, err)
	require.Equal(t, before, calls)
	require.Len(t, found[0].Times, calls-measure.WarmUp, "the first calls are not measured")
}

func TestLoadReturnsAnError(t *testing.T) {
	t.Parallel()
	refused := errors.New("refused")
	var calls atomic.Int32
	_, err := measure.Load(t.Context(), 4, time.Hour, measure.Same(func(context.Context) error {
		if calls.Add(1) > 8 {
			return refused
		}
		return nil
	}))
	require.ErrorIs(t, err, refused)
}

func TestGet(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer x" {
			w.WriteHeader(http.StatusUnauthorized)
		}
		w.Header().Set("Server-Timing", "main_query_s;dur=1.5, total_s;dur=2")
	}))
	t.Cleanup(server.Close)
	for authorization, want := range map[string]string{"Bearer x": "", "": "GET /a: 401 Unauthorized"} {
		var phases map[string]float64
		client, err := measure.Get(server.Listener.Addr().String(), "/a", authorization, func(h http.Header) {
			phases = measure.ServerTiming(h.Get("Server-Timing"))
		})
		require.NoError(t, err)
		t.Cleanup(client.Close)
		for range 2 {
			err = client.Call(t.Context())
		}
		if want == "" {
			require.NoError(t, err)
			require.Equal(t, map[string]float64{"main_query_s": 1500, "total_s": 2000}, phases)
		} else {
			require.EqualError(t, err, want)
		}
	}
}
