package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"docket/api"
	"docket/internal/consensus"
	"docket/internal/postgres"
)

func consensusSimulateCommand(cfg *config) *cobra.Command {
	var (
		threshold, weight float64
		asJSON, all       bool
	)
	cmd := &cobra.Command{
		Use:   "simulate",
		Short: "Replay all answers with another rule, and change nothing",
		Long: fmt.Sprintf(`Replay all answers with another rule, and change nothing: the answers about each URL are added in the order of time, and
the URL is validated at the first moment of consensus. The result is how many URLs the rule validates, how many answers that takes,
what the current rule makes of the same answers, and what differs from the facts that agreement has stored. Facts by hand or
by another program were not made by a rule of Docket's: they are counted apart.

Without --threshold and --anonymous-weight the current rule is replayed; then nothing should differ. A rule with the numbers of the
one that made a fact decides it by the votes that the fact has recorded, since a process may have seen more than the first ones.

Votes that became a user's, and deleted ones, leave an incomplete history. Of such a URL, only the recorded votes of its fact and
the votes of now are replayed.

How what is stored and what the rule makes compare, at the end:

  as stored            agreement has stored what the rule makes
  other values         it has stored a fact with other values
  stored only          it has stored a fact, and the rule makes none
  simulated only       the rule makes a fact, and none is stored
  waiting              the same, but it is due: a process that runs jobs stores it soon
  obstacle             the same, but something else is confirmed about the URL; docket consensus explain shows what
  validated otherwise  by hand or by another program; the rule makes the same fact, one with other values, or none (undecided)

Only other values, stored only and simulated only count as differences.

At most %d differences are printed, all with --all. The memory does not grow with the number of URLs.`, shownDifferences),
		Example: `  docket consensus simulate --threshold 3 --anonymous-weight 0.25
  docket consensus simulate --threshold 3 --json | jq .simulation.answers_per_fact`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var options consensus.SimulateOptions
			if cmd.Flags().Changed("threshold") {
				options.Threshold = &threshold
			}
			if cmd.Flags().Changed("anonymous-weight") {
				options.AnonymousWeight = &weight
			}
			if err := options.Check(); err != nil {
				return usageError{err}
			}
			return cfg.withPoolToRead(cmd, func(ctx context.Context, pool *postgres.Pool) error {
				return simulate(ctx, pool, cmd.OutOrStdout(), options, asJSON, all)
			})
		},
	}
	cmd.Flags().Float64Var(&threshold, "threshold", 0, "`votes` that a value needs; that of the current rule unless given")
	cmd.Flags().Float64Var(&weight, "anonymous-weight", 0,
		"what the vote of a session counts, where that of a user counts 1; that of the current rule unless given")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a line: each difference, then the result")
	cmd.Flags().BoolVar(&all, "all", false, fmt.Sprintf("print every difference, not only the first %d", shownDifferences))
	return cmd
}

func simulate(
	ctx context.Context, pool *postgres.Pool, out io.Writer, options consensus.SimulateOptions, asJSON, all bool,
) error {
	bar := newProgressBar("replaying")
	defer bar.finish()
	options.Progress = bar.report
	shown := 0
	options.Difference = func(d consensus.Difference) error {
		if shown++; shown > shownDifferences && !all {
			return nil
		}
		bar.finish()
		if asJSON {
			return writeJSONLine(out, simulationLine{Difference: differenceFrom(d)})
		}
		_, err := fmt.Fprintf(out, "URL %d: %s: stored %s, simulated %s\n",
			d.URLID, d.Comparison, factOrNothing(d.Stored), factOrNothing(d.Simulated))
		return err
	}
	done, err := consensus.NewExplainer(pool).Simulate(ctx, options)
	bar.finish()
	if err == nil && asJSON {
		err = writeJSONLine(out, simulationLine{Simulation: simulationFrom(done)})
	} else if err == nil {
		_, err = io.WriteString(out, simulated(done, !all && shown > shownDifferences))
	}
	if errors.Is(err, syscall.EPIPE) {
		return errors.New("the program that reads the output closed it before the end")
	}
	return err
}

func factOrNothing(fact *consensus.Fact) string {
	if fact == nil {
		return "nothing"
	}
	return shownFact(*fact)
}

