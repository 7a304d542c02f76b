package imports

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"docket/internal/csvfile"
	"docket/internal/dbtest"
	"docket/internal/postgres"
	"docket/internal/urlform"
)

const urlHeader = "url,url_type,record_type,name,description,agencies\n"

func importURLs(t *testing.T, pool *postgres.Pool, rows string, o URLOptions) URLSummary {
	t.Helper()
	if o.Batch == "" {
		o.Batch = "test"
	}
	summary, err := URLs(t.Context(), pool, strings.NewReader(urlHeader+rows), o)
	require.NoError(t, err)
	requireBalanced(t, summary.Accounting)
	return summary
}

var urlTables = []string{
	"urls", "batches", "link_batches__urls", "tasks", "link_tasks__urls",
	"annotation__url_type__auto", "annotation__record_type__auto", "annotation__name__suggestions",
	"annotation__agency__auto__subtasks", "annotation__agency__auto__suggestions",
	"annotation__location__auto__subtasks", "annotation__location__auto__suggestions",
}

func TestImportURLsRealFile(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t)
	_, err := Agencies(t.Context(), pool, dbtest.DataFile(t, "agencies.csv"), Options{})
	require.NoError(t, err)

	var done, total int64
	o := URLOptions{Batch: "urls.csv", Robots: true}
	o.Progress = func(d, n int64) {
		require.True(t, total == 0 || n == total, "the total stays")
		require.Greater(t, d, done)
		done, total = d, n
	}
	summary, err := URLs(t.Context(), pool, dbtest.DataFile(t, "urls.csv"), o)
	require.NoError(t, err)
	requireBalanced(t, summary.Accounting)
	require.Equal(t, total, done)
	require.Equal(t, int64(19262), summary.Rows)
	require.Equal(t, int64(17487), summary.Created)
	require.Equal(t, int64(1772), summary.Duplicate)
	require.Equal(t, []csvfile.ReasonCount{{Reason: urlform.ErrSpace.Error(), Rows: 3}}, summary.Rejections.Reasons)
	require.Equal(t, []csvfile.ReasonCount{{Reason: reasonRecordType, Rows: 17688}}, summary.Notes.Reasons, "every agency is known")
	require.True(t, summary.BatchCreated)
	require.Equal(t, int64(17487), summary.Relevance)
	require.Equal(t, int64(1484), summary.RecordTypes)
	require.Equal(t, int64(17487), summary.Names)
	require.Equal(t, int64(19226), summary.Agencies)
	require.Equal(t, int64(18711), summary.Locations)
	require.Equal(t, int64(2), summary.Tasks)
	stored := count(t, pool, urlTables...)
	require.Equal(t, int64(17487), stored["urls"])
	require.Equal(t, int64(17487), stored["link_batches__urls"])
	require.Equal(t, int64(19226), stored["annotation__agency__auto__suggestions"])
	require.Equal(t, int64(18711), stored["annotation__location__auto__suggestions"])
	require.Equal(t, stored["link_tasks__urls"], stored["annotation__agency__auto__subtasks"]+stored["annotation__location__auto__subtasks"])
	require.Equal(t, []string{"100"}, dbtest.List(t, pool, "SELECT max(length(suggestion))::text FROM annotation__name__suggestions"))

	o.Progress = nil
	again, err := URLs(t.Context(), pool, dbtest.DataFile(t, "urls.csv"), o)
	require.NoError(t, err)
	requireBalanced(t, again.Accounting)
	require.Zero(t, again.Created)
	require.Equal(t, int64(3), again.Rejected)
	require.Zero(t, again.BatchID)
	require.True(t, again.Unchanged())
	require.Equal(t, stored, count(t, pool, urlTables...))
}

// The id forms of the URLs in the real files are those that the first version of Docket stored, and none of these pages is refused.
// The four refused are prose, or have a blank in the middle and lead nowhere.
func TestRealURLsKeepTheirIDForms(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		file, column      string
		accepted, refused int
		sum               string // of the id forms, a line each
	}{
		{"urls.csv", "url", 19259, 3, "007f1cff5cf01f712bc938790ccd4f100f04162db18a0ef09bdd5a9957d05d2a"},
		{"agencies.csv", "homepage_url", 17545, 1, "8d7305922357f113cbdc79f1418a5dfcc09c8f86a578c7132eb509e0f8dd7c35"},
	} {
		accepted, refused, sum := 0, 0, sha256.New()
		file, err := csvfile.Open(dbtest.DataFile(t, tt.file), csvfile.Columns{Required: []string{tt.column}},
			func(int64, *csvfile.Defect) {})
		require.NoError(t, err)
		for {
			row, err := file.Read()
			if err == io.EOF {
				break
			}
			require.NoError(t, err)
			require.Nil(t, row.Defect)
			if row.Fields[0] == "" {
				continue
			}
			form, err := urlform.Parse(row.Fields[0])
			if err != nil {
				require.Equal(t, urlform.ErrSpace, err, row.Fields[0])
				refused++
				continue
			}
			accepted++
			fmt.Fprintln(sum, form.ID)
		}
		require.Equal(t, []int{tt.accepted, tt.refused}, []int{accepted, refused}, tt.file)
		require.Equal(t, tt.sum, hex.EncodeToString(sum.Sum(nil)), tt.file)
	}
}

