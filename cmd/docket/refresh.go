package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"docket/internal/postgres"
	"docket/internal/views"
)

func refreshCommand(cfg *config) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "refresh [VIEW...]",
		Short: "Refresh materialized views; exit status 1 if one fails",
		Long: `Refresh the named materialized views, or all. Readers are not blocked. When a view fails, the others are still
refreshed. A view that another process is refreshing is skipped and shown as busy, which is not a failure.

The age is the time since the last successful refresh began; rows and seconds are those of that refresh.`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			return cfg.withPool(cmd, func(ctx context.Context, pool *postgres.Pool) error {
				refreshed, err := views.Refresh(ctx, pool, args...)
				if errors.Is(err, views.ErrUnknown) {
					return usageError{err}
				}
				results := refreshResults(refreshed)
				if asJSON {
					return errors.Join(err, writeJSON(cmd.OutOrStdout(), results))
				}
				return errors.Join(err, printRefreshed(cmd.OutOrStdout(), results))
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the views as JSON")
	return cmd
}

// refreshResult is a line of the output. What a successful refresh records is null before the first one.
type refreshResult struct {
	View        string     `json:"view"`
	Outcome     string     `json:"outcome"`
	Rows        *int64     `json:"rows"`
	Seconds     *float64   `json:"seconds"`
	AgeSeconds  *float64   `json:"age_seconds"`
	RefreshedAt *time.Time `json:"refreshed_at"`
	Error       string     `json:"error,omitempty"`
}

func refreshResults(refreshed []views.Refreshed) []refreshResult {
	results := []refreshResult{}
	for _, r := range refreshed {
		result := refreshResult{View: r.Name, Outcome: string(r.Outcome)}
		if r.Outcome == views.Failed {
			result.Error = r.Failure
		}
		if r.RefreshedAt != nil {
			took, age := r.Took.Seconds(), r.Age.Seconds()
			result.Rows, result.Seconds, result.AgeSeconds, result.RefreshedAt = &r.Rows, &took, &age, r.RefreshedAt
		}
		results = append(results, result)
	}
	return results
}

func printRefreshed(out io.Writer, results []refreshResult) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "VIEW\tOUTCOME\tROWS\tSECONDS\tAGE")
	for _, r := range results {
		if r.RefreshedAt == nil {
			fmt.Fprintf(table, "%s\t%s\t-\t-\tnever refreshed\n", r.View, r.Outcome)
			continue
		}
		age := time.Duration(*r.AgeSeconds * float64(time.Second)).Round(time.Second)
		fmt.Fprintf(table, "%s\t%s\t%d\t%.3f\t%s\n", r.View, r.Outcome, *r.Rows, *r.Seconds, age)
	}
	return table.Flush()
}
