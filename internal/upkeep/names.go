package upkeep

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"docket/internal/convert"
	"docket/internal/db"
	"docket/internal/ranking"
	"docket/internal/robots"
	"docket/internal/tasks"
)

// AutoName suggests the title of the page as the name of each URL that has no name from a title: without white space around it,
// and a title of more than 100 characters cut to 97 and "...". A blank title is no name. A title that a user or a session has
// suggested stays theirs: it is not shown twice, and does not become a robot's.
//
// The named URLs are linked to the task. Each part recounts its URLs, so that annotators are shown the names at once.
func (s *Service) AutoName(ctx context.Context, taskID int32) (string, error) {
	next := ranking.OfURLs(ctx, s.pool, listTogether, func(after, upto int32) ([]db.TitleNameListRow, error) {
		return queries.TitleNameList(ctx, s.pool, db.TitleNameListParams{After: after, Upto: upto})
	})
	named, err := inParts(ctx, s, next, func(tx pgx.Tx, part []db.TitleNameListRow) (int64, error) {
		stored, err := robots.Store(ctx, tx, convert.Each(part, suggestionOf), robots.Options{Keep: true})
		if err != nil || len(stored.URLs) == 0 {
			return 0, err
		}
		if err := tasks.LinkURLs(ctx, tx, taskID, stored.URLs); err != nil {
			return 0, err
		}
		return int64(stored.ByAttribute[robots.Name]), ranking.Recount(ctx, tx, stored.URLs)
	})
	if err != nil {
		return "", fmt.Errorf("name URLs after %s: %w", counted(named, "name"), err)
	}
	return counted(named, "name") + " added", nil
}

func suggestionOf(row db.TitleNameListRow) robots.Suggestion {
	return robots.Suggestion{URLID: &row.URLID, Attribute: robots.Name, Value: row.Suggestion}
}
