package main

import (
	"fmt"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"docket/internal/dbtest"
	"docket/internal/jobs"
)

// listJobs returns the jobs with an environment.
func listJobs(t *testing.T, environment ...string) ([]jobs.Job, error) {
	t.Helper()
	for _, setting := range environment {
		name, value, _ := strings.Cut(setting, "=")
		t.Setenv(name, value)
	}
	return upkeepJobs(upkeepConfig{viewsInterval: 24 * time.Hour}, nil)
}

func disabledJobs(list []jobs.Job) (names []string) {
	for _, job := range list {
		if job.Disabled {
			names = append(names, job.Name)
		}
	}
	return names
}

// TestUpkeepTable compares the jobs with the table of the operator's page.
func TestUpkeepTable(t *testing.T) {
	list, err := listJobs(t)
	require.NoError(t, err)
	_, section, found := strings.Cut(operations(t), "\n### The jobs\n")
	require.True(t, found)
	section, _, _ = strings.Cut(section, "\n## ")
	short := func(d time.Duration) string {
		return regexp.MustCompile(`([hm])0[ms](0s)?$`).ReplaceAllString(d.String(), "$1")
	}
	row := regexp.MustCompile("(?m)^\\| `[a-z_]+` \\| [^|]+ \\| [0-9hm]+ \\| [0-9hm]+ \\| `[A-Z_]+` \\|")
	var want []string
	for _, job := range list {
		require.NotNil(t, job.Work, job.Name)
		want = append(want, fmt.Sprintf("| `%s` | %s | %s | %s | `%s` |",
			job.Name, job.Type, short(job.Interval), short(job.Timeout), job.Flag))
	}
	require.ElementsMatch(t, want, row.FindAllString(section, -1))
	for _, variable := range []string{scheduledVariable, urlCycleVariable, urlMinutesVariable} {
		require.Contains(t, section, "\n| `"+variable+"` | ")
	}
	require.Equal(t, []string{"sync_follows"}, disabledJobs(list), "without an address there is nothing to fetch follows from")
	_, err = list[slices.IndexFunc(list, func(j jobs.Job) bool { return j.Name == "sync_follows" })].Work(t.Context(), 0)
	require.ErrorContains(t, err, "set --data-sources-app-url")
}

// TestUpkeepFlags shows what each variable disables, and which values are refused.
func TestUpkeepFlags(t *testing.T) {
	list, err := listJobs(t)
	require.NoError(t, err)
	for _, job := range list {
		t.Run(job.Name, func(t *testing.T) {
			for value, disabled := range map[string]bool{"0": true, "false": true, "1": false, "true": false, "": false} {
				list, err := listJobs(t, job.Flag+"="+value)
				require.NoError(t, err)
				require.Equal(t, disabled || job.Disabled, slices.Contains(disabledJobs(list), job.Name), value)
				require.LessOrEqual(t, len(disabledJobs(list)), 2, "no other job is disabled")
			}
			_, err := listJobs(t, job.Flag+"=no")
			require.ErrorContains(t, err, `environment variable `+job.Flag+`: "no" is none of 1, 0, true and false`)
			require.Equal(t, exitUsage, exitStatus(err))
		})
	}
}

func TestUpkeepOfURLs(t *testing.T) {
	list, err := listJobs(t, urlCycleVariable+"=0", urlMinutesVariable+"=15")
	require.NoError(t, err)
	require.ElementsMatch(t, []string{"auto_validate", "auto_name", "suspend_urls", "sync_follows"}, disabledJobs(list))
	for _, job := range list {
		ofURLs := slices.Contains([]string{"auto_validate", "auto_name", "suspend_urls"}, job.Name)
		require.Equal(t, ofURLs, job.Interval == 15*time.Minute, job.Name)
	}
}

func TestUpkeepRefuses(t *testing.T) {
	for _, test := range []struct{ setting, want string }{
		{urlMinutesVariable + "=0", `environment variable URL_TASKS_FREQUENCY_MINUTES: "0" is not a whole number from 1 to 527040`},
		{urlMinutesVariable + "=1h", `"1h" is not a whole number`},
		{urlMinutesVariable + "=-5", `"-5" is not a whole number`},
		{urlMinutesVariable + "=99999999999999999999", `is not a whole number`},
		{urlCycleVariable + "=off", `environment variable RUN_URL_TASKS_TASK_FLAG: "off" is none of 1, 0, true and false`},
	} {
		t.Run(test.setting, func(t *testing.T) {
			_, err := listJobs(t, test.setting)
			require.ErrorContains(t, err, test.want)
			require.Equal(t, exitUsage, exitStatus(err))
		})
	}
	_, err := upkeepJobs(upkeepConfig{viewsInterval: 59 * time.Second}, nil)
	require.ErrorContains(t, err, "--views-interval: 59s is less than 1m0s")
	t.Setenv(scheduledVariable, "2")
	for _, command := range []string{"serve", "work"} { // before it touches a database
		dir := t.TempDir()
		status, _, stderr := docket(t, command, "--data-dir", dir)
		require.Equal(t, exitUsage, status, stderr)
		require.Contains(t, stderr, `environment variable SCHEDULED_TASKS_FLAG: "2" is none of 1, 0, true and false`)
		files, err := os.ReadDir(dir)
		require.NoError(t, err)
		require.Empty(t, files)
	}
}

// TestUpkeepDataSources shows that the job that fetches follows needs an address and a token, and that no error shows the token.
func TestUpkeepDataSources(t *testing.T) {
	const secret = "Secret-token-0123456789"
	t.Setenv(dataSourcesTokenVariable, secret)
	cfg := upkeepConfig{viewsInterval: time.Hour, dataSourcesURL: "https://data-sources.example.org/api"}
	list, err := upkeepJobs(cfg, nil)
	require.NoError(t, err)
	require.Empty(t, disabledJobs(list))

	cfg.dataSourcesURL = "https://me:" + secret + "@data-sources.example.org"
	_, err = upkeepJobs(cfg, nil)
	require.ErrorContains(t, err, "--data-sources-app-url")
	require.NotContains(t, err.Error(), secret)

	t.Setenv(dataSourcesTokenVariable, "")
	cfg.dataSourcesURL = "https://data-sources.example.org/api"
	_, err = upkeepJobs(cfg, nil)
	require.ErrorContains(t, err, "the token for the data-sources application is missing")
	require.ErrorContains(t, err, dataSourcesTokenVariable)
	require.Equal(t, exitUsage, exitStatus(err))
}

// TestJobsWithAStatementTimeout shows that the limit on statements that a URL or a role has for requests does not end jobs.
func TestJobsWithAStatementTimeout(t *testing.T) {
	at, err := url.Parse(dbtest.Empty(t))
	require.NoError(t, err)
	query := at.Query()
	query.Set("statement_timeout", "1500")
	at.RawQuery = query.Encode()
	cfg := &processConfig{config: &config{}, upkeepConfig: upkeepConfig{viewsInterval: 24 * time.Hour}, jobsMaxConns: leastJobsConns}
	background, err := cfg.newBackground(t.Context(), newDatabase(at.String(), nil), nil, zap.NewNop())
	require.NoError(t, err)
	defer background.close()
	var limit time.Duration
	require.NoError(t, background.pool.QueryRow(t.Context(), "SELECT current_setting('statement_timeout')::interval").Scan(&limit))
	list, err := listJobs(t)
	require.NoError(t, err)
	for _, job := range list {
		require.Greater(t, limit, job.Timeout, job.Name)
	}
}
