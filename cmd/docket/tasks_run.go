package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"docket/internal/convert"
	"docket/internal/jobs"
	"docket/internal/postgres"
	"docket/internal/tasks"
)

// taskControl returns a Control that starts all jobs, also those that the environment disables. It runs none.
func taskControl(pool *postgres.Pool) (*tasks.Control, error) {
	list, err := upkeepJobs(upkeepConfig{viewsInterval: daily}, nil)
	if err != nil {
		return nil, err
	}
	runner, err := jobs.New(jobs.Config{Pool: pool, Jobs: list, Unscheduled: true})
	if err != nil {
		return nil, err
	}
	return tasks.NewControl(pool, runner), nil
}

// shownStart is a line of the JSON output.
type shownStart struct {
	Job   string           `json:"job"`
	State tasks.StartState `json:"state"`
	JobID int64            `json:"job_id"`
	Task  *shownTask       `json:"task"` // null without --wait
}

// startedInWords is what is printed for a state.
var startedInWords = map[tasks.StartState]string{
	tasks.Started:        "started",
	tasks.AlreadyWaiting: "waits already, and runs as soon as a process is free",
	tasks.AlreadyRunning: "runs already; no other run was started",
}

const (
	waitInterval = 200 * time.Millisecond // of polls for the end of a run
	notBegun     = 10 * time.Second       // after which the operator learns that no process has begun the run
)

func tasksRunCommand(cfg *config) *cobra.Command {
	var wait, asJSON bool
	cmd := &cobra.Command{
		Use:   "run TYPE",
		Short: "Run the jobs of a type now",
		Long: `Run the jobs of a type now, in a process that runs jobs: docket serve, unless it has --jobs=false, or docket work. Jobs
that the environment disables run too. At most one run of each job waits or runs. Its next scheduled time stays.

Exit status 1: no job has the type or, with --wait, a run has failed.`,
		Example: `  docket tasks run "Refresh Materialized Views" --wait`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return cfg.withPool(cmd, func(ctx context.Context, pool *postgres.Pool) error {
				control, err := taskControl(pool)
				if err != nil {
					return err
				}
				started, err := control.RunNow(ctx, tasks.Type(args[0]))
				if err != nil {
					return namingType(err)
				}
				out := startOutput{out: cmd.OutOrStdout(), errs: cmd.ErrOrStderr(), json: asJSON}
				return out.print(ctx, control, started, wait)
			})
		},
	}
	cmd.Flags().BoolVar(&wait, "wait", false, "wait until the runs have ended")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a line for each job")
	return cmd
}

// namingType returns err, or the command with the right type if err is about a type that is the name of a job.
func namingType(err error) error {
	noJob, ok := errors.AsType[*tasks.NoJobError](err)
	if !ok {
		return err
	}
	list, listErr := upkeepJobs(upkeepConfig{viewsInterval: daily}, nil)
	if listErr != nil {
		return listErr
	}
	for _, job := range list {
		if job.Name == string(noJob.Type) {
			return fmt.Errorf("%s is a job of type %q: docket tasks run %[2]q", job.Name, job.Type)
		}
	}
	return err
}

// startOutput prints what became of jobs.
type startOutput struct {
	out, errs io.Writer
	json      bool
}

func (o startOutput) print(ctx context.Context, control *tasks.Control, started []tasks.Start, wait bool) error {
	if !o.json {
		for _, start := range started {
			fmt.Fprintf(o.out, "%s: %s\n", start.Job, startedInWords[start.State])
		}
	}
	var failed []error
	for _, start := range started {
		shown := shownStart{Job: start.Job, State: start.State, JobID: start.JobID}
		if wait {
			task, err := o.wait(ctx, control, start)
			if err != nil {
				return err
			}
			if task.Status == tasks.Failed {
				failed = append(failed, fmt.Errorf("%s: task %d has failed, and is repeated later: %s", start.Job, task.ID, task.Error))
			} else if !o.json {
				fmt.Fprintf(o.out, "%s: task %d took %s: %s\n", start.Job, task.ID, took(task, time.Now()), outcome(task))
			}
			shown.Task = new(shownTaskFrom(task))
		}
		if o.json {
			if err := writeJSONLine(o.out, shown); err != nil {
				return err
			}
		}
	}
	return errors.Join(failed...)
}

