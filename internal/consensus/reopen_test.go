package consensus_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"docket/internal/annotation"
	"docket/internal/consensus"
	"docket/internal/dbtest"
	"docket/internal/ranking"
	"docket/internal/unknown"
)

func (b bundle) status(t *testing.T, urlID int32) consensus.Status {
	t.Helper()
	found, err := consensus.NewExplainer(b.pool).Explain(t.Context(), urlID)
	require.NoError(t, err)
	return found.Status
}

// differences returns how many facts differ between the stored ones and a replay of the current rule.
func (b bundle) differences(t *testing.T) int64 {
	t.Helper()
	done, err := consensus.NewExplainer(b.pool).Simulate(t.Context(), consensus.SimulateOptions{})
	require.NoError(t, err)
	return done.Differences()
}

// Reopening takes back what the fact added, and nothing else. The URL is validated again only after a newer vote, by every way in
// which URLs are validated.
func TestReopen(t *testing.T) {
	t.Parallel()
	b := setup(t)
	dbtest.Exec(t, b.pool, `UPDATE urls SET name = 'Before' WHERE id = 1;
		INSERT INTO link_agencies__urls (url_id, agency_id) VALUES (1, 2), (1, 1)`)
	reopener := consensus.NewReopener(b.pool)
	b.submit(t, 1, 1, source("Stops"))
	b.submit(t, 2, 1, source("Stops"))
	b.drain(t)
	require.Equal(t, "data source, 1; record type Stops; agency 1,2; location 2; name Stops", b.text(t, everything, 1))

	require.NoError(t, reopener.Reopen(t.Context(), 9, 1, " wrong\n"))
	require.Equal(t, "agency 1,2; name Before", b.text(t, everything, 1), "the agencies were there before")
	require.Equal(t, []string{
		"validated: {1} data source Stops 1 2 Stops by 2 and 0, added record type, location and name instead of Before",
		"reopened by 9: wrong, was data source: took back record type, location and name instead of Before",
	}, dbtest.List(t, b.pool, `SELECT CASE event WHEN 'validated' THEN format(
			'validated: {%s} %s %s %s %s %s by %s and %s, added %s',
			detail #>> '{rule,version}', detail ->> 'url_type', detail ->> 'record_type',
			detail ->> 'agency_id', detail ->> 'location_id', detail ->> 'name', detail ->> 'users', detail ->> 'sessions', added)
		ELSE format('reopened by %s: %s, was %s: took back %s', user_id, detail ->> 'reason', detail ->> 'url_type', added) END
		FROM (SELECT *, concat_ws(', ', CASE WHEN a -> 'agency' = 'true' THEN 'agency' END,
			CASE WHEN a -> 'record_type' = 'true' THEN 'record type' END,
			CASE WHEN a -> 'location' = 'true' THEN 'location and name instead of ' || (a ->> 'previous_name') END) AS added
			FROM (SELECT *, coalesce(detail -> 'added', detail -> 'taken_back') AS a FROM url_history) h) h
		WHERE url_id = 1 AND event IN ('validated', 'reopened') ORDER BY id`))
	require.Equal(t, consensus.Reopened, b.status(t, 1))
	require.Zero(t, b.differences(t))
	b.requireExactQueue(t)
	require.Equal(t, []string{"1 1", "2 1"}, dbtest.List(t, b.pool, "SELECT user_id || ' ' || url_id FROM user_url_done ORDER BY 1"))

	require.NoError(t, consensus.AddDue(t.Context(), b.pool, []int32{1}))
	require.Equal(t, 1, b.drain(t))
	b.validateAll(t)
	require.Equal(t, "agency 1,2; name Before", b.text(t, everything, 1), "no newer vote")

	b.submit(t, 3, 1, source("Stops"))
	require.Equal(t, consensus.Decided, b.status(t, 1))
	b.drain(t)
	require.Equal(t, "data source, 1; record type Stops; agency 1,2; location 2; name Stops", b.text(t, everything, 1))
	require.Zero(t, dbtest.Count(t, b.pool, "SELECT count(*) FROM flag_url_reopened"))
	require.Zero(t, b.differences(t))
	b.requireExactQueue(t)

	// Another round: what has been changed by hand since the validation stays.
	dbtest.Exec(t, b.pool, `UPDATE urls SET name = 'By hand' WHERE id = 1;
		UPDATE url_record_type SET record_type = 'Surveys' WHERE url_id = 1`)
	require.NoError(t, reopener.Reopen(t.Context(), 9, 1, "wrong again"))
	require.Equal(t, "record type Surveys; agency 1,2; name By hand", b.text(t, everything, 1))
}

