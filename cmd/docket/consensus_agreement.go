package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"docket/api"
	"docket/internal/agreement"
	"docket/internal/consensus"
	"docket/internal/postgres"
)

// agreementFlags are the flags of consensus agreement.
type agreementFlags struct {
	batch, minCommon, replicates int
	seed                         uint64
	json, pairs                  bool
}

func agreementCommand(cfg *config) *cobra.Command {
	var flags agreementFlags
	cmd := &cobra.Command{
		Use:   "agreement",
		Short: "Measure how well annotators agree with each other and with robots",
		Long: `Measure how well annotators agree about each attribute, in one snapshot of the database: the share of pairs of annotators
who agree, and that share corrected for chance, as Fleiss' kappa, Krippendorff's alpha, Gwet's AC1, and as the mean of Cohen's kappa
over pairs of users. 1 is perfect agreement, and 0 what chance alone would give. Each has a 95 % bootstrap interval.
docs/decisions/agreement.md says how to read them.

--json prints what GET /metrics/agreement returns.`,
		Example: `  docket consensus agreement
  docket consensus agreement --batch 12 --json | jq '.attributes[] | {attribute, alpha: .krippendorff_alpha.value}'
  docket consensus agreement --json --pairs | jq '.pairs | sort_by(.kappa) | .[:5]'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			request, err := flags.request(cmd.Flags().Changed("batch"))
			if err != nil {
				return err
			}
			return cfg.withPoolToRead(cmd, func(ctx context.Context, pool *postgres.Pool) error {
				return runAgreement(ctx, cmd.OutOrStdout(), agreement.New(pool), request, flags)
			})
		},
	}
	cmd.Flags().IntVar(&flags.batch, "batch", 0, "only URLs of the batch with this `id`")
	cmd.Flags().IntVar(&flags.minCommon, "min-common", agreement.DefaultLeastCommon,
		"the least number of URLs that two users must both have annotated to count as a pair")
	cmd.Flags().IntVar(&flags.replicates, "replicates", 0,
		fmt.Sprintf("samples for each interval; 0 is %d, and fewer for more than 50,000 URLs", agreement.DefaultReplicates))
	cmd.Flags().Uint64Var(&flags.seed, "seed", 0, "number that selects the samples")
	cmd.Flags().BoolVar(&flags.json, "json", false, "print JSON")
	cmd.Flags().BoolVar(&flags.pairs, "pairs", false, "with --json: also print each pair of users")
	return cmd
}

func (f agreementFlags) request(ofBatch bool) (r agreement.Request, err error) {
	switch {
	case f.minCommon < 1:
		return r, usageError{fmt.Errorf("--min-common: %d is less than 1", f.minCommon)}
	case f.replicates < 0 || f.replicates == 1 || f.replicates > agreement.MostReplicates:
		return r, usageError{fmt.Errorf("--replicates: %d is neither 0 nor a number from 2 to %d", f.replicates, agreement.MostReplicates)}
	case f.pairs && !f.json:
		return r, usageError{errors.New("--pairs needs --json")}
	case f.batch != int(int32(f.batch)):
		return r, usageError{fmt.Errorf("--batch: %d is too large", f.batch)}
	}
	r.LeastCommon, r.Options = f.minCommon, agreement.Options{Replicates: f.replicates, Seed: f.seed}
	if ofBatch {
		r.BatchID = new(int32(f.batch))
	}
	return r, nil
}

// agreedPair is a pair of users in the JSON output.
type agreedPair struct {
	Attribute  string   `json:"attribute"`
	Users      [2]int32 `json:"users"`
	CommonURLs int      `json:"common_urls"`
	Raw        float64  `json:"raw_agreement"`
	Kappa      *float64 `json:"kappa"`
	Reason     *string  `json:"reason"`
}

func runAgreement(
	ctx context.Context, out io.Writer, service *agreement.Service, request agreement.Request, flags agreementFlags,
) error {
	pairs := []agreedPair{}
	if flags.pairs {
		request.Pair = func(attribute consensus.Attribute, p agreement.Pair) {
			pair := agreedPair{
				Attribute: string(attribute), Users: [2]int32{p.First, p.Second}, CommonURLs: p.Common, Raw: p.Raw, Kappa: p.Kappa,
			}
			if p.Reason != "" {
				pair.Reason = &p.Reason
			}
			pairs = append(pairs, pair)
		}
	}
	bar := newProgressBar("measuring")
	request.Progress = bar.report
	report, err := service.Measure(ctx, request)
	bar.finish()
	switch {
	case err != nil:
		return err
	case flags.pairs:
		return writeJSON(out, struct {
			api.AgreementResponse
			Pairs []agreedPair `json:"pairs"`
		}{api.AgreementFrom(report), pairs})
	case flags.json:
		return writeJSON(out, api.AgreementFrom(report))
	default:
		return printAgreement(out, report)
	}
}

func printAgreement(out io.Writer, report agreement.Report) error {
	for i, r := range report {
		if i > 0 {
			fmt.Fprintln(out)
		}
		fmt.Fprintf(out, "%s: %d answers of %d users and %d sessions about %d URLs, %d of them with two or more answers; %d values\n",
			shownAttribute(r.Attribute), r.Ratings, r.Users, r.Sessions, r.URLs, r.Compared, r.Values)
		table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
		for _, line := range []struct {
			name string
			agreement.Estimate
		}{
			{"raw agreement", r.Raw}, {"Fleiss' kappa", r.Fleiss}, {"Krippendorff's alpha", r.Alpha}, {"Gwet's AC1", r.AC1},
			{"Cohen's kappa, mean", r.Pairs.Mean},
		} {
			fmt.Fprintf(table, "  %s\t%s\n", line.name, estimateText(line.Estimate))
		}
		if err := table.Flush(); err != nil {
			return err
		}
		fmt.Fprintf(out, "  pairs of users with %d or more URLs in common: %d%s\n",
			r.Pairs.LeastCommon, r.Pairs.Pairs, rangeText(r.Pairs))
		if r.Robots.Share != nil {
			fmt.Fprintf(out, "  users sided with a robot in %d of %d answers (%.1f %%)\n",
				r.Robots.Sided, r.Robots.Answers, 100**r.Robots.Share)
		}
		if r.Difference.Value != nil {
			fmt.Fprintf(out, "  with suggestions shown %.1f %% of %d answers sided with a robot, and hidden %.1f %% of %d: more by %s\n",
				100**r.Shown.Share, r.Shown.Answers, 100**r.Hidden.Share, r.Hidden.Answers,
				strings.ReplaceAll(estimateText(r.Difference), "\t", ", "))
		}
	}
	return nil
}

func estimateText(e agreement.Estimate) string {
	switch {
	case e.Value == nil:
		return "-\t" + e.Reason
	case e.Low == nil:
		return fmt.Sprintf("%.3f\t%s", *e.Value, e.Reason)
	default:
		return fmt.Sprintf("%.3f\t%.3f to %.3f", *e.Value, *e.Low, *e.High)
	}
}

func rangeText(p agreement.PairSummary) string {
	if p.Min == nil {
		return ""
	}
	return fmt.Sprintf(", from %.3f to %.3f", *p.Min, *p.Max)
}