// simulated prints the result; short means that not all differences were printed before.
func simulated(s consensus.Simulation, short bool) string {
	var text strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&text, format+"\n", args...) }
	if short {
		line("… (--all prints every one)")
	}
	line("%s", shownRule(s.Rule))
	line("%s, %d of them with an incomplete history; %s", counting(s.URLs, "URL"), s.Incomplete, counting(s.Answers, "answer"))
	validated, answersPerFact := "", ""
	if s.Rule != s.Current {
		facts, answers := s.OfCurrent()
		validated = fmt.Sprintf("; by the current rule %d", facts)
		answersPerFact = fmt.Sprintf("; by the current rule %.2f", answers)
	}
	line("validated: %d%s", s.Facts(), validated)
	for _, urlType := range slices.Sorted(maps.Keys(s.Validated)) {
		line("%8d %s", s.Validated[urlType], urlType)
	}
	line("answers per fact: %.2f%s", s.AnswersPerFact(), answersPerFact)
	for _, annotators := range slices.Sorted(maps.Keys(s.Annotators)) {
		line("%8d after %s", s.Annotators[annotators], counting(int64(annotators), "answer"))
	}
	line("compared with what is stored:")
	for _, comparison := range consensus.Comparisons {
		line("%8d %s", s.Comparisons[comparison], comparison)
	}
	line("%s", counting(s.Differences(), "difference"))
	return text.String()
}

// simulationLine is a line of the JSON output.
type simulationLine struct {
	Difference *simulatedDifference `json:"difference,omitempty"`
	Simulation *simulationResult    `json:"simulation,omitempty"`
}

type simulatedDifference struct {
	URLID      int32                  `json:"url_id"`
	Comparison consensus.Comparison   `json:"comparison"`
	Stored     *api.ConsensusDecision `json:"stored"`
	Simulated  *api.ConsensusDecision `json:"simulated"`
}

type simulationResult struct {
	Rule           simulatedRule                  `json:"rule"`
	URLs           int64                          `json:"urls"`
	Answers        int64                          `json:"answers"`
	Incomplete     int64                          `json:"incomplete"`
	Validated      int64                          `json:"validated"`
	ByType         map[string]int64               `json:"validated_by_type"`
	AnswersPerFact float64                        `json:"answers_per_fact"`
	FactsByAnswers map[int]int64                  `json:"facts_by_answers"`
	Comparisons    map[consensus.Comparison]int64 `json:"comparisons"`
	Differences    int64                          `json:"differences"`
	Current        currentResult                  `json:"current"`
}

// currentResult is what the current rule makes of the same answers.
type currentResult struct {
	Validated      int64   `json:"validated"`
	AnswersPerFact float64 `json:"answers_per_fact"`
}

type simulatedRule struct {
	Version         *int32  `json:"version"` // null unless it is the current rule
	Threshold       float64 `json:"threshold"`
	AnonymousWeight float64 `json:"anonymous_weight"`
}

func differenceFrom(d consensus.Difference) *simulatedDifference {
	wire := &simulatedDifference{URLID: d.URLID, Comparison: d.Comparison}
	if d.Stored != nil {
		wire.Stored = new(api.ConsensusDecisionFrom(*d.Stored))
	}
	if d.Simulated != nil {
		wire.Simulated = new(api.ConsensusDecisionFrom(*d.Simulated))
	}
	return wire
}

func simulationFrom(s consensus.Simulation) *simulationResult {
	wire := &simulationResult{
		Rule: simulatedRule{Threshold: s.Rule.Threshold, AnonymousWeight: s.Rule.AnonymousWeight},
		URLs: s.URLs, Answers: s.Answers, Incomplete: s.Incomplete,
		Validated: s.Facts(), ByType: s.Validated,
		AnswersPerFact: s.AnswersPerFact(), FactsByAnswers: s.Annotators,
		Comparisons: map[consensus.Comparison]int64{}, Differences: s.Differences(),
	}
	wire.Current.Validated, wire.Current.AnswersPerFact = s.OfCurrent()
	if s.Rule.Version != 0 {
		wire.Rule.Version = &s.Rule.Version
	}
	for _, comparison := range consensus.Comparisons { // also those with 0 URLs
		wire.Comparisons[comparison] = s.Comparisons[comparison]
	}
	return wire
}
