package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"docket/internal/dbtest"
)

// theirNext is the statement of the other service for the next URL of a user: both views are inner-joined.
const theirNext = `
SELECT urls.id::text
FROM urls
JOIN url_annotation_count_view counts ON counts.url_id = urls.id
JOIN url_annotation_flags flags ON flags.url_id = urls.id
LEFT JOIN (
    SELECT DISTINCT link.url_id FROM link_batches__urls link
    JOIN link_batches__locations place ON place.batch_id = link.batch_id
    JOIN link__locations__user_follows follow ON follow.location_id = place.location_id
    WHERE follow.user_id = $1::text::integer
) AS own ON own.url_id = urls.id
LEFT JOIN (
    SELECT DISTINCT link.url_id FROM link_batches__urls link
    JOIN link_batches__locations place ON place.batch_id = link.batch_id
    JOIN link__locations__user_follows follow ON follow.location_id = place.location_id
) AS followed ON followed.url_id = urls.id
WHERE NOT EXISTS (SELECT FROM flag_url_validated f WHERE f.url_id = urls.id)
    AND NOT EXISTS (SELECT FROM flag_url_suspended f WHERE f.url_id = urls.id)
    AND NOT EXISTS (SELECT FROM annotation__url_type__user a WHERE a.url_id = urls.id AND a.user_id = $1::text::integer)
    AND NOT EXISTS (SELECT FROM annotation__agency__user a WHERE a.url_id = urls.id AND a.user_id = $1::text::integer)
    AND NOT EXISTS (SELECT FROM annotation__location__user a WHERE a.url_id = urls.id AND a.user_id = $1::text::integer)
    AND NOT EXISTS (SELECT FROM annotation__record_type__user a WHERE a.url_id = urls.id AND a.user_id = $1::text::integer)
    AND ($2 = '' OR urls.id::text = $2)
ORDER BY
    own.url_id IS NOT NULL DESC, followed.url_id IS NOT NULL DESC, urls.source = 'manual' DESC,
    counts.user_url_type_count DESC, counts.anon_url_type_count DESC, counts.auto_url_type_count DESC, urls.id
LIMIT 1`

