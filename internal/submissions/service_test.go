package submissions_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"docket/internal/annotation"
	"docket/internal/convert"
	"docket/internal/dbtest"
	"docket/internal/imports"
	"docket/internal/postgres"
	"docket/internal/ranking"
	"docket/internal/submissions"
	"docket/internal/unknown"
	"docket/internal/urlform"
)

// bundle is a database with two agencies and a location, and the use cases that act on it.
type bundle struct {
	pool *postgres.Pool
	*submissions.Service
	annotations *annotation.Service
}

func setup(t testing.TB) bundle {
	t.Helper()
	pool := dbtest.New(t)
	b := bundle{pool, submissions.New(pool), annotation.New(pool, ranking.NewQueue())}
	dbtest.Exec(t, b.pool, `INSERT INTO us_states (state_iso, state_name) VALUES ('OH', 'Ohio');
		INSERT INTO locations (type, state_id) VALUES ('State', 1);
		INSERT INTO agencies (id, name, jurisdiction_type) VALUES (1, 'A', 'local'), (2, 'B', 'local')`)
	return b
}

// requireExact requires that the queue, the done rows and the progress of batches equal a recount.
func (b bundle) requireExact(t testing.TB) {
	t.Helper()
	require.NoError(t, ranking.Verify(t.Context(), b.pool, func(d ranking.Difference) { t.Errorf("the queue is wrong: %+v", d) }))
}

// When several users submit the same URL concurrently, in any spelling, one submission is accepted.
func TestSubmitURLRace(t *testing.T) {
	t.Parallel()
	b := setup(t)
	spellings := []string{"https://one.org", "http://one.org/", "one.org", "HTTPS://one.org/#top", " one.org// ", "one.org#"}
	for round := range 10 {
		var mu sync.Mutex
		var accepted []int32
		require.NoError(t, dbtest.Together(len(spellings), func(i int) error {
			url := strings.ReplaceAll(spellings[i], "one.org", fmt.Sprintf("one.org/%d", round))
			submitted, err := b.SubmitURL(t.Context(), int32(i+1), submissions.Submission{URL: url, Name: new("One"), AgencyID: new(int32(1))})
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err != nil:
				return err
			case submitted.URLID != nil:
				accepted = append(accepted, *submitted.URLID)
			case submitted.Status != submissions.DatabaseDuplicate:
				return fmt.Errorf("%q is %s", url, submitted.Status)
			}
			return nil
		}))
		require.Len(t, accepted, 1)
		require.Equal(t, []string{fmt.Sprint(accepted[0])},
			dbtest.List(t, b.pool, fmt.Sprintf("SELECT id::text FROM urls WHERE url = 'one.org/%d'", round)))
	}
	require.Equal(t, []string{"10 10 10"}, dbtest.List(t, b.pool, `SELECT format('%s %s %s', (SELECT count(*) FROM annotation__agency__user),
		(SELECT count(*) FROM link_user_submitted_urls), (SELECT count(*) FROM change_log))`))
	b.requireExact(t)
}

// When the same data source is submitted several times concurrently, one is stored and the others are refused with its id.
func TestSubmitDataSourceRace(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for round := range 10 {
		var mu sync.Mutex
		var stored, known []int32
		require.NoError(t, dbtest.Together(6, func(int) error {
			id, err := b.SubmitDataSource(t.Context(), submissions.DataSource{
				URL: fmt.Sprintf("https://one.org/%d", round), Name: "One", RecordType: "Other",
				AgencyIDs: []int32{1}, LocationIDs: []int64{1},
			})
			mu.Lock()
			defer mu.Unlock()
			duplicate := new(submissions.DuplicateError)
			switch {
			case err == nil:
				stored = append(stored, id)
			case errors.As(err, &duplicate):
				known = append(known, duplicate.URLID)
			default:
				return err
			}
			return nil
		}))
		require.Len(t, stored, 1)
		require.Equal(t, slices.Repeat(stored, 5), known)
	}
	require.Equal(t, []string{"10 10 10"}, dbtest.List(t, b.pool, `SELECT format('%s %s %s', (SELECT count(*) FROM batches),
		(SELECT count(*) FROM anonymous_sessions), (SELECT count(*) FROM change_log))`))
	b.requireExact(t)
}

