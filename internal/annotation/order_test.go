package annotation_test

import (
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"docket/internal/annotation"
	"docket/internal/dbtest"
	"docket/internal/ranking"
)

// TestURLTypesCount checks for each table of annotations whether one row moves a URL before one with a smaller id: only the URL
// types do, of users, sessions and robots.
func TestURLTypesCount(t *testing.T) {
	t.Parallel()
	const (
		task    = `INSERT INTO tasks (id, task_type, task_status) VALUES (1, 'Agency Identification', 'complete'); `
		session = `INSERT INTO anonymous_sessions (id) VALUES ('00000000-0000-0000-0000-000000000001'); `
	)
	for table, row := range map[string]string{
		"annotation__url_type__user": `INSERT INTO annotation__url_type__user (url_id, user_id, type) VALUES (2, 8, 'meta url')`,
		"annotation__record_type__user": `INSERT INTO annotation__record_type__user (url_id, user_id, record_type)
			VALUES (2, 8, 'Stops')`,
		"annotation__agency__user":   `INSERT INTO annotation__agency__user (url_id, user_id, is_new) VALUES (2, 8, true)`,
		"annotation__location__user": `INSERT INTO annotation__location__user (url_id, user_id, location_id) VALUES (2, 8, 1)`,
		"annotation__url_type__anon": session + `INSERT INTO annotation__url_type__anon (url_id, url_type, session_id)
			SELECT 2, 'meta url', id FROM anonymous_sessions`,
		"annotation__record_type__anon": session + `INSERT INTO annotation__record_type__anon (url_id, record_type, session_id)
			SELECT 2, 'Stops', id FROM anonymous_sessions`,
		"annotation__agency__anon": session + `INSERT INTO annotation__agency__anon (url_id, agency_id, session_id)
			SELECT 2, 1, id FROM anonymous_sessions`,
		"annotation__location__anon": session + `INSERT INTO annotation__location__anon (url_id, location_id, session_id)
			SELECT 2, 1, id FROM anonymous_sessions`,
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
			session := uuid.New()
			b.settle(t)
			b.requireNext(t, session, 1)

			dbtest.Exec(t, b.pool, row)
			b.settle(t)
			first := int32(1)
			if strings.HasPrefix(table, "annotation__url_type__") {
				first = 2
			}
			b.requireNext(t, session, first)
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
		offer, err := service.Next(t.Context(), 7, annotation.Filter{})
		require.NoError(t, err)
		require.NotNil(t, offer.Next)
		require.Equal(t, urlID, offer.Next.URLID, "%s, user", name)
		offer, err = service.NextAnonymous(t.Context(), session, 0)
		require.NoError(t, err)
		require.NotNil(t, offer.Next)
		require.Equal(t, urlID, offer.Next.URLID, "%s, session", name)
	}
}
