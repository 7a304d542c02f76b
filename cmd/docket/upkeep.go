package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/pflag"

	"docket/internal/consensus"
	"docket/internal/dsapp"
	"docket/internal/jobs"
	"docket/internal/postgres"
	"docket/internal/tasks"
	"docket/internal/upkeep"
)

// upkeepConfig is the configuration of the periodic jobs, as far as it has flags. The rest is in the environment, under the names
// that the service before Docket reads.
type upkeepConfig struct {
	viewsInterval  time.Duration
	dataSourcesURL string
}

func (c *upkeepConfig) addFlags(flags *pflag.FlagSet) {
	flags.DurationVar(&c.viewsInterval, "views-interval", 24*time.Hour, "how often the materialized views are refreshed, from 1m")
	flags.StringVar(&c.dataSourcesURL, "data-sources-app-url", "",
		"`URL` of the data-sources application, from which follows are fetched; without it they are not. Its token is in "+
			dataSourcesTokenVariable)
}

const (
	// scheduledVariable disables the schedule of all jobs with 0.
	scheduledVariable = "SCHEDULED_TASKS_FLAG"
	// urlCycleVariable disables all jobs that decide about single URLs with 0.
	urlCycleVariable = "RUN_URL_TASKS_TASK_FLAG"
	// urlMinutesVariable says how often these jobs run.
	urlMinutesVariable = "URL_TASKS_FREQUENCY_MINUTES"
	// dataSourcesTokenVariable holds Docket's token for the data-sources application. It has no flag, because other users of the
	// machine can read command lines.
	dataSourcesTokenVariable = "DOCKET_DATA_SOURCES_APP_TOKEN"

	defaultURLMinutes = 60
	mostURLMinutes    = 366 * 24 * 60
)

// The intervals of the service before Docket, and Docket's own.
const (
	daily             = 24 * time.Hour
	reconcileInterval = 10 * time.Minute
	expiryInterval    = time.Hour
	leastInterval     = time.Minute
)

// checkUpkeep refuses values of flags and of the environment that have no meaning.
func (c upkeepConfig) checkUpkeep() error {
	if _, err := scheduled(); err != nil {
		return err
	}
	_, err := upkeepJobs(c, nil)
	return err
}

// upkeepJobs returns every job, also those that the environment disables: a job that another process has scheduled, or that an
// operator has started, may be worked by this one. The pool must not limit the time of statements. It fails with a usageError for
// a value of the environment or of a flag that has no meaning. Without a pool the jobs can be listed, but not run.
func upkeepJobs(cfg upkeepConfig, pool *postgres.Pool) ([]jobs.Job, error) {
	return jobsOf(cfg, pool, upkeep.New(pool))
}

// jobsOf is upkeepJobs with a Service on the same pool.
func jobsOf(cfg upkeepConfig, pool *postgres.Pool, works *upkeep.Service) ([]jobs.Job, error) {
	if cfg.viewsInterval < leastInterval {
		return nil, usageError{fmt.Errorf("--views-interval: %s is less than %s", cfg.viewsInterval, leastInterval)}
	}
	minutes, err := wholeFromEnvironment(urlMinutesVariable, defaultURLMinutes, 1, mostURLMinutes)
	if err != nil {
		return nil, err
	}
	everyURL := time.Duration(minutes) * time.Minute
	list := []jobs.Job{
		{
			Name: "auto_validate", Type: tasks.AutoValidate, Flag: "URL_AUTO_VALIDATE_TASK_FLAG",
			Interval: everyURL, Timeout: 2 * time.Hour,
			Work: func(ctx context.Context, taskID int32) (string, error) {
				return consensus.ValidateAll(ctx, pool, taskID)
			},
		},
		{
			Name: "suspend_urls", Type: tasks.SuspendURLs, Flag: "URL_SUSPEND_TASK_FLAG",
			Interval: everyURL, Timeout: time.Hour,
			Work: func(ctx context.Context, taskID int32) (string, error) { return consensus.Suspend(ctx, pool, taskID) },
		},
		{
			Name: "auto_name", Type: tasks.AutoName, Flag: "URL_AUTO_NAME_TASK_FLAG",
			Interval: everyURL, Timeout: time.Hour, Work: works.AutoName,
		},
		{
			Name: "backlog_snapshot", Type: tasks.BacklogSnapshot, Flag: "POPULATE_BACKLOG_SNAPSHOT_TASK_FLAG",
			Interval: daily, Timeout: 10 * time.Minute, Work: works.BacklogSnapshot,
		},
		{
			Name: "task_cleanup", Type: tasks.Cleanup, Flag: "TASK_CLEANUP_TASK_FLAG",
			Interval: daily, Timeout: time.Hour, Work: works.CleanUpTasks,
		},
		{
			Name: "delete_old_logs", Type: tasks.DeleteOldLogs, Flag: "DELETE_OLD_LOGS_TASK_FLAG",
			Interval: daily, Timeout: time.Hour, Work: works.DeleteOldLogs,
		},
		{
			Name: "delete_stale_screenshots", Type: tasks.DeleteStaleScreenshot, Flag: "DELETE_STALE_SCREENSHOTS_TASK_FLAG",
			Interval: daily, Timeout: time.Hour, Work: works.DeleteStaleScreenshots,
		},
		{
			Name: "refresh_views", Type: tasks.RefreshViews, Flag: "REFRESH_MATERIALIZED_VIEWS_TASK_FLAG",
			Interval: cfg.viewsInterval, Timeout: time.Hour, Work: works.RefreshViews,
		},
		{
			Name: "reconcile_queue", Type: tasks.IntegrityMonitor, Flag: "INTEGRITY_MONITOR_TASK_FLAG",
			Interval: reconcileInterval, Timeout: time.Hour, Work: works.ReconcileQueue,
		},
		{
			Name: "expire_idempotency_keys", Type: tasks.Cleanup, Flag: "EXPIRE_IDEMPOTENCY_KEYS_TASK_FLAG",
			Interval: expiryInterval, Timeout: 10 * time.Minute, Work: works.ExpireIdempotencyKeys,
		},
	}
	sync, err := cfg.syncFollows(works)
	if err != nil {
		return nil, err
	}
	list = append(list, sync)
	limits := map[string]time.Duration{"mark_never_completed": 10 * time.Minute}
	for _, job := range list {
		limits[job.Name] = job.Timeout
	}
	list = append(list, jobs.Job{
		Name: "mark_never_completed", Type: tasks.MarkNeverCompleted, Flag: "MARK_TASK_NEVER_COMPLETED_TASK_FLAG",
		Interval: daily, Timeout: limits["mark_never_completed"],
		Work: func(ctx context.Context, _ int32) (string, error) { return works.MarkNeverCompleted(ctx, limits) },
	})
	return withFlags(list)
}

