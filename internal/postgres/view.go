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
	Populated bool // false: no statement can read it
}

// listViews orders by dependencies rather than by creation: a plain view between two materialized ones may have been replaced
// after both were created. The bound ends a cycle, which plain views can form.
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
), level AS (
    SELECT oid AS relation, 0 AS depth FROM pg_class WHERE relkind = 'm'
    UNION
    SELECT reads.reader, level.depth + 1
    FROM level
    JOIN reads ON reads.source = level.relation
    WHERE level.depth < 100
)
SELECT view.relname::text, view.relispopulated
FROM pg_class view
JOIN level ON level.relation = view.oid
WHERE view.relkind = 'm' AND view.relnamespace = current_schema()::regnamespace
GROUP BY view.oid, view.relname, view.relispopulated
ORDER BY max(level.depth), view.relname`

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

// Refreshed is the result of RefreshView.
type Refreshed struct {
	Rows int64
	Took time.Duration // by the REFRESH itself
}

// RefreshView refreshes a materialized view CONCURRENTLY: statements can read its old rows until the transaction commits. A view
// that was never filled cannot be read, and needs a plain REFRESH. The timeouts of statements and of locks do not
// apply; only the context ends a refresh.
//
// The view is analyzed as well. Autovacuum would do so up to a minute later, and until then the planner takes a view that was
// filled for the first time for empty.
func RefreshView(ctx context.Context, tx pgx.Tx, name string) (Refreshed, error) {
	view := pgx.Identifier{name}.Sanitize()
	if _, err := tx.Exec(ctx, "SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0"); err != nil {
		return Refreshed{}, fmt.Errorf("disable timeouts: %w", err)
	}
	var populated bool
	err := tx.QueryRow(ctx, "SELECT relispopulated FROM pg_class WHERE oid = $1::text::regclass", view).Scan(&populated)
	if err != nil {
		return Refreshed{}, fmt.Errorf("read state of view: %w", err)
	}
	refresh := "REFRESH MATERIALIZED VIEW " + view
	if populated {
		refresh = "REFRESH MATERIALIZED VIEW CONCURRENTLY " + view
	}
	start := time.Now()
	if _, err := tx.Exec(ctx, refresh); err != nil {
		if IsDenied(err) {
			return Refreshed{}, fmt.Errorf("refresh: %w; run docket refresh as the owner of the view", err)
		}
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
