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

// changeFollows executes a statement that changes who follows a batch, as every transaction that does must.
func (w world) changeFollows(ctx context.Context, statement string, args ...any) error {
	return postgres.InTx(ctx, w.pool, func(tx pgx.Tx) error { return changeFollowsIn(ctx, tx, statement, args...) })
}

func changeFollowsIn(ctx context.Context, tx pgx.Tx, statement string, args ...any) error {
	return ranking.ChangeFollows(ctx, tx, func() ([]int32, error) {
		_, err := tx.Exec(ctx, statement, args...)
		return nil, err
	})
}
