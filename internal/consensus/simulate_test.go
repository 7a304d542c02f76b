package consensus_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"docket/internal/consensus"
	"docket/internal/dbtest"
	"docket/internal/postgres"
)

// vote stores what an annotator voted about a URL at an hour of one day. The annotator is a user, such as "7", or a session, such as
// "s1". The votes are "attribute=value", separated by commas.
func (b bundle) vote(t *testing.T, urlID, hour int, annotator, votes string) {
	t.Helper()
	at := fmt.Sprintf("2026-01-01 %02d:00", hour)
	who, table, column := annotator, "user", "user_id"
	if number, session := strings.CutPrefix(annotator, "s"); session {
		who, table, column = "5e551011-0000-4000-8000-00000000000"+number, "anon", "session_id"
		dbtest.Exec(t, b.pool, "INSERT INTO anonymous_sessions (id) VALUES ($1) ON CONFLICT DO NOTHING", who)
	}
	for part := range strings.SplitSeq(votes, ", ") {
		attribute, value, found := strings.Cut(part, "=")
		require.True(t, found, part)
		timed, values := ", created_at", ", '"+at+"'"
		switch {
		case attribute == "name":
			dbtest.Exec(t, b.pool, `INSERT INTO annotation__name__suggestions (url_id, suggestion) VALUES ($1, $2) ON CONFLICT DO NOTHING`,
				urlID, value)
			dbtest.Exec(t, b.pool, fmt.Sprintf(`INSERT INTO annotation__name__%s__endorsements (%s, suggestion_id, created_at)
				SELECT '%s', id, '%s' FROM annotation__name__suggestions WHERE url_id = %d AND suggestion = '%s'`,
				table, column, who, at, urlID, value))
			continue
		case attribute == "agency" && table == "user":
			timed, values = "", ""
		}
		of := map[string]string{"url_type": "url_type", "record_type": "record_type", "agency": "agency_id", "location": "location_id"}
		if attribute == "url_type" && table == "user" {
			of["url_type"] = "type"
		}
		dbtest.Exec(t, b.pool, fmt.Sprintf("INSERT INTO annotation__%s__%s (url_id, %s, %s%s) VALUES (%d, '%s', '%s'%s)",
			attribute, table, column, of[attribute], timed, urlID, who, value, values))
	}
}

// simulate returns the result and the differences as short texts.
func simulate(t testing.TB, pool *postgres.Pool, o consensus.SimulateOptions) (consensus.Simulation, []string) {
	t.Helper()
	differences := []string{}
	o.Difference = func(d consensus.Difference) error {
		text := func(fact *consensus.Fact) string {
			if fact == nil {
				return "nothing"
			}
			return strings.Trim(fmt.Sprint(*fact), "{}")
		}
		differences = append(differences, fmt.Sprintf("%d %s: %s, %s", d.URLID, d.Comparison, text(d.Stored), text(d.Simulated)))
		return nil
	}
	done, err := consensus.NewExplainer(pool).Simulate(t.Context(), o)
	require.NoError(t, err)
	return done, differences
}

