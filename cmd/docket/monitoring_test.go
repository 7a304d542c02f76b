package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"docket/api"
	"docket/internal/dbtest"
	"docket/internal/ranking"
)

var (
	metricName    = regexp.MustCompile(`\bdocket_[a-z_]+`)
	describedName = regexp.MustCompile(`fqName: "([^"]+)"`)
	alertName     = regexp.MustCompile(`\bDocket[A-Z][A-Za-z]+`)
)

// exported returns the names of Docket's metrics that docket serve exports.
func exported(t *testing.T) (names []string) {
	t.Helper()
	pool := dbtest.New(t)
	cfg := &serveConfig{ranking: rankingQueue, processConfig: processConfig{
		jobsMaxConns: leastJobsConns, upkeepConfig: upkeepConfig{viewsInterval: daily},
	}}
	metrics := api.NewMetrics(func() api.PoolStats { return api.PoolStats{} })
	b := &background{}
	require.NoError(t, b.wire(&cfg.processConfig, pool, zap.NewNop()))
	_, err := cfg.handler(pool, newDatabase("", nil), ranking.NewQueue(), []byte(strings.Repeat("k", 32)), b, metrics, zap.NewNop())
	require.NoError(t, err)
	b.addMetrics(metrics)
	metrics.AddReads(func() api.ReadStats { return api.ReadStats{} })
	descs := make(chan *prometheus.Desc, 1000)
	metrics.Describe(descs)
	close(descs)
	for desc := range descs {
		name := describedName.FindStringSubmatch(desc.String())[1]
		if strings.HasPrefix(name, "docket_") && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// expressions returns the expressions of the dashboard.
func expressions(t *testing.T) (found []string) {
	t.Helper()
	text, err := os.ReadFile("../../docs/monitoring/dashboard.json")
	require.NoError(t, err)
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	require.NoError(t, json.Unmarshal(text, &dashboard))
	for _, panel := range dashboard.Panels {
		require.NotEmpty(t, panel.Targets, panel.Title)
		for _, target := range panel.Targets {
			found = append(found, target.Expr)
		}
	}
	return found
}

// Every metric that the rules, the dashboard and the page name is exported, and the page lists every metric and every alert.
func TestMonitoringNamesMetrics(t *testing.T) {
	t.Parallel()
	names := exported(t)
	require.Greater(t, len(names), 20)
	rules, err := os.ReadFile("../../docs/monitoring/alerts.yaml")
	require.NoError(t, err)
	page, err := os.ReadFile("../../docs/monitoring.md")
	require.NoError(t, err)
	histogram := regexp.MustCompile(`_(bucket|sum|count)$`)
	for where, text := range map[string]string{
		"alerts.yaml": string(rules), "dashboard.json": strings.Join(expressions(t), "\n"), "monitoring.md": string(page),
	} {
		used := metricName.FindAllString(text, -1)
		require.NotEmpty(t, used, where)
		for _, name := range used {
			require.Contains(t, names, histogram.ReplaceAllString(name, ""), where)
		}
	}
	listed := metricName.FindAllString(string(page), -1)
	for _, name := range names {
		require.Contains(t, listed, name, "docs/monitoring.md")
	}
	for _, alert := range regexp.MustCompile(`alert: (\w+)`).FindAllStringSubmatch(string(rules), -1) {
		require.Contains(t, alertName.FindAllString(string(page), -1), alert[1], "docs/monitoring.md")
	}
	for _, alert := range alertName.FindAllString(string(page), -1) {
		require.Contains(t, string(rules), "alert: "+alert+"\n", "docs/monitoring.md")
	}
}

// Prometheus accepts the rules, and the expressions of the dashboard. Debian's package prometheus contains promtool. scripts/verify
// warns when it is missing.
func TestMonitoringByPromtool(t *testing.T) {
	t.Parallel()
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("promtool is not installed")
	}
	var recorded strings.Builder
	recorded.WriteString("groups:\n- name: dashboard\n  rules:\n")
	for i, expression := range expressions(t) {
		fmt.Fprintf(&recorded, "  - {record: panel_%d, expr: %q}\n", i, strings.ReplaceAll(expression, "$__rate_interval", "1m"))
	}
	dashboard := filepath.Join(t.TempDir(), "dashboard.yaml")
	require.NoError(t, os.WriteFile(dashboard, []byte(recorded.String()), 0o600))
	for _, file := range []string{"../../docs/monitoring/alerts.yaml", dashboard} {
		output, err := exec.CommandContext(t.Context(), promtool, "check", "rules", file).CombinedOutput()
		require.NoError(t, err, "%s", output)
		require.Contains(t, string(output), "SUCCESS: ")
	}
}
