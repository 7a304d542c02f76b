package ranking_test

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"docket/internal/db"
	"docket/internal/dbtest"
	"docket/internal/ranking"
)

// planURLs is so many that a plan which reads all URLs has clearly more buffers than the limits allow.
const planURLs = 100_000

// Users of the world of plans, and how many URLs at the head of the queue they have done; others are new.
const (
	casual, casualDone     = 150, 66
	heavy, heavyDone       = 1, 5000
	follows3               = 2
	follows50              = 3
	follows50Heavy         = 4
	follows50Finished      = 5
	follows50HeavyFinished = 6
	hottest                = 1 // the URL with most suggestions
	typical                = 40_000
)

// largeWorld has planURLs URLs, of which every sixth is not eligible and some are reserved, a batch of an eighth and one of fifty,
// annotators with and without done URLs, and some votes on the hottest URLs. It has the schema, but not the foreign keys and rules
// of real data.
func largeWorld(t *testing.T) (world, uuid.UUID) {
	w := newWorld(t, 0)
	conn, err := w.pool.AcquireWriter(t.Context())
	require.NoError(t, err)
	defer conn.Release()
	for _, statement := range []string{
		"SET session_replication_role = replica", // no foreign keys: it takes half the time
		fmt.Sprintf(`INSERT INTO urls (id, url, scheme, source)
			SELECT n, 'example.org/' || n, 'https', 'collector' FROM generate_series(1, %d) AS n`, planURLs),
		`INSERT INTO link_batches__urls (batch_id, url_id) SELECT CASE WHEN id <= 300 THEN 2 ELSE 1 END, id FROM urls
			WHERE id % 8 = 0 AND id > 300 OR id <= 300 AND id % 5 = 0`,
		// Batches 101 to 150 have a thousand URLs each.
		`INSERT INTO batches (id, strategy, status) SELECT n, 'manual', 'ready to label' FROM generate_series(101, 150) AS n`,
		`INSERT INTO link_batches__urls (batch_id, url_id) SELECT 101 + id / 2 % 50, id FROM urls WHERE id % 2 = 1 AND id > 300`,
		`INSERT INTO annotation_queue (url_id, eligible, followed, manual, user_url_type_count, anon_url_type_count,
				auto_url_type_count, batch_id, user_agency_count, changed_xid, reserved)
			SELECT urls.id, urls.id % 6 <> 0, false, false, greatest(0, 5 - urls.id / 8000), 0, 0, link.batch_id, 0, 3,
				urls.id % 10 = 7 AND urls.id % 6 <> 0 AND urls.id < 20000
			FROM urls LEFT JOIN link_batches__urls link ON link.url_id = urls.id`,
		`INSERT INTO url_reservations (annotator, url_id, slot, suggestions_hidden, expires_at)
			SELECT url_id::text, url_id, 1, false, now() + interval '1 hour' FROM annotation_queue WHERE reserved`,
		`INSERT INTO batch_progress (batch_id, total, annotated) VALUES (1, 8000, 0), (2, 50, 0)`,
		fmt.Sprintf(`INSERT INTO user_url_done (user_id, url_id) SELECT by.user_id, q.url_id
			FROM (VALUES (%d, %d), (%d, %d)) AS by (user_id, done)
			CROSS JOIN LATERAL (SELECT url_id FROM annotation_queue WHERE eligible ORDER BY priority, url_id LIMIT by.done) AS q`,
			casual, casualDone, heavy, heavyDone),
		// Users who follow 3 and 50 of the batches. Of the latter, one has done as much as the heavy user, one has done all that is
		// followed, and one both.
		fmt.Sprintf(`INSERT INTO followed_batches (user_id, batch_ids, changed_xid)
			SELECT %d, '{101, 120, 150}'::int[], 3 UNION ALL
			SELECT id, (SELECT array_agg(n) FROM generate_series(101, 150) AS n), 3 FROM unnest(ARRAY[%d, %d, %d, %d]) AS id`,
			follows3, follows50, follows50Heavy, follows50Finished, follows50HeavyFinished),
		`INSERT INTO batches (id, strategy, status) SELECT n, 'manual', 'ready to label' FROM generate_series(151, 2000) AS n`,
		`INSERT INTO flag_batch_suggestions_hidden (batch_id) SELECT id FROM batches WHERE id > 150`,
		`INSERT INTO link_batches__locations (batch_id, location_id) SELECT n, 4 + n FROM generate_series(101, 2000) AS n`,
		`INSERT INTO link__locations__user_follows (user_id, location_id)
			SELECT n, 105 + n % 50 FROM generate_series(10001, 15000) AS n`,
		`INSERT INTO followed_batches (user_id, batch_ids, changed_xid)
			SELECT n, ARRAY[101 + n % 50], 3 FROM generate_series(10001, 15000) AS n`,
		fmt.Sprintf(`INSERT INTO user_url_done (user_id, url_id) SELECT by.user_id, q.url_id
			FROM unnest(ARRAY[%d, %d]) AS by (user_id)
			CROSS JOIN (SELECT url_id FROM annotation_queue WHERE eligible ORDER BY priority, url_id LIMIT %d) AS q`,
			follows50Heavy, follows50HeavyFinished, heavyDone),
		fmt.Sprintf(`INSERT INTO user_url_done (user_id, url_id) SELECT by.user_id, q.url_id
			FROM unnest(ARRAY[%d, %d]) AS by (user_id)
			CROSS JOIN (SELECT url_id FROM annotation_queue WHERE eligible AND batch_id BETWEEN 101 AND 150) AS q
			ON CONFLICT DO NOTHING`, follows50Finished, follows50HeavyFinished),
		// So many that an index scan for one user costs clearly less than reading them all.
		`INSERT INTO user_url_done (user_id, url_id) SELECT 1000 + 300 * n + id % 300, id FROM urls, generate_series(0, 3) AS n
			WHERE id % 6 <> 0`,
		`INSERT INTO anonymous_sessions SELECT FROM generate_series(1, 200)`,
		`INSERT INTO anonymous_url_done (session_id, url_id)
			SELECT s.id, q.url_id FROM anonymous_sessions s
			CROSS JOIN (SELECT url_id FROM annotation_queue WHERE eligible ORDER BY priority, url_id LIMIT 100) AS q`,
		`INSERT INTO counties (fips, name, state_id) SELECT n::text, 'County ' || n, 1 + n % 3 FROM generate_series(1, 3000) AS n`,
		`INSERT INTO localities (name, county_id) SELECT 'Town ' || n, 1 + n % 3000 FROM generate_series(1, 20000) AS n`,
		`INSERT INTO locations (type, state_id, county_id) SELECT 'County', state_id, id FROM counties`,
		`INSERT INTO locations (type, state_id, county_id, locality_id)
			SELECT 'Locality', state_id, counties.id, localities.id FROM localities JOIN counties ON counties.id = county_id`,
		`INSERT INTO link_agencies__locations (agency_id, location_id)
			SELECT n, 4 + n FROM generate_series(1, 20000) AS n UNION ALL SELECT n, 1 + n % 3 FROM generate_series(1, 20000, 3) AS n`,
		`INSERT INTO link_user_suggestion_agency_not_found (user_id, url_id) SELECT 1000 + id % 300, id FROM urls WHERE id % 5 = 0`,
		`INSERT INTO link_user_suggestion_location_not_found (user_id, url_id) SELECT 1000 + id % 300, id FROM urls WHERE id % 5 = 0`,
		`INSERT INTO annotation__url_type__user (user_id, url_id, type)
			SELECT 1000 + id % 300, id, 'data source'::url_type FROM urls WHERE id % 5 = 0 UNION ALL SELECT n, 1, 'meta url'
			FROM generate_series(2, 300) AS n`,
		`INSERT INTO annotation__record_type__user (user_id, url_id, record_type)
			SELECT 1000 + id % 300, id, 'Stops'::record_type FROM urls WHERE id % 5 = 0 UNION ALL SELECT n, 1, 'Surveys'
			FROM generate_series(2, 300) AS n`,
		`INSERT INTO annotation__agency__user (user_id, url_id, agency_id)
			SELECT 1000 + id % 300, id, 1 FROM urls WHERE id % 5 = 0 UNION ALL SELECT n, 1, 2 FROM generate_series(2, 100) AS n`,
		`INSERT INTO annotation__location__user (user_id, url_id, location_id)
			SELECT 1000 + id % 300, id, 4 + id % 20000 FROM urls WHERE id % 5 = 0 UNION ALL SELECT n, 1, 3000 + n
			FROM generate_series(2, 70) AS n`,
		`INSERT INTO annotation__name__suggestions (id, url_id, suggestion) SELECT id, id, 'A name' FROM urls WHERE id % 5 = 0`,
		`INSERT INTO annotation__name__user__endorsements (user_id, suggestion_id) SELECT 1000 + id % 300, id FROM urls WHERE id % 5 = 0`,
		`INSERT INTO annotation__name__anon__endorsements (session_id, suggestion_id) SELECT session_id, url_id FROM anonymous_url_done`,
		`INSERT INTO url_html_content (url_id, content_type, content) SELECT id, 'Title', 'A title' FROM urls WHERE id % 5 = 0`,
		`INSERT INTO annotation__agency__auto__subtasks (id, task_id, url_id, type, agencies_found)
			SELECT id, 1, id, 'homepage_match', true FROM urls WHERE id % 5 = 0`,
		`INSERT INTO annotation__agency__auto__suggestions (subtask_id, agency_id, confidence) SELECT id, 3, 90 FROM urls WHERE id % 5 = 0`,
		`INSERT INTO annotation__location__auto__subtasks (id, task_id, url_id, type, locations_found)
			SELECT id, 1, id, 'batch_link', true FROM urls WHERE id % 5 = 0`,
		`INSERT INTO annotation__location__auto__suggestions (subtask_id, location_id, confidence) SELECT id, 3, 90 FROM urls
			WHERE id % 5 = 0`,
		`INSERT INTO flag_url_validated (url_id, type) SELECT id, 'data source' FROM urls WHERE id % 6 = 0`,
		`INSERT INTO flag_url_suspended (url_id) SELECT id FROM urls WHERE id % 6 = 0`,
		`INSERT INTO annotation__record_type__auto (url_id, record_type) SELECT id, 'Stops' FROM urls WHERE id % 5 = 0`,
		`INSERT INTO annotation__url_type__auto (url_id, relevant) SELECT id, true FROM urls WHERE id % 5 = 0`,
		`INSERT INTO anonymous_migrated_answers (session_id, url_id, url_types, record_types, agency_ids, location_ids, names)
			SELECT session_id, url_id, '{data source}', '{}', '{}', '{}', '{}' FROM anonymous_url_done`,
		`INSERT INTO annotation__url_type__anon (session_id, url_id, url_type) SELECT session_id, url_id, 'data source'
			FROM anonymous_url_done`,
		`INSERT INTO annotation__record_type__anon (session_id, url_id, record_type) SELECT session_id, url_id, 'Stops'
			FROM anonymous_url_done`,
		`INSERT INTO annotation__agency__anon (session_id, url_id, agency_id) SELECT session_id, url_id, 1
			FROM anonymous_url_done`,
		`INSERT INTO annotation__location__anon (session_id, url_id, location_id) SELECT session_id, url_id, 1
			FROM anonymous_url_done`,
		`INSERT INTO url_skips (url_id, user_id, session_id, reason, active)
			SELECT id, CASE WHEN id % 10 <> 0 THEN 1000 + id % 300 END,
				CASE WHEN id % 10 = 0 THEN (ARRAY(SELECT s.id FROM anonymous_sessions s))[1 + id / 10 % 200] END, 'not sure', id % 3 = 0
			FROM urls WHERE id % 5 = 0`,
		"SELECT setval('annotation__name__suggestions_id_seq', (SELECT max(id) FROM urls))",
		"SET session_replication_role = origin",
		"VACUUM ANALYZE",
	} {
		_, err := conn.Exec(t.Context(), statement)
		require.NoError(t, err, statement)
	}
	return w, scan[uuid.UUID](t, w.pool, "SELECT session_id FROM anonymous_url_done LIMIT 1")
}

