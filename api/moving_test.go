package api_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var (
	conversationName = regexp.MustCompile("`([a-z]+/[a-z_]+)`")
	shownBy          = regexp.MustCompile("^(`([a-z]+/[a-z_]+|Test[A-Za-z]+)`(, |$))+$")
)

// TestMovingNamesConversations shows that each row of two tables of docs/moving-from-the-reference.md names what shows it, and that the
// conversations that the page names exist. The test of all pages does the same for the tests in Go.
func TestMovingNamesConversations(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/moving-from-the-reference.md")
	require.NoError(t, err)
	for title, columns := range map[string]int{"The two states side by side": 5, "Decisions and their tests": 4} {
		_, text, found := strings.Cut(string(page), "\n## "+title+"\n")
		require.True(t, found, title)
		_, table, found := strings.Cut(text, " |\n| --- |")
		require.True(t, found, title)
		table, _, _ = strings.Cut(table, "\n\n")
		rows := strings.Split(strings.TrimSpace(table), "\n")[1:] // the first is the rest of the line below the titles
		require.Greater(t, len(rows), 20, title)
		for _, row := range rows {
			cells := strings.Split(strings.TrimSuffix(strings.TrimPrefix(row, "| "), "|"), " | ")
			require.Len(t, cells, columns, row)
			require.Regexp(t, shownBy, strings.TrimSpace(cells[columns-1]), row)
		}
	}
	for _, name := range conversationName.FindAllStringSubmatch(string(page), -1) {
		if mediaType := strings.HasPrefix(name[1], "application/") || strings.HasPrefix(name[1], "text/"); !mediaType {
			require.FileExists(t, filepath.Join("testdata", name[1]+".txtar"))
		}
	}
}
