package imports

import (
	"context"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"docket/internal/csvfile"
	"docket/internal/dbtest"
	"docket/internal/postgres"
	"docket/internal/robots"
)

var withSuggestions = URLOptions{Robots: true}

// suggested lists all suggestions of one kind, as "URL: suggestion (confidence)".
func suggested(t *testing.T, pool *postgres.Pool, kind string) []string {
	t.Helper()
	return dbtest.List(t, pool, map[string]string{
		"relevance": `SELECT format('%s: %s (%s by %s)', url, relevant, confidence, model_name) FROM annotation__url_type__auto
			JOIN urls ON urls.id = url_id ORDER BY url`,
		"record type": `SELECT format('%s: %s', url, record_type) FROM annotation__record_type__auto
			JOIN urls ON urls.id = url_id ORDER BY url`,
		"name": `SELECT format('%s: %s (%s)', url, suggestion, n.source) FROM annotation__name__suggestions n
			JOIN urls ON urls.id = url_id ORDER BY url, n.id`,
		"agency": `SELECT format('%s: %s (%s)', url, a.name, confidence) FROM annotation__agency__auto__subtasks s
			JOIN annotation__agency__auto__suggestions ON subtask_id = s.id JOIN agencies a ON a.id = agency_id JOIN urls ON urls.id = url_id
			WHERE s.type = 'batch_link' AND s.agencies_found ORDER BY url, a.name`,
		"location": `SELECT format('%s: %s (%s)', url, l.full_display_name, confidence) FROM annotation__location__auto__subtasks s
			JOIN annotation__location__auto__suggestions ON subtask_id = s.id JOIN locations_expanded l ON l.id = location_id JOIN urls ON urls.id = url_id
			WHERE s.type = 'batch_link' AND s.locations_found ORDER BY url, l.full_display_name`,
		"task": `SELECT format('%s, %s: %s', task_type, task_status, count(*)) FROM tasks
			JOIN link_tasks__urls ON task_id = tasks.id GROUP BY tasks.id ORDER BY tasks.id`,
	}[kind])
}

func TestSuggest(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t)
	importAgencies(t, pool, "A,local,CO,08001,Adams,,\nB,local,CO,08001,Adams,,\nC,local,IN,,,,\n")
	summary := importURLs(t, pool, ""+
		"x.org/1,Meta URL,,First,,A|B\n"+
		"x.org/1,data source,Other,Second,,C | |A\n"+ // another row of the same URL
		"x.org/2,not relevant,Contact,,,Unknown\n"+
		"x.org/3,individual record,Stops,,,c\n"+
		"x.org/4,data source,Contact,,,\n"+
		"x.org/5,broken page,,,,\n"+
		"x.org/6,,,,,\n", URLOptions{Robots: true, Confidence: 75})

	require.Equal(t, []string{
		"x.org/1: t (0.75 by import)", "x.org/2: f (0.75 by import)", "x.org/3: t (0.75 by import)", "x.org/4: t (0.75 by import)",
	}, suggested(t, pool, "relevance"))
	require.Equal(t, []string{"x.org/1: Other", "x.org/3: Stops"}, suggested(t, pool, "record type"))
	require.Equal(t, []string{"x.org/1: First (HTML Metadata Title)"}, suggested(t, pool, "name"))
	require.Equal(t, []string{"x.org/1: A (75)", "x.org/1: B (75)", "x.org/1: C (75)", "x.org/3: C (75)"}, suggested(t, pool, "agency"))
	require.Equal(t, []string{"x.org/1: Adams, Colorado (75)", "x.org/1: Indiana (75)", "x.org/3: Indiana (75)"}, suggested(t, pool, "location"))
	require.Equal(t, []string{"Agency Identification, complete: 2", "Location ID, complete: 2"}, suggested(t, pool, "task"))
	require.Equal(t, map[string]int64{"annotation__agency__auto__subtasks": 2, "annotation__location__auto__subtasks": 2},
		count(t, pool, "annotation__agency__auto__subtasks", "annotation__location__auto__subtasks"), "one for each URL that has any")
	require.Equal(t, []csvfile.Problem{
		{Line: 4, Column: "record_type", Value: "Contact", Reason: reasonRecordType, Rows: 2},
		{Line: 7, Column: "url_type", Value: "broken page", Reason: reasonURLType, Rows: 1},
		{Line: 4, Column: "agencies", Value: "Unknown", Reason: reasonUnknownAgency, Rows: 1},
	}, summary.Notes.First)
	require.Equal(t, []int64{4, 2, 1, 4, 3, 2}, []int64{
		summary.Relevance, summary.RecordTypes, summary.Names, summary.Agencies, summary.Locations, summary.Tasks,
	})
}

