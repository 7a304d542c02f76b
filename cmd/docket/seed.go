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

// seedResult is the result of seed, printed as JSON.
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
		Long: `Fill an empty database with sample data: places, agencies, URLs, suggestions of robots for half of the URLs, and the answers
of annotators 1, 2, 3 and so on. The same --urls and --seed make the same rows on every machine.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return cfg.withPool(cmd, func(ctx context.Context, pool *postgres.Pool) error {
				begin := time.Now()
				progress := newProgressBar("seeding")
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
					fmt.Fprintln(cmd.OutOrStdout(), "nothing to do: the database contains data")
				default:
					fmt.Fprintf(cmd.OutOrStdout(), "%d URLs in %d batches, %d agencies, %d locations, %d annotators: %d rows in %.1f seconds\n",
						result.URLs, result.Batches, result.Agencies, result.Locations, result.Annotators, result.Rows, result.Seconds)
				}
				return nil
			})
		},
	}
	cmd.PersistentFlags().IntVar(&o.URLs, "urls", 1000, "number of URLs")
	cmd.PersistentFlags().Uint64Var(&o.Seed, "seed", 1, "number that selects the data")
	cmd.Flags().BoolVar(&ifEmpty, "if-empty", false, "do nothing, without an error, if the database contains data")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the summary as JSON")
	cmd.AddCommand(seedAnswersCommand(cfg, &o))
	return cmd
}
