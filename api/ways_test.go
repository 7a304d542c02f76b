package api_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"docket/api"
	"docket/internal/auth"
	"docket/internal/csvfile"
	"docket/internal/dbtest"
	"docket/internal/imports"
	"docket/internal/postgres"
	"docket/internal/ranking"
	"docket/internal/robots"
	"docket/internal/urlform"
)

// ways sends one text to everything that takes URLs.
type ways struct {
	pool   *postgres.Pool
	rest   http.Handler
	bearer string
}

// FuzzWays compares the ways in which URLs come in: each accepts and refuses the same texts, for the same reasons, and stores the
// same rows. The seeds are texts of every reason.
func FuzzWays(f *testing.F) {
	pool := dbtest.New(f)
	w := ways{
		pool:   pool,
		rest:   api.Conforming(f, newHandler(f, pool, ranking.NewQueue(), zap.NewNop())),
		bearer: "Bearer " + tokenFor(f, 7, auth.AccessSourceCollector, auth.Robot),
	}
	for _, seed := range []string{
		"https://x.org/a?b#c", "x.org", "\ufeff HTTPS://x.org//\u200b\u00a0/ ", "x.org/a\u00ad#b c", "http://intranet", "http://[::1]:80/",
		"http://x.org/https://y.org", "x.org/,;|\t", "=x.org", `"x.org"`, "x.org/\"a", "https://münchen.example/ä",
		"", " \u200b", "#a", "https://", "x.org/\x00", "x.org/\xff", strings.Repeat("x.", 1000) + "org", "https://x.org/" + strings.Repeat("ä", 1000),
		"https://a.org/x https://b.org/y", "https://a.org#x\nhttps://b.org", "a.org;https://b.org", "[a](https://x.org)", "https://https://x.org",
		"javascript:alert(1.5)", "mailto:a@x.org", "data:text/html;base64,PHA+.", "tel:555.0100", "ftp://x.org", `C:\a\b.pdf`,
		"https:/x.org", "https:x.org", "See website. Call the clerk.", "https://x.org/a b", "https://x.org/a\r\nb", "https://x.org/\u00a0b",
		"https://x.org/a\x01", "https://x.org/a\u200bb", "https://.", "https://[::1/a", "https://x.org:a/", "localhost", "N/A", "555.0100", "sep=;",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 8000 { // the contract has a limit, a row of a file has another
			return
		}
		w.compare(t, text)
	})
}

// compare sends the text all ways, each on a database without URLs.
func (w ways) compare(t *testing.T, text string) {
	form, err := urlform.Parse(text)
	wantReason, wantRow := "", []string{fmt.Sprintf("%q %q %t", form.ID, form.SchemeText(), form.TrailingSlash)}
	if err != nil {
		wantReason, wantRow = err.Error(), []string{}
	}
	requireReason := func(way, reason string) {
		t.Helper()
		if errors.Is(err, urlform.ErrEncoding) || errors.Is(err, urlform.ErrEmpty) {
			require.NotEmpty(t, reason, "%s: %q", way, text) // the row or the body may be refused before its URL is read
			return
		}
		require.Equal(t, wantReason, reason, "%s: %q", way, text)
	}
	for _, way := range []struct {
		name string
		send func(*testing.T, string) (reason string)
	}{
		{"submit/url", w.submitURL},
		{"submit/data-source", w.submitDataSource},
		{"collector/manual", w.enterBatch},
		{"import urls", w.importURLs},
	} {
		dbtest.Exec(t, w.pool, "DELETE FROM urls")
		requireReason("suggestions", w.suggest(t, text))
		requireReason("import suggestions", w.importSuggestions(t, text))
		requireReason(way.name, way.send(t, text))
		require.Equal(t, wantRow, w.rows(t), "%s: %q", way.name, text)
		if err == nil {
			require.Equal(t, stored, w.suggest(t, text), "a robot does not find what %s stored: %q", way.name, text)
			require.Equal(t, stored, w.importSuggestions(t, text), "a robot does not find what %s stored: %q", way.name, text)
		}
	}
}

