package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"docket/internal/postgres"
	"docket/internal/sample"
)

// seedResult is what seed prints as JSON.
type seedResult struct {
	Seeded     bool    `json:"seeded"`
	URLs       int     `json:"urls"`
	Batches    int     `json:"batches"`
	Agencies   int     `json:"agencies"`
	Locations  int     `json:"locations"`
	Annotators int     `json:"annotators"`
	Rows       int64   `json:"rows"`
	Seconds    float64 `json:"seconds"`
}

func seedCommand(cfg *config) *cobra.Command {
	var (
		o       sample.Options
		ifEmpty bool
		asJSON  bool
	)
	cmd := &cobra.Command{
		Use:   "seed",
		Short: "Fill an empty database with sample data",
		Long: `Fill an empty database with sample data: places, agencies, URLs, robots' suggestions for half of the URLs, and the answers of
annotators 1, 2, 3 and so on. The same --urls and --seed make the same rows everywhere.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return cfg.withPool(cmd, func(ctx context.Context, pool *postgres.Pool) error {
				begin := time.Now()
				progress := newProgress("seeding")
				o.Progress = progress.report
				summary, err := sample.Seed(ctx, pool, o)
				progress.finish()
				notEmpty := errors.Is(err, sample.ErrNotEmpty)
				if err != nil && !(notEmpty && ifEmpty) {
					return err
				}
				result := seedResult{
					Seeded: !notEmpty, URLs: summary.URLs, Batches: summary.Batches, Agencies: summary.Agencies,
					Locations: summary.Locations, Annotators: summary.Annotators, Rows: summary.Rows,
					Seconds: time.Since(begin).Seconds(),
				}
				switch {
				case asJSON:
					return writeJSON(cmd.OutOrStdout(), result)
				case notEmpty:
					fmt.Fprintln(cmd.OutOrStdout(), "nothing to do: the database holds data already")
				default:
					fmt.Fprintf(cmd.OutOrStdout(), "%d URLs in %d batches, %d agencies, %d locations, %d annotators: %d rows in %.1f seconds\n",
						result.URLs, result.Batches, result.Agencies, result.Locations, result.Annotators, result.Rows, result.Seconds)
				}
				return nil
			})
		},
	}
	cmd.Flags().IntVar(&o.URLs, "urls", 1000, "how many URLs")
	cmd.Flags().Uint64Var(&o.Seed, "seed", 1, "chooses the data")
	cmd.Flags().BoolVar(&ifEmpty, "if-empty", false, "leave a database with data alone, without an error")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the summary as JSON")
	return cmd
}
