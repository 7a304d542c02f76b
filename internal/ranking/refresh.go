package ranking

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"docket/internal/db"
	"docket/internal/postgres"
)

// View is a materialized view and its last refreshes, as the database has them on record.
type View struct {
	Name        string
	Populated   bool          // reading one that is not is an error
	RefreshedAt *time.Time    // it holds everything committed before then; nil when no refresh is on record
	Age         time.Duration // since RefreshedAt
	Rows        int64         // after that refresh
	Took        time.Duration // by that refresh
	Failure     string        // why the last attempt failed; empty when it did not
}

// Views returns all materialized views, each one after those that it reads.
func Views(ctx context.Context, pool *pgxpool.Pool) ([]View, error) {
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

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// ErrUnknownView says that there is no materialized view of a name.
var ErrUnknownView = errors.New("unknown materialized view")

// Outcome is what came of one view in a Refresh.
type Outcome string

// Outcomes.
const (
	RefreshDone   Outcome = "refreshed"
	RefreshBusy   Outcome = "busy" // somebody else was refreshing it, and what they began was not waited for
	RefreshFailed Outcome = "failed"
)

// Refreshed is a view after a Refresh.
type Refreshed struct {
	View
	Outcome Outcome
}

// Refresh fills the named materialized views anew, or all when none is named, one after the other and each one after those
// that it reads. Readers go on meanwhile. A view that fails does not keep the others from their turn; the error joins all
// failures. A view that another Refresh is at, in this process or another, is left to that one. What became of each is
// recorded with it, in one transaction.
//
// It returns what it got to, also beside an error, unless a name is unknown or the database cannot be asked.
func Refresh(ctx context.Context, pool *pgxpool.Pool, names ...string) ([]Refreshed, error) {
	known, err := Views(ctx, pool)
	if err != nil {
		return nil, err
	}
	chosen, err := chooseViews(known, names)
	if err != nil {
		return nil, err
	}
	var failures []error
	outcomes := map[string]Outcome{}
	for _, name := range chosen {
		outcome, err := refreshView(ctx, pool, name)
		if err != nil {
			failures = append(failures, fmt.Errorf("view %s: %w", name, err))
		}
		outcomes[name] = outcome
		if ctx.Err() != nil {
			break
		}
	}
	// What was done is reported although the caller has given up.
	reporting, cancel := context.WithTimeout(context.WithoutCancel(ctx), reportTimeout)
	defer cancel()
	views, err := Views(reporting, pool)
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

// chooseViews returns the names in the order of the views.
func chooseViews(views []View, names []string) ([]string, error) {
	var known, chosen []string
	for _, view := range views {
		known = append(known, view.Name)
		if len(names) == 0 || slices.Contains(names, view.Name) {
			chosen = append(chosen, view.Name)
		}
	}
	for _, name := range names {
		if !slices.Contains(known, name) {
			return nil, fmt.Errorf("%w %q; there are %s", ErrUnknownView, name, strings.Join(known, ", "))
		}
	}
	return chosen, nil
}

// refreshView refreshes one view under a lock that ends with its transaction.
func refreshView(ctx context.Context, pool *pgxpool.Pool, name string) (Outcome, error) {
	var (
		locked  bool
		failure error
	)
	err := postgres.InTx(ctx, pool, func(tx pgx.Tx) error {
		var err error
		failure = nil // of an earlier run
		if locked, err = queries.ViewRefreshLock(ctx, tx, name); err != nil || !locked {
			return err
		}
		// A failure rolls back to here, so that the lock is still held when it is recorded.
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
		return RefreshFailed, failure
	case err != nil:
		return RefreshFailed, err
	case !locked:
		return RefreshBusy, nil
	}
	return RefreshDone, nil
}

// countView is what Matview reads.
const countView = "url_annotation_count_view"

// Prepare makes the ranking ready to be asked: it fills the view of the counts if no refresh of it is on record. A migration
// fills it with what there is at that moment, often nothing, and then every URL would count 0. While another process does
// the same, Prepare does not wait; see CheckViews.
func (Matview) Prepare(ctx context.Context, pool *pgxpool.Pool) ([]Refreshed, error) {
	views, err := Views(ctx, pool)
	if err != nil {
		return nil, err
	}
	if slices.ContainsFunc(views, func(v View) bool { return v.Name == countView && v.RefreshedAt != nil && v.Populated }) {
		return nil, nil
	}
	return Refresh(ctx, pool, countView)
}

// CheckViews fails when a view was never filled, or, with a bound above 0, when one is older than that or of unknown age.
func CheckViews(ctx context.Context, pool *pgxpool.Pool, bound time.Duration) error {
	views, err := Views(ctx, pool)
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
