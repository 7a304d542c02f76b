package main

import (
	"context"
	"fmt"
	"io"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"docket/api"
	"docket/internal/catalog"
	"docket/internal/consensus"
	"docket/internal/convert"
	"docket/internal/postgres"
	"docket/internal/unknown"
)

func consensusExplainCommand(cfg *config) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "explain URL",
		Short: "Show why a URL is a fact, or what is missing until it is one",
		Long: `Show the votes about a URL, what annotators agree on, what each type of URL needs before it is validated, what the votes
decide now, and the fact that was stored, with the rule that made it and the votes of that moment.

URL is an id or the URL itself, with or without scheme. Exit status 1: the URL is unknown.`,
		Example: `  docket consensus explain 17
  docket consensus explain https://www.columbus.gov/police-annualreports/ --json | jq .status`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return cfg.withPoolToRead(cmd, func(ctx context.Context, pool *postgres.Pool) error {
				urlID, err := findURL(ctx, pool, args[0])
				if err != nil {
					return err
				}
				explanation, err := consensus.NewExplainer(pool).Explain(ctx, urlID)
				if err != nil {
					return err
				}
				if asJSON {
					return writeJSON(cmd.OutOrStdout(), api.ConsensusFrom(explanation))
				}
				_, err = io.WriteString(cmd.OutOrStdout(), explained(explanation))
				return err
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the response of GET /url/{url_id}/consensus")
	return cmd
}

// findURL returns the id of a URL that is given by its id or by its text, of which the id form counts. A number is an id.
func findURL(ctx context.Context, pool *postgres.Pool, given string) (int32, error) {
	if id, err := strconv.ParseInt(given, 10, 32); err == nil {
		return int32(id), nil
	}
	id, err := catalog.New(pool).FindURL(ctx, given)
	if err == nil && id == nil {
		err = unknown.New(unknown.URL, given)
	}
	if err != nil {
		return 0, err
	}
	return *id, nil
}

// shownStatus is how a status is printed.
var shownStatus = map[consensus.Status]string{
	consensus.Validated: "validated",
	consensus.Decided:   "decided; validated as soon as a process runs the job",
	consensus.Obstacle:  "decided, but what is stored contradicts it",
	consensus.Undecided: "not decided",
	consensus.Reopened:  "reopened; not validated again before there is a newer vote",
}

func explained(e consensus.Explanation) string {
	var text strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&text, format+"\n", args...) }
	line("URL %d: %s", e.URLID, visible(e.URL))
	line("status: %s", shownStatus[e.Status])
	if v := e.Validation; v != nil {
		how := "by hand or by another program"
		if v.Automatic {
			how = "by agreement"
		}
		line("validated: as %s, %s, %s", v.URLType, stamp(v.At), how)
	}
	if e.ReopenedAt != nil {
		line("reopened: %s", stamp(*e.ReopenedAt))
	}
	if e.Suspended {
		line("suspended: annotators are not offered the URL")
	}
	for _, reason := range e.Against {
		line("obstacle: %s", visible(reason))
	}
	if e.Error != nil {
		line("last error: %s (task %d, %s)", visible(e.Error.Text), e.Error.TaskID, stamp(e.Error.At))
	}
	line("%s", shownRule(e.Rule))
	line("\nvotes of %s:", people(e.People))
	printTallies(line, e.Votes)
	line("\nneeded:")
	for _, needs := range e.Types {
		line("  %-18s %s", needs.URLType, shownNeeds(needs))
	}
	if e.Decision != nil {
		line("\ndecision now: %s", shownFact(*e.Decision))
	}
	if f := e.Fact; f != nil {
		line("\nstored fact: %s", shownFact(f.Fact))
		for _, named := range []struct{ kind, name string }{{"agency", f.AgencyName}, {"location", f.LocationName}} {
			if named.name != "" {
				line("  %s: %s", named.kind, visible(named.name))
			}
		}
		line("  made %s by %s", stamp(f.At), shownRule(f.Rule))
		if f.People == e.People && reflect.DeepEqual(f.Votes, e.Votes) {
			line("  from the same votes")
			return text.String()
		}
		line("  votes of %s then:", people(f.People))
		printTallies(line, f.Votes)
	}
	return text.String()
}

func printTallies(line func(string, ...any), tallies []consensus.Tally) {
	for _, tally := range tallies {
		outcome := "agreed"
		switch tally.Outcome {
		case consensus.Tie:
			outcome = "a tie"
		case consensus.TooFew:
			outcome = "lacks " + shownVotes(tally.Lacking)
		}
		line("  %s: %s", shownAttribute(tally.Attribute), outcome)
		for _, value := range tally.Values {
			shown := visible(value.Value)
			if value.Text != value.Value {
				shown = strings.TrimSpace(shown + " " + visible(value.Text))
			}
			line("    %s: %s, by %s", shown, shownVotes(value.Votes), people(value.Count))
		}
	}
}

func shownNeeds(needs consensus.TypeNeeds) string {
	switch {
	case !needs.Possible:
		return "never validated by agreement"
	case len(needs.Missing) == 0:
		return "nothing is missing"
	}
	return "lacks an agreement on " + strings.Join(convert.Each(needs.Missing, shownAttribute), ", ")
}

// shownFact lists what a fact says. Only a name can be any text, so only it is quoted.
func shownFact(fact consensus.Fact) string {
	parts := []string{fact.URLType}
	for _, attribute := range consensus.Attributes[1:] {
		if value := fact.Value(attribute); value != "" {
			if attribute == consensus.Name {
				value = strconv.Quote(value)
			}
			parts = append(parts, shownAttribute(attribute)+" "+visible(value))
		}
	}
	return strings.Join(parts, ", ")
}

func shownAttribute(attribute consensus.Attribute) string {
	return strings.Replace(strings.ReplaceAll(string(attribute), "_", " "), "url", "URL", 1)
}

func shownRule(rule consensus.Rule) string {
	name := "another rule"
	if rule.Version != 0 {
		name = fmt.Sprintf("rule %d", rule.Version)
	}
	return fmt.Sprintf("%s: %s make an agreement, a session's counts %v", name, shownVotes(rule.Threshold), rule.AnonymousWeight)
}

func shownVotes(votes float64) string {
	if votes == 1 {
		return "1 vote"
	}
	return fmt.Sprintf("%v votes", votes)
}

func people(count consensus.Count) string {
	return counting(int64(count.Users), "user") + " and " + counting(int64(count.Sessions), "session")
}

// stamp writes a time as the database has it, in UTC.
func stamp(t time.Time) string { return t.UTC().Format(time.DateTime) }

// counting writes a number with a noun.
func counting(n int64, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}
