package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"docket/internal/convert"
	"docket/internal/page"
	"docket/internal/postgres"
	"docket/internal/tasks"
)

func tasksCommand(cfg *config) *cobra.Command {
	var filter tasks.Filter
	var limit int32
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "tasks",
		Short: "Show what has run by itself, when it runs next, and run it now",
		Long: `Without a subcommand: list the tasks that have run or run now, on any instance, the newest first. Times are in UTC.

  complete         it has succeeded
  error            it has failed; it is repeated some minutes later, and as a new task
  in-process       it runs, or its process was killed less than two minutes ago
  never-completed  its process was killed; what it did is repeated
  aborted          another program has stopped it`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := filter.Valid(); err != nil {
				return err
			}
			if limit < 1 {
				return usageError{fmt.Errorf("--limit: %d is less than 1", limit)}
			}
			return cfg.withPoolToRead(cmd, func(ctx context.Context, pool *postgres.Pool) error {
				newest, err := tasks.NewHistory(pool).Newest(ctx, filter, limit)
				if err != nil {
					return err
				}
				if asJSON {
					return writeJSONLines(cmd.OutOrStdout(), convert.Each(newest, shownTaskFrom))
				}
				return printTasks(cmd.OutOrStdout(), newest, time.Now())
			})
		},
	}
	cmd.Flags().StringVar((*string)(&filter.Type), "type", "", "only tasks of this `type`, such as \"Auto Validate\"")
	cmd.Flags().StringVar((*string)(&filter.Status), "status", "", "only tasks with this `status`, such as error")
	cmd.Flags().Int32Var(&limit, "limit", 20, "most tasks to list")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a line for each task")
	cmd.AddCommand(tasksShowCommand(cfg), tasksRunCommand(cfg), tasksScheduleCommand(cfg))
	return cmd
}

// shownTask is a task in the JSON output.
type shownTask struct {
	ID         int32        `json:"id"`
	Type       tasks.Type   `json:"type"`
	Status     tasks.Status `json:"status"`
	Job        *string      `json:"job"`    // null: Docket did not run it
	JobID      *int64       `json:"job_id"` // River's
	StartedAt  *time.Time   `json:"started_at"`
	FinishedAt *time.Time   `json:"finished_at"`
	UpdatedAt  time.Time    `json:"updated_at"`
	URLs       int32        `json:"urls"`
	URLErrors  int32        `json:"url_errors"`
	Result     string       `json:"result"`
	Error      string       `json:"error"`
}

func shownTaskFrom(task tasks.Task) shownTask {
	shown := shownTask{
		ID: task.ID, Type: task.Type, Status: task.Status, UpdatedAt: task.UpdatedAt, URLs: task.URLs, URLErrors: task.URLErrors,
		Error: task.Error,
	}
	if run := task.Run; run != nil {
		shown.Job, shown.JobID, shown.Result = &run.Job, run.JobID, run.Result
		shown.StartedAt, shown.FinishedAt = &run.StartedAt, run.FinishedAt
	}
	return shown
}

func writeJSONLines[T any](out io.Writer, list []T) error {
	for _, item := range list {
		if err := writeJSONLine(out, item); err != nil {
			return err
		}
	}
	return nil
}

// longestShown is how many characters of a result or an error are printed in a table.
const longestShown = 80

func printTasks(out io.Writer, list []tasks.Task, now time.Time) error {
	if len(list) == 0 {
		_, err := fmt.Fprintln(out, "no tasks")
		return err
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ID\tTYPE\tJOB\tSTATUS\tSTARTED\tTOOK\tURLS\tERRORS\tRESULT")
	for _, task := range list {
		job, started := "-", "-"
		if task.Run != nil {
			job, started = task.Run.Job, shownTime(task.Run.StartedAt)
		}
		fmt.Fprintf(table, "%d\t%s\t%s\t%s\t%s\t%s\t%d\t%d\t%s\n", task.ID, task.Type, job, task.Status, started, took(task, now),
			task.URLs, task.URLErrors, cmp.Or(shortened(outcome(task)), "-"))
	}
	return table.Flush()
}

// shownTime is a time of the database, which is in UTC.
func shownTime(t time.Time) string { return t.Format(time.DateTime) }

// took is how long a task took, or has taken until now.
func took(task tasks.Task, now time.Time) string {
	switch run := task.Run; {
	case run == nil:
		return "-"
	case run.FinishedAt != nil:
		return shownDuration(run.FinishedAt.Sub(run.StartedAt))
	case task.Status == tasks.InProcess:
		return shownDuration(max(0, now.UTC().Sub(run.StartedAt))) + "…"
	}
	return "-"
}

// shownDuration is a duration with two to four digits.
func shownDuration(d time.Duration) string {
	switch {
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d < time.Minute:
		return d.Round(100 * time.Millisecond).String()
	}
	return trimmed(d.Round(time.Second))
}

// trimmed is a duration without its last parts that are zero: 24h rather than 24h0m0s.
func trimmed(d time.Duration) string {
	text := d.String()
	for _, zero := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(text, zero) {
			text = text[:len(text)-2]
		}
	}
	return text
}

