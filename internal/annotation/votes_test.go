package annotation_test

import (
	"cmp"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"docket/internal/annotation"
	"docket/internal/dbtest"
	"docket/internal/origin"
	"docket/internal/postgres"
	"docket/internal/ranking"
)

// manyVotes are votes of 9 users and 9 sessions for 5 values of each kind, for 30 URLs. Sessions may vote for several values.
const manyVotes = `
	SELECT setseed(0.5);
	INSERT INTO us_states (state_iso, state_name) SELECT 'A' || n, 'A' FROM generate_series(1, 5) AS n;
	INSERT INTO locations (type, state_id) SELECT 'State', id FROM us_states ORDER BY id;
	INSERT INTO agencies (id, name, jurisdiction_type) SELECT id, 'A', 'local' FROM us_states;
	INSERT INTO urls (id, url, source) SELECT n, 'u' || n, 'manual' FROM generate_series(1, 30) AS n;
	INSERT INTO anonymous_sessions (id) SELECT gen_random_uuid() FROM generate_series(1, 9);
	INSERT INTO tasks (id, task_type, task_status) VALUES (1, 'Agency Identification', 'complete');
	INSERT INTO annotation__agency__auto__subtasks (id, task_id, url_id, type, agencies_found)
		SELECT id, 1, id, 'homepage_match', true FROM urls;
	INSERT INTO annotation__location__auto__subtasks (id, task_id, url_id, type, locations_found)
		SELECT id, 1, id, 'batch_link', true FROM urls;
	INSERT INTO annotation__agency__auto__suggestions (subtask_id, agency_id, confidence)
		SELECT urls.id, agencies.id, (40 * random())::integer * 5 % 101 FROM urls CROSS JOIN agencies WHERE random() < 0.5;
	INSERT INTO annotation__location__auto__suggestions (subtask_id, location_id, confidence)
		SELECT subtask_id, agency_id, confidence FROM annotation__agency__auto__suggestions;
	INSERT INTO annotation__name__suggestions (id, url_id, suggestion)
		SELECT urls.id * 10 + n, urls.id, 'N' || n FROM urls CROSS JOIN generate_series(1, 5) AS n;

	CREATE FUNCTION by_users(OUT url_id integer, OUT user_id integer, OUT value integer) RETURNS SETOF record LANGUAGE sql VOLATILE
		AS 'SELECT urls.id, n, 1 + floor(5 * random())::integer FROM urls CROSS JOIN generate_series(1, 9) AS n WHERE random() < 0.3';
	INSERT INTO annotation__url_type__user (url_id, user_id, type) SELECT url_id, user_id, (enum_range(NULL::url_type))[value] FROM by_users();
	INSERT INTO annotation__record_type__user (url_id, user_id, record_type)
		SELECT url_id, user_id, (enum_range(NULL::record_type))[value] FROM by_users();
	INSERT INTO annotation__agency__user (url_id, user_id, agency_id) SELECT url_id, user_id, value FROM by_users();
	INSERT INTO annotation__location__user (url_id, user_id, location_id) SELECT url_id, user_id, value FROM by_users();
	INSERT INTO annotation__name__user__endorsements (user_id, suggestion_id) SELECT user_id, url_id * 10 + value FROM by_users();

	CREATE FUNCTION by_sessions(OUT url_id integer, OUT session_id uuid, OUT value integer) RETURNS SETOF record LANGUAGE sql VOLATILE
		AS 'SELECT urls.id, s.id, n FROM urls CROSS JOIN anonymous_sessions s CROSS JOIN generate_series(1, 5) AS n WHERE random() < 0.2';
	INSERT INTO annotation__url_type__anon (url_id, session_id, url_type)
		SELECT url_id, session_id, (enum_range(NULL::url_type))[value] FROM by_sessions();
	INSERT INTO annotation__record_type__anon (url_id, session_id, record_type)
		SELECT url_id, session_id, (enum_range(NULL::record_type))[value] FROM by_sessions();
	INSERT INTO annotation__agency__anon (url_id, session_id, agency_id) SELECT url_id, session_id, value FROM by_sessions();
	INSERT INTO annotation__location__anon (url_id, session_id, location_id) SELECT url_id, session_id, value FROM by_sessions();
	INSERT INTO annotation__name__anon__endorsements (session_id, suggestion_id) SELECT session_id, url_id * 10 + value FROM by_sessions();`

