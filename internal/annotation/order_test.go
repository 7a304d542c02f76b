package annotation_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"docket/internal/annotation"
	"docket/internal/ranking"
)

// TestEveryKindOfAnnotationCounts checks for each table that one row moves a URL before one with a smaller id.
func TestEveryKindOfAnnotationCounts(t *testing.T) {
	t.Parallel()
	const task = `INSERT INTO tasks (id, task_type, task_status) VALUES (1, 'Agency Identification', 'complete'); `
	for table, row := range map[string]string{
		"annotation__url_type__user": `INSERT INTO annotation__url_type__user (url_id, user_id, type) VALUES (2, 8, 'meta url')`,
		"annotation__record_type__user": `INSERT INTO annotation__record_type__user (url_id, user_id, record_type)
			VALUES (2, 8, 'Stops')`,
		"annotation__agency__user":      `INSERT INTO annotation__agency__user (url_id, user_id, is_new) VALUES (2, 8, true)`,
		"annotation__location__user":    `INSERT INTO annotation__location__user (url_id, user_id, location_id) VALUES (2, 8, 1)`,
		"annotation__url_type__auto":    `INSERT INTO annotation__url_type__auto (url_id, relevant) VALUES (2, false)`,
		"annotation__record_type__auto": `INSERT INTO annotation__record_type__auto (url_id, record_type) VALUES (2, 'Stops')`,
		"annotation__agency__auto__subtasks": task + `INSERT INTO annotation__agency__auto__subtasks (task_id, url_id, type, agencies_found)
			VALUES (1, 2, 'homepage_match', false)`,
		"annotation__location__auto__subtasks": task + `INSERT INTO annotation__location__auto__subtasks (task_id, url_id, type, locations_found)
			VALUES (1, 2, 'nlp_location_frequency', false)`,
	} {
		t.Run(table, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			session, err := b.service.OpenSession(t.Context())
			require.NoError(t, err)
			b.settle(t)
			b.requireNext(t, session, 1)

			_, err = b.pool.Exec(t.Context(), row)
			require.NoError(t, err)
			b.settle(t)
			b.requireNext(t, session, 2)
		})
	}
}

// settle updates both rankings after rows were stored without them.
func (b bundle) settle(t *testing.T) {
	t.Helper()
	require.NoError(t, ranking.Reconcile(t.Context(), b.pool, func(ranking.Difference) {}))
	_, err := b.pool.Exec(t.Context(), "REFRESH MATERIALIZED VIEW url_annotation_count_view")
	require.NoError(t, err)
}

// requireNext asks both rankings for user 7 and for the session.
func (b bundle) requireNext(t *testing.T, session annotation.Session, urlID int32) {
	t.Helper()
	for name, service := range map[string]*annotation.Service{
		"queue":   b.service,
		"matview": annotation.New(b.pool, ranking.Matview{}),
	} {
		next, err := service.Next(t.Context(), 7, annotation.Filter{})
		require.NoError(t, err)
		require.NotNil(t, next)
		require.Equal(t, urlID, next.URLID, "%s, user", name)
		next, err = service.NextAnonymous(t.Context(), session, 0)
		require.NoError(t, err)
		require.NotNil(t, next)
		require.Equal(t, urlID, next.URLID, "%s, session", name)
	}
}