// outcome is what a task did, or why it failed.
func outcome(task tasks.Task) string {
	if task.Error != "" {
		return task.Error
	}
	if task.Run == nil {
		return ""
	}
	return task.Run.Result
}

// shortened is the beginning of a text, on one line.
func shortened(text string) string {
	text = visible(strings.Join(strings.Fields(text), " "))
	if runes := []rune(text); len(runes) > longestShown {
		return string(runes[:longestShown-1]) + "…"
	}
	return text
}

// shownDetails is the JSON output of a task with its URLs.
type shownDetails struct {
	shownTask
	Page         int32           `json:"page"`
	URLPage      []storedURL     `json:"url_page"`
	URLErrorPage []shownURLError `json:"url_error_page"`
}

type shownURLError struct {
	URLID int32     `json:"url_id"`
	Error string    `json:"error"`
	At    time.Time `json:"at"`
}

func tasksShowCommand(cfg *config) *cobra.Command {
	var asJSON bool
	var number int32
	cmd := &cobra.Command{
		Use:   "show ID",
		Short: "Show a task, with 100 of its URLs and 100 of its errors about URLs",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := strconv.ParseInt(args[0], 10, 32)
			if err != nil {
				return usageError{fmt.Errorf("%q is no id of a task", args[0])}
			}
			if number < 1 {
				return usageError{fmt.Errorf("--page: %d is less than 1", number)}
			}
			return cfg.withPoolToRead(cmd, func(ctx context.Context, pool *postgres.Pool) error {
				history := tasks.NewHistory(pool)
				task, err := history.Get(ctx, int32(id))
				if err != nil {
					return err
				}
				details, err := history.Details(ctx, task.ID, number)
				if err != nil {
					return err
				}
				details.Task = task // with its counts
				if asJSON {
					return writeJSON(cmd.OutOrStdout(), shownDetails{
						shownTask: shownTaskFrom(task),
						Page:      number,
						URLPage:   convert.Each(details.URLPage, func(u tasks.URL) storedURL { return storedURL{u.ID, u.URL} }),
						URLErrorPage: convert.Each(details.URLErrorPage, func(e tasks.StoredURLError) shownURLError {
							return shownURLError{e.URLID, e.Error, e.At}
						}),
					})
				}
				return printDetails(cmd.OutOrStdout(), details, number, time.Now())
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	cmd.Flags().Int32Var(&number, "page", 1, "which page of URLs and errors, from 1")
	return cmd
}

func printDetails(out io.Writer, task tasks.Details, number int32, now time.Time) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	line := func(name, format string, args ...any) { fmt.Fprintf(table, name+"\t"+format+"\n", args...) }
	line("task", "%d", task.ID)
	line("type", "%s", task.Type)
	line("status", "%s", task.Status)
	if run := task.Run; run != nil {
		line("job", "%s", run.Job)
		line("started", "%s", shownTime(run.StartedAt))
		line("took", "%s", took(task.Task, now))
	} else {
		line("updated", "%s", shownTime(task.UpdatedAt))
	}
	line("URLs", "%d", task.URLs)
	line("errors about URLs", "%d", task.URLErrors)
	if err := table.Flush(); err != nil {
		return err
	}
	var text strings.Builder
	if task.Error != "" {
		fmt.Fprintf(&text, "error:\n  %s\n", strings.ReplaceAll(task.Error, "\n", "\n  "))
	} else if result := outcome(task.Task); result != "" {
		fmt.Fprintf(&text, "result:\n  %s\n", strings.ReplaceAll(result, "\n", "\n  "))
	}
	if len(task.URLPage) > 0 {
		text.WriteString("URLs:\n")
	}
	for _, url := range task.URLPage {
		fmt.Fprintf(&text, "%10d  %s\n", url.ID, visible(url.URL))
	}
	if len(task.URLErrorPage) > 0 {
		text.WriteString("errors about URLs:\n")
	}
	for _, e := range task.URLErrorPage {
		fmt.Fprintf(&text, "%10d  %s\n", e.URLID, visible(e.Error))
	}
	if most := max(task.URLs, task.URLErrors); number*page.Size < most {
		fmt.Fprintf(&text, "page %d of %d; --page %d shows the next\n", number, (most+page.Size-1)/page.Size, number+1)
	}
	_, err := io.WriteString(out, text.String())
	return err
}