// A submission that waits for another transaction, which is rolled back, is stored itself.
func TestSubmitAfterRollback(t *testing.T) {
	t.Parallel()
	b := setup(t)
	tx, err := b.pool.Begin(t.Context())
	require.NoError(t, err)
	defer tx.Rollback(context.Background()) // in case the test fails before
	_, err = tx.Exec(t.Context(), "INSERT INTO urls (url, source) VALUES ('one.org', 'manual')")
	require.NoError(t, err)
	var group errgroup.Group
	group.Go(func() error {
		submitted, err := b.SubmitURL(t.Context(), 7, submissions.Submission{URL: "one.org"})
		if err == nil && submitted.URLID == nil {
			return errors.New("the URL is a duplicate of one that was not stored")
		}
		return err
	})
	dbtest.WaitForLocks(t, b.pool, 1)
	require.NoError(t, tx.Rollback(t.Context()))
	require.NoError(t, group.Wait())
	b.requireExact(t)
}

// An agency or location is deleted while a submission that refers to it is stored: it is unknown, and nothing is stored.
func TestSubmitDeletedReference(t *testing.T) {
	t.Parallel()
	submits := map[string]func(b bundle) error{
		"URL": func(b bundle) error {
			_, err := b.SubmitURL(t.Context(), 7, submissions.Submission{URL: "one.org", AgencyID: new(int32(1)), LocationID: new(int64(1))})
			return err
		},
		"data source": func(b bundle) error {
			_, err := b.SubmitDataSource(t.Context(), submissions.DataSource{
				URL: "one.org", Name: "One", RecordType: "Other", AgencyIDs: []int32{1}, LocationIDs: []int64{1},
			})
			return err
		},
	}
	for name, submit := range submits {
		for kind, statement := range map[string]string{
			"agency": "DELETE FROM agencies WHERE id = 1", "location": "DELETE FROM locations WHERE id = 1",
		} {
			t.Run(name+" "+kind, func(t *testing.T) {
				t.Parallel()
				b := setup(t)
				tx, err := b.pool.Begin(t.Context())
				require.NoError(t, err)
				defer tx.Rollback(context.Background()) // in case the test fails before the commit
				_, err = tx.Exec(t.Context(), statement)
				require.NoError(t, err)
				outcome := make(chan error, 1)
				go func() { outcome <- submit(b) }()
				dbtest.WaitForLocks(t, b.pool, 1)
				require.NoError(t, tx.Commit(t.Context()))
				missing := new(unknown.Error)
				require.ErrorAs(t, <-outcome, &missing)
				require.Equal(t, kind, missing.Kind)
				require.Empty(t, dbtest.List(t, b.pool, "SELECT url FROM urls"))
			})
		}
	}
}

// Batches with the same URLs in different orders are entered concurrently: each URL is in one batch, the ids of a batch ascend
// in the order given, and no request fails.
func TestEnterBatchRace(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const urls, users = 60, 4
	entered := make([]submissions.BatchResult, users)
	given := make([][]submissions.ManualEntry, users)
	for user := range users {
		for n := range urls {
			given[user] = append(given[user], submissions.ManualEntry{URL: fmt.Sprintf("https://one.org/%d", n), RecordType: "Other"})
		}
		if user%2 == 1 {
			slices.Reverse(given[user])
		}
	}
	require.NoError(t, dbtest.Together(users, func(i int) (err error) {
		entered[i], err = b.EnterBatch(t.Context(), int32(i+1), "race", given[i])
		return err
	}))
	var stored []int32
	for _, batch := range entered {
		require.Len(t, batch.LeftOut, urls-len(batch.URLIDs))
		require.True(t, slices.IsSorted(batch.URLIDs))
		stored = append(stored, batch.URLIDs...)
	}
	slices.Sort(stored)
	require.Len(t, slices.Compact(stored), urls)
	require.Equal(t, []string{"60 60 60 60"}, dbtest.List(t, b.pool, `SELECT format('%s %s %s %s', (SELECT count(*) FROM urls),
		(SELECT count(*) FROM link_batches__urls), (SELECT count(*) FROM url_record_type), (SELECT count(*) FROM change_log))`))
	b.requireExact(t)
}

