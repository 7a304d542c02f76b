package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"docket/internal/annotation"
	"docket/internal/postgres"
	"docket/internal/ranking"
)

func queueCommand(cfg *config) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "queue",
		Short: "Compare the live queue with a recount, or repair it",
		Long: `Everything that Docket writes updates the queue. Other writers on the same database leave differences: a URL
they added is missing, a suggestion they stored is not counted, a location that users follow now does not count for them.`,
		Args: cobra.NoArgs,
	}
	cmd.AddCommand(
		queueCheckCommand(cfg, "verify", "Report differences; exit status 1 if there is any", "differences", ranking.Verify, true),
		reconcileCommand(cfg),
	)
	return cmd
}

// reconcileCommand repairs the queue. What is shown with a URL, such as the name of an agency, is not in the queue, so no repair can
// tell running servers that another program changed it. They cache it for a short time: the command waits until that is over.
func reconcileCommand(cfg *config) *cobra.Command {
	cmd := queueCheckCommand(cfg, "reconcile", "Repair every difference, without blocking readers", "repairs", ranking.Reconcile, false)
	cmd.Long = fmt.Sprintf(`Repair every difference, without blocking readers.

When the command ends, every running docket serve shows everything that other programs had committed before it began: the order
of URLs, and what is shown with a URL. Servers cache the latter for %s, so the command takes at least that long. --wait=false
does not wait.`, annotation.CachedFor)
	wait := cmd.Flags().Bool("wait", true, "wait until no running server shows what was there before")
	repair := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		began := time.Now()
		if err := repair(cmd, args); err != nil || !*wait {
			return err
		}
		ctx := cmd.Context()
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Until(began.Add(annotation.CachedFor))):
			return nil
		}
	}
	return cmd
}

// queueDifference is a line of the JSON output.
type queueDifference struct {
	Kind      string `json:"kind"`
	URLID     int32  `json:"url_id,omitempty"`
	BatchID   int32  `json:"batch_id,omitempty"`
	Annotator string `json:"annotator,omitempty"`
	Have      string `json:"have"`
	Want      string `json:"want"`
}

// errDifferences makes a check that found a difference exit with status 1.
var errDifferences = errors.New("the queue differs from a recount; docket queue reconcile repairs it")

type queueCheckFunc func(context.Context, *postgres.Pool, func(ranking.Difference)) error

// shownDifferences is how many differences are printed: a queue that was never filled differs for every URL.
const shownDifferences = 20

func queueCheckCommand(cfg *config, name, short, counted string, check queueCheckFunc, failing bool) *cobra.Command {
	var asJSON, all bool
	cmd := &cobra.Command{
		Use:   name,
		Short: short,
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			withPool := cfg.withPool
			if failing {
				withPool = cfg.withPoolToRead
			}
			return withPool(cmd, func(ctx context.Context, pool *postgres.Pool) error {
				out := cmd.OutOrStdout()
				found := tally{}
				var writing error
				err := check(ctx, pool, func(d ranking.Difference) {
					found[d.Kind]++
					if writing == nil && (asJSON || all || found.total() <= shownDifferences) {
						writing = printDifference(out, d, asJSON)
					}
				})
				if err := errors.Join(err, writing); err != nil {
					return err
				}
				if !asJSON {
					found.print(out, counted, !all && found.total() > shownDifferences)
				}
				if found.total() > 0 && failing {
					return errDifferences
				}
				return nil
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a line for each difference")
	cmd.Flags().BoolVar(&all, "all", false,
		fmt.Sprintf("print every difference, not only the first %d and their number", shownDifferences))
	return cmd
}

// tally counts differences by kind, so that the memory used does not grow with their number.
type tally map[string]int

func (t tally) total() (n int) {
	for _, count := range t {
		n += count
	}
	return n
}

// print prints the end of a list of differences; short means that the list is not complete.
func (t tally) print(out io.Writer, counted string, short bool) {
	if short {
		fmt.Fprintln(out, "… (--all prints every one)")
		for _, kind := range slices.Sorted(maps.Keys(t)) {
			fmt.Fprintf(out, "%8d %s\n", t[kind], kind)
		}
	}
	fmt.Fprintf(out, "%d %s\n", t.total(), counted)
}

func printDifference(out io.Writer, d ranking.Difference, asJSON bool) error {
	if asJSON {
		return writeJSONLine(out, queueDifference(d))
	}
	var about []string
	if d.URLID != 0 {
		about = append(about, fmt.Sprintf("URL %d", d.URLID))
	}
	if d.BatchID != 0 {
		about = append(about, fmt.Sprintf("batch %d", d.BatchID))
	}
	if d.Annotator != "" {
		about = append(about, "annotator "+d.Annotator)
	}
	_, err := fmt.Fprintf(out, "%s: %s: has %s, should have %s\n", strings.Join(about, ", "), d.Kind, orNothing(d.Have), orNothing(d.Want))
	return err
}

func orNothing(text string) string {
	if text == "" {
		return "nothing"
	}
	return text
}
