package catalog

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"docket/internal/changelog"
	"docket/internal/db"
	"docket/internal/postgres"
	"docket/internal/ranking"
)

// Two ways in which an attempt to delete an agency ends for another to begin.
var (
	errInUse    = errors.New("somebody refers to the agency at this moment")
	errMoreURLs = errors.New("more URLs have to do with the agency now")
)

// DeleteAgency deletes an agency, if there is one: with its locations, what robots and anonymous sessions suggested of it,
// and its place among the agencies agreed on. When the outward application knows the agency it is told to delete it as well. An
// agency that a user suggested stays, with ErrAgencySuggested.
func (s *Service) DeleteAgency(ctx context.Context, id int32) error {
	for {
		err := postgres.InTx(ctx, s.pool, func(tx pgx.Tx) error { return s.deleteAgency(ctx, tx, id) })
		switch {
		case errors.Is(err, errInUse):
			if err := queries.AgencyWait(ctx, s.pool, id); err != nil {
				return fmt.Errorf("wait for others to be done with agency %d: %w", id, err)
			}
		case errors.Is(err, errMoreURLs):
		case err != nil:
			return fmt.Errorf("delete agency %d: %w", id, err)
		default:
			return nil
		}
	}
}

// deleteAgency locks the URLs that the agency has to do with, then their rows of the queue, then the agency, without ever
// waiting for the last: an answer, a rename or an import holds the agency and may be waiting for one of the URLs. Such
// deadlocks cost the answers a second each, and come again as often as it is tried.
//
// That is why the queue is recounted before the agency goes. Nothing that it counts goes with it, but for what anonymous
// sessions said.
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
	if err := queries.AgencyAnonymousDelete(ctx, tx, id); err != nil {
		return fmt.Errorf("drop what anonymous sessions said: %w", err)
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
		return fmt.Errorf("ask for outward deletion: %w", err)
	}
	row, err := queries.AgencyDelete(ctx, tx, id)
	if err != nil {
		return err
	}
	return s.changes.Write(ctx, tx, changelog.New(db.OperationTypeDELETE, changelog.Agencies).Add(id, row, nil))
}

// deleteConfirmed takes the agency from the URLs that it was agreed on for, which the foreign key would do without a trace.
func (s *Service) deleteConfirmed(ctx context.Context, tx pgx.Tx, id int32) error {
	links, err := queries.AgencyURLDelete(ctx, tx, id)
	if err != nil {
		return fmt.Errorf("take it from URLs: %w", err)
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
