package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"docket/api"
	"docket/internal/annotation"
	"docket/internal/convert"
	"docket/internal/postgres"
	"docket/internal/ranking"
)

func explainCommand(cfg *config) *cobra.Command {
	var user, batch, url int32
	var session string
	var asJSON bool
	var reserve annotation.ReservePolicy
	cmd := &cobra.Command{
		Use:   "explain",
		Short: "Show why an annotator is given a URL next, or none",
		Long: `Show which URL a user or an anonymous session would be given next, its place in the order and what decides it, who has
reserved it, how many answers it needs, and how many URLs are left out for which cause. With --url: why this URL is offered or not.

It reserves and stores nothing. Give it the reservation flags of docket serve, or their variables, if these are not the defaults. It
explains the live ranking, not --ranking matview. Exit status 1: the URL or the batch is unknown.`,
		Example: `  docket explain --user 7
  docket explain --user 7 --batch 3 --json | jq .counts
  docket explain --user 7 --url 4711`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			given := cmd.Flags().Changed
			if given("user") == given("session") {
				return usageError{errors.New("give either --user or --session")}
			}
			if given("session") && given("batch") {
				return usageError{errors.New("--batch needs --user: sessions have no filter by batch")}
			}
			sessionID, err := uuid.Parse(session)
			if given("session") && err != nil {
				return usageError{fmt.Errorf("--session: %q is not a UUID", session)}
			}
			if err := checkReserve(reserve); err != nil {
				return err
			}
			var filter annotation.Filter
			if given("batch") {
				filter.BatchID = &batch
			}
			if given("url") {
				filter.URLID = &url
			}
			return cfg.withPoolToRead(cmd, func(ctx context.Context, pool *postgres.Pool) error {
				service := annotation.New(pool, ranking.NewQueue(), annotation.Reserve(reserve))
				explain := func() (annotation.Explanation, error) { return service.ExplainNext(ctx, user, filter) }
				if given("session") {
					explain = func() (annotation.Explanation, error) { return service.ExplainNextAnonymous(ctx, sessionID, filter) }
				}
				explanation, err := explain()
				if err != nil {
					return err
				}
				if asJSON {
					return writeJSON(cmd.OutOrStdout(), api.ExplanationFrom(explanation, true))
				}
				_, err = io.WriteString(cmd.OutOrStdout(), explainedNext(explanation))
				return err
			})
		},
	}
	flags := cmd.Flags()
	flags.Int32Var(&user, "user", 0, "id of the user")
	flags.StringVar(&session, "session", "", "UUID of an anonymous session, instead of --user")
	flags.Int32Var(&batch, "batch", 0, "only URLs of this batch")
	flags.Int32Var(&url, "url", 0, "explain this URL")
	addReserveFlags(flags, &reserve)
	flags.BoolVar(&asJSON, "json", false, "print the response of GET /annotate/explain")
	return cmd
}

func explainedNext(e annotation.Explanation) string {
	var text strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&text, format+"\n", args...) }
	if e.URL == nil {
		line("no URL: %s", e.Reason)
	} else {
		line("URL %d: %s", e.URL.ID, visible(e.URL.URL))
		line("reason: %s", e.Reason)
	}
	line("  %s", e.Reason.Words())
	if u := e.URL; u != nil {
		explainURL(line, *u)
	}
	c := e.Counts
	line("\n%s, each counted under the first cause that applies:", counting(c.All, "URL"))
	for _, counted := range []struct {
		n     int64
		cause string
	}{
		{c.NotQueued, "stored by another program, not ranked yet (docket queue reconcile)"},
		{c.FilteredOut, "not in the batch"},
		{c.Validated, "validated"},
		{c.Suspended, "suspended"},
		{c.Done, "annotated by the annotator"},
		{c.Skipped, "skipped by the annotator; they come last"},
		{c.Reserved, "reserved by others, as many as they need answers"},
		{c.Offered, "in the order of the annotator"},
	} {
		line("%10d  %s", counted.n, counted.cause)
	}
	return text.String()
}

func explainURL(line func(string, ...any), u annotation.ExplainedURL) {
	line("state: %s\n  %s", strings.ReplaceAll(string(u.Cause), "_", " "), u.Cause.Words())
	if s := u.Skip; s != nil {
		returns := "when nothing else is left"
		if s.ReturnsAt != nil {
			returns = stamp(*s.ReturnsAt)
		}
		line("skipped: %s, %s; it comes back %s", s.Reason, stamp(s.At), returns)
	}
	if u.Place > 0 {
		line("place: %d", u.Place)
	}
	for _, sentence := range u.Order() {
		line("  %s", visible(sentence))
	}
	if len(u.Reservations) == 0 {
		line("reserved: no")
	}
	for _, held := range u.Reservations {
		who := "a session"
		if held.UserID != nil {
			who = fmt.Sprintf("user %d", *held.UserID)
		}
		if held.Own {
			who = "the annotator"
		}
		line("reserved: by %s until %s", who, stamp(held.ExpiresAt))
	}
	if u.Needed > 0 {
		line("needed: %s at best", counting(int64(u.Needed), "answer"))
	}
	if len(u.Open) > 0 {
		line("  no agreement yet on %s", strings.Join(convert.Each(u.Open, shownAttribute), ", "))
	}
}