// A file that was imported without suggestions, or before its agencies, is imported again and adds them.
func TestSuggestLater(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t)
	const rows = "x.org/1,meta url,Stops,Name,,A|B\nx.org/2,,,,,B\n"

	importURLs(t, pool, rows, URLOptions{})
	importAgencies(t, pool, "A,local,CO,,,,\n")
	second := importURLs(t, pool, rows, withSuggestions)
	require.Zero(t, second.Created)
	require.Equal(t, []int64{1, 1, 1, 1, 1, 2}, []int64{
		second.Relevance, second.RecordTypes, second.Names, second.Agencies, second.Locations, second.Tasks,
	})
	require.False(t, second.Unchanged())

	importAgencies(t, pool, "B,local,CO,,,,\n")
	third := importURLs(t, pool, rows, withSuggestions)
	require.Equal(t, []int64{0, 0, 0, 2, 1, 2}, []int64{
		third.Relevance, third.RecordTypes, third.Names, third.Agencies, third.Locations, third.Tasks,
	})
	require.Equal(t, []string{"x.org/1: A (90)", "x.org/1: B (90)", "x.org/2: B (90)"}, suggested(t, pool, "agency"))
	require.Equal(t, []string{"x.org/1: Colorado (90)", "x.org/2: Colorado (90)"}, suggested(t, pool, "location"))
	require.Equal(t, int64(2), count(t, pool, "annotation__agency__auto__subtasks")["annotation__agency__auto__subtasks"], "one for each URL")

	require.True(t, importURLs(t, pool, rows, withSuggestions).Unchanged())
}

func TestSuggestKeepsEarlierSuggestions(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t)
	importAgencies(t, pool, "A,local,CO,,,,\n")
	const rows = "x.org/1,meta url,Stops,Name,,A\nx.org/2,,,Known,,\n"
	importURLs(t, pool, rows, URLOptions{})
	_, err := pool.Exec(t.Context(), `
		INSERT INTO annotation__url_type__auto (url_id, relevant, confidence, model_name) SELECT id, false, 0.5, 'm' FROM urls WHERE url = 'x.org/1';
		INSERT INTO annotation__record_type__auto (url_id, record_type) SELECT id, 'Other' FROM urls WHERE url = 'x.org/1';
		INSERT INTO annotation__name__suggestions (url_id, suggestion, source) SELECT id, 'Title', 'HTML Metadata Title' FROM urls WHERE url = 'x.org/1';
		INSERT INTO annotation__name__suggestions (url_id, suggestion, source) SELECT id, 'Known', 'User' FROM urls WHERE url = 'x.org/2';
		INSERT INTO tasks (task_type, task_status) VALUES ('Agency Identification', 'complete');
		INSERT INTO annotation__agency__auto__subtasks (task_id, url_id, type, agencies_found) SELECT 1, id, 'batch_link', false FROM urls WHERE url = 'x.org/1';
		INSERT INTO annotation__location__auto__subtasks (task_id, url_id, type, locations_found) SELECT 1, id, 'batch_link', false FROM urls WHERE url = 'x.org/1';
		INSERT INTO annotation__agency__auto__subtasks (task_id, url_id, type, agencies_found) SELECT 1, id, 'homepage_match', true FROM urls WHERE url = 'x.org/1';
		INSERT INTO annotation__agency__auto__suggestions (subtask_id, agency_id, confidence) SELECT max(s.id), max(a.id), 10 FROM annotation__agency__auto__subtasks s, agencies a;`)
	require.NoError(t, err)

	summary := importURLs(t, pool, rows, withSuggestions)
	require.Equal(t, []int64{0, 0, 0, 1, 1, 1}, []int64{
		summary.Relevance, summary.RecordTypes, summary.Names, summary.Agencies, summary.Locations, summary.Tasks,
	})
	require.Equal(t, []string{"x.org/1: f (0.5 by m)"}, suggested(t, pool, "relevance"))
	require.Equal(t, []string{"x.org/1: Other"}, suggested(t, pool, "record type"))
	require.Equal(t, []string{"x.org/1: Title (HTML Metadata Title)", "x.org/2: Known (User)"}, suggested(t, pool, "name"))
	require.Equal(t, []string{"x.org/1: A (90)"}, suggested(t, pool, "agency"), "a suggestion of another method is not an obstacle")
	require.Equal(t, []string{"x.org/1: Colorado (90)"}, suggested(t, pool, "location"), "the search has found a location now")
	require.True(t, importURLs(t, pool, rows, withSuggestions).Unchanged())
}