func TestImportURLsStores(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t)
	summary := importURLs(t, pool, ""+
		"HTTPS://X.org/a/#top,meta url,Other,A name,What it is,\n"+
		"http://X.org/a,,,,,\n"+ // the same URL
		"x.org/b/,,,,,\n"+
		"not a URL,,,,,\n", URLOptions{Batch: "first file"})
	require.Equal(t, int64(2), summary.Created)
	require.Equal(t, int64(1), summary.Duplicate)
	require.Equal(t, []csvfile.Problem{
		{Line: 5, Column: "url", Value: "not a URL", Reason: urlform.ErrSpace.Error(), Rows: 1},
	}, summary.Rejections.First)
	require.Zero(t, summary.Notes.Total)
	require.Equal(t, []string{
		`(X.org/a,https,t,manual,,"What it is")`,
		`(x.org/b,,t,manual,,)`,
	}, dbtest.List(t, pool, "SELECT (url, scheme, trailing_slash, source, name, description)::text FROM urls ORDER BY id"))
	require.Equal(t, []string{`manual, ready to label, {"name" : "first file"}, no user, 2`}, dbtest.List(t, pool, `
		SELECT concat_ws(', ', strategy, status, parameters, coalesce(user_id::text, 'no user'), count(*))
		FROM batches JOIN link_batches__urls ON batch_id = batches.id GROUP BY batches.id`))
	for table, n := range count(t, pool, urlTables[3:]...) {
		require.Zero(t, n, "without robots nothing is suggested: %s", table)
	}
}

func TestImportURLsBatches(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t)
	first := importURLs(t, pool, "x.org/1,,,,,\n", URLOptions{Batch: "one"})
	other := importURLs(t, pool, "x.org/2,,,,,\n", URLOptions{Batch: "two"})
	again := importURLs(t, pool, "x.org/3,,,,,\nx.org/2,,,,,\n", URLOptions{Batch: "one"})
	require.True(t, first.BatchCreated)
	require.True(t, other.BatchCreated)
	require.False(t, again.BatchCreated)
	require.Equal(t, first.BatchID, again.BatchID)
	require.Equal(t, []string{"one 1", "two 2", "one 3"}, dbtest.List(t, pool, `
		SELECT parameters ->> 'name' || right(replace(url, '/', ' '), 2) FROM urls
		JOIN link_batches__urls l ON l.url_id = urls.id JOIN batches ON batches.id = l.batch_id ORDER BY urls.id`),
		"a URL stays in the batch it is in")

	_, err := URLs(t.Context(), pool, strings.NewReader(urlHeader), URLOptions{Batch: " "})
	require.ErrorContains(t, err, "the batch needs a name")
	_, err = URLs(t.Context(), pool, strings.NewReader(urlHeader), URLOptions{Batch: "b", Confidence: 101})
	require.ErrorContains(t, err, "the confidence is 101")
}

func TestImportURLsStrict(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t)
	o := URLOptions{Batch: "b"}
	o.Strict = true
	summary, err := URLs(t.Context(), pool, strings.NewReader(urlHeader+"x.org,,,,,\nbad,,,,,\n"), o)
	require.ErrorIs(t, err, ErrRejected)
	require.Equal(t, int64(1), summary.Rejected)
	require.Zero(t, count(t, pool, "urls")["urls"])
}

func TestImportURLsConcurrently(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t)
	importAgencies(t, pool, "A,local,CO,,,,\n")
	var rows [2]strings.Builder
	for i := range 200 {
		rows[0].WriteString("x.org/" + strconv.Itoa(i) + ",meta url,,N,,A\n")
		rows[1].WriteString("x.org/" + strconv.Itoa(399-i) + ",meta url,,N,,A\n")
	}
	type result struct {
		URLSummary
		err error
	}
	results := make(chan result, 4)
	for i := range 4 {
		go func() {
			summary, err := URLs(t.Context(), pool, strings.NewReader(urlHeader+rows[i%2].String()), URLOptions{Batch: "b", Robots: true})
			results <- result{summary, err}
		}()
	}
	var created, duplicate int64
	for range 4 {
		r := <-results
		require.NoError(t, r.err)
		created, duplicate = created+r.Created, duplicate+r.Duplicate
	}
	require.Equal(t, int64(400), created)
	require.Equal(t, int64(400), duplicate)
	require.Equal(t, map[string]int64{"urls": 400, "batches": 1, "tasks": 4, "annotation__agency__auto__suggestions": 400},
		count(t, pool, "urls", "batches", "tasks", "annotation__agency__auto__suggestions"))
}