// The first moment of consensus counts: what was voted before it, not what was voted later.
func TestSimulateReplaysInTheOrderOfTime(t *testing.T) {
	t.Parallel()
	b := setup(t)
	// URL 1: two agree, and later two others on something else. The rows are stored in another order.
	b.vote(t, 1, 9, "8", "url_type=meta url, agency=2, location=2, name=Late")
	b.vote(t, 1, 8, "7", "url_type=meta url, agency=2, location=2, name=Late")
	b.vote(t, 1, 2, "2", "url_type=meta url, agency=1, location=1, name=Early")
	b.vote(t, 1, 1, "1", "url_type=meta url, agency=1, location=1, name=Early")
	// URL 2: a tie until the fifth answer.
	b.vote(t, 2, 1, "1", "url_type=not relevant")
	b.vote(t, 2, 2, "2", "url_type=broken page")
	b.vote(t, 2, 3, "3", "url_type=broken page")
	b.vote(t, 2, 4, "4", "url_type=not relevant")
	b.vote(t, 2, 5, "s1", "url_type=not relevant")
	// URL 3: four at one time are a tie, in any order.
	for user, urlType := range []string{"not relevant", "not relevant", "broken page", "broken page"} {
		b.vote(t, 3, 1, strconv.Itoa(user+1), "url_type="+urlType)
	}
	// URL 4: the agency of the one who submitted the URL has no time but that of the URL.
	dbtest.Exec(t, b.pool, "UPDATE urls SET created_at = '2026-01-01 00:00' WHERE id = 4")
	b.vote(t, 4, 0, "1", "agency=1")
	b.vote(t, 4, 1, "2", "url_type=meta url, agency=1, location=1, name=Four")
	b.vote(t, 4, 2, "3", "url_type=meta url, location=1, name=Four")
	b.vote(t, 4, 3, "4", "url_type=meta url, agency=2")
	b.vote(t, 4, 3, "5", "url_type=meta url, agency=2")

	done, differences := simulate(t, b.pool, consensus.SimulateOptions{})
	require.Equal(t, []string{
		"1 simulated only: nothing, meta url 1 1  Early",
		"2 simulated only: nothing, not relevant    ",
		"4 simulated only: nothing, meta url 1 1  Four",
	}, differences)
	require.Equal(t, consensus.Simulation{
		Rule: first, Current: first,
		URLs: 5, Answers: 4 + 5 + 4 + 5,
		Validated:   map[string]int64{"meta url": 2, "not relevant": 1},
		Annotators:  map[int]int64{2: 1, 3: 1, 5: 1},
		Comparisons: map[consensus.Comparison]int64{consensus.SimulatedOnly: 3},

		CurrentAnnotators: map[int]int64{2: 1, 3: 1, 5: 1},
	}, done)
	require.InDelta(t, 10./3, done.AnswersPerFact(), 1e-9)

	stricter, differences := simulate(t, b.pool, consensus.SimulateOptions{Threshold: new(2.5)})
	require.Equal(t, []string{"2 simulated only: nothing, not relevant    "}, differences)
	require.Equal(t, consensus.Rule{Threshold: 2.5, AnonymousWeight: 0.5}, stricter.Rule)
	none, _ := simulate(t, b.pool, consensus.SimulateOptions{Threshold: new(2.5), AnonymousWeight: new(0.25)})
	require.Zero(t, none.Facts())
	require.Zero(t, none.AnswersPerFact())
	require.Equal(t, done.Annotators, none.CurrentAnnotators)
	looser, differences := simulate(t, b.pool, consensus.SimulateOptions{Threshold: new(1.)})
	require.Equal(t, "2 simulated only: nothing, not relevant    ", differences[1], "at the first answer")
	require.Equal(t, map[int]int64{1: 2, 2: 1}, looser.Annotators)

	_, err := consensus.NewExplainer(b.pool).Simulate(t.Context(), consensus.SimulateOptions{Threshold: new(0.)})
	require.ErrorIs(t, err, consensus.ErrThreshold)
}

// fact stores a fact about a URL with its votes.
func (b bundle) fact(t *testing.T, urlID int, urlType, votes string) {
	t.Helper()
	dbtest.Exec(t, b.pool, "INSERT INTO flag_url_validated (url_id, type) VALUES ($1, $2::text::url_type)", urlID, urlType)
	dbtest.Exec(t, b.pool, `INSERT INTO consensus_facts (url_id, rule_version, threshold, anonymous_weight, url_type, users, sessions, votes)
		VALUES ($1, 1, 2, 0.5, $2::text::url_type, 2, 0, $3)`, urlID, urlType, votes)
}