// listedVotes are all rows that can be listed, with the id of the value or its position in the enum.
const listedVotes = `
	SELECT 'type' AS kind, url_id, array_position(enum_range(NULL::url_type), type)::bigint AS value, 1 AS users, 0 AS sessions, 0 AS confidence
	FROM annotation__url_type__user
	UNION ALL SELECT 'type', url_id, array_position(enum_range(NULL::url_type), url_type), 0, 1, 0 FROM annotation__url_type__anon
	UNION ALL SELECT 'record', url_id, array_position(enum_range(NULL::record_type), record_type), 1, 0, 0 FROM annotation__record_type__user
	UNION ALL SELECT 'record', url_id, array_position(enum_range(NULL::record_type), record_type), 0, 1, 0 FROM annotation__record_type__anon
	UNION ALL SELECT 'agency', url_id, agency_id, 1, 0, 0 FROM annotation__agency__user
	UNION ALL SELECT 'agency', url_id, agency_id, 0, 1, 0 FROM annotation__agency__anon
	UNION ALL SELECT 'agency', subtask_id, agency_id, 0, 0, confidence FROM annotation__agency__auto__suggestions
	UNION ALL SELECT 'location', url_id, location_id, 1, 0, 0 FROM annotation__location__user
	UNION ALL SELECT 'location', url_id, location_id, 0, 1, 0 FROM annotation__location__anon
	UNION ALL SELECT 'location', subtask_id, location_id, 0, 0, confidence FROM annotation__location__auto__suggestions
	UNION ALL SELECT 'name', url_id, id, 0, 0, 0 FROM annotation__name__suggestions
	UNION ALL SELECT 'name', suggestion_id / 10, suggestion_id, 1, 0, 0 FROM annotation__name__user__endorsements
	UNION ALL SELECT 'name', suggestion_id / 10, suggestion_id, 0, 1, 0 FROM annotation__name__anon__endorsements`

// listed is one entry of a list: first one row of listedVotes, then the sum of all of the same value.
type listed struct {
	Kind                        string
	URLID                       int32
	Value                       int64
	Users, Sessions, Confidence int32
}

// TestVotesByDefinition compares the five lists of random votes with the rule: the vote of a user counts 1, that of a session the
// anonymous weight, and the sum is rounded down. The weight has one definition: a database with another one changes all lists.
func TestVotesByDefinition(t *testing.T) {
	t.Parallel()
	for _, weight := range []float64{0.5, 0.25} {
		t.Run(fmt.Sprint(weight), func(t *testing.T) {
			t.Parallel()
			pool := dbtest.New(t)
			dbtest.Exec(t, pool, manyVotes)
			dbtest.Exec(t, pool, fmt.Sprintf("CREATE OR REPLACE VIEW anonymous_weight AS SELECT %v::double precision AS weight", weight))
			require.NoError(t, ranking.Reconcile(t.Context(), pool, func(ranking.Difference) {}))

			expected := votesByDefinition(t, pool, weight)
			service := annotation.New(pool, ranking.NewQueue())
			for url := range int32(30) {
				offer, err := service.Next(t.Context(), 100, annotation.Filter{URLID: new(url + 1)})
				require.NoError(t, err)
				require.Equal(t, expected[url+1], shown(t, pool, offer.Next), "URL %d", url+1)
			}
		})
	}
}