// small are the tables that do not grow with the number of URLs, in this world; a plan may read them whole.
var small = map[string]bool{
	"agencies": true, "us_states": true, "batch_progress": true, "anonymous_sessions": true, "flag_batch_suggestions_hidden": true,
	"anonymous_answer_addresses": true, // empty, as without --one-vote-per-address
}

// explainer checks the plans of each statement, and then executes it.
type explainer struct {
	pgx.Tx
	t     *testing.T
	name  string
	most  int // buffers
	sorts int // rows that may be sorted
	seen  map[string]bool
	whole []string       // tables that may be read completely
	sum   map[string]int // buffers of all statements, by mode
}

func (e *explainer) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	e.explain(sql, args)
	return e.Tx.QueryRow(ctx, sql, args...)
}

func (e *explainer) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	e.explain(sql, args)
	return e.Tx.Query(ctx, sql, args...)
}

func (e *explainer) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	e.explain(sql, args)
	return e.Tx.Exec(ctx, sql, args...)
}

func (e *explainer) explain(sql string, args []any) {
	statement, _, _ := strings.Cut(strings.TrimPrefix(sql, "-- name: "), " ")
	e.seen[statement] = true
	for _, mode := range dbtest.PlanModes {
		dbtest.Explain(e.t, e.Tx, mode, sql, args...) // the first execution sets hint bits
		plan := dbtest.Explain(e.t, e.Tx, mode, sql, args...)
		label := fmt.Sprintf("%s: %s, %s", e.name, statement, mode)
		e.sum[mode] += plan.Buffers()
		if buffers := plan.Buffers(); buffers > e.most {
			e.t.Errorf("%s: %d buffers, not at most %d\n%s", label, buffers, e.most, plan)
		}
		for _, table := range plan.SeqScans() {
			if !small[table] && !slices.Contains(e.whole, table) {
				e.t.Errorf("%s: reads all of %s\n%s", label, table, plan)
			}
		}
		for node := range plan.Nodes() {
			if strings.Contains(node.NodeType, "Sort") && node.Rows > float64(e.sorts) {
				e.t.Errorf("%s: sorts %v rows\n%s", label, node.Rows, plan)
			}
		}
		if testing.Verbose() { // so that the output of a failure is short enough to be read
			e.t.Logf("%s: %d buffers", label, plan.Buffers())
		}
	}
}

