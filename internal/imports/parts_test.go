package imports

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"docket/internal/dbtest"
	"docket/internal/postgres"
	"docket/internal/ranking"
)

// contents are what imports store, named by URLs, agencies and places instead of ids, which depend on attempts and parts. The order
// of URLs and agencies is that of their ids.
var contents = map[string]string{
	"URLs": `SELECT (url, scheme, trailing_slash, source, description, b.parameters ->> 'name')::text FROM urls
		LEFT JOIN link_batches__urls ON url_id = urls.id LEFT JOIN batches b ON b.id = batch_id ORDER BY urls.id`,
	"batches": `SELECT (parameters ->> 'name', total, annotated, (SELECT count(*) FROM link_batches__locations l WHERE l.batch_id = b.id))::text
		FROM batches b LEFT JOIN batch_progress p ON p.batch_id = b.id ORDER BY b.id`,
	"queue": `SELECT (url, eligible, followed, priority, user_agency_count)::text FROM annotation_queue JOIN urls ON urls.id = url_id ORDER BY url_id`,
	"agencies": `SELECT (a.name, jurisdiction_type, l.full_display_name)::text FROM agencies a
		LEFT JOIN link_agencies__locations ON agency_id = a.id LEFT JOIN locations_expanded l ON l.id = location_id ORDER BY a.id`,
	"locations": `SELECT concat_ws(', ', full_display_name, type, county_fips) FROM locations_expanded ORDER BY 1`,
	"tasks":     `SELECT (task_type, url)::text FROM tasks JOIN link_tasks__urls ON task_id = tasks.id JOIN urls ON urls.id = url_id ORDER BY 1`,
}

// content returns all that imports have stored, and fails if the queue is not exact.
func content(t *testing.T, pool *postgres.Pool) map[string][]string {
	t.Helper()
	require.NoError(t, ranking.Verify(t.Context(), pool, func(d ranking.Difference) { t.Errorf("%+v", d) }))
	all := make(map[string][]string)
	for name, query := range contents {
		all[name] = dbtest.List(t, pool, query)
	}
	for _, kind := range []string{"relevance", "record type", "name", "agency", "location"} {
		all[kind] = suggested(t, pool, kind)
	}
	return all
}

// randomURLs is a file in which URLs repeat in other spellings, and each row says something else about its URL, or nothing.
func randomURLs(random *rand.Rand, rows int) string {
	pick := func(texts ...string) string { return texts[random.IntN(len(texts))] }
	var file strings.Builder
	file.WriteString(urlHeader)
	for row := range rows {
		if random.IntN(20) == 0 {
			file.WriteString("not a URL,,,,,\n")
			continue
		}
		fmt.Fprintf(&file, "%sx.org/%d%s,%s,%s,%s,%s,%s\n", pick("", "http://", "HTTPS://"), random.IntN(rows), pick("", "/", "#top"),
			pick("", "", "meta url", "Not Relevant", "odd"), pick("", "", "Stops", "Other", "odd"), pick("", "", "Name "+fmt.Sprint(row)),
			pick("", "", "What "+fmt.Sprint(row)), pick("", "A", "B|A", "unknown", "c | B", "A|x"))
	}
	return file.String()
}

// randomAgencies is a file in which agencies and places repeat.
func randomAgencies(random *rand.Rand, rows int) string {
	pick := func(texts ...string) string { return texts[random.IntN(len(texts))] }
	var file strings.Builder
	file.WriteString(agencyHeader)
	for range rows {
		fmt.Fprintf(&file, "%s %d,%s,%s,\n", pick("Police", "police", "Court"), random.IntN(rows/2), pick("local", "county", "federal"),
			pick("CO,08001,Adams,Brighton", "CO,08001,Adams,", "CO,08003,,", "CO,08003,Alamosa,brighton", "CO,,,", "MO,29189,St. Louis,",
				"MO,29510,St. Louis,", "CO,08005,Adams,Aurora", "XX,,,", "VA,51770,Roanoke,", "VA,51161,Roanoke,"))
	}
	return file.String()
}

