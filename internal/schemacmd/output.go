package schemacmd

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"docket/internal/schema"
	"docket/internal/schema/plan"
)

func writeJSON(out io.Writer, v any) error {
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	return encoder.Encode(v)
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// printPlan writes a plan as SQL. Everything that is not a statement is a comment.
func printPlan(out io.Writer, p *plan.Plan) error {
	if p.Empty() {
		fmt.Fprintln(out, "-- Nothing has to be done.")
	}
	_, err := fmt.Fprint(out, p.SQL())
	return err
}

// printPreview writes what would run, as printPlan does, and the versions of the tables apart that would be applied.
func (c *commands) printPreview(out io.Writer, preview schema.Preview, versions []string, files directory, asJSON bool) error {
	if asJSON {
		return writeJSON(out, struct {
			schema.Preview
			Apart []string `json:"apart,omitempty"`
		}{preview, versions})
	}
	if preview.Baseline != "" {
		fmt.Fprintf(out, "-- baseline %s: would be recorded, nothing up to it would be run\n", preview.Baseline)
	}
	for _, file := range preview.Files {
		how := "in one transaction"
		if !file.Transactional {
			how = "outside a transaction"
		}
		if file.Done > 0 {
			how += fmt.Sprintf(", after the %d that have run", file.Done)
		}
		path := file.Path
		if files.path != "" {
			path = files.path + "/" + path
		}
		fmt.Fprintf(out, "-- %s: %s, %s\n\n%s\n\n",
			path, count(len(file.Statements), "statement"), how, strings.Join(file.Statements, "\n\n"))
	}
	switch {
	case len(versions) > 0:
		fmt.Fprintf(out, "-- tables of %s, by its own migrations: %s\n", c.Apart.Name, strings.Join(versions, ", "))
	case len(preview.Files) == 0 && preview.Baseline == "":
		fmt.Fprintf(out, "-- nothing to do: the database is at version %s\n", preview.From)
	}
	return nil
}

// printReport writes which files were applied or undone.
func printReport(out io.Writer, done string, report schema.Report, failed, asJSON bool) error {
	if asJSON {
		return writeJSON(out, report)
	}
	if report.Baseline != "" {
		fmt.Fprintf(out, "baseline %s: recorded, nothing up to it was run\n", report.Baseline)
	}
	for _, file := range report.Files {
		fmt.Fprintf(out, "%s %s %s: %s in %s\n", done, file.Version, file.Name,
			count(file.Statements, "statement"), file.Duration.Round(time.Millisecond))
	}
	if !failed && len(report.Files) == 0 {
		fmt.Fprintf(out, "nothing to do: the database is at version %s\n", report.To)
	}
	return nil
}

func printStatus(out io.Writer, status schema.Status) {
	fmt.Fprintf(out, "database  %s\nstate     %s\nlatest    %s\n", status.Database, status.State, status.Latest)
	for _, applied := range status.Applied {
		fmt.Fprintf(out, "%-9s %s %s, %s", applied.Kind, applied.Version, applied.Name, applied.At.UTC().Format(time.RFC3339))
		if applied.Total > applied.Statements {
			fmt.Fprintf(out, ", %d of %d statements", applied.Statements, applied.Total)
		}
		fmt.Fprintln(out)
	}
	for _, file := range status.Pending {
		fmt.Fprintf(out, "pending   %s\n", file)
	}
}