// What is stored and what is simulated compare in each possible way; only facts that agreement made can differ.
func TestSimulateCompares(t *testing.T) {
	t.Parallel()
	b := setup(t)
	dbtest.Exec(t, b.pool, "INSERT INTO urls (id, url, source) SELECT n, n || '.org', 'collector' FROM generate_series(6, 20) AS n")
	const two = `{"url_type": {"not relevant": {"users": 2, "sessions": 0}}}`
	notRelevant := func(urlID int) {
		b.vote(t, urlID, 1, "1", "url_type=not relevant")
		b.vote(t, urlID, 2, "2", "url_type=not relevant")
	}
	metaURL := func(urlID int) {
		b.vote(t, urlID, 1, "1", "url_type=meta url, agency=1, location=1, name=A")
		b.vote(t, urlID, 2, "2", "url_type=meta url, agency=1, location=1, name=A")
	}
	for _, urlID := range []int{1, 2, 4, 5, 8, 10} {
		notRelevant(urlID)
	}
	for _, urlID := range []int{6, 7, 11} {
		metaURL(urlID)
	}
	b.fact(t, 1, "not relevant", two)
	b.fact(t, 2, "meta url", two) // another decision than the votes make
	b.vote(t, 3, 1, "1", "url_type=not relevant")
	b.fact(t, 3, "not relevant", `{"url_type": {"not relevant": {"users": 1, "sessions": 0}}}`)
	// URL 4 is simulated only; URL 5 waits.
	dbtest.Exec(t, b.pool, "INSERT INTO consensus_due (url_id) VALUES (5), (5), (1)")
	dbtest.Exec(t, b.pool, "INSERT INTO link_agencies__urls (url_id, agency_id) VALUES (6, 2)")
	dbtest.Exec(t, b.pool, `INSERT INTO flag_url_validated (url_id, type) VALUES
		(7, 'meta url'), (8, 'data source'), (9, 'data source'), (11, 'meta url')`)
	dbtest.Exec(t, b.pool, "INSERT INTO link_locations__urls (url_id, location_id) VALUES (7, 1), (7, 2), (11, 2)")
	// URL 10 has a fact whose votes were deleted since.
	b.fact(t, 10, "data source", `{"url_type": {"data source": {"users": 2, "sessions": 0}}, "agency": {"2": {"users": 2, "sessions": 0}},
		"location": {"1": {"users": 2, "sessions": 0}}, "record_type": {"Stops": {"users": 2, "sessions": 0}},
		"name": {"Ten": {"users": 2, "sessions": 0}}}`)
	dbtest.Exec(t, b.pool, `UPDATE consensus_facts SET agency_id = 2, location_id = 1, record_type = 'Stops', name = 'Ten' WHERE url_id = 10`)

	done, differences := simulate(t, b.pool, consensus.SimulateOptions{})
	require.Equal(t, []string{
		"2 other values: meta url    , not relevant    ",
		"3 stored only: not relevant    , nothing",
		"4 simulated only: nothing, not relevant    ",
	}, differences)
	want := map[consensus.Comparison]int64{
		consensus.AsStored: 2, consensus.OtherValues: 1, consensus.StoredOnly: 1, consensus.SimulatedOnly: 1, consensus.Waiting: 1,
		consensus.Obstructed: 1, consensus.OtherwiseSame: 1, consensus.OtherwiseOther: 2, consensus.OtherwiseUndecided: 1,
	}
	require.Equal(t, want, done.Comparisons)
	for comparison := range want {
		require.Contains(t, consensus.Comparisons, comparison)
	}
	require.EqualValues(t, 3, done.Differences())
	require.EqualValues(t, 1, done.Incomplete)

	// No process validates a URL by a rule that is not the current one.
	other, differences := simulate(t, b.pool, consensus.SimulateOptions{Threshold: new(1.5)})
	require.Contains(t, differences, "5 simulated only: nothing, not relevant    ")
	require.Zero(t, other.Comparisons[consensus.Waiting])

	// The votes of URL 10 make no data source by a stricter rule, and those of now no fact at all.
	_, differences = simulate(t, b.pool, consensus.SimulateOptions{Threshold: new(3.)})
	require.Contains(t, differences, "10 stored only: data source 2 1 Stops Ten, nothing")
}

