package ranking_test

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"docket/internal/postgres"
	"docket/internal/ranking"
)

// Statements about a user or a batch, $1, and a location, $2.
const (
	follow = `INSERT INTO link__locations__user_follows (user_id, location_id) VALUES ($1, $2) ON CONFLICT DO NOTHING`
	leave  = `DELETE FROM link__locations__user_follows WHERE user_id = $1 AND location_id = $2`
	locate = `INSERT INTO link_batches__locations (batch_id, location_id) VALUES ($1, $2) ON CONFLICT DO NOTHING`
	move   = `DELETE FROM link_batches__locations WHERE batch_id = $1 AND location_id = $2`
)

// follow has a user follow a location.
func (w world) follow(t testing.TB, user, location int32) {
	t.Helper()
	require.NoError(t, w.changeFollows(t.Context(), follow, user, location))
}

// locate links a batch to a location.
func (w world) locate(t testing.TB, batch, location int32) {
	t.Helper()
	require.NoError(t, w.changeFollows(t.Context(), locate, batch, location))
}

// changeFollows executes a statement that changes who follows a batch, and updates the queue. It keeps other transactions from
// linking URLs to batches.
func (w world) changeFollows(ctx context.Context, statement string, args ...any) error {
	return postgres.InTx(ctx, w.pool, func(tx pgx.Tx) error { return changeFollowsIn(ctx, tx, statement, args...) })
}

func changeFollowsIn(ctx context.Context, tx pgx.Tx, statement string, args ...any) error {
	for _, lock := range []string{"SELECT pg_advisory_xact_lock(1)", "SELECT FROM batches ORDER BY id FOR UPDATE"} {
		if _, err := tx.Exec(ctx, lock); err != nil {
			return err
		}
	}
	if _, err := tx.Exec(ctx, statement, args...); err != nil {
		return err
	}
	for _, upkeep := range []string{
		`DELETE FROM followed_batches f
			WHERE NOT EXISTS (SELECT FROM followed_batches_recount r WHERE r.user_id = f.user_id)`,
		`INSERT INTO followed_batches (user_id, batch_ids, changed_xid)
			SELECT user_id, batch_ids, pg_current_xact_id()::text::bigint FROM followed_batches_recount
			ON CONFLICT (user_id) DO UPDATE SET batch_ids = excluded.batch_ids, changed_xid = excluded.changed_xid
			WHERE followed_batches.batch_ids <> excluded.batch_ids`,
	} {
		if _, err := tx.Exec(ctx, upkeep); err != nil {
			return err
		}
	}
	rows, err := tx.Query(ctx, `SELECT r.url_id FROM annotation_queue_recount r JOIN annotation_queue q USING (url_id)
		WHERE r.followed <> q.followed ORDER BY r.url_id`)
	if err != nil {
		return err
	}
	urls, err := pgx.CollectRows(rows, pgx.RowTo[int32])
	if err != nil {
		return err
	}
	return ranking.Recount(ctx, tx, urls)
}
