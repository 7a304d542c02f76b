package annotation_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"docket/internal/db"
	"docket/internal/dbtest"
)

// TestPlans limits the buffers of the statements for answers and for the transfer of sessions, with every kind of plan, on tables
// of many annotators. The session of 1,000 URLs is one of a hundred: a statement that looks for the rows of the session in the rows
// of each URL exceeds its limit. Statements about few URLs must not read a whole table.
func TestPlans(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const small, large = "00000000-0000-0000-0000-000000000000", "00000000-0000-0000-0000-000000000001"
	dbtest.Exec(t, b.pool, `
		INSERT INTO urls (id, url, source) SELECT n, n || '.org', 'manual' FROM generate_series(4, 10000) AS n;
		INSERT INTO annotation__name__suggestions (url_id, suggestion) SELECT id, n FROM urls, unnest('{a,b}'::text[]) AS n;
		INSERT INTO anonymous_sessions (id)
			SELECT ('00000000-0000-0000-0000-' || lpad(n::text, 12, '0'))::uuid FROM generate_series(0, 100) AS n;
		CREATE TEMP TABLE said AS
			SELECT urls.id AS url_id, s.id AS session_id, s.n::integer AS user_id
			FROM (SELECT id, row_number() OVER (ORDER BY id) - 1 AS n FROM anonymous_sessions) AS s
			JOIN urls ON s.n <> 1 AND (urls.id + s.n) % 150 = 0 OR s.n = 1 AND urls.id % 10 = 0;
		DELETE FROM said WHERE user_id = 0 AND url_id > 1000;
		INSERT INTO annotation__url_type__anon (url_id, session_id, url_type) SELECT url_id, session_id, 'data source' FROM said;
		INSERT INTO annotation__record_type__anon (url_id, session_id, record_type) SELECT url_id, session_id, 'Stops' FROM said;
		INSERT INTO annotation__agency__anon (url_id, session_id, agency_id) SELECT url_id, session_id, 1 FROM said;
		INSERT INTO annotation__location__anon (url_id, session_id, location_id) SELECT url_id, session_id, 1 FROM said;
		INSERT INTO annotation__name__anon__endorsements (session_id, suggestion_id)
			SELECT said.session_id, min(name.id) FROM said JOIN annotation__name__suggestions name USING (url_id)
			GROUP BY said.session_id, said.url_id;
		INSERT INTO annotation__url_type__user (url_id, user_id, type) SELECT url_id, user_id, 'data source' FROM said;
		INSERT INTO annotation__record_type__user (url_id, user_id, record_type) SELECT url_id, user_id, 'Stops' FROM said;
		INSERT INTO annotation__agency__user (url_id, user_id, agency_id) SELECT url_id, user_id, 1 FROM said;
		INSERT INTO annotation__location__user (url_id, user_id, location_id) SELECT url_id, user_id, 1 FROM said;
		INSERT INTO annotation__name__user__endorsements (user_id, suggestion_id)
			SELECT said.user_id, min(name.id) FROM said JOIN annotation__name__suggestions name USING (url_id)
			GROUP BY said.user_id, said.url_id;
		INSERT INTO anonymous_answer_addresses (url_id, session_id, address_hash)
			SELECT DISTINCT url_id, session_id, '\x000102030405060708090a0b0c0d0e0f'::bytea FROM said;
		INSERT INTO anonymous_migrated_answers (session_id, url_id, url_types, record_types, agency_ids, location_ids, names)
			SELECT session_id, url_id + 1, '{meta url}', '{}', '{}', '{}', '{}' FROM said WHERE url_id < 10000;
		INSERT INTO tasks (task_type, task_status) VALUES ('Agency Identification', 'complete');
		INSERT INTO annotation__agency__auto__subtasks (task_id, url_id, type, agencies_found)
			SELECT 1, id, 'nlp_location_match', true FROM urls;
		INSERT INTO annotation__agency__auto__suggestions (subtask_id, agency_id, confidence)
			SELECT id, 1, 50 FROM annotation__agency__auto__subtasks;
		INSERT INTO annotation__location__auto__subtasks (task_id, url_id, type, locations_found)
			SELECT 1, id, 'nlp_location_frequency', true FROM urls;
		INSERT INTO annotation__location__auto__suggestions (subtask_id, location_id, confidence)
			SELECT id, 1, 50 FROM annotation__location__auto__subtasks;
		INSERT INTO annotation__record_type__auto (url_id, record_type) SELECT id, 'Stops' FROM urls;
		INSERT INTO annotation__url_type__auto (url_id, relevant) SELECT id, true FROM urls;
		INSERT INTO url_skips (url_id, user_id, reason) SELECT url_id + 2, user_id, 'not sure' FROM said WHERE url_id < 9999;
		INSERT INTO url_skips (url_id, session_id, reason) SELECT url_id + 2, session_id, 'not sure' FROM said WHERE url_id < 9999;
		INSERT INTO url_reservations (annotator, url_id, slot, suggestions_hidden, expires_at)
			SELECT n, n, 1, false, now() FROM generate_series(4, 10000) AS n`)
	b.settle(t)
	dbtest.Exec(t, b.pool, "VACUUM")

	agencies, locations := []int32{1}, []int64{1}
	far := time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, target := range dbtest.StatisticsTargets {
		dbtest.Analyze(t, b.pool, target)
		for _, test := range []struct {
			name, query string
			buffers     int // at most
			args        []any
		}{
			{"answer of a user", db.AnnotationInsert, 180,
				[]any{7, agencies, locations, nil, 5000, true, "data source", "New", "Stops", false, false, "answered", false, "{}"}},
			{"answer of a new session and its address", db.AnonymousAnnotationInsert, 200,
				[]any{7, uuid.Max, agencies, locations, nil, false, "data source", make([]byte, 16), "New", "Stops", "answered", false, "{}"}},
			{"answer of a session again", db.AnonymousAnnotationInsert, 40,
				[]any{150, uuid.MustParse(small), agencies, locations, nil, false, "data source", nil, "New", "Stops", "answered", false, "{}"}},
			{"comparison for a user", db.AnnotationIsRepeated, 60,
				[]any{30, agencies, locations, nil, 1, "data source", "a", "Stops", false, false}},
			{"comparison for a session", db.AnonymousAnnotationIsRepeated, 60,
				[]any{30, uuid.MustParse(large), agencies, locations, nil, "data source", "a", "Stops"}},
			{"list of a user", db.AnswerList, 8000, []any{1, far, 0}},
			{"answer about a URL", db.AnswerGet, 60, []any{1, 30}},
			{"list of a session", db.AnonymousAnswerList, 200, []any{uuid.MustParse(small), far, 0}},
			{"answer of a session about a URL", db.AnonymousAnswerGet, 60, []any{uuid.MustParse(large), 30}},
			{"take back", db.AnswerDelete, 120, []any{1, 30}},
			{"take back in a session", db.AnonymousAnswerDelete, 120, []any{uuid.MustParse(large), 30}},
			{"lock names", db.AnswerNameLockMany, 40, []any{30}},
			{"delete a name", db.AnswerNameDeleteMany, 40, []any{[]int32{30}}},
			{"lock few URLs", db.AnonymousURLLockMany, 200, []any{uuid.MustParse(small)}},
			{"lock URLs", db.AnonymousURLLockMany, 12_000, []any{uuid.MustParse(large)}},
			{"keep few answers", db.MigratedAnswerUpsertMany, 400, []any{uuid.MustParse(small)}},
			{"keep answers", db.MigratedAnswerUpsertMany, 40_000, []any{uuid.MustParse(large)}},
			{"URL types", db.AnonymousURLTypeTransfer, 20_000, []any{5000, uuid.MustParse(large)}},
			{"record types", db.AnonymousRecordTypeTransfer, 20_000, []any{5000, uuid.MustParse(large)}},
			{"few agencies", db.AnonymousAgencyTransfer, 300, []any{5000, uuid.MustParse(small)}},
			{"agencies", db.AnonymousAgencyTransfer, 30_000, []any{5000, uuid.MustParse(large)}},
			{"locations", db.AnonymousLocationTransfer, 30_000, []any{5000, uuid.MustParse(large)}},
			{"few names", db.AnonymousEndorsementTransfer, 200, []any{5000, uuid.MustParse(small)}},
			{"names", db.AnonymousEndorsementTransfer, 20_000, []any{5000, uuid.MustParse(large)}},
			{"delete few annotations", db.AnonymousAnnotationDelete, 200, []any{uuid.MustParse(small)}},
			{"delete annotations", db.AnonymousAnnotationDelete, 20_000, []any{uuid.MustParse(large)}},
		} {
			for _, mode := range dbtest.PlanModes {
				plan := dbtest.Explain(t, b.pool, mode, test.query, test.args...)
				assert.LessOrEqual(t, plan.Buffers(), test.buffers, "%s, %s, statistics target %d:\n%s", test.name, mode, target, plan)
				for _, table := range plan.SeqScans() {
					big := slices.Contains([]string{"urls", "annotation_queue", "url_reservations", "url_skips"}, table) ||
						strings.HasPrefix(table, "annotation__")
					assert.False(t, big && test.buffers < 1000, "%s, %s, statistics target %d:\n%s", test.name, mode, target, plan)
				}
			}
		}
	}
	repeated, err := db.New().AnnotationIsRepeated(t.Context(), b.pool, db.AnnotationIsRepeatedParams{
		URLID: 30, UserID: 1, URLType: db.URLTypeDatasource, RecordType: new(db.RecordTypeStops), AgencyIDs: agencies,
		LocationIDs: locations, NewName: new("a"),
	})
	require.NoError(t, err)
	require.True(t, repeated, "the comparisons above read every table")
}
