package robots_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"docket/internal/annotation"
	"docket/internal/dbtest"
	"docket/internal/imports"
	"docket/internal/robots"
	"docket/internal/submissions"
)

// TestSuggestRace stores the same suggestions concurrently in opposite orders, while an annotator answers and a URL is deleted.
func TestSuggestRace(t *testing.T) {
	t.Parallel()
	const urls = 30
	b := setup(t, urls)
	dbtest.Exec(t, b.pool, "INSERT INTO agencies (id, name, jurisdiction_type) VALUES (3, 'C', 'local')")
	require.NoError(t, dbtest.Together(10, func(i int) error {
		switch i {
		case 8:
			return submissions.New(b.pool).DeleteURL(t.Context(), urls)
		case 9:
			for url := range int32(urls - 1) {
				err := b.annotations.Submit(t.Context(), 7, url+1, annotation.Answer{URLType: annotation.DataSource, AgencyIDs: []int32{1}})
				if err != nil {
					return err
				}
			}
			return nil
		}
		var given []robots.Suggestion
		for n := range int32(urls) {
			url := n + 1
			if i%2 == 0 {
				url = urls - n
			}
			for attribute, value := range map[string]any{
				"agency": 1.0, "location": 1.0, "record_type": "Stops", "relevant": true, "name": "One",
			} {
				s := robots.Suggestion{URLID: &url, Attribute: attribute, Value: value}
				if attribute == "agency" || attribute == "location" {
					s.Confidence = new(80.0)
				}
				given = append(given, s)
			}
		}
		_, err := b.Suggest(t.Context(), given)
		return err
	}))
	require.Equal(t, []string{fmt.Sprint(urls - 1)}, dbtest.List(t, b.pool, "SELECT count(*)::text FROM annotation__agency__auto__subtasks"))
	require.Equal(t, []string{fmt.Sprint(urls - 1)}, dbtest.List(t, b.pool, "SELECT count(*)::text FROM annotation__agency__auto__suggestions"))
	require.Len(t, b.suggested(t), 5*(urls-1))
	b.requireExact(t)
}

// TestSuggestDeletedReference deletes what a suggestion refers to while the request waits for its lock.
func TestSuggestDeletedReference(t *testing.T) {
	t.Parallel()
	const said = `{"url_id": 1, "attribute": "agency", "value": 1, "confidence": 80}
{"url": "2.org", "attribute": "agency", "value": 2, "confidence": 80}
{"url_id": 1, "attribute": "location", "value": 1, "confidence": 80}`
	for name, test := range map[string]struct {
		delete string
		want   robots.Result
	}{
		"URL": {"DELETE FROM urls WHERE id = 2",
			robots.Result{Stored: 2, Rejected: []robots.Rejection{{Index: 1, Detail: "url 2.org does not exist"}}}},
		"agency": {"DELETE FROM agencies WHERE id = 2",
			robots.Result{Stored: 2, Rejected: []robots.Rejection{{Index: 1, Detail: "value 2 is the id of no agency"}}}},
		"location": {"DELETE FROM locations WHERE id = 1",
			robots.Result{Stored: 2, Rejected: []robots.Rejection{{Index: 2, Detail: "value 1 is the id of no location"}}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, 2)
			tx, err := b.pool.Begin(t.Context())
			require.NoError(t, err)
			defer func() { _ = tx.Rollback(context.Background()) }()
			_, err = tx.Exec(t.Context(), test.delete, pgx.QueryExecModeExec)
			require.NoError(t, err)
			given := lines(t, said)
			done := make(chan error, 1)
			var suggested robots.Result
			go func() (err error) {
				defer func() { done <- err }()
				suggested, err = b.Suggest(t.Context(), given)
				return err
			}()
			dbtest.WaitForLocks(t, b.pool, 1)
			require.NoError(t, tx.Commit(t.Context()))
			require.NoError(t, <-done)
			require.Equal(t, test.want, suggested)
			b.requireExact(t)
		})
	}
}

// TestSuggestSerially stores the same agency concurrently from two robots, or from a robot and an import of URLs. No unique key
// prevents that it is stored twice; the lock of the URL does.
func TestSuggestSerially(t *testing.T) {
	t.Parallel()
	const said = `{"url": "1.org", "attribute": "agency", "value": 1, "confidence": 90, "source": "batch_link"}`
	for name, other := range map[string]func(bundle, []robots.Suggestion) error{
		"robot": func(b bundle, given []robots.Suggestion) error {
			_, err := b.Suggest(context.Background(), given)
			return err
		},
		"import": func(b bundle, _ []robots.Suggestion) error {
			file := "url,url_type,record_type,name,description,agencies\n1.org,,,,,A\n"
			_, err := imports.URLs(context.Background(), b.pool, strings.NewReader(file), imports.URLOptions{Batch: "b", Robots: true})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, 1)
			tx, err := b.pool.Begin(t.Context())
			require.NoError(t, err)
			defer func() { _ = tx.Rollback(context.Background()) }()
			_, err = tx.Exec(t.Context(), "SELECT FROM annotation_queue FOR UPDATE")
			require.NoError(t, err)

			given := lines(t, said)
			done := make(chan error, 2)
			go func() {
				_, err := b.Suggest(context.Background(), given)
				done <- err
			}()
			dbtest.WaitForLocks(t, b.pool, 1)
			go func() { done <- other(b, given) }()
			dbtest.WaitForLocks(t, b.pool, 2)
			require.NoError(t, tx.Rollback(t.Context()))
			require.NoError(t, <-done)
			require.NoError(t, <-done)
			require.Equal(t, []string{"agency 1 batch_link found 1:90"}, b.suggested(t))
			b.requireExact(t)
		})
	}
}

// TestSuggestNameDuringAnswer stores the same name from an annotator and a robot while the queue row is locked. The first one
// gets both the name and the queue row, so they do not deadlock.
func TestSuggestNameDuringAnswer(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	tx, err := b.pool.Begin(t.Context())
	require.NoError(t, err)
	defer func() { _ = tx.Rollback(context.Background()) }()
	_, err = tx.Exec(t.Context(), "SELECT FROM annotation_queue FOR UPDATE", pgx.QueryExecModeExec)
	require.NoError(t, err)
	answered, suggested := make(chan error, 1), make(chan error, 1)
	go func() {
		answered <- b.annotations.Submit(t.Context(), 7, 1, annotation.Answer{URLType: annotation.DataSource, NewName: new("One")})
	}()
	dbtest.WaitForLocks(t, b.pool, 1)
	given := lines(t, `{"url_id": 1, "attribute": "name", "value": "One"}
{"url_id": 1, "attribute": "relevant", "value": true}`)
	go func() {
		_, err := b.Suggest(t.Context(), given)
		suggested <- err
	}()
	dbtest.WaitForLocks(t, b.pool, 2)
	require.NoError(t, tx.Commit(t.Context()))
	require.NoError(t, <-answered)
	require.NoError(t, <-suggested)
	b.requireExact(t)
}
