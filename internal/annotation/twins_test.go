package annotation_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"docket/internal/dbtest"
)

// twin is a statement for users, what differs in the one for anonymous sessions on purpose, and the name of that one.
type twin struct {
	user, session string
	differences   []string // texts of the user's statement and of the session's, in turn; each must occur
}

// annotatorTwin is what differs in all twins, if it occurs.
var annotatorTwin = strings.NewReplacer(
	"user_url_annotations", "anonymous_url_annotations", "user_url_done", "anonymous_url_done", "user_answers", "session_answers",
	"user_id", "session_id", "__user", "__anon",
)

// sessionStored is how a statement stores a session with its first row. It replaces the reading of the accepted URL.
const sessionStored = ` ), new_session AS ( INSERT INTO anonymous_sessions (id)` +
	` SELECT @session_id FROM acceptable WHERE NOT EXISTS (SELECT FROM session)` +
	` ON CONFLICT ON CONSTRAINT anonymous_sessions_pkey DO UPDATE SET created_at = anonymous_sessions.created_at RETURNING id` +
	` ), accepted AS ( SELECT acceptable.url_id, stored.id AS session_id FROM acceptable` +
	` CROSS JOIN (SELECT id FROM session UNION ALL SELECT id FROM new_session) AS stored`

const sessionLocked = `), session AS (` +
	` SELECT anonymous_sessions.id FROM anonymous_sessions WHERE anonymous_sessions.id = @session_id FOR SHARE `

const ofBatch = " AND (sqlc.narg('batch_id')::integer IS NULL OR q.batch_id = sqlc.narg('batch_id')::integer)"

var twins = map[string][]twin{
	"answers": {
		{"AnswerList", "AnonymousAnswerList", nil},
		{"AnswerGet", "AnonymousAnswerGet", nil},
		{"AnswerDelete", "AnonymousAnswerDelete", []string{
			// Endorsements of a session are all of answers, so the time of the answer is not needed.
			" RETURNING a.session_id, a.url_id, a.created_at", "",
			" USING answer WHERE a.session_id = answer.session_id AND a.url_id = answer.url_id",
			" WHERE a.session_id = @session_id AND a.url_id = @url_id",
			" USING answer WHERE s.session_id = answer.session_id AND s.url_id = answer.url_id",
			" WHERE s.session_id = @session_id AND s.url_id = @url_id",
			" USING answer, annotation__name__suggestions name WHERE name.url_id = answer.url_id",
			" USING annotation__name__suggestions name WHERE name.url_id = @url_id",
			"e.session_id = answer.session_id AND e.created_at >= answer.created_at", "e.session_id = @session_id",
			// Sessions cannot say that they did not find anything.
			"), agency_not_found AS ( DELETE FROM link_user_suggestion_agency_not_found a" +
				" WHERE a.session_id = @session_id AND a.url_id = @url_id ", "",
			"), location_not_found AS ( DELETE FROM link_user_suggestion_location_not_found a" +
				" WHERE a.session_id = @session_id AND a.url_id = @url_id ", "",
			// Only the votes of sessions depend on the address.
			"), skip AS (", "), address AS ( DELETE FROM anonymous_answer_addresses a" +
				" WHERE a.session_id = @session_id AND a.url_id = @url_id ), skip AS (",
		}},
	},
	"skips": {
		{"SkipUpsert", "AnonymousSkipUpsert", []string{
			"), accepted AS (", sessionLocked + "), acceptable AS (",
			" ), before AS (", sessionStored + " ), before AS (",
			"accepted.url_id, @session_id, @reason", "accepted.url_id, accepted.session_id, @reason",
		}},
		{"SkipNextGet", "AnonymousSkipNextGet", []string{ofBatch, ""}}, // there is no batch for a session
	},
	"submit": {
		{"AnnotationInsert", "AnonymousAnnotationInsert", []string{
			"), unknown_agency AS (", sessionLocked + "), unknown_agency AS (",
			"), accepted AS ( SELECT url.id AS url_id, @session_id AS session_id FROM url",
			"), acceptable AS ( SELECT url.id AS url_id FROM url",
			" ), stored_type AS (", sessionStored + " ), stored_type AS (",
			"(url_id, session_id, type)", "(url_id, session_id, url_type)",
			"), new_name AS (", "), stored_address AS ( INSERT INTO anonymous_answer_addresses (url_id, session_id, address_hash)" +
				" SELECT url_id, session_id, sqlc.narg('address_hash')::bytea FROM accepted" +
				" WHERE sqlc.narg('address_hash')::bytea IS NOT NULL ), new_name AS (",
			// Sessions cannot say that they did not find anything, and their agencies are not counted.
			"), stored_location_not_found AS ( INSERT INTO link_user_suggestion_location_not_found (url_id, session_id)" +
				" SELECT url_id, session_id FROM accepted WHERE @location_not_found::boolean ", "",
			"), stored_agency_not_found AS ( INSERT INTO link_user_suggestion_agency_not_found (url_id, session_id)" +
				" SELECT url_id, session_id FROM accepted WHERE @agency_not_found::boolean ", "",
			", coalesce(cardinality(@agency_ids::integer[]), 0) AS agencies", "",
			"SET user_url_type_count = q.user_url_type_count + 1, user_agency_count = q.user_agency_count + counted.agencies,",
			"SET anon_url_type_count = q.anon_url_type_count + 1,",
			", counted.agencies > 0 AND q.user_agency_count = counted.agencies AS first_agency", "",
			"), progress AS ( INSERT INTO batch_progress (batch_id, total, annotated) SELECT queue.batch_id, 0, 1 FROM queue" +
				" WHERE queue.batch_id IS NOT NULL AND queue.first_agency ON CONFLICT ON CONSTRAINT batch_progress_pkey" +
				" DO UPDATE SET annotated = batch_progress.annotated + 1 ", "",
		}},
	},
}

// TestTwins derives the statements for anonymous sessions from those for users, and compares them with the files. A change of one
// must be made in both, or named above. Comments and white space do not count.
func TestTwins(t *testing.T) {
	t.Parallel()
	for file, list := range twins {
		statements := dbtest.Statements(t, file)
		for _, twin := range list {
			user, session := withoutComments(statements[twin.user]), withoutComments(statements[twin.session])
			require.NotEmpty(t, user, twin.user)
			require.NotEmpty(t, session, twin.session)
			derived := annotatorTwin.Replace(user)
			for i := 0; i < len(twin.differences); i += 2 {
				require.Contains(t, derived, twin.differences[i], "%s: a difference of %s", twin.user, twin.session)
				derived = strings.ReplaceAll(derived, twin.differences[i], twin.differences[i+1])
			}
			require.Equal(t, clauses(derived), clauses(session), "%s, from %s", twin.session, twin.user)
		}
	}
}

// withoutComments returns a statement on one line, without comments, and without the type of the annotator, which only helps sqlc.
func withoutComments(statement string) string {
	var b strings.Builder
	for line := range strings.Lines(statement) {
		code, _, _ := strings.Cut(line, "--")
		b.WriteString(code + " ")
	}
	text := strings.Join(strings.Fields(b.String()), " ")
	return strings.NewReplacer("@user_id::integer", "@user_id", "@session_id::uuid", "@session_id").Replace(text)
}

// clauses divides a statement into its common table expressions, so that a difference is easy to find.
func clauses(statement string) []string { return strings.Split(statement, "), ") }
