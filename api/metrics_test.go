package api

import (
	"context"
	"errors"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/stretchr/testify/require"

	"docket/internal/phase"
	"docket/internal/progress"
	"docket/internal/views"
)

func TestMetrics(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *gin.Context, _ func(*gin.Context, error)) {
		_, end := phase.Start(c, phase.MainQuery)
		end()
		c.Status(204)
	})
	b.send("POST", "/things/7", `{"color":"red"}`)
	b.send("POST", "/things/8", `{"color":"red"}`)
	b.send("POST", "/things/8", `{}`)
	b.send("POST", "/nowhere", "")
	b.send("BREW", "/nowhere/else", "")

	response := httptest.NewRecorder()
	b.metrics.Handler().ServeHTTP(response, httptest.NewRequest("GET", "/internal/metrics", nil))
	require.Equal(t, 200, response.Code)
	for _, line := range []string{
		`docket_http_request_duration_seconds_count{method="POST",route="/things/:id",status="2xx"} 2`,
		`docket_http_request_duration_seconds_count{method="POST",route="/things/:id",status="4xx"} 1`,
		`docket_http_request_duration_seconds_count{method="",route="unmatched",status="4xx"} 2`,
		`docket_phase_duration_seconds_count{phase="main_query"} 2`,
		`docket_phase_duration_seconds_count{phase="auth"} 3`,
		`docket_phase_duration_seconds_bucket{phase="auth",le="5e-05"}`,
		`docket_pool_max_connections 8`,
		`docket_pool_acquire_seconds_total 1.5`,
		`docket_pool_empty_acquire_wait_seconds_total 0.25`,
		`go_goroutines`,
	} {
		require.Contains(t, response.Body.String(), "\n"+line)
	}
	require.NotContains(t, response.Body.String(), "BREW")
	require.NotContains(t, response.Body.String(), "docket_view")
}

func TestViewMetrics(t *testing.T) {
	t.Parallel()
	refreshed := time.Now()
	var failure error
	metrics := NewMetrics(func() PoolStats { return PoolStats{} })
	metrics.AddViews(func(ctx context.Context) ([]views.View, error) {
		if _, bounded := ctx.Deadline(); !bounded {
			return nil, errors.New("the scrape has no time limit")
		}
		return []views.View{
			{Name: "old", RefreshedAt: &refreshed, Age: 90 * time.Second, Rows: 3, Took: 250 * time.Millisecond}, {Name: "never"},
		}, failure
	})
	text := scrape(t, metrics)
	for _, line := range []string{
		`docket_view_age_seconds{view="old"} 90`, `docket_view_rows{view="old"} 3`, `docket_view_refresh_seconds{view="old"} 0.25`,
	} {
		require.Contains(t, text, "\n"+line+"\n")
	}
	require.NotContains(t, text, `view="never"`)

	failure = errors.New("no database")
	text = scrape(t, metrics)
	require.NotContains(t, text, "docket_view")
	require.Contains(t, text, "go_goroutines", "the other metrics need no database")
}

// scrape returns the metrics as Prometheus reads them.
func scrape(t *testing.T, metrics *Metrics) string {
	t.Helper()
	response := httptest.NewRecorder()
	metrics.Handler().ServeHTTP(response, httptest.NewRequest("GET", "/internal/metrics", nil))
	require.Equal(t, 200, response.Code)
	return response.Body.String()
}

func TestReservationMetrics(t *testing.T) {
	t.Parallel()
	var failure error
	metrics := NewMetrics(func() PoolStats { return PoolStats{} })
	metrics.AddReservations(func(ctx context.Context) (int64, error) {
		if _, bounded := ctx.Deadline(); !bounded {
			return 0, errors.New("the scrape has no time limit")
		}
		return 7, failure
	})
	require.Contains(t, scrape(t, metrics), "\ndocket_reservations 7\n")

	failure = errors.New("no database")
	text := scrape(t, metrics)
	require.NotContains(t, text, "docket_reservations")
	require.Contains(t, text, "go_goroutines")
}

func TestSkipMetrics(t *testing.T) {
	t.Parallel()
	var failure error
	metrics := NewMetrics(func() PoolStats { return PoolStats{} })
	metrics.AddSkips(func(ctx context.Context) ([]progress.SkipCounts, error) {
		if _, bounded := ctx.Deadline(); !bounded {
			return nil, errors.New("the scrape has no time limit")
		}
		return []progress.SkipCounts{{Reason: "language", Skips: 9, URLs: 2}, {Reason: "other"}}, failure
	})
	text := scrape(t, metrics)
	require.Contains(t, text, "\ndocket_skipped_urls{reason=\"language\"} 2\n")
	require.Contains(t, text, "\ndocket_skipped_urls{reason=\"other\"} 0\n")

	failure = errors.New("no database")
	text = scrape(t, metrics)
	require.NotContains(t, text, "docket_skipped_urls")
	require.Contains(t, text, "go_goroutines")
}