// More agencies than fit into one statement, all of few URLs: the agencies of one URL are in several statements.
func TestSuggestAcrossChunks(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t)
	var agencies strings.Builder
	var names []string
	const oneStatement = 5000 // suggestions
	for i := range oneStatement/2 + 1 {
		name := "A" + strings.Repeat("x", i%400) + string(rune('a'+i/400))
		names = append(names, name)
		agencies.WriteString(name + ",local,CO,,,,\n")
	}
	importAgencies(t, pool, agencies.String())
	cell := strings.Join(names[:len(names)/8], "|")
	var rows strings.Builder
	for i := range 8 {
		rows.WriteString("x.org/1,,,,," + strings.Join(names[i*len(names)/8:(i+1)*len(names)/8], "|") + "\n")
		rows.WriteString("x.org/2,,,,," + strings.Join(names[i*len(names)/8:(i+1)*len(names)/8], "|") + "\n")
		rows.WriteString("x.org/2,,,,," + cell + "\n")
	}
	summary := importURLs(t, pool, rows.String(), withSuggestions)
	require.Equal(t, int64(2*len(names)), summary.Agencies)
	require.Equal(t, int64(2), summary.Tasks)
	require.Equal(t, map[string]int64{"annotation__agency__auto__subtasks": 2, "annotation__agency__auto__suggestions": int64(2 * len(names)), "tasks": 2},
		count(t, pool, "annotation__agency__auto__subtasks", "annotation__agency__auto__suggestions", "tasks"))
}

// directoryOf returns a directory of agencies with these names and the ids 1, 2 and so on.
func directoryOf(names ...string) directory {
	d := newDirectory(len(names))
	for i, name := range names {
		d.put(&knownAgency{id: int32(i + 1), name: name})
	}
	return d
}

func TestDirectorySplit(t *testing.T) {
	t.Parallel()
	d := directoryOf("A", "B", "C", "A | B", "B|C|D", "D|a", "E|F", "E|F")
	for list, names := range map[string][]string{
		"":            nil,
		" | | ":       nil,
		"A":           {"A"},
		"A|B":         {"A", "B"}, // blanks are part of the name
		"A | B":       {"A | B"},
		"a | b":       {"a | b"},
		"x|A | B|C":   {"x", "A | B", "C"},
		"B|C|D":       {"B|C|D"},
		"B|C|D|A":     {"B|C|D", "A"}, // from the left
		"B|C|x|D|A":   {"B", "C", "x", "D|A"},
		"A|B|C | B|C": {"A", "B", "C", "B", "C"},
		"A||B|":       {"A", "B"},
		"x|y":         {"x", "y"},
		"E|F|A":       {"E|F", "A"}, // ambiguous, but a known name
	} {
		require.Equal(t, names, d.split(list), list)
	}
	require.Equal(t, []string{"x", "y"}, directoryOf().split("x|y"))
}

func TestDirectoryFind(t *testing.T) {
	t.Parallel()
	d := directoryOf("One", "Two", "TWO", "Several", "Several")
	tests := map[string]struct {
		id     int32
		reason string
	}{
		"One":     {1, ""},
		"ONE":     {1, ""},
		"TWO":     {3, ""},
		"two":     {0, reasonSeveralAgencies},
		"Several": {0, reasonSeveralAgencies},
		"None":    {0, reasonUnknownAgency},
	}
	for name, want := range tests {
		agency, reason := d.find(name)
		require.Equal(t, want.reason, reason, name)
		if reason == "" {
			require.Equal(t, want.id, agency.id, name)
		}
	}
}

func TestShortenName(t *testing.T) {
	t.Parallel()
	fits := strings.Repeat("é", 100)
	require.Equal(t, fits, shortenName(fits))
	require.Equal(t, strings.Repeat("é", 97)+"...", shortenName(fits+"é"))
	short := shortenName(strings.Repeat("x", 96) + " yyyyyyy")
	require.Equal(t, strings.Repeat("x", 96)+"...", short)
	require.LessOrEqual(t, utf8.RuneCountInString(short), robots.MaxName)
}

// TestSuggestDeletedAgency deletes an agency, uncommitted when the import reads the agencies and committed when it locks them.
func TestSuggestDeletedAgency(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t)
	importAgencies(t, pool, "A,local,CO,,,,\nB,local,CO,,,,\n")
	tx, err := pool.Begin(t.Context())
	require.NoError(t, err)
	defer func() { _ = tx.Rollback(context.Background()) }()
	_, err = tx.Exec(t.Context(), "DELETE FROM agencies WHERE name = 'B'")
	require.NoError(t, err)

	var summary URLSummary
	done := make(chan error, 1)
	go func() (err error) {
		defer func() { done <- err }()
		file := strings.NewReader(urlHeader + "x.org/1,meta url,,,,A|B\n")
		summary, err = URLs(t.Context(), pool, file, URLOptions{Batch: "b", Robots: true})
		return err
	}()
	dbtest.WaitForLocks(t, pool, 1)
	require.NoError(t, tx.Commit(t.Context()))
	require.NoError(t, <-done)
	require.Equal(t, int64(1), summary.Agencies)
	require.Equal(t, []string{"x.org/1: A (90)"}, suggested(t, pool, "agency"))
	require.Len(t, summary.Notes.First, 1)
	require.Equal(t, reasonDeleted, summary.Notes.First[0].Reason)
	require.Equal(t, int64(2), summary.Notes.First[0].Line)
}
