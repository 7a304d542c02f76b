package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// View is a materialized view.
type View struct {
	Name      string
	Populated bool // reading one that is not is an error
}

// listViews follows definitions rather than the order of creation: a plain view between two materialized ones may have been
// replaced after both were made. Plain views can even be made to read each other, hence the bound.
const listViews = `
WITH RECURSIVE reads AS (
    SELECT DISTINCT rule.ev_class AS reader, dependency.refobjid AS source
    FROM pg_rewrite rule
    JOIN pg_depend dependency
        ON dependency.classid = 'pg_rewrite'::regclass
        AND dependency.objid = rule.oid
        AND dependency.refclassid = 'pg_class'::regclass
        AND dependency.refobjid <> rule.ev_class
    WHERE rule.rulename = '_RETURN'
), placed AS (
    SELECT oid AS relation, 0 AS place FROM pg_class WHERE relkind = 'm'
    UNION
    SELECT reads.reader, placed.place + 1
    FROM placed
    JOIN reads ON reads.source = placed.relation
    WHERE placed.place < 100
)
SELECT view.relname::text, view.relispopulated
FROM pg_class view
JOIN placed ON placed.relation = view.oid
WHERE view.relkind = 'm' AND view.relnamespace = current_schema()::regnamespace
GROUP BY view.oid, view.relname, view.relispopulated
ORDER BY max(placed.place), view.relname`

// Views returns the materialized views of the current schema, each one after those that it reads.
func Views(ctx context.Context, pool *Pool) ([]View, error) {
	rows, err := pool.Query(ctx, listViews)
	if err != nil {
		return nil, fmt.Errorf("list materialized views: %w", err)
	}
	views, err := pgx.CollectRows(rows, pgx.RowToStructByPos[View])
	if err != nil {
		return nil, fmt.Errorf("list materialized views: %w", err)
	}
	return views, nil
}

// Refreshed is what came of RefreshView.
type Refreshed struct {
	Rows int64
	Took time.Duration // by the REFRESH alone
}

// RefreshView fills a materialized view anew, CONCURRENTLY: the view's readers go on with what it held until the
// transaction commits. A view that was never filled has no readers, and PostgreSQL insists on a plain REFRESH. However
// long it takes, the context alone bounds it: what a request's statement may cost does not apply.
//
// The view is analyzed too. Autovacuum would do so, but up to a minute later, and until then a view that has just been
// filled for the first time counts as empty.
func RefreshView(ctx context.Context, tx pgx.Tx, name string) (Refreshed, error) {
	view := pgx.Identifier{name}.Sanitize()
	if _, err := tx.Exec(ctx, "SET LOCAL statement_timeout = 0"); err != nil {
		return Refreshed{}, fmt.Errorf("lift statement timeout: %w", err)
	}
	var populated bool
	err := tx.QueryRow(ctx, "SELECT relispopulated FROM pg_class WHERE oid = $1::text::regclass", view).Scan(&populated)
	if err != nil {
		return Refreshed{}, fmt.Errorf("look at view: %w", err)
	}
	refresh := "REFRESH MATERIALIZED VIEW " + view
	if populated {
		refresh = "REFRESH MATERIALIZED VIEW CONCURRENTLY " + view
	}
	start := time.Now()
	if _, err := tx.Exec(ctx, refresh); err != nil {
		return Refreshed{}, fmt.Errorf("refresh: %w", err)
	}
	refreshed := Refreshed{Took: time.Since(start)}
	if err := tx.QueryRow(ctx, "SELECT count(*) FROM "+view).Scan(&refreshed.Rows); err != nil {
		return Refreshed{}, fmt.Errorf("count rows: %w", err)
	}
	if _, err := tx.Exec(ctx, "ANALYZE "+view); err != nil {
		return Refreshed{}, fmt.Errorf("analyze: %w", err)
	}
	return refreshed, nil
}