// wait waits for the end of a run.
func (o startOutput) wait(ctx context.Context, control *tasks.Control, start tasks.Start) (tasks.Task, error) {
	hint := time.AfterFunc(notBegun, func() {
		fmt.Fprintf(o.errs, "%s: no process has begun it yet; docket serve and docket work run jobs\n", start.Job)
	})
	defer hint.Stop()
	return control.Wait(ctx, start, waitInterval, func(task tasks.Task) {
		if hint.Stop(); !o.json {
			fmt.Fprintf(o.out, "%s: task %d has begun\n", start.Job, task.ID)
		}
	})
}

// shownJob is a line of the JSON output.
type shownJob struct {
	Job             string     `json:"job"`
	Type            tasks.Type `json:"type"`
	IntervalSeconds float64    `json:"interval_seconds"`
	Enabled         bool       `json:"enabled"`
	Flag            string     `json:"flag"`
	LastTask        *shownTask `json:"last_task"` // null before the first run
	NextRunAt       *time.Time `json:"next_run_at"`

	why string // it is not enabled
}

func tasksScheduleCommand(cfg *config) *cobra.Command {
	var upkeep upkeepConfig
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "schedule",
		Short: "Show each job: how often it runs, its last run, and when it is due",
		Long: `Show each job: how often it runs, its last run on any instance, and when it is due. Times are in UTC. Intervals, and
which jobs are enabled, are those of the environment of this command: run it with that of docket serve.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			list, err := upkeepJobs(upkeep, nil)
			if err != nil {
				return err
			}
			on, err := scheduled()
			if err != nil {
				return err
			}
			return cfg.withPoolToRead(cmd, func(ctx context.Context, pool *postgres.Pool) error {
				last, err := tasks.NewHistory(pool).LastRuns(ctx)
				if err != nil {
					return err
				}
				schedule, err := tasks.Schedule(ctx, pool)
				if err != nil {
					return err
				}
				due := map[string]tasks.Scheduled{}
				for _, s := range schedule {
					due[s.Job] = s
				}
				shown := convert.Each(list, func(job jobs.Job) shownJob {
					shown := shownJob{
						Job: job.Name, Type: job.Type, IntervalSeconds: job.Interval.Seconds(), Enabled: on && !job.Disabled, Flag: job.Flag,
					}
					if !shown.Enabled {
						shown.why = upkeep.whyDisabled(job)
					}
					if task, ok := last[job.Name]; ok {
						shown.LastTask = new(shownTaskFrom(task))
					}
					if s, ok := due[job.Name]; ok && shown.Enabled {
						shown.NextRunAt = &s.NextRun
					}
					return shown
				})
				if asJSON {
					return writeJSONLines(cmd.OutOrStdout(), shown)
				}
				return printSchedule(cmd.OutOrStdout(), shown)
			})
		},
	}
	upkeep.addFlags(cmd.Flags())
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a line for each job")
	return cmd
}

func printSchedule(out io.Writer, list []shownJob) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "JOB\tTYPE\tEVERY\tENABLED\tLAST RUN\tSTATUS\tNEXT RUN")
	for _, job := range list {
		enabled, lastRun, status, next := "no", "never", "-", "-"
		if job.Enabled {
			enabled = "yes"
		}
		if task := job.LastTask; task != nil {
			lastRun, status = shownTime(*task.StartedAt), string(task.Status)
		}
		if job.NextRunAt != nil {
			next = shownTime(*job.NextRunAt)
		}
		interval := trimmed(time.Duration(job.IntervalSeconds * float64(time.Second)))
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", job.Job, job.Type, interval, enabled, lastRun, status, next)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, job := range list {
		if !job.Enabled {
			fmt.Fprintf(out, "%s is not enabled: %s\n", job.Job, job.why)
		}
	}
	return nil
}