func (w ways) rows(t *testing.T) []string {
	rows := []string{}
	for _, row := range dbtest.Structs[struct {
		URL           string
		Scheme        string
		TrailingSlash bool
	}](t, w.pool, "SELECT url, coalesce(scheme, '') AS scheme, trailing_slash FROM urls") {
		rows = append(rows, fmt.Sprintf("%q %q %t", row.URL, row.Scheme, row.TrailingSlash))
	}
	return rows
}

// post sends a request and decodes the response. Invalid UTF-8 is sent as it is. The reason is empty if the status is 200.
func (w ways) post(t *testing.T, path, body, text string, response any) (reason string) {
	quoted, err := json.Marshal(text)
	require.NoError(t, err)
	if !utf8.ValidString(text) {
		quoted = []byte(`"` + text + `"`)
	}
	req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, strings.NewReader(fmt.Sprintf(body, quoted)))
	req.Header.Set("Authorization", w.bearer)
	req.Header.Set("Content-Type", "application/json")
	recorder := httptest.NewRecorder()
	w.rest.ServeHTTP(recorder, req)
	require.Less(t, recorder.Code, 500, recorder.Body)
	if recorder.Code != http.StatusOK {
		var problem api.Problem
		require.NoError(t, json.Unmarshal(recorder.Body.Bytes(), &problem))
		require.NotEmpty(t, *problem.Errors)
		return strings.TrimPrefix((*problem.Errors)[0].Msg, "Value error, ")
	}
	require.NoError(t, json.Unmarshal(recorder.Body.Bytes(), response))
	return ""
}

func (w ways) submitURL(t *testing.T, text string) (reason string) {
	var response api.URLSubmissionResponse
	reason = w.post(t, "/submit/url", `{"url": %s}`, text, &response)
	if response.Status == api.Invalid {
		return *response.Reason
	}
	return reason
}

func (w ways) submitDataSource(t *testing.T, text string) (reason string) {
	var response api.URLIDResponse
	return w.post(t, "/submit/data-source", `{"source_url": %s, "name": "n", "record_type": "Stops"}`, text, &response)
}

func (w ways) enterBatch(t *testing.T, text string) (reason string) {
	var response api.ManualBatchResponse
	reason = w.post(t, "/collector/manual", `{"name": "n", "entries": [{"url": %s}]}`, text, &response)
	if len(response.InvalidUrls) > 0 {
		return response.InvalidUrls[0].Reason
	}
	return reason
}

// file returns a CSV file with one row.
func file(t *testing.T, rows ...[]string) *bytes.Buffer {
	var text bytes.Buffer
	require.NoError(t, csv.NewWriter(&text).WriteAll(rows))
	return &text
}

func (w ways) importURLs(t *testing.T, text string) (reason string) {
	summary, err := imports.URLs(t.Context(), w.pool, file(t, []string{"url", "name"}, []string{text, "n"}), imports.URLOptions{Batch: "b"})
	require.NoError(t, err)
	return firstReason(summary.Rejections)
}

func firstReason(rejections csvfile.Problems) string {
	if len(rejections.First) == 0 {
		return ""
	}
	return rejections.First[0].Reason
}

// stored is the result of a suggestion about a URL that exists. Without one, the reason is empty if the URL could be stored.
const stored = "stored"

func (w ways) suggest(t *testing.T, text string) (reason string) {
	var response api.RobotSuggestionsResponse
	reason = w.post(t, "/suggestions", `{"suggestions": [{"url": %s, "attribute": "relevant", "value": true}]}`, text, &response)
	switch {
	case reason != "":
		return reason
	case len(response.Rejected) == 0:
		return stored
	}
	return robotsReason(response.Rejected[0].Detail)
}

func (w ways) importSuggestions(t *testing.T, text string) (reason string) {
	summary, err := robots.New(w.pool).Import(t.Context(),
		file(t, []string{"url", "attribute", "value"}, []string{text, "relevant", "true"}), robots.ImportOptions{})
	require.NoError(t, err)
	if summary.Rejected == 0 {
		return stored
	}
	return robotsReason(firstReason(summary.Rejections))
}

func robotsReason(detail string) string {
	if strings.HasSuffix(detail, "does not exist") {
		return ""
	}
	const refusal = "is not accepted: "
	if at := strings.LastIndex(detail, refusal); at >= 0 {
		return detail[at+len(refusal):]
	}
	return detail
}
