package annotation

import (
	"context"
	"fmt"

	"docket/internal/db"
	"docket/internal/ranking"
)

// emptyReason says why a choice has found no URL, in the snapshot of its own statement. The first of these applies: no URL is
// stored; only reserved ones are left within the filter; without the filter there would be one; the annotator has annotated all
// that are left; none is left. docs/decisions/why-no-url.md has the reasons.
func (s *Service) emptyReason(ctx context.Context, conn db.DBTX, ranked Ranking, by Annotator, filter Filter) (Reason, error) {
	found, err := queries.EmptyReasonGet(ctx, conn, db.EmptyReasonGetParams{
		UserID: by.userID, SessionID: by.session, BatchID: filter.BatchID, URLID: filter.URLID,
	})
	if err != nil {
		return "", fmt.Errorf("find out why no URL is left: %w", err)
	}
	switch {
	case !found.Imported:
		return NothingImported, nil
	case found.Reserved && filter.Skip == 0:
		return AllReserved, nil
	}
	if filter != (Filter{}) {
		without := found.ReservedWithoutFilter || found.SkippedWithoutFilter
		if !without {
			chosen, err := chooseFrom(ctx, conn, ranked, by, Filter{})
			if err != nil {
				return "", fmt.Errorf("choose next URL without the filter: %w", err)
			}
			without = chosen != nil
		}
		if without {
			return FilteredOut, nil
		}
	}
	if found.Eligible {
		return AllDoneByYou, nil
	}
	return NoneLeft, nil
}

func chooseFrom(ctx context.Context, conn db.DBTX, ranked Ranking, by Annotator, filter Filter) (*ranking.Choice, error) {
	if by.userID != nil {
		return ranked.NextForUser(ctx, conn, *by.userID, filter)
	}
	return ranked.NextForSession(ctx, conn, *by.session, filter.Skip)
}
