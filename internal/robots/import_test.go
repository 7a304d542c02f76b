package robots_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"docket/internal/csvfile"
	"docket/internal/dbtest"
	"docket/internal/robots"
)

// decodeObject is a DecodeFunc for small numbers.
func decodeObject(line string) (fields map[string]any, err error) {
	return fields, json.Unmarshal([]byte(line), &fields)
}

// importSuggestions imports a file of suggestions and returns the rejected lines.
func (b bundle) importSuggestions(t testing.TB, file string, jsonl bool) (summary robots.ImportSummary, rejected []string) {
	t.Helper()
	parts := 0
	var decode robots.DecodeFunc
	if jsonl {
		decode = decodeObject
	}
	summary, err := b.Import(t.Context(), strings.NewReader(file), robots.ImportOptions{
		Decode:   decode,
		Progress: func() { parts++ },
		Rejected: func(line int64, detail string) { rejected = append(rejected, fmt.Sprintf("%d: %s", line, detail)) },
	})
	require.NoError(t, err)
	require.Positive(t, parts)
	require.Equal(t, summary.Rows, summary.Stored+summary.Unchanged+summary.Rejected)
	require.Equal(t, summary.Rejected, summary.Rejections.Total)
	require.Len(t, rejected, int(summary.Rejected))
	return summary, rejected
}

func TestImportSuggestions(t *testing.T) {
	t.Parallel()
	b := setup(t, 3)
	summary, rejected := b.importSuggestions(t, everyAttribute+`
{"url_id": 4, "attribute": "agency", "value": 1, "confidence": 80}

{"url_id": 1, "attribute": "agency", "value": 1, "confidence": 80, "color": "red"}`, true)
	require.Equal(t, []string{"10: url_id 4 does not exist", "12: color is not a key of a suggestion"}, rejected)
	require.Equal(t, []int64{11, 9, 0, 5}, []int64{summary.Rows, summary.Stored, summary.Unchanged, summary.Tasks})
	suggested, tasks := b.suggested(t), b.tasks(t)
	require.Len(t, suggested, 9)

	// The same suggestions as CSV change nothing.
	summary, rejected = b.importSuggestions(t, `source,confidence,value,attribute,url,url_id
,80,1,agency,,1
muckrock_match,70,2,agency,,1
,,,agency,,2
,62.5,1,location,,1
batch_link,,,location,,2
,,Stops,record_type,,1
a model,0.5,TRUE,relevant,,1
,,false,relevant,,2
,,Police reports,name,3.org/,
,,,name,3.org/,
`, false)
	require.Equal(t, []string{"11: value is missing: only an agency or a location may be null, which means that none was found"}, rejected)
	require.Equal(t, []int64{10, 0, 9, 0}, []int64{summary.Rows, summary.Stored, summary.Unchanged, summary.Tasks})
	require.Equal(t, suggested, b.suggested(t))
	require.Equal(t, tasks, b.tasks(t))
	b.requireExact(t)

	_, err := b.Import(t.Context(), strings.NewReader("url,value\n"), robots.ImportOptions{})
	require.ErrorIs(t, err, csvfile.ErrFormat)
}

// TestImportSuggestionsInParts imports a file of several parts with one task, and a file whose end cannot be read.
func TestImportSuggestionsInParts(t *testing.T) {
	t.Parallel()
	const urls, stored = 2500, 2 * robots.PartLines
	b := setup(t, urls)
	var file strings.Builder
	for url := range urls {
		fmt.Fprintf(&file, "{\"url_id\": %d, \"attribute\": \"record_type\", \"value\": \"Stops\"}\n", url+1)
	}
	broken := io.MultiReader(strings.NewReader(file.String()), iotest.ErrReader(io.ErrClosedPipe))
	summary, err := b.Import(t.Context(), broken, robots.ImportOptions{Decode: decodeObject})
	require.ErrorIs(t, err, io.ErrClosedPipe)
	require.Equal(t, int64(stored), summary.Stored, "what was stored stays")
	require.Equal(t, []string{strconv.Itoa(stored)}, dbtest.List(t, b.pool, "SELECT count(*)::text FROM annotation__record_type__auto"))
	b.requireExact(t)

	again, rejected := b.importSuggestions(t, file.String(), true)
	require.Empty(t, rejected)
	require.Equal(t, []int64{urls, urls - stored, stored}, []int64{again.Rows, again.Stored, again.Unchanged})
	dbtest.Exec(t, b.pool, "DELETE FROM tasks")
	dbtest.Exec(t, b.pool, "DELETE FROM annotation__record_type__auto")
	whole, _ := b.importSuggestions(t, file.String(), true)
	require.Equal(t, int64(1), whole.Tasks)
	require.Equal(t, []string{"1 2500"}, dbtest.List(t, b.pool, "SELECT concat_ws(' ', count(DISTINCT task_id), count(*)) FROM link_tasks__urls"))
	b.requireExact(t)
}

// TestImportSuggestionsInAnyParts imports a file in parts of several sizes, and cancels imports in the middle and repeats them.
func TestImportSuggestionsInAnyParts(t *testing.T) {
	t.Parallel()
	file := everyAttribute + `
{"url_id": 3, "attribute": "agency", "value": 1, "confidence": 80}
{"url_id": 9, "attribute": "agency", "value": 1, "confidence": 80}
{"url_id": 3, "attribute": "name", "value": "Third"}
{"url_id": 2, "attribute": "record_type", "value": "odd"}`
	var want []string
	var whole robots.ImportSummary
	for _, lines := range []int{0, 1, 7} {
		b := setup(t, 3)
		summary, err := b.Import(t.Context(), strings.NewReader(file), robots.ImportOptions{Decode: decodeObject}.InPartsOf(lines))
		require.NoError(t, err)
		if want == nil {
			want, whole = b.suggested(t), summary
		}
		require.Equal(t, whole, summary, "parts of %d", lines)
		require.Equal(t, want, b.suggested(t), "parts of %d", lines)
		b.requireExact(t)
		if lines == 0 {
			continue
		}

		b = setup(t, 3)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		o := robots.ImportOptions{Decode: decodeObject, Progress: cancel}.InPartsOf(lines)
		broken, err := b.Import(ctx, strings.NewReader(file), o)
		require.ErrorIs(t, err, context.Canceled)
		require.Equal(t, int64(lines), broken.Rows, "one part is stored")
		b.requireExact(t)
		o.Progress = nil
		again, err := b.Import(t.Context(), strings.NewReader(file), o)
		require.NoError(t, err)
		require.Equal(t, whole.Stored, broken.Stored+again.Stored)
		require.Equal(t, want, b.suggested(t), "cancelled, in parts of %d", lines)
		b.requireExact(t)
	}
}
