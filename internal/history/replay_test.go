package history_test

import (
	"errors"
	"flag"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"docket/internal/annotation"
	"docket/internal/consensus"
	"docket/internal/dbtest"
	"docket/internal/history"
	"docket/internal/page"
	"docket/internal/ranking"
	"docket/internal/unknown"
)

// A number that every run of the tests can afford; -rapid.checks raises it.
func init() { _ = flag.Set("rapid.checks", "25") }

// differing are the annotators whose last event does not say what they say now, and the URLs whose last event does not say whether
// they are validated.
const differing = `
	WITH last AS (
		SELECT DISTINCT ON (url_id, user_id, session_id) url_id, user_id, session_id, event, detail - 'cause' - 'before' AS detail
		FROM url_history WHERE event IN ('answered', 'changed', 'taken back')
		ORDER BY url_id, user_id, session_id, id DESC
	), said AS (
		SELECT url_id, user_id, NULL::uuid AS session_id, url_type::text, record_type::text, agency_ids, location_ids, name
		FROM user_answers
		UNION ALL
		SELECT url_id, NULL, session_id, url_type::text, record_type::text, agency_ids, location_ids, name FROM session_answers
	), now AS (
		SELECT url_id, user_id, session_id, jsonb_strip_nulls(jsonb_build_object(
			'url_type', url_type, 'record_type', record_type, 'name', name,
			'agency_ids', nullif(to_jsonb(agency_ids), '[]'), 'location_ids', nullif(to_jsonb(location_ids), '[]'))) AS detail
		FROM said
	)
	SELECT concat_ws(' ', last, 'but', now)
	FROM (SELECT * FROM last WHERE event <> 'taken back') last
	FULL JOIN now ON now.url_id = last.url_id AND (now.user_id = last.user_id OR now.session_id = last.session_id)
	WHERE last.detail - 'other_names' IS DISTINCT FROM now.detail
	UNION ALL
	SELECT concat_ws(' ', urls.id, decided.event, flag.type)
	FROM urls
	LEFT JOIN (
		SELECT DISTINCT ON (url_id) url_id, event, detail FROM url_history
		WHERE event IN ('validated', 'reopened') ORDER BY url_id, id DESC
	) decided ON decided.url_id = urls.id
	LEFT JOIN flag_url_validated flag ON flag.url_id = urls.id
	WHERE (CASE decided.event WHEN 'validated' THEN decided.detail ->> 'url_type' END) IS DISTINCT FROM flag.type::text`

// After any history of answers, changes, withdrawals, migrations, validations and reopenings, the last events say what annotators
// say now and whether URLs are validated.
func TestHistoryLeadsToTheState(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t)
	dbtest.Exec(t, pool, `INSERT INTO us_states (state_iso, state_name) VALUES ('PA', 'Pennsylvania');
		INSERT INTO locations (type, state_id) VALUES ('State', 1);
		INSERT INTO agencies (id, name, jurisdiction_type) VALUES (1, 'A', 'local'), (2, 'B', 'local')`)
	service := annotation.New(pool, ranking.NewQueue())
	validator, reopener := consensus.New(pool, consensus.Config{}), consensus.NewReopener(pool)
	answer := func(rt *rapid.T) annotation.Answer {
		if rapid.Bool().Draw(rt, "relevant") {
			return annotation.Answer{
				URLType: annotation.DataSource, RecordType: new(annotation.RecordType("Stops")),
				AgencyIDs:   rapid.SampledFrom([][]int32{{1}, {1, 2}}).Draw(rt, "agencies"),
				LocationIDs: []int64{1}, NewName: new(rapid.SampledFrom([]string{"One", "Two"}).Draw(rt, "name")),
			}
		}
		return annotation.Answer{URLType: annotation.NotRelevant}
	}
	url := int32(0)
	rapid.Check(t, func(rt *rapid.T) {
		url++
		dbtest.Exec(t, pool, "INSERT INTO urls (id, url, source) VALUES ($1::int, $1::int || '.org', 'collector')", url)
		require.NoError(rt, ranking.Reconcile(t.Context(), pool, func(ranking.Difference) {}))
		sessions := []annotation.Session{uuid.New(), uuid.New()}
		for range rapid.IntRange(4, 16).Draw(rt, "steps") {
			user, session := rapid.Int32Range(1, 3).Draw(rt, "user"), rapid.SampledFrom(sessions).Draw(rt, "session")
			var err error
			switch rapid.IntRange(0, 8).Draw(rt, "step") {
			case 0, 1:
				err = service.Submit(t.Context(), user, url, answer(rt))
			case 2:
				err = service.SubmitAnonymous(t.Context(), session, url, answer(rt))
			case 3:
				err = service.Replace(t.Context(), user, url, answer(rt))
			case 4:
				err = service.ReplaceAnonymous(t.Context(), session, url, answer(rt))
			case 5:
				err = service.TakeBack(t.Context(), user, url)
			case 6:
				_, err = service.TransferSession(t.Context(), user, session)
			case 7:
				_, err = validator.Drain(t.Context())
			case 8:
				err = reopener.Reopen(t.Context(), 9, url, "wrong")
			}
			var missing *unknown.Error
			if err != nil && !errors.Is(err, annotation.ErrAlreadyAnnotated) && !errors.Is(err, consensus.ErrNotValidated) &&
				!errors.Is(err, annotation.ErrValidated) && !errors.Is(err, annotation.ErrNoAnswer) &&
				!errors.Is(err, annotation.ErrMigrated) && !errors.As(err, &missing) {
				require.NoError(rt, err)
			}
			require.Empty(rt, dbtest.List(t, pool, differing))
		}
	})
	require.Positive(t, dbtest.Count(t, pool, "SELECT count(*) FROM url_history WHERE event = 'validated'"))
}

// Pages follow each other by the id of the last event.
func TestPages(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t)
	dbtest.Exec(t, pool, `INSERT INTO urls (id, url, source) VALUES (1, '1.org', 'collector'), (2, '2.org', 'collector')`)
	dbtest.Exec(t, pool, "INSERT INTO url_history (url_id, event) SELECT 1, 'suggested' FROM generate_series(1, $1::int)", page.Size+1)
	reader := history.NewReader(pool)
	events, err := reader.List(t.Context(), 1, 0)
	require.NoError(t, err)
	require.Len(t, events, page.Size)
	events, err = reader.List(t.Context(), 1, events[page.Size-1].ID)
	require.NoError(t, err)
	require.Len(t, events, 1)
	events, err = reader.List(t.Context(), 2, 0)
	require.NoError(t, err)
	require.Empty(t, events)
	var missing *unknown.Error
	_, err = reader.List(t.Context(), 3, 0)
	require.ErrorAs(t, err, &missing)
}
