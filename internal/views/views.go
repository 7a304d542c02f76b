// Package views owns the materialized views: their list, their refresh, their age and the limit of it.
// What the views say is defined in sql/schema/75_materialized_views.sql; the package does not know what they are read for.
package views

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"docket/internal/db"
	"docket/internal/postgres"
)

// View is a materialized view and what the database has on record of its last refreshes.
type View struct {
	Name        string
	Populated   bool          // reading one that is not populated is an error
	RefreshedAt *time.Time    // the view has everything committed before then; nil when no refresh is on record
	Age         time.Duration // since RefreshedAt
	Rows        int64         // after that refresh
	Took        time.Duration // by that refresh
	Failure     string        // why the last attempt failed; empty when it did not
}

// List returns all materialized views, each one after those that it reads.
func List(ctx context.Context, pool *postgres.Pool) ([]View, error) {
	known, err := postgres.Views(ctx, pool)
	if err != nil {
		return nil, err
	}
	records, err := queries.ViewRefreshList(ctx, pool)
	if err != nil {
		return nil, fmt.Errorf("read refreshes of views: %w", err)
	}
	views := make([]View, len(known))
	for i, view := range known {
		views[i] = View{Name: view.Name, Populated: view.Populated}
		for _, record := range records {
			if record.ViewName == view.Name {
				views[i].RefreshedAt, views[i].Age = record.RefreshedAt, seconds(record.AgeSeconds)
				views[i].Rows, views[i].Took = record.RowCount, seconds(record.Seconds)
				views[i].Failure = record.Error
			}
		}
	}
	return views, nil
}

var queries = db.New()

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// ErrUnknown means that no materialized view has the name.
var ErrUnknown = errors.New("unknown materialized view")

// Outcome is the result of a Refresh for one view.
type Outcome string

// Outcomes.
const (
	Done   Outcome = "refreshed"
	Busy   Outcome = "busy" // another transaction is refreshing it; Refresh does not wait
	Failed Outcome = "failed"
)

// Refreshed is a view after a Refresh.
type Refreshed struct {
	View
	Outcome Outcome
}

// Refresh refreshes the named materialized views, or all of them when no name is given, one by one, each after those that it
// reads. Readers are not blocked. When a view fails, the others are still refreshed, and the error joins all failures. A view
// that another Refresh is refreshing, in this process or another, is skipped. Each refresh and its record are one transaction.
//
// Refresh returns the views it has tried, even with an error, unless a name is unknown or the database cannot be read.
func Refresh(ctx context.Context, pool *postgres.Pool, names ...string) ([]Refreshed, error) {
	known, err := List(ctx, pool)
	if err != nil {
		return nil, err
	}
	chosen, err := choose(known, names)
	if err != nil {
		return nil, err
	}
	var failures []error
	outcomes := map[string]Outcome{}
	for _, name := range chosen {
		outcome, err := refreshOne(ctx, pool, name)
		if err != nil {
			failures = append(failures, fmt.Errorf("view %s: %w", name, err))
		}
		outcomes[name] = outcome
		if ctx.Err() != nil {
			break
		}
	}
	// Report what was done even if the caller has cancelled.
	reporting, cancel := context.WithTimeout(context.WithoutCancel(ctx), reportTimeout)
	defer cancel()
	views, err := List(reporting, pool)
	if err != nil {
		failures = append(failures, err)
		views = known
	}
	var refreshed []Refreshed
	for _, view := range views {
		if outcome := outcomes[view.Name]; outcome != "" {
			refreshed = append(refreshed, Refreshed{View: view, Outcome: outcome})
		}
	}
	return refreshed, errors.Join(failures...)
}

const reportTimeout = 5 * time.Second

// choose returns the names of the views to refresh, in the order of the views.
func choose(views []View, names []string) ([]string, error) {
	var known, chosen []string
	for _, view := range views {
		known = append(known, view.Name)
		if len(names) == 0 || slices.Contains(names, view.Name) {
			chosen = append(chosen, view.Name)
		}
	}
	for _, name := range names {
		if !slices.Contains(known, name) {
			return nil, fmt.Errorf("%w %q; there are %s", ErrUnknown, name, strings.Join(known, ", "))
		}
	}
	return chosen, nil
}

// refreshOne refreshes one view under an advisory lock that lasts as long as its transaction.
func refreshOne(ctx context.Context, pool *postgres.Pool, name string) (Outcome, error) {
	var (
		locked  bool
		failure error
	)
	err := postgres.InTx(ctx, pool, func(tx pgx.Tx) error {
		var err error
		failure = nil // InTx may run this more than once
		if locked, err = queries.ViewRefreshLock(ctx, tx, name); err != nil || !locked {
			return err
		}
		// A failure rolls back to this savepoint, so the lock is still held while it is recorded.
		var refreshed postgres.Refreshed
		failure = pgx.BeginFunc(ctx, tx, func(attempt pgx.Tx) error {
			refreshed, err = postgres.RefreshView(ctx, attempt, name)
			return err
		})
		if failure != nil {
			return queries.ViewRefreshUpsertFailed(ctx, tx, db.ViewRefreshUpsertFailedParams{ViewName: name, Error: failure.Error()})
		}
		return queries.ViewRefreshUpsert(ctx, tx, db.ViewRefreshUpsertParams{
			ViewName: name, Seconds: refreshed.Took.Seconds(), RowCount: refreshed.Rows,
		})
	})
	switch {
	case failure != nil:
		return Failed, failure
	case err != nil:
		return Failed, err
	case !locked:
		return Busy, nil
	}
	return Done, nil
}

// Check fails when a view was never filled. With a bound above 0 it also fails when a view is older or of unknown age.
func Check(ctx context.Context, pool *postgres.Pool, bound time.Duration) error {
	views, err := List(ctx, pool)
	if err != nil {
		return err
	}
	var problems []error
	for _, view := range views {
		switch {
		case !view.Populated:
			problems = append(problems, fmt.Errorf("view %s was never filled", view.Name))
		case bound > 0 && view.RefreshedAt == nil:
			problems = append(problems, fmt.Errorf("view %s has no refresh on record", view.Name))
		case bound > 0 && view.Age > bound:
			problems = append(problems, fmt.Errorf("view %s is %s old, the bound is %s", view.Name, view.Age.Round(time.Second), bound))
		}
	}
	if len(problems) > 0 {
		return fmt.Errorf("%w; docket refresh fills them", errors.Join(problems...))
	}
	return nil
}