// An import and a batch entered by hand store the same URLs in opposite orders: each URL is in one batch.
func TestEnterBatchDuringImport(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const urls = 400
	var file strings.Builder
	file.WriteString(strings.Join(imports.URLColumns, ",") + "\n")
	var entries []submissions.ManualEntry
	for n := range urls {
		fmt.Fprintf(&file, "https://one.org/%04d,,,,,\n", n)
		entries = append(entries, submissions.ManualEntry{URL: fmt.Sprintf("https://one.org/%04d", urls-1-n)})
	}
	var imported imports.URLSummary
	var entered submissions.BatchResult
	require.NoError(t, dbtest.Together(2, func(i int) (err error) {
		if i == 0 {
			imported, err = imports.URLs(t.Context(), b.pool, strings.NewReader(file.String()), imports.URLOptions{Batch: "file"})
		} else {
			entered, err = b.EnterBatch(t.Context(), 7, "hand", entries)
		}
		return err
	}))
	require.Equal(t, urls, int(imported.Created)+len(entered.URLIDs))
	require.Equal(t, []string{"400 400"}, dbtest.List(t, b.pool, `SELECT format('%s %s', (SELECT count(*) FROM urls),
		(SELECT count(*) FROM link_batches__urls))`))
	b.requireExact(t)
}

// A URL is deleted while users and sessions answer about it: an answer fails only because the URL does not exist, nothing of
// the URL remains, and the queue and the progress of its batch are correct.
func TestDeleteURLRace(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for round := range 15 {
		batch, err := b.EnterBatch(t.Context(), 1, "race", []submissions.ManualEntry{
			{URL: fmt.Sprintf("a.org/%d", round)}, {URL: fmt.Sprintf("b.org/%d", round)},
		})
		require.NoError(t, err)
		gone, stays := batch.URLIDs[0], batch.URLIDs[1]
		var sessions []uuid.UUID
		for range 3 {
			sessions = append(sessions, uuid.New())
		}
		require.NoError(t, dbtest.Together(8, func(i int) error {
			answer := annotation.Answer{
				URLType: annotation.DataSource, AgencyIDs: []int32{2, 1}, LocationIDs: []int64{1}, NewName: new("Name"),
			}
			var err error
			switch {
			case i < 2:
				return b.DeleteURL(t.Context(), gone)
			case i < 5:
				err = b.annotations.SubmitAnonymous(t.Context(), sessions[i-2], gone, answer)
			default:
				err = b.annotations.Submit(t.Context(), int32(i), gone, answer)
				if err := b.annotations.Submit(t.Context(), int32(i), stays, answer); err != nil {
					return err
				}
			}
			missing := new(unknown.Error)
			if errors.As(err, &missing) && missing.Kind == unknown.URL {
				return nil
			}
			return err
		}))
		require.Equal(t, []string{"1 1"}, dbtest.List(t, b.pool, fmt.Sprintf(
			"SELECT format('%%s %%s', total, annotated) FROM batch_progress WHERE batch_id = %d", batch.BatchID)))
	}
	b.requireExact(t)
	require.Equal(t, []string{"15"}, dbtest.List(t, b.pool, "SELECT count(*)::text FROM change_log WHERE operation_type = 'DELETE'"))
	require.Empty(t, dbtest.List(t, b.pool, "SELECT url FROM urls WHERE url LIKE 'a.org/%'"))
}

// A URL whose id form is too long for an index is invalid.
func TestLongURL(t *testing.T) {
	t.Parallel()
	b := setup(t)
	fits := "https://one.org/" + strings.Repeat("é", 996)
	other := "https://two.org/" + strings.Repeat("é", 996)
	for url, taken := range map[string]bool{fits: true, fits + "x": false, other + "/#" + strings.Repeat("x", 5000): true} {
		submitted, err := b.SubmitURL(t.Context(), 7, submissions.Submission{URL: url})
		require.NoError(t, err)
		require.Equal(t, taken, submitted.URLID != nil, "%d bytes: %s", len(url), submitted.Status)
	}
	_, err := b.SubmitDataSource(t.Context(), submissions.DataSource{URL: fits + "x", Name: "One", RecordType: "Other"})
	require.ErrorIs(t, err, urlform.ErrLong)
	batch, err := b.EnterBatch(t.Context(), 7, "long", []submissions.ManualEntry{{URL: fits + "x"}})
	require.NoError(t, err)
	require.Equal(t, []string{fits + "x"}, batch.LeftOut)
	require.Equal(t, []submissions.InvalidEntry{{URL: fits + "x", Reason: urlform.ErrLong.Error()}}, batch.Invalid)
}

