package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"docket/api"
	"docket/internal/export"
	"docket/internal/history"
	"docket/internal/page"
	"docket/internal/postgres"
)

func urlsHistoryCommand(cfg *config) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "history URL",
		Short: "Show what happened to a URL, the oldest event first",
		Long: `Show the answers, skips, suggestions, validations, reopenings and suspensions of a URL in order. Events remain when answers
change. The history begins with the version of Docket that introduced it.

URL is an id or the URL itself, with or without scheme. Exit status 1: the URL is unknown.`,
		Example: `  docket url history 17
  docket url history 17 --json | jq 'select(.event == "validated")'`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return cfg.withPoolToRead(cmd, func(ctx context.Context, pool *postgres.Pool) error {
				urlID, err := findURL(ctx, pool, args[0])
				if err != nil {
					return err
				}
				print := printEvent
				if asJSON {
					print = func(out io.Writer, event history.Stored) error { return writeJSONLine(out, api.URLEventFrom(event)) }
				}
				return eachEvent(ctx, history.NewReader(pool), urlID, func(event history.Stored) error {
					return print(cmd.OutOrStdout(), event)
				})
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a line for each event, as in GET /url/{url_id}/history")
	return cmd
}

func eachEvent(ctx context.Context, reader *history.Reader, urlID int32, do func(history.Stored) error) error {
	for after := int64(0); ; {
		events, err := reader.List(ctx, urlID, after)
		if err != nil {
			return err
		}
		for _, event := range events {
			if err := do(event); err != nil {
				return err
			}
			after = event.ID
		}
		if len(events) < page.Size {
			return nil
		}
	}
}

// printEvent prints an event as a line: its time, what happened, who did it, and the detail.
func printEvent(out io.Writer, event history.Stored) error {
	who := "-"
	switch {
	case event.UserID != nil:
		who = fmt.Sprintf("user %d", *event.UserID)
	case event.Session != nil:
		who = export.SessionPseudonym(*event.Session)
	}
	var detail bytes.Buffer
	if err := json.Compact(&detail, event.Detail); err != nil {
		return fmt.Errorf("event %d: %w", event.ID, err)
	}
	hidden := ""
	if event.SuggestionsShown != nil && !*event.SuggestionsShown {
		hidden = " (suggestions hidden)"
	}
	_, err := fmt.Fprintf(out, "%s  %-10s  %-26s  %s%s\n", stamp(event.At), event.Kind, who, visible(detail.String()), hidden)
	return err
}
