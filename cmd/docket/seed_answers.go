package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"docket/internal/annotation"
	"docket/internal/consensus"
	"docket/internal/postgres"
	"docket/internal/ranking"
	"docket/internal/sample"
)

// seedAnswersCommand is below seed, whose flags say which sample data the answers are about.
func seedAnswersCommand(cfg *config, of *sample.Options) *cobra.Command {
	var (
		o         sample.PlayOptions
		reserve   time.Duration
		addresses []string
		asJSON    bool
	)
	cmd := &cobra.Command{
		Use:   "answers",
		Short: "Let simulated annotators answer the sample data until they agree",
		Long: `Let simulated annotators answer the sample data until they agree, and compare the facts with the truth. --urls and --seed must
be those with which docket seed made the data: what is true about each URL follows from them.

Each annotator asks for the next URL and answers it, as clients do. With the probability --accuracy it states the truth, for each
attribute independently, else something plausible. Users have the ids from 100000 on. The command ends when each URL that can
become a fact is one, or when no annotator has a URL left.

The answers are stored, and validated, by this process or, with --server, by running servers, to which the requests are sent in turn.
The facts are read from the database in both cases. A request that a server does not answer is sent to the next one, so servers may
be stopped and started meanwhile.

With --thinking, each annotator works on a URL at any time, for some simulated time: so they answer in an order that depends on the
seed alone. Then reservations save answers, which --reserve 0 and --reserve 10m show. Without --server the same flags and the same
data make the same answers.

Exit status 1: an annotator was offered nothing while a URL was left for it; or there are URLs whose votes make a consensus,
and they were not validated within --wait after the last answer.`,
		Example: `  docket seed answers --annotators 20 --accuracy 0.9 --sessions 0.2
  docket seed answers --server http://127.0.0.1:8080 --server http://127.0.0.1:8081 --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.URLs, o.Seed = of.URLs, of.Seed
			if err := o.Check(); err != nil {
				return usageError{err}
			}
			if reserve < 0 || len(addresses) > 0 && cmd.Flags().Changed("reserve") {
				return usageError{errors.New("--reserve must not be negative, and is not for --server: servers have a flag of their own")}
			}
			return seedAnswers(cmd, cfg, o, reserve, addresses, asJSON)
		},
	}
	flags := cmd.Flags()
	flags.IntVar(&o.Annotators, "annotators", 20, "number of annotators")
	flags.Float64Var(&o.Accuracy, "accuracy", 0.9, "probability that an annotator states the truth about an attribute")
	flags.Float64Var(&o.Sessions, "sessions", 0.2, "share of the annotators that are anonymous sessions")
	flags.IntVar(&o.AtOnce, "at-once", 1, "how many annotators work at the same time; others wait for their turn")
	flags.BoolVar(&o.Thinking, "thinking", false, "all annotators work on a URL at any time, in simulated time; not with --at-once")
	flags.DurationVar(&reserve, "reserve", 10*time.Minute,
		"how long a URL is reserved for the annotator who is offered it; 0 means not at all")
	flags.IntVar(&o.Facts, "facts", 0, "end after so many facts; 0 means as many as possible")
	flags.DurationVar(&o.Wait, "wait", 30*time.Second, "how long after the last answer a validation may take")
	flags.StringSliceVar(&addresses, "server", nil,
		"`address` of a running docket serve on the same database; may be repeated or a list with commas")
	flags.BoolVar(&asJSON, "json", false, "print the result as JSON")
	return cmd
}

func seedAnswers(
	cmd *cobra.Command, cfg *config, o sample.PlayOptions, reserve time.Duration, addresses []string, asJSON bool,
) error {
	if len(addresses) == 0 {
		return cfg.withPool(cmd, func(ctx context.Context, pool *postgres.Pool) error {
			client, validator := useCasesOn(pool, reserve, func(err error) { cmd.PrintErrln("docket:", err) })
			if o.Thinking {
				o.Validate = func(ctx context.Context) error {
					_, err := validator.Drain(ctx)
					return err
				}
				return play(cmd, ctx, pool, client, o, asJSON)
			}
			ctx, stop := context.WithCancel(ctx)
			group, ctx := errgroup.WithContext(ctx)
			group.Go(func() error { return validator.Run(ctx) })
			group.Go(func() error {
				defer stop()
				return play(cmd, ctx, pool, client, o, asJSON)
			})
			return group.Wait()
		})
	}
	key, err := cfg.secretKey()
	if err != nil {
		return err
	}
	client, err := newServers(addresses, key)
	if err != nil {
		return err
	}
	return cfg.withPoolToRead(cmd, func(ctx context.Context, pool *postgres.Pool) error {
		return play(cmd, ctx, pool, client, o, asJSON)
	})
}

// play prints what came of a play.
func play(cmd *cobra.Command, ctx context.Context, pool *postgres.Pool, client sample.Client, o sample.PlayOptions, asJSON bool) (err error) {
	if o.Rule, err = consensus.CurrentRule(ctx, pool); err != nil {
		return err
	}
	progress := newProgressBar("facts")
	o.Progress = progress.report
	outcome, err := sample.Play(ctx, pool, client, o)
	progress.finish()
	if err != nil {
		return err
	}
	result := answersResultFrom(outcome)
	if !asJSON {
		printOutcome(cmd.OutOrStdout(), result)
	} else if err := writeJSON(cmd.OutOrStdout(), result); err != nil {
		return err
	}
	if len(outcome.Overdue) > 0 {
		return fmt.Errorf("%d URLs whose votes make a consensus were not validated within %s of the last answer, such as URL %d; "+
			"docket consensus explain says why", len(outcome.Overdue), o.Wait, outcome.Overdue[0])
	}
	return nil
}

// useCasesOn returns the Client of this process, and what validates URLs meanwhile.
func useCasesOn(pool *postgres.Pool, reserve time.Duration, report func(error)) (sample.Client, *consensus.Validator) {
	validator := consensus.New(pool, consensus.Config{Report: report})
	service := annotation.New(pool, ranking.NewQueue(), annotation.OnDue(validator.Wake),
		annotation.Reserve(annotation.ReservePolicy{For: reserve}))
	return sample.UseCases{Service: service}, validator
}

// answersResult is the result of seed answers, printed as JSON.
type answersResult struct {
	URLs    int     `json:"urls"`
	Answers int     `json:"answers"`
	Seconds float64 `json:"seconds"`

	Facts      int               `json:"facts"`
	True       int               `json:"true_facts"`
	Attributes []attributeResult `json:"attributes"`

	Decidable         int     `json:"answers_about_decidable"`
	AnswersPerFact    float64 `json:"answers_per_fact"`
	AnnotatorsPerFact float64 `json:"annotators_per_fact"`
	Late              int     `json:"late_answers"`
	Surplus           int     `json:"surplus_offers"`

	StillOpen   int     `json:"still_open"`
	Undecidable int     `json:"never_validated_automatically"`
	Overdue     []int32 `json:"overdue"`

	Latency latencyResult `json:"validation_ms"`
}

type attributeResult struct {
	Attribute string  `json:"attribute"`
	Facts     int     `json:"facts"`
	True      int     `json:"true"`
	Accuracy  float64 `json:"accuracy"`
}

type latencyResult struct {
	Facts  int     `json:"facts"`
	Median float64 `json:"median"`
	P99    float64 `json:"p99"`
	Most   float64 `json:"most"`
}

func answersResultFrom(o sample.Outcome) answersResult {
	result := answersResult{
		URLs: o.Open, Answers: o.Answers, Seconds: o.Took.Seconds(), Facts: o.Facts, True: o.True,
		Decidable: o.Decidable, AnswersPerFact: share(o.Decidable, o.Facts), AnnotatorsPerFact: share(o.Annotators, o.Facts),
		Late: o.Late, Surplus: o.Surplus,
		StillOpen: o.StillOpen, Undecidable: o.Undecidable, Overdue: append([]int32{}, o.Overdue...),
		Latency: latencyResult{
			Facts: len(o.Latencies), Median: milliseconds(o.Latency(50)), P99: milliseconds(o.Latency(99)), Most: milliseconds(o.Latency(100)),
		},
	}
	for _, a := range o.Attributes {
		result.Attributes = append(result.Attributes, attributeResult{
			Attribute: string(a.Attribute), Facts: a.Facts, True: a.True, Accuracy: share(a.True, a.Facts),
		})
	}
	return result
}

// share returns 0 of nothing.
func share(part, whole int) float64 {
	if whole == 0 {
		return 0
	}
	return float64(part) / float64(whole)
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func printOutcome(out io.Writer, r answersResult) {
	fmt.Fprintf(out, "%d of %d URLs have become facts; %d are open, of which %d are broken pages, which are never validated automatically\n",
		r.Facts, r.URLs, r.StillOpen, r.Undecidable)
	fmt.Fprintf(out, "%d answers in %.1f seconds, of which %d about URLs that can become facts: %.2f for each fact\n",
		r.Answers, r.Seconds, r.Decidable, r.AnswersPerFact)
	fmt.Fprintf(out, "wasted: %d answers about facts after the one that made a consensus; "+
		"%d times a URL was offered on which as many others worked as it needed answers\n", r.Late, r.Surplus)
	fmt.Fprintf(out, "%.2f annotators, also those of the sample data, had voted about each fact when it was validated\n\n", r.AnnotatorsPerFact)
	table := tabwriter.NewWriter(out, 0, 0, 3, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "attribute\tfacts\ttrue\taccuracy\t")
	for _, a := range append(slices.Clone(r.Attributes), attributeResult{"all", r.Facts, r.True, share(r.True, r.Facts)}) {
		fmt.Fprintf(table, "%s\t%d\t%d\t%.1f %%\t\n", shownAttribute(consensus.Attribute(a.Attribute)), a.Facts, a.True, 100*a.Accuracy)
	}
	_ = table.Flush() // out reports errors of its own
	fmt.Fprintf(out, "\nfrom the answer that decided a fact until its validation was seen, for %d facts: median %.0f ms, 99 %% within %.0f ms, most %.0f ms\n",
		r.Latency.Facts, r.Latency.Median, r.Latency.P99, r.Latency.Most)
}
