package main

import (
	"bytes"
	"compress/gzip"
	"os"
	"path/filepath"
	"testing"
	"unicode/utf16"

	"github.com/stretchr/testify/require"

	"docket/internal/dbtest"
)

// TestImportFiles imports the same table as different programs write it, and files that are no table.
func TestImportFiles(t *testing.T) {
	t.Parallel()
	url := dbtest.Empty(t)
	succeed(t, "migrate", "apply", "--database-url", url)
	write := func(name, text string) string {
		name = filepath.Join(t.TempDir(), name)
		require.NoError(t, os.WriteFile(name, []byte(text), 0o600))
		return name
	}
	urls := func(file string, flags ...string) (status int, stdout, stderr string) {
		return docket(t, append([]string{"import", "urls", file, "--database-url", url}, flags...)...)
	}
	wide := func(text string) string {
		var b bytes.Buffer
		for _, unit := range utf16.Encode([]rune(text)) {
			b.Write([]byte{byte(unit), byte(unit >> 8)})
		}
		return b.String()
	}
	packed := func(text string) string {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		_, err := w.Write([]byte(text))
		require.NoError(t, err)
		require.NoError(t, w.Close())
		return b.String()
	}

	succeed(t, "import", "urls", write("list.csv", "url\nx.org/a\n"), "--database-url", url)
	for name, text := range map[string]string{
		"UTF-16":         wide("url,name\r\nx.org/a,A\r\n"),
		"mark":           wide("\ufeffurl\tname\r\nx.org/a\tA\r\n"),
		"two marks":      "\ufeff\ufeffurl,name\nx.org/a,A\n",
		"CR":             "url,name\rx.org/a,A\r",
		"semicolons":     "url;name\nx.org/a;A\n",
		"separator line": "sep=,\nurl,name\nx.org/a,A\n",
		"gzip":           packed("url,name\nx.org/a,A\n"),
		"rows of commas": "url,name\nx.org/a,A\n,\n,\n",
	} {
		status, stdout, stderr := urls(write("file.csv", text), "--strict")
		require.Zero(t, status, "%s: %s", name, stderr)
		require.Regexp(t, `(?m)^ +1 +rows\n +0 +created\n +1 +duplicate\n +0 +rejected\n`, stdout, name)
	}

	status, stdout, _ := urls(write("nul.csv", "url,name\n,\nx.org/a,A\x00B\nx.org/a,A\n"))
	require.Equal(t, exitRejected, status)
	require.Contains(t, stdout, `line 3: the row has a NUL character (U+0000), which cannot be stored; delete it: "x.org/a,A<U+0000>B`)
	for text, says := range map[string]string{
		"PK\x03\x04":                  "looks like an Excel workbook (.xlsx) or a ZIP archive; save the table as CSV (UTF-8) and import that",
		packed("url\nx.org/b\n")[:30]: "it is packed with gzip and its end is missing; copy or download it again",
		"link;name\nx.org/b;B\n":      `the column "url" is missing; expected: the column url; found: link;name`,
	} {
		status, _, stderr := urls(write("file.csv", text))
		require.Equal(t, exitFailure, status)
		require.Contains(t, stderr, says)
	}

	// The name of the batch and the format are those of the file inside.
	succeed(t, "import", "urls", write("county pages.csv.GZ", packed("url\nx.org/c\n")), "--database-url", url)
	require.Equal(t, []string{"list", "county pages"}, dbtest.List(t, dbtest.Connect(t, url),
		"SELECT parameters ->> 'name' FROM batches ORDER BY id"))
	suggestions := `{"url": "x.org/c", "attribute": "name", "value": "C"}` + "\r"
	for name, text := range map[string]string{
		"s.jsonl.gz": packed(suggestions), "s.jsonl": wide(suggestions), "s.csv.gz": packed(wide("url;attribute;value\rx.org/c;name;C\r;;")),
	} {
		require.Regexp(t, `(?m)^ +1 +rows\n`, succeed(t, "import", "suggestions", write(name, text), "--database-url", url), name)
	}
}