// theirWrites are statements of the other service, in an order in which they work.
var theirWrites = []string{
	// A URL and a batch.
	`INSERT INTO urls (url, scheme, trailing_slash, source) VALUES ('their.example.org/new', 'https', false, 'manual')`,
	`INSERT INTO batches (strategy, user_id, status, parameters) VALUES ('manual', 1, 'ready to label', '{}')`,
	`INSERT INTO link_batches__urls (batch_id, url_id) SELECT max(batches.id), max(urls.id) FROM batches, urls`,
	`INSERT INTO url_html_content (url_id, content_type, content) SELECT max(id), 'Title', 'New' FROM urls`,
	`UPDATE urls SET name = 'New' WHERE url = 'their.example.org/new'`,
	// The answer of a user, with a new name and with a name that is known.
	`INSERT INTO annotation__url_type__user (url_id, user_id, type) SELECT max(id), 3001, 'data source' FROM urls`,
	`INSERT INTO annotation__name__suggestions (url_id, suggestion, source) SELECT max(id), 'Their name', 'User' FROM urls`,
	`INSERT INTO annotation__name__user__endorsements (user_id, suggestion_id) SELECT 3001, max(id) FROM annotation__name__suggestions`,
	`INSERT INTO annotation__location__user (url_id, user_id, location_id) SELECT max(urls.id), 3001, 7 FROM urls`,
	`INSERT INTO annotation__record_type__user (url_id, user_id, record_type) SELECT max(id), 3001, 'Stops' FROM urls`,
	`INSERT INTO annotation__agency__user (url_id, user_id, agency_id) SELECT max(id), 3001, 23191 FROM urls`,
	`INSERT INTO link_user_suggestion_location_not_found (user_id, url_id) SELECT 3001, max(id) FROM urls`,
	`INSERT INTO link_user_suggestion_agency_not_found (user_id, url_id) SELECT 3001, max(id) FROM urls`,
	// The answer of a session, with two types for one URL.
	`INSERT INTO anonymous_sessions (id) VALUES ('00000000-0000-4000-8000-0000000000aa')`,
	`INSERT INTO annotation__url_type__anon (url_id, session_id, url_type) SELECT max(id), '00000000-0000-4000-8000-0000000000aa', t
		FROM urls, unnest('{data source,meta url}'::url_type[]) AS t GROUP BY t`,
	`INSERT INTO annotation__name__anon__endorsements (session_id, suggestion_id)
		SELECT '00000000-0000-4000-8000-0000000000aa', max(id) FROM annotation__name__suggestions`,
	`INSERT INTO annotation__record_type__anon (url_id, session_id, record_type) SELECT max(id), '00000000-0000-4000-8000-0000000000aa', 'Stops' FROM urls`,
	`INSERT INTO annotation__location__anon (url_id, session_id, location_id) SELECT max(id), '00000000-0000-4000-8000-0000000000aa', 7 FROM urls`,
	`INSERT INTO annotation__agency__anon (url_id, session_id, agency_id) SELECT max(id), '00000000-0000-4000-8000-0000000000aa', 23191 FROM urls`,
	// Suggestions of robots.
	`INSERT INTO annotation__agency__auto__subtasks (task_id, url_id, type, agencies_found) SELECT 4, max(id), 'batch_link', true FROM urls`,
	`INSERT INTO annotation__agency__auto__suggestions (subtask_id, agency_id, confidence)
		SELECT max(id), 23192, 80 FROM annotation__agency__auto__subtasks`,
	`INSERT INTO annotation__location__auto__subtasks (task_id, url_id, type, locations_found) SELECT 17, max(id), 'batch_link', true FROM urls`,
	`INSERT INTO annotation__location__auto__suggestions (subtask_id, location_id, confidence)
		SELECT max(id), 8, 80 FROM annotation__location__auto__subtasks`,
	`INSERT INTO annotation__record_type__auto (url_id, record_type) SELECT max(id), 'Other' FROM urls`,
	`INSERT INTO annotation__url_type__auto (url_id, relevant, confidence, model_name) SELECT max(id), true, 0.5, 'm' FROM urls`,
	// The migration of a session.
	`INSERT INTO annotation__url_type__user (url_id, user_id, type) SELECT DISTINCT ON (url_id) url_id, 3002, url_type
		FROM annotation__url_type__anon WHERE session_id = '00000000-0000-4000-8000-0000000000aa' ON CONFLICT DO NOTHING`,
	`INSERT INTO annotation__name__user__endorsements (user_id, suggestion_id) SELECT 3002, suggestion_id
		FROM annotation__name__anon__endorsements WHERE session_id = '00000000-0000-4000-8000-0000000000aa' ON CONFLICT DO NOTHING`,
	`DELETE FROM annotation__url_type__anon WHERE session_id = '00000000-0000-4000-8000-0000000000aa'`,
	`DELETE FROM annotation__name__anon__endorsements WHERE session_id = '00000000-0000-4000-8000-0000000000aa'`,
	// Follows, proposals, tasks.
	`DELETE FROM link__locations__user_follows WHERE user_id = 1`,
	`INSERT INTO link__locations__user_follows (user_id, location_id) VALUES (1, 7)`,
	`INSERT INTO tasks (task_type, task_status) VALUES ('Sync User Follows Get', 'in-process')`,
	`INSERT INTO proposal__agencies (name, agency_type, jurisdiction_type, proposing_user_id, proposal_status)
		VALUES ('Proposed', 'court', 'county', 3001, 'pending')`,
	`INSERT INTO proposal__link__agencies__locations (proposal_agency_id, location_id) SELECT max(id), 7 FROM proposal__agencies`,
	`UPDATE proposal__agencies SET proposal_status = 'approved' WHERE name = 'Proposed'`,
	`INSERT INTO proposal__agencies__decision_info (proposal_agency_id, deciding_user_id) SELECT max(id), 9 FROM proposal__agencies`,
	// Consensus, and its refresh of three views.
	`INSERT INTO flag_url_validated (url_id, type) VALUES (1, 'not relevant')`,
	`INSERT INTO flag_url_auto_validated (url_id) VALUES (1)`,
	`INSERT INTO flag_url_suspended (url_id) VALUES (2)`,
	`REFRESH MATERIALIZED VIEW url_status_mat_view`,
	`REFRESH MATERIALIZED VIEW batch_url_status_mat_view`,
	`REFRESH MATERIALIZED VIEW mat_view__html_duplicate_url`,
	`DELETE FROM urls WHERE id = 3`,
}