// Every list has pages of a hundred rows without gaps and repetitions.
func TestPages(t *testing.T) {
	t.Parallel()
	b := setup(t)
	dbtest.Exec(t, b.pool, `INSERT INTO urls (id, url, source) SELECT n, n || '.org', 'manual' FROM generate_series(1, 450) AS n;
		INSERT INTO batches (id, strategy, status)
		SELECT n, 'ckan', CASE WHEN n % 2 = 0 THEN 'error' ELSE 'ready to label' END::batch_status
		FROM generate_series(1, 450) AS n;
		INSERT INTO link_batches__urls (batch_id, url_id) SELECT 7, n FROM generate_series(450, 226, -1) AS n;
		INSERT INTO duplicates (batch_id, original_url_id) SELECT 9, n FROM generate_series(450, 1, -1) AS n;
		INSERT INTO tasks (id, task_type, task_status) VALUES (1, 'HTML', 'error');
		INSERT INTO url_task_error (url_id, task_id, task_type, error) SELECT n, 1, type::task_type, 'x'
		FROM generate_series(450, 2, -2) AS n, (VALUES ('HTML'), ('Screenshot')) AS types (type)`)
	even := func(n int32) bool { return n%2 == 0 }
	for name, list := range map[string]struct {
		first, last, step int32
		page              func(page int32) ([]int32, error)
	}{
		"URLs": {1, 450, 1, func(page int32) ([]int32, error) {
			urls, err := b.URLs(t.Context(), page, submissions.URLFilter{})
			return convert.Each(urls, func(u submissions.URL) int32 {
				require.Len(t, u.Errors, map[bool]int{true: 2, false: 0}[even(u.ID)])
				return u.ID
			}), err
		}},
		"URLs with errors": {2, 450, 2, func(page int32) ([]int32, error) {
			urls, err := b.URLs(t.Context(), page, submissions.URLFilter{WithErrors: true})
			return convert.Each(urls, func(u submissions.URL) int32 { return u.ID }), err
		}},
		"batches": {1, 450, 1, func(page int32) ([]int32, error) {
			batches, err := b.Batches(t.Context(), submissions.BatchFilter{}, page)
			return convert.Each(batches, func(b submissions.Batch) int32 { return b.ID }), err
		}},
		"batches with an error": {2, 450, 2, func(page int32) ([]int32, error) {
			filter := submissions.BatchFilter{Strategy: new("ckan"), URLStatus: new("Error")}
			batches, err := b.Batches(t.Context(), filter, page)
			return convert.Each(batches, func(b submissions.Batch) int32 { return b.ID }), err
		}},
		"URLs of a batch": {226, 450, 1, func(page int32) ([]int32, error) {
			urls, err := b.BatchURLs(t.Context(), 7, page)
			return convert.Each(urls, func(u submissions.BatchURL) int32 { return u.ID }), err
		}},
		"duplicates": {226, 450, 1, func(page int32) ([]int32, error) {
			duplicates, err := b.BatchDuplicates(t.Context(), 9, page)
			return convert.Each(duplicates, func(d submissions.BatchDuplicate) int32 { return d.OriginalURLID }), err
		}},
	} {
		t.Run(name, func(t *testing.T) {
			var want []int32
			for id := list.first; id <= list.last; id += list.step {
				want = append(want, id)
			}
			for page := int32(1); ; page++ {
				got, err := list.page(page)
				require.NoError(t, err)
				size := min(100, len(want))
				require.Equal(t, want[:size], got, "page %d", page)
				if want = want[size:]; size == 0 {
					break
				}
			}
		})
	}
}
