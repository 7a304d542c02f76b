package catalog

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"docket/internal/changelog"
	"docket/internal/consensus"
	"docket/internal/db"
	"docket/internal/postgres"
	"docket/internal/ranking"
)

// After these errors the deletion of an agency is tried again.
var (
	errInUse    = errors.New("another transaction holds a lock on the agency")
	errMoreURLs = errors.New("another transaction has added the agency to more URLs")
)

// DeleteAgency deletes an agency with its locations, the suggestions of it by robots and anonymous sessions, and its links to
// the URLs for which it is confirmed. If the agency exists in the outward application, its deletion is requested there. An
// unknown agency is no error. An agency that a user suggested is kept, with ErrAgencySuggested.
func (s *Service) DeleteAgency(ctx context.Context, id int32) error {
	for {
		err := postgres.InTx(ctx, s.pool, func(tx pgx.Tx) error { return s.deleteAgency(ctx, tx, id) })
		switch {
		case errors.Is(err, errInUse):
			if err := queries.AgencyWait(ctx, s.pool, id); err != nil {
				return fmt.Errorf("wait for other transactions that use agency %d: %w", id, err)
			}
		case errors.Is(err, errMoreURLs):
		case err != nil:
			return fmt.Errorf("delete agency %d: %w", id, err)
		default:
			return nil
		}
	}
}

// deleteAgency locks the URLs that the agency concerns, then their rows of the queue, then the agency. It never waits for the
// lock of the agency: an answer, a rename or an import holds that lock and may wait for one of the URLs. Such a deadlock would
// delay the answer by a second, and each retry could cause it again.
//
// So the queue is recounted before the agency is deleted. Of what the queue counts, only the annotations of anonymous sessions
// are deleted with an agency, and those are deleted before the recount.
func (s *Service) deleteAgency(ctx context.Context, tx pgx.Tx, id int32) error {
	suggested, err := queries.AgencyIsSuggested(ctx, tx, id)
	if err != nil {
		return fmt.Errorf("look for users' suggestions: %w", err)
	}
	if suggested {
		return ErrAgencySuggested
	}
	urls, err := queries.AgencyURLList(ctx, tx, id)
	if err != nil {
		return fmt.Errorf("list URLs: %w", err)
	}
	if err := queries.URLLockMany(ctx, tx, urls); err != nil {
		return fmt.Errorf("lock URLs: %w", err)
	}
	lessVotes, err := queries.AgencyAnonymousDelete(ctx, tx, id)
	if err != nil {
		return fmt.Errorf("delete annotations of anonymous sessions: %w", err)
	}
	// Another agency, which had as many votes as this one, may be agreed on now.
	if err := consensus.AddDue(ctx, tx, lessVotes); err != nil {
		return err
	}
	if err := ranking.Recount(ctx, tx, urls); err != nil {
		return err
	}

	agency, err := queries.AgencyLock(ctx, tx, id)
	switch {
	case err != nil:
		return fmt.Errorf("lock agency: %w", err)
	case !agency.Known:
		return nil
	case !agency.Locked:
		return errInUse
	}
	now, err := queries.AgencyURLList(ctx, tx, id)
	if err != nil {
		return fmt.Errorf("list URLs again: %w", err)
	}
	for _, url := range now {
		if _, locked := slices.BinarySearch(urls, url); !locked {
			return errMoreURLs
		}
	}
	if err := s.deleteConfirmed(ctx, tx, id); err != nil {
		return err
	}
	if err := queries.AgencyOutwardDelete(ctx, tx, id); err != nil {
		return fmt.Errorf("request outward deletion: %w", err)
	}
	row, err := queries.AgencyDelete(ctx, tx, id)
	if err != nil {
		return err
	}
	return s.changes.Write(ctx, tx, changelog.New(db.OperationTypeDELETE, changelog.Agencies).Add(id, row, nil))
}

// deleteConfirmed removes the agency from the URLs for which it is confirmed. The foreign key would do so too, but without an
// entry in the change log.
func (s *Service) deleteConfirmed(ctx context.Context, tx pgx.Tx, id int32) error {
	links, err := queries.AgencyURLDelete(ctx, tx, id)
	if err != nil {
		return fmt.Errorf("remove it from URLs: %w", err)
	}
	urls := make([]int32, len(links))
	changes := changelog.New(db.OperationTypeDELETE, changelog.URLAgencies)
	for i, link := range links {
		urls[i] = link.URLID
		changes.Add(link.ID, link.OldData, nil)
	}
	if err := s.changes.Write(ctx, tx, changes); err != nil {
		return err
	}
	touched, err := queries.URLTouchMany(ctx, tx, urls)
	if err != nil {
		return fmt.Errorf("touch URLs: %w", err)
	}
	changes = changelog.New(db.OperationTypeUPDATE, changelog.URLs)
	for _, url := range touched {
		changes.Add(url.ID, url.OldData, url.NewData)
	}
	return s.changes.Write(ctx, tx, changes)
}