// TestReferenceOnAdoptedDatabase runs statements of the other service on an adopted database of January: what docs/operations.md says
// does not work does not, and everything else does.
func TestReferenceOnAdoptedDatabase(t *testing.T) {
	t.Parallel()
	adopted := newAdoptee(t, dbtest.January)
	status, _, stderr := adopted.schema("schema", "apply", "--env", "prod", "--auto-approve")
	require.Zero(t, status, stderr)
	succeed(t, "migrate", "apply", "--baseline", "latest", "--dir", migrationsFolder, "--database-url", adopted.url, "--dev-url", adopted.url)
	succeed(t, "queue", "reconcile", "--wait=false", "--database-url", adopted.url)
	require.Equal(t, adopted.list(nextURL), adopted.list(theirNext, "3001", ""), "the same order")

	for _, sql := range theirWrites {
		dbtest.Exec(t, adopted.db, sql)
	}
	added := adopted.list("SELECT id::text FROM urls WHERE url = 'their.example.org/new'")[0]
	require.Empty(t, adopted.list(theirNext, "3003", added), "its own refresh does not fill the view that it joins")
	succeed(t, "refresh", "--database-url", adopted.url)
	require.Equal(t, []string{added}, adopted.list(theirNext, "3003", added))
	succeed(t, "queue", "reconcile", "--wait=false", "--database-url", adopted.url)
	require.Equal(t, "0 differences\n", succeed(t, "queue", "verify", "--database-url", adopted.url))
	require.Equal(t, adopted.list(nextURL), adopted.list(theirNext, "3003", ""))
	status, stdout, stderr := adopted.schema(noDifference...)
	require.Zero(t, status, "%s%s", stdout, stderr)

	for _, sql := range []string{ // of later migrations of its own
		"CREATE OR REPLACE VIEW url_annotation_count_view AS SELECT id AS url_id FROM urls",
		"DROP VIEW url_annotation_flags",
		"ALTER TABLE urls DROP CONSTRAINT uq_pending_url",
		"ALTER SEQUENCE url_name_suggestions_id_seq RESTART",
	} {
		_, err := adopted.db.Exec(t.Context(), sql)
		require.Error(t, err, sql)
	}
}

// TestReferenceOfDecemberStops: after the adoption its tables have other names.
func TestReferenceOfDecemberStops(t *testing.T) {
	t.Parallel()
	stopped := newAdoptee(t, dbtest.December)
	status, _, stderr := stopped.schema("schema", "apply", "--env", "prod", "--auto-approve")
	require.Zero(t, status, stderr)
	for _, sql := range []string{
		"INSERT INTO user_url_type_suggestions (url_id, user_id, type) VALUES (1, 3001, 'data source')",
		"INSERT INTO anonymous_annotation_agency (url_id, agency_id) VALUES (1, 23191)",
		"SELECT status FROM urls",
	} {
		_, err := stopped.db.Exec(t.Context(), sql)
		require.ErrorContains(t, err, "does not exist", sql)
	}
}