// votesByDefinition returns the lines of the five lists of each URL.
func votesByDefinition(t *testing.T, pool *postgres.Pool, weight float64) map[int32][]string {
	sums := map[listed]listed{} // by kind, URL and value
	for _, row := range dbtest.Structs[listed](t, pool, listedVotes) {
		key := listed{Kind: row.Kind, URLID: row.URLID, Value: row.Value}
		sum := sums[key]
		sums[key] = listed{
			Kind: row.Kind, URLID: row.URLID, Value: row.Value,
			Users: sum.Users + row.Users, Sessions: sum.Sessions + row.Sessions, Confidence: max(sum.Confidence, row.Confidence),
		}
	}
	exact := func(e listed) float64 { return float64(e.Users) + weight*float64(e.Sessions) }
	order := map[string]func(listed) float64{"type": exact, "record": exact, "name": exact}
	order["agency"] = func(e listed) float64 { return 100*math.Floor(exact(e)) + float64(e.Confidence) }
	order["location"] = order["agency"]

	entries := []listed{}
	for _, e := range sums {
		if e.Kind == "name" || e.Users > 0 || e.Sessions > 0 || e.Confidence > 0 {
			entries = append(entries, e)
		}
	}
	slices.SortFunc(entries, func(a, b listed) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(order[b.Kind](b), order[a.Kind](a)), cmp.Compare(a.Value, b.Value))
	})
	lines, taken := map[int32][]string{}, map[listed]int{}
	for _, e := range entries {
		list := listed{Kind: e.Kind, URLID: e.URLID}
		if taken[list]++; taken[list] > 3 && e.Kind != "agency" && e.Kind != "location" {
			continue
		}
		lines[e.URLID] = append(lines[e.URLID], line(e.Kind, e.Value, int32(exact(e)), e.Confidence))
	}
	return lines
}

func line(kind string, value int64, votes, confidence int32) string {
	return fmt.Sprintf("%s %d: %d votes, confidence %d", kind, value, votes, confidence)
}

// shown returns the lines of what annotators are shown, in the order of the kinds' names.
func shown(t *testing.T, pool *postgres.Pool, next *annotation.Next) (lines []string) {
	position := func(enum string, value any) int64 {
		return dbtest.Value[int64](t, pool, "SELECT array_position(enum_range(NULL::"+enum+")::text[], $1)", value)
	}
	for _, agency := range next.Agencies.Entities {
		lines = append(lines, line("agency", agency.ID, agency.Votes, agency.RoboConfidence))
	}
	for _, location := range next.Locations.Entities {
		lines = append(lines, line("location", location.ID, location.Votes, location.RoboConfidence))
	}
	for _, name := range next.Names {
		lines = append(lines, line("name", int64(name.ID), name.Endorsements, 0))
	}
	for _, votes := range next.RecordTypes {
		lines = append(lines, line("record", position("record_type", votes.Type), votes.Votes, 0))
	}
	for _, votes := range next.URLTypes {
		lines = append(lines, line("type", position("url_type", votes.Type), votes.Votes, 0))
	}
	return lines
}

// TestNeedOfWhatIsShown checks that the votes which are read with what is shown of a URL are those that consensus counts: what a
// URL needs is computed from the former.
func TestNeedOfWhatIsShown(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.crowd(t)
	answered := 0
	rapid.Check(t, func(rt *rapid.T) {
		answered++
		by := annotator{user: int32(1000 + answered)}
		if rapid.Bool().Draw(rt, "session") {
			by = annotator{session: uuid.New()}
		}
		url := rapid.Int32Range(1, 3).Draw(rt, "URL")
		answer := drawChange(rt)
		if address := rapid.Uint8Max(3).Draw(rt, "address"); address > 0 { // ignored for users
			prefix := netip.PrefixFrom(netip.AddrFrom4([4]byte{203, 0, 113, address}), 32)
			answer.Origin = origin.NewHasher([]byte("key")).Of(prefix)
		}
		require.NoError(rt, by.submit(t.Context(), b.service, url, answer))

		shown, err := b.service.VotesShown(t.Context(), url)
		require.NoError(rt, err)
		counted, err := b.service.VotesCounted(t.Context(), url)
		require.NoError(rt, err)
		require.Equal(rt, counted, shown)
		require.NotEmpty(rt, shown)
	})
	require.Positive(t, b.count(t, "SELECT count(*) FROM uncounted_answers"))
}