// world is a database with two agencies and a location that user 7 follows.
func world(t *testing.T) *postgres.Pool {
	t.Helper()
	pool := dbtest.New(t)
	importAgencies(t, pool, "A,local,CO,08001,Adams,,\nB,local,CO,,,,\nC,local,IN,,,,\n")
	importFollows(t, pool, "7,1\n", FollowOptions{})
	return pool
}

// outcome is what an import returned and what it left in the database.
type outcome[S any] struct {
	summary S
	content map[string][]string
}

// testParts runs an import into databases of their own, in one part and in smaller ones, and compares what they return and store.
// Then it breaks imports, by a cancelled context or a killed server process, and runs them again: the database must be the same,
// and a part must be stored as a whole or not at all.
func testParts[S interface{ Unchanged() bool }](
	t *testing.T, random *rand.Rand, newWorld func(*testing.T) *postgres.Pool, run func(context.Context, *postgres.Pool, Options) (S, error),
) {
	t.Helper()
	var want *outcome[S]
	for _, size := range []int{0, 7, 1} {
		pool := newWorld(t)
		summary, err := run(t.Context(), pool, Options{partSize: size})
		require.NoError(t, err)
		got := outcome[S]{summary, content(t, pool)}
		if want == nil {
			want = &got
		}
		require.Equal(t, *want, got, "parts of %d", size)
		again, err := run(t.Context(), pool, Options{partSize: size})
		require.NoError(t, err)
		require.True(t, again.Unchanged())
		require.Equal(t, want.content, content(t, pool), "a second run in parts of %d", size)
	}
	breaks := map[string]func(*postgres.Pool, context.CancelFunc){
		"cancelled": func(_ *postgres.Pool, cancel context.CancelFunc) { cancel() },
		"killed": func(pool *postgres.Pool, _ context.CancelFunc) {
			require.Equal(t, 1, dbtest.Count(t, pool, `SELECT count(pg_terminate_backend(pid)) FROM pg_locks
				WHERE locktype = 'advisory' AND granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`))
		},
	}
	for name, breakIt := range breaks {
		for _, size := range []int{1, 7} {
			pool := newWorld(t)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			after := 1 + random.Int64N(20)
			_, err := run(ctx, pool, Options{partSize: size, Progress: func(done, _ int64) {
				if done >= after {
					breakIt(pool, cancel)
					after = 1 << 62
				}
			}})
			require.Error(t, err, "%s in parts of %d", name, size)
			require.ErrorContains(t, err, "importing the file again stores the others")
			content(t, pool) // the queue is exact
			_, err = run(t.Context(), pool, Options{partSize: size})
			require.NoError(t, err)
			require.Equal(t, want.content, content(t, pool), "%s in parts of %d", name, size)
		}
	}
}

func TestURLsInParts(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	file := randomURLs(random, 60)
	for name, o := range map[string]URLOptions{
		"plain":           {Batch: "b"},
		"suggestions":     {Batch: "b", Robots: true},
		"batch locations": {Batch: "b", Robots: true, BatchLocations: []int64{1, 2}},
	} {
		t.Run(name, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 1))
			testParts(t, random, world, func(ctx context.Context, pool *postgres.Pool, shared Options) (URLSummary, error) {
				o.Options = shared
				return URLs(ctx, pool, strings.NewReader(file), o)
			})
		})
	}
}

func TestAgenciesInParts(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	file := randomAgencies(random, 60)
	testParts(t, random, dbtestNew, func(ctx context.Context, pool *postgres.Pool, o Options) (AgencySummary, error) {
		return Agencies(ctx, pool, strings.NewReader(file), o)
	})
}

func dbtestNew(t *testing.T) *postgres.Pool { return dbtest.New(t) }

// TestStrictImportWritesNothing rejects the last row of a file of several parts.
func TestStrictImportWritesNothing(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t)
	before := dbtest.Digests(t, pool)
	strict := Options{Strict: true, partSize: 1}
	_, err := URLs(t.Context(), pool, strings.NewReader(urlHeader+"x.org/1,,,,,\nx.org/2,,,,,\nnot a URL,,,,,\n"),
		URLOptions{Options: strict, Batch: "b"})
	require.ErrorIs(t, err, ErrRejected)
	_, err = Agencies(t.Context(), pool, strings.NewReader(agencyHeader+"A,local,CO,,,,\nB,local,XX,,,,\n"), strict)
	require.ErrorIs(t, err, ErrRejected)
	require.Equal(t, before, dbtest.Digests(t, pool))
}