// A process decides some time after the answer, and may see more answers. The rule that made a fact makes the same one again; another rule
// decides at the first moment of consensus.
func TestSimulateKnowsWhichVotesDecided(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for user, urlType := range []string{"not relevant", "not relevant", "broken page", "not relevant"} {
		b.vote(t, 1, user+1, strconv.Itoa(user+1), "url_type="+urlType)
	}
	for user, name := range []string{"Early", "Early", "Late", "Late", "Late"} {
		b.vote(t, 2, user+1, strconv.Itoa(user+1), "url_type=meta url, agency=1, location=1, name="+name)
	}
	b.fact(t, 1, "not relevant", `{"url_type": {"not relevant": {"users": 3, "sessions": 0}, "broken page": {"users": 1, "sessions": 0}}}`)
	b.fact(t, 2, "meta url", `{"url_type": {"meta url": {"users": 5, "sessions": 0}}, "agency": {"1": {"users": 5, "sessions": 0}},
		"location": {"1": {"users": 5, "sessions": 0}}, "name": {"Early": {"users": 2, "sessions": 0}, "Late": {"users": 3, "sessions": 0}}}`)
	dbtest.Exec(t, b.pool, "UPDATE consensus_facts SET agency_id = 1, location_id = 1, name = 'Late' WHERE url_id = 2")
	dbtest.Exec(t, b.pool, "UPDATE consensus_facts SET users = 4 + url_id - 1")

	done, differences := simulate(t, b.pool, consensus.SimulateOptions{})
	require.Empty(t, differences)
	require.Equal(t, map[int]int64{4: 1, 5: 1}, done.Annotators)
	require.Zero(t, done.Incomplete)
	other, differences := simulate(t, b.pool, consensus.SimulateOptions{Threshold: new(1.9)})
	require.Equal(t, []string{"2 other values: meta url 1 1  Late, meta url 1 1  Early"}, differences)
	require.Equal(t, map[int]int64{2: 2}, other.Annotators)
}

// URLs are read range by range, whatever their ids are.
func TestSimulateReadsAllURLs(t *testing.T) {
	t.Parallel()
	b := setup(t)
	dbtest.Exec(t, b.pool, "INSERT INTO urls (id, url, source) SELECT n * 3, n || '.net', 'collector' FROM generate_series(-2000, -1) AS n")
	dbtest.Exec(t, b.pool, "INSERT INTO urls (id, url, source) SELECT n * 7, n || '.net', 'collector' FROM generate_series(1, 2500) AS n")
	dbtest.Exec(t, b.pool, `INSERT INTO annotation__url_type__user (url_id, user_id, type)
		SELECT id, n, 'not relevant' FROM urls, generate_series(1, 2) AS n`)
	var progress [][2]int64
	done, differences := simulate(t, b.pool, consensus.SimulateOptions{
		Progress: func(done, total int64) { progress = append(progress, [2]int64{done, total}) },
	})
	require.EqualValues(t, 4505, done.URLs)
	require.EqualValues(t, 9010, done.Answers)
	require.Equal(t, map[string]int64{"not relevant": 4505}, done.Validated)
	require.Len(t, differences, 4505)
	require.Equal(t, [][2]int64{{2000, 4505}, {4000, 4505}, {4505, 4505}}, progress)
}

// The caller's error ends a simulation.
func TestSimulateStopsAtAnError(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, urlID := range []int{1, 2} {
		b.vote(t, urlID, 1, "1", "url_type=not relevant")
		b.vote(t, urlID, 2, "2", "url_type=not relevant")
	}
	calls := 0
	_, err := consensus.NewExplainer(b.pool).Simulate(t.Context(), consensus.SimulateOptions{
		Difference: func(consensus.Difference) error { calls++; return postgres.ErrBusy },
	})
	require.ErrorIs(t, err, postgres.ErrBusy)
	require.Equal(t, 1, calls)
}