func TestPlans(t *testing.T) {
	t.Parallel()
	w, session := largeWorld(t)
	for _, target := range dbtest.StatisticsTargets {
		dbtest.Analyze(t, w.pool, target)
		w.exec(t, "VACUUM") // sets the visibility map again, where the last target wrote
		t.Run(fmt.Sprint("statistics target ", target), func(t *testing.T) { w.checkPlans(t, session) })
	}
}

// checkPlans checks the plans of all statements, and undoes what they wrote.
func (w world) checkPlans(t *testing.T, session uuid.UUID) {
	tx := w.tx(t)
	seen := map[string]bool{}
	watch := func(name string, most, sorts int) *explainer {
		return &explainer{Tx: tx, t: t, name: name, most: most, sorts: sorts, seen: seen, sum: map[string]int{}}
	}

	// The first request is cold and reads the done URLs. Further requests are warm, or cold again if fewer than WarmFrom are done.
	// The second request counts them.
	queue, counting := ranking.NewWarmQueue(), ranking.NewQueue()
	for _, user := range []struct {
		name string
		by   annotator
		cold int
	}{
		{"new", annotator{user: 500}, 16},
		{"casual", annotator{user: casual}, 16},
		{"heavy", annotator{user: heavy}, 16 + heavyDone/100},
		{"an eighth of all, new", annotator{user: 500, filter: inBatch(1)}, 16},
		{"an eighth of all, heavy", annotator{user: heavy, filter: inBatch(1)}, 16 + heavyDone/100},
		{"batch of fifty, new", annotator{user: 500, filter: inBatch(2)}, 16},
		{"batch of fifty, all done", annotator{user: heavy, filter: inBatch(2)}, 16 + heavyDone/100},
		{"no such batch", annotator{user: 500, filter: inBatch(3)}, 16},
		{"new session", annotator{session: uuid.New()}, 16},
		{"session", annotator{session: session}, 16},
		{"by id", annotator{user: heavy, filter: ranking.Filter{URLID: new(int32(typical))}}, 16},
		{"by id in a batch", annotator{user: heavy, filter: ranking.Filter{URLID: new(int32(typical)), BatchID: new(int32(1))}}, 16},
	} {
		first, err := ask(t.Context(), watch(user.name+", first", user.cold, 1), queue, user.by)
		require.NoError(t, err)
		again, err := ask(t.Context(), watch(user.name, 16, 1), queue, user.by)
		require.NoError(t, err)
		require.Equal(t, first, again)
		_, err = ask(t.Context(), watch(user.name+", first", user.cold, 1), counting, user.by)
		require.NoError(t, err)
		counted, err := ask(t.Context(), watch(user.name+", counted", 16, 1), counting, user.by)
		require.NoError(t, err)
		require.Equal(t, first, counted)
	}

	// The first request of a user who follows batches builds the window. Further ones use it. If all of it is done, they read the
	// queue as well.
	for _, user := range []struct {
		name string
		id   int32
		cold int
	}{
		{"follows 3", follows3, 32},
		{"follows 50", follows50, 200},
		{"follows 50, heavy", follows50Heavy, 300},
		{"follows 50, finished", follows50Finished, 1000},
		{"follows 50, finished, heavy", follows50HeavyFinished, 1000},
	} {
		by := annotator{user: user.id}
		first, err := ask(t.Context(), watch(user.name+", first", user.cold, 64), queue, by)
		require.NoError(t, err)
		for range 2 {
			e := watch(user.name, 32, 64)
			again, err := ask(t.Context(), e, queue, by)
			require.NoError(t, err)
			require.Equal(t, first, again)
			for mode, buffers := range e.sum {
				require.LessOrEqual(t, buffers, 32, "%s: all statements, %s", user.name, mode)
			}
		}
	}
	_, err := db.New().QueueFollowedGetColdFrom(t.Context(), watch("follows 50, more", 400, 64), db.QueueFollowedGetColdFromParams{
		UserID: follows50Heavy, EndPriority: -4 << 30, EndURLID: typical,
	})
	require.NoError(t, err)
	for _, by := range []annotator{
		{user: 500, filter: ranking.Filter{Skip: 100}},
		{user: heavy, filter: ranking.Filter{Skip: 100, BatchID: new(int32(1))}},
		{user: follows50Heavy, filter: ranking.Filter{Skip: 100}},
		{session: session, filter: ranking.Filter{Skip: 100}},
	} {
		_, err := ask(t.Context(), watch(by.String(), 500, 101), queue, by)
		require.NoError(t, err)
	}

	queries := db.New()
	for _, url := range []struct {
		name        string
		id          int32
		most, sorts int
	}{{"typical", typical, 24, 4}, {"hottest", hottest, 800, 100}} {
		e := watch(url.name, url.most, url.sorts)
		local := db.AgencyListInLocationParams{AgencyIDs: ids(1, 2), LocationID: 1}
		for _, list := range []func() error{
			func() error { _, err := queries.HTMLContentListByURL(t.Context(), e, url.id); return err },
			func() error { _, err := queries.URLTypeSuggestionListByURL(t.Context(), e, url.id); return err },
			func() error { _, err := queries.RecordTypeSuggestionListByURL(t.Context(), e, url.id); return err },
			func() error { _, err := queries.AgencySuggestionListByURL(t.Context(), e, url.id); return err },
			func() error { _, err := queries.AgencyListInLocation(t.Context(), e, local); return err },
			func() error { _, err := queries.LocationSuggestionListByURL(t.Context(), e, url.id); return err },
			func() error { _, err := queries.NameSuggestionListByURL(t.Context(), e, url.id); return err },
			func() error { _, err := queries.AgencyNotFoundCountByURL(t.Context(), e, url.id); return err },
			func() error { _, err := queries.LocationNotFoundCountByURL(t.Context(), e, url.id); return err },
			func() error { _, err := queries.BatchInfoGet(t.Context(), e, url.id); return err },
			func() error { _, err := queries.URLSuggestionsHiddenGet(t.Context(), e, url.id); return err },
		} {
			require.NoError(t, list())
		}
	}

	for _, hidden := range []bool{true, false} {
		hide := db.BatchSuggestionsHideParams{BatchID: 150, Hidden: hidden}
		_, err := queries.BatchSuggestionsHide(t.Context(), watch("hide suggestions", 24, 4), hide)
		require.NoError(t, err)
	}

	answer := watch("answer", 180, 4)
	byUser := db.AnnotationInsertParams{
		URLID: typical, UserID: 500, URLType: db.URLTypeDatasource, RecordType: new(db.RecordTypeStops),
		AgencyIDs: ids(1, 2), LocationIDs: []int64{1}, NewName: new("Another name"), Event: db.URLEventAnswered, Detail: []byte("{}"),
	}
	_, err = queries.AnnotationInsert(t.Context(), answer, byUser)
	require.NoError(t, err)
	_, err = queries.AnnotationIsRepeated(t.Context(), answer, db.AnnotationIsRepeatedParams{
		URLID: byUser.URLID, UserID: byUser.UserID, URLType: byUser.URLType, RecordType: byUser.RecordType,
		AgencyIDs: byUser.AgencyIDs, LocationIDs: byUser.LocationIDs, NewName: byUser.NewName,
	})
	require.NoError(t, err)
	anonymously := db.AnonymousAnnotationInsertParams{
		URLID: typical, SessionID: session, URLType: db.URLTypeDatasource, RecordType: new(db.RecordTypeStops),
		AgencyIDs: ids(1, 2), LocationIDs: []int64{1}, Event: db.URLEventAnswered, Detail: []byte("{}"),
	}
	_, err = queries.AnonymousAnnotationInsert(t.Context(), answer, anonymously)
	require.NoError(t, err)
	_, err = queries.AnonymousAnnotationIsRepeated(t.Context(), answer, db.AnonymousAnnotationIsRepeatedParams{
		URLID: anonymously.URLID, SessionID: session, URLType: anonymously.URLType, RecordType: anonymously.RecordType,
		AgencyIDs: anonymously.AgencyIDs, LocationIDs: anonymously.LocationIDs,
	})
	require.NoError(t, err)

	// Ten URLs of the upkeep, all over the table.
	var some []int32
	for id := int32(5000); id < planURLs; id += planURLs / 10 {
		some = append(some, id+1)
	}
	upkeep := watch("upkeep of ten", 1000, 100)
	// It has 15 pages, which are fewer than ten look-ups read. That is a custom plan; docket serve uses generic ones.
	upkeep.whole = []string{"url_reservations"}
	for _, step := range []func() error{
		func() error { return queries.QueueInsertMany(t.Context(), upkeep, some) },
		func() error { return queries.QueueLockMany(t.Context(), upkeep, some) },
		func() error { _, err := queries.QueueRecountMany(t.Context(), upkeep, some); return err },
		func() error { return queries.UserDoneDeleteMany(t.Context(), upkeep, some) },
		func() error { return queries.UserDoneInsertMany(t.Context(), upkeep, some) },
		func() error { return queries.AnonymousDoneDeleteMany(t.Context(), upkeep, some) },
		func() error { return queries.AnonymousDoneInsertMany(t.Context(), upkeep, some) },
		func() error {
			return queries.BatchProgressAddMany(t.Context(), upkeep, db.BatchProgressAddManyParams{
				BatchIDs: ids(1, 2), Totals: ids(0, 0), Annotated: ids(0, 0),
			})
		},
		func() error { return queries.URLLockMany(t.Context(), upkeep, some) },
		func() error { _, err := queries.QueueForgetMany(t.Context(), upkeep, some); return err },
	} {
		require.NoError(t, step())
	}

	// Verify reads all URLs, part by part.
	verify := watch("a part of verify", 100_000, planURLs)
	// A part is thousands of URLs, and a row of these tables a few bytes.
	verify.whole = []string{"flag_url_validated", "flag_url_suspended", "link_batches__urls", "link_batches__locations",
		"link__locations__user_follows"}
	_, err = queries.URLRangeGet(t.Context(), verify, db.URLRangeGetParams{After: 50_000, Most: 1000})
	require.NoError(t, err)
	_, err = queries.QueueDifferenceList(t.Context(), verify, db.QueueDifferenceListParams{After: 50_000, Upto: 51_000})
	require.NoError(t, err)
	readable, err := queries.ReservationsReadable(t.Context(), verify)
	require.NoError(t, err)
	require.True(t, readable)
	// It reads all that is reserved, and looks up whether an annotator works on it.
	reserved := watch("reserved", 12_000, 2000)
	reserved.whole = []string{"url_reservations"}
	unused, err := queries.ReservedDifferenceList(t.Context(), reserved)
	require.NoError(t, err)
	require.Empty(t, unused)
	// It reads so many rows of the queue, from its index.
	available, err := ranking.AvailableURLs(t.Context(), watch("available", 1000, planURLs))
	require.NoError(t, err)
	require.Positive(t, available.URLs)

	// These read one batch, or all batches, once.
	wholeBatches := []string{"BatchProgressDifferenceList", "BatchProgressLock", "BatchProgressRecount"}
	for _, file := range []string{"next_queue", "suggestions", "submit", "queue"} {
		text, err := os.ReadFile("../../sql/queries/" + file + ".sql")
		require.NoError(t, err)
		names := regexp.MustCompile(`(?m)^-- name: (\w+)`).FindAllStringSubmatch(string(text), -1)
		require.NotEmpty(t, names)
		for _, name := range names {
			if !slices.Contains(wholeBatches, name[1]) {
				require.True(t, seen[name[1]], "the plan of %s is not checked", name[1])
			}
		}
	}
}