// TestImportReleasesItsLocks holds the row of a URL in another transaction, while a part of an import waits for it. A writer who
// needs a row that this part has locked does not wait for the other transaction, because the import does not: it tries again.
func TestImportReleasesItsLocks(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t)
	rows := "x.org/1,meta url,,,,\nx.org/2,meta url,,,,\n"
	importURLs(t, pool, rows, URLOptions{})
	other, err := pool.Begin(t.Context())
	require.NoError(t, err)
	_, err = other.Exec(t.Context(), "SELECT FROM urls WHERE url = 'x.org/2' FOR UPDATE")
	require.NoError(t, err)

	failed := make(chan error, 1)
	go func() {
		_, err := URLs(t.Context(), pool, strings.NewReader(urlHeader+rows), URLOptions{Batch: "b", Robots: true})
		failed <- err
	}()
	dbtest.WaitForLocks(t, pool, 1)
	_, err = pool.Exec(t.Context(), "UPDATE urls SET description = 'new' WHERE url = 'x.org/1'")
	require.NoError(t, err, "while the other transaction continues")
	select {
	case err := <-failed:
		require.NoError(t, err, "the import must wait")
		require.Fail(t, "the import must wait")
	default:
	}
	require.NoError(t, other.Commit(t.Context()))
	require.NoError(t, <-failed)
	require.Len(t, suggested(t, pool, "relevance"), 2)
}

// TestOneImportAtATime starts an import while another one is between two parts.
func TestOneImportAtATime(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t)
	second, waiting := make(chan error, 1), make(chan struct{})
	o := URLOptions{Batch: "b", Options: Options{partSize: 1}}
	started := false
	o.Progress = func(done, _ int64) {
		if started {
			return
		}
		started = true
		go func() {
			_, err := URLs(t.Context(), pool, strings.NewReader(urlHeader+"x.org/2,,,,,\n"),
				URLOptions{Batch: "c", Options: Options{Waiting: func() { close(waiting) }}})
			second <- err
		}()
		<-waiting
	}
	summary, err := URLs(t.Context(), pool, strings.NewReader(urlHeader+"x.org/1,,,,,\nx.org/2,,,,,\n"), o)
	require.NoError(t, err)
	require.Equal(t, int64(2), summary.Created)
	require.NoError(t, <-second)
	require.Equal(t, []string{`{"name" : "b"}`}, dbtest.List(t, pool, "SELECT parameters::text FROM batches"), "all was known to the second")
}

func TestSpoolReadsWhatWasAdded(t *testing.T) {
	t.Parallel()
	s, err := openSpool()
	require.NoError(t, err)
	defer s.close()
	random := rand.New(rand.NewPCG(1, 2))
	type record struct {
		numbers [2]int64
		texts   [2]string
		offset  int64
	}
	var records []record
	for range 200 {
		r := record{numbers: [2]int64{random.Int64() - 1<<62, -1}}
		r.texts = [2]string{strings.Repeat("é", random.IntN(20_000)), ""}
		r.offset, err = s.add([]*int64{&r.numbers[0], &r.numbers[1]}, []*string{&r.texts[0], &r.texts[1]})
		require.NoError(t, err)
		records = append(records, r)
	}
	require.NoError(t, s.flush())
	for _, ahead := range []int{readAhead, readSingle, 1} {
		reader := s.reader(ahead)
		for _, i := range append(random.Perm(len(records)), 0, 1, 2, len(records)-1) {
			want := records[i]
			got := record{offset: want.offset}
			next, err := reader.read(want.offset, []*int64{&got.numbers[0], &got.numbers[1]}, []*string{&got.texts[0], &got.texts[1]})
			require.NoError(t, err)
			require.Equal(t, want, got)
			if i+1 < len(records) {
				require.Equal(t, records[i+1].offset, next)
			}
		}
	}
}

func TestImportWithoutTemporaryFiles(t *testing.T) {
	t.Setenv("TMPDIR", "/nonexistent")
	_, err := openSpool()
	require.ErrorContains(t, err, "TMPDIR")
	require.False(t, errors.Is(err, ErrRejected))
}
