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

// deleteAttempts bounds how often the deletion of an agency starts over because more URLs got to do with it.
const deleteAttempts = 5

// errMoreURLs ends an attempt to delete an agency that meanwhile has URLs whose rows are not locked.
var errMoreURLs = errors.New("more URLs have to do with the agency now")

// DeleteAgency deletes an agency, if there is one: with its locations, what robots and anonymous sessions suggested of it,
// and its place among the agencies agreed on. When the outward application knows the agency it is told to delete it as well. An
// agency that a user suggested stays, with ErrAgencySuggested.
func (s *Service) DeleteAgency(ctx context.Context, id int32) error {
	err := errMoreURLs
	for attempt := 0; attempt < deleteAttempts && errors.Is(err, errMoreURLs); attempt++ {
		err = postgres.InTx(ctx, s.pool, func(tx pgx.Tx) error { return deleteAgency(ctx, tx, id) })
	}
	if err != nil {
		return fmt.Errorf("delete agency %d: %w", id, postgres.Translate(err, refusals...))
	}
	return nil
}

// deleteAgency locks in the order of an answer: the URLs and their rows of the queue first, then the agency. An answer cannot
// be repeated when it is the victim of a deadlock, since it is a single statement, so none may come about. That is why the
// queue is recounted before the agency goes: nothing that it counts goes with it, but for what anonymous sessions said.
func deleteAgency(ctx context.Context, tx pgx.Tx, id int32) error {
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
	if err := queries.URLKeepMany(ctx, tx, urls); err != nil {
		return fmt.Errorf("lock URLs: %w", err)
	}
	if err := queries.AgencyAnonymousDelete(ctx, tx, id); err != nil {
		return fmt.Errorf("drop what anonymous sessions said: %w", err)
	}
	if err := ranking.Recount(ctx, tx, urls); err != nil {
		return err
	}

	if _, err := queries.AgencyLock(ctx, tx, id); errors.Is(err, pgx.ErrNoRows) {
		return nil
	} else if err != nil {
		return fmt.Errorf("lock agency: %w", err)
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
	if err := deleteConfirmed(ctx, tx, id); err != nil {
		return err
	}
	if err := queries.AgencyOutwardDelete(ctx, tx, id); err != nil {
		return fmt.Errorf("ask for outward deletion: %w", err)
	}
	row, err := queries.AgencyDelete(ctx, tx, id)
	if err != nil {
		return err
	}
	return changelog.New(db.OperationTypeDELETE, changelog.Agencies).Add(id, row, nil).Write(ctx, tx)
}

// deleteConfirmed takes the agency from the URLs that it was agreed on for, which the foreign key would do without a trace.
func deleteConfirmed(ctx context.Context, tx pgx.Tx, id int32) error {
	links, err := queries.AgencyURLDelete(ctx, tx, id)
	if err != nil {
		return fmt.Errorf("take it from URLs: %w", err)
	}
	urls := make([]int32, len(links))
	log := changelog.New(db.OperationTypeDELETE, changelog.URLAgencies)
	for i, link := range links {
		urls[i] = link.URLID
		log.Add(link.ID, link.OldData, nil)
	}
	if err := log.Write(ctx, tx); err != nil {
		return err
	}
	touched, err := queries.URLTouchMany(ctx, tx, urls)
	if err != nil {
		return fmt.Errorf("touch URLs: %w", err)
	}
	log = changelog.New(db.OperationTypeUPDATE, changelog.URLs)
	for _, url := range touched {
		log.Add(url.ID, url.OldData, url.NewData)
	}
	return log.Write(ctx, tx)
}
