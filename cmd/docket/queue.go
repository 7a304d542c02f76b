package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/spf13/cobra"

	"docket/internal/ranking"
)

func queueCommand(cfg *config) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "queue",
		Short: "Compare the live queue with a recount, or repair it",
		Long: `The queue is kept by everything that Docket writes. Other writers on the same database leave differences:
a URL they added is missing, a suggestion of theirs is not counted.`,
		Args: arguments(cobra.NoArgs),
		RunE: needsSubcommand,
	}
	cmd.AddCommand(
		queueCheckCommand(cfg, "verify", "List every difference; exit status 1 if there is any", "differences", ranking.Verify, true),
		queueCheckCommand(cfg, "reconcile", "Repair every difference, while everybody goes on", "repairs", ranking.Reconcile, false),
	)
	return cmd
}

// queueDifference is a line of the output, for programs.
type queueDifference struct {
	Kind      string `json:"kind"`
	URLID     int32  `json:"url_id,omitempty"`
	BatchID   int32  `json:"batch_id,omitempty"`
	Annotator string `json:"annotator,omitempty"`
	Have      string `json:"have"`
	Want      string `json:"want"`
}

// errDifferences makes a check that found something end with status 1.
var errDifferences = errors.New("the queue differs from a recount; docket queue reconcile repairs it")

type queueCheckFunc func(context.Context, *pgxpool.Pool, func(ranking.Difference)) error

// queueCheckCommand prints differences as they are found, so that memory does not grow with their number.
func queueCheckCommand(cfg *config, name, short, counted string, check queueCheckFunc, failing bool) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   name,
		Short: short,
		Args:  arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return cfg.withPool(cmd, func(ctx context.Context, pool *pgxpool.Pool) error {
				out := cmd.OutOrStdout()
				count := 0
				var writing error
				err := check(ctx, pool, func(d ranking.Difference) {
					count++
					if writing == nil {
						writing = printDifference(out, d, asJSON)
					}
				})
				if err := firstError(err, writing); err != nil {
					return err
				}
				if !asJSON {
					fmt.Fprintf(out, "%d %s\n", count, counted)
				}
				if count > 0 && failing {
					return errDifferences
				}
				return nil
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a line for each difference")
	return cmd
}

func printDifference(out io.Writer, d ranking.Difference, asJSON bool) error {
	if asJSON {
		return writeJSONLine(out, queueDifference(d))
	}
	what := fmt.Sprintf("URL %d", d.URLID)
	if d.URLID == 0 {
		what = fmt.Sprintf("batch %d", d.BatchID)
	}
	if d.Annotator != "" {
		what += ", annotator " + d.Annotator
	}
	_, err := fmt.Fprintf(out, "%s: %s: has %s, should have %s\n", what, d.Kind, orNothing(d.Have), orNothing(d.Want))
	return err
}

func orNothing(text string) string {
	if text == "" {
		return "nothing"
	}
	return text
}