// syncFollows returns the job that fetches follows. Without an address it is disabled, and fails if another process has scheduled
// it.
func (c *upkeepConfig) syncFollows(works *upkeep.Service) (jobs.Job, error) {
	job := jobs.Job{
		Name: "sync_follows", Type: tasks.SyncFollows, Flag: "DS_APP_SYNC_USER_FOLLOWS_GET_TASK_FLAG",
		Interval: daily, Timeout: 10 * time.Minute,
	}
	if c.dataSourcesURL == "" {
		job.Disabled = true
		job.Work = func(context.Context, int32) (string, error) { return "", errNoDataSources }
		return job, nil
	}
	client, err := dsapp.New(dsapp.Config{Address: c.dataSourcesURL, Token: os.Getenv(dataSourcesTokenVariable)})
	if err != nil {
		return jobs.Job{}, usageError{fmt.Errorf("--data-sources-app-url and %s: %w", dataSourcesTokenVariable, err)}
	}
	job.Work = func(ctx context.Context, _ int32) (string, error) { return works.SyncFollows(ctx, client) }
	return job, nil
}

var errNoDataSources = errors.New("this process does not know the data-sources application: set --data-sources-app-url and " +
	dataSourcesTokenVariable + " on all processes that run jobs")

// withFlags returns the jobs with those disabled that the environment disables.
func withFlags(list []jobs.Job) ([]jobs.Job, error) {
	urlCycle, err := enabled(urlCycleVariable)
	if err != nil {
		return nil, err
	}
	flagged := slices.Clone(list)
	for i, job := range list {
		on, err := enabled(job.Flag)
		if err != nil {
			return nil, err
		}
		switch job.Type {
		case tasks.AutoValidate, tasks.AutoName, tasks.SuspendURLs:
			on = on && urlCycle
		}
		flagged[i].Disabled = job.Disabled || !on
	}
	return flagged, nil
}

// whyDisabled returns the setting that keeps a job from being scheduled.
func (c *upkeepConfig) whyDisabled(job jobs.Job) string {
	for _, name := range []string{scheduledVariable, job.Flag} {
		if on, err := enabled(name); err == nil && !on {
			return name + " is " + os.Getenv(name)
		}
	}
	if job.Type == tasks.SyncFollows {
		return "--data-sources-app-url, or " + variable("data-sources-app-url") + ", is not set"
	}
	return urlCycleVariable + " is " + os.Getenv(urlCycleVariable)
}

// enabled reads a flag of the environment: 1, 0, true or false; 1 when it is not set.
func enabled(name string) (bool, error) {
	switch value := cmp.Or(os.Getenv(name), "1"); value {
	case "1", "true":
		return true, nil
	case "0", "false":
		return false, nil
	default:
		return false, usageError{fmt.Errorf("environment variable %s: %q is none of 1, 0, true and false", name, value)}
	}
}

// scheduled reports whether the environment lets this process schedule jobs.
func scheduled() (bool, error) { return enabled(scheduledVariable) }

// wholeFromEnvironment reads a whole number within bounds from the environment.
func wholeFromEnvironment(name string, otherwise, least, most int) (int, error) {
	value := os.Getenv(name)
	if value == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(value)
	if err != nil || n < least || n > most {
		return 0, usageError{fmt.Errorf("environment variable %s: %q is not a whole number from %d to %d", name, value, least, most)}
	}
	return n, nil
}