// An agency that the fact added is removed, with entries in the change log. The values of a fact that is older than the history are
// taken back where they are stored.
func TestReopenAddedAgency(t *testing.T) {
	t.Parallel()
	for _, old := range []bool{false, true} {
		b := setup(t)
		b.submit(t, 1, 1, source("Stops"))
		b.submit(t, 2, 1, source("Stops"))
		b.drain(t)
		if old {
			dbtest.Exec(t, b.pool, "DELETE FROM url_history")
		}
		dbtest.Exec(t, b.pool, "DELETE FROM change_log")
		require.NoError(t, consensus.NewReopener(b.pool).Reopen(t.Context(), 9, 1, "wrong"))
		require.Empty(t, b.text(t, everything, 1))
		require.Equal(t, []string{"DELETE link_agencies__urls 1 ", "UPDATE urls 1 Stops"}, dbtest.List(t, b.pool, `
			SELECT concat_ws(' ', operation_type, table_name,
				coalesce(old_data ->> 'agency_id', affected_id::text), coalesce(old_data ->> 'name', ''))
			FROM change_log ORDER BY id`))
	}
}

// A reopened URL that gets other answers becomes another fact.
func TestReopenedURLBecomesAnotherFact(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.submit(t, 1, 1, annotation.Answer{URLType: annotation.NotRelevant})
	b.submit(t, 2, 1, annotation.Answer{URLType: annotation.NotRelevant})
	b.drain(t)
	require.NoError(t, consensus.NewReopener(b.pool).Reopen(t.Context(), 9, 1, "it is relevant"))
	for user := int32(3); user <= 5; user++ {
		b.submit(t, user, 1, source("Stops"))
		if user == 3 {
			b.drain(t)
			require.Equal(t, "not relevant, 1", b.text(t, everything, 1), "a newer vote, and the old ones still agree")
			require.NoError(t, consensus.NewReopener(b.pool).Reopen(t.Context(), 9, 1, "it is still relevant"))
		}
	}
	b.drain(t)
	require.Equal(t, "data source, 1; record type Stops; agency 1; location 2; name Stops", b.text(t, everything, 1))
}

func TestReopenRefused(t *testing.T) {
	t.Parallel()
	b := setup(t)
	dbtest.Exec(t, b.pool, `INSERT INTO flag_url_validated (url_id, type) VALUES (2, 'data source'), (3, 'meta url'), (4, 'not found');
		INSERT INTO ds_app_link_data_source (ds_data_source_id, url_id) VALUES (1, 2);
		INSERT INTO ds_app_link_meta_url (ds_meta_url_id, url_id) VALUES (1, 3);
		INSERT INTO url_record_type (url_id, record_type) VALUES (4, 'Stops')`)
	require.NoError(t, ranking.Reconcile(t.Context(), b.pool, func(ranking.Difference) {}))
	reopen := func(urlID int32, reason string) error {
		return consensus.NewReopener(b.pool).Reopen(t.Context(), 9, urlID, reason)
	}
	require.ErrorIs(t, reopen(1, "wrong"), consensus.ErrNotValidated)
	require.ErrorIs(t, reopen(2, "wrong"), consensus.ErrPublished)
	require.ErrorIs(t, reopen(3, "wrong"), consensus.ErrPublished)
	require.ErrorIs(t, reopen(4, " \n"), consensus.ErrNoReason)
	require.ErrorIs(t, reopen(4, " \u200b"), consensus.ErrNoReason)
	var missing *unknown.Error
	require.ErrorAs(t, reopen(6, "wrong"), &missing)
	require.Zero(t, dbtest.Count(t, b.pool, "SELECT count(*) FROM url_history"))
	require.NoError(t, reopen(4, "wrong"), "validated by hand: only that is taken back")
	require.Equal(t, "record type Stops", b.text(t, everything, 4))
	b.requireExactQueue(t)
}
