package follows_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"docket/internal/dbtest"
	"docket/internal/follows"
	"docket/internal/postgres"
	"docket/internal/unknown"
)

// list lists the follows as user:location.
func list(t *testing.T, pool *postgres.Pool) []string {
	t.Helper()
	return dbtest.List(t, pool, `SELECT user_id || ':' || location_id FROM link__locations__user_follows ORDER BY user_id, location_id`)
}

func TestReplace(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t)
	dbtest.Exec(t, pool, `INSERT INTO us_states (state_iso) VALUES ('PA'), ('NJ');
		INSERT INTO locations (type, state_id) SELECT 'State', id FROM us_states ORDER BY id`)
	service := follows.New(pool)

	given := []follows.Follow{{UserID: 8, LocationID: 2}, {UserID: 7, LocationID: 1}, {UserID: 8, LocationID: 2}}
	before := slices.Clone(given)
	result, err := service.Replace(t.Context(), given)
	require.NoError(t, err)
	require.Equal(t, follows.Result{Added: 2}, result)
	require.Equal(t, before, given, "the caller's list stays as it is")
	require.Equal(t, []string{"7:1", "8:2"}, list(t, pool))

	result, err = service.Replace(t.Context(), []follows.Follow{{UserID: 7, LocationID: 1}, {UserID: 7, LocationID: 2}})
	require.NoError(t, err)
	require.Equal(t, follows.Result{Added: 1, Removed: 1, Unchanged: 1}, result)

	_, err = service.Replace(t.Context(), []follows.Follow{{UserID: 9, LocationID: 1}, {UserID: 9, LocationID: 4}, {UserID: 9, LocationID: -3}})
	var missing *unknown.Error
	require.ErrorAs(t, err, &missing)
	require.Equal(t, unknown.New(unknown.Location, -3, 4), missing)
	require.Equal(t, []string{"7:1", "7:2"}, list(t, pool), "nothing is changed")

	result, err = service.Replace(t.Context(), nil)
	require.NoError(t, err)
	require.Equal(t, follows.Result{Removed: 2}, result)
	require.Empty(t, list(t, pool))
}
