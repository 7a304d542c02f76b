package dbtest

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var statementHead = regexp.MustCompile(`(?m)^-- name: (\w+) :\w+\n(--.*\n)*`)

// Statements returns the statements of a file of sql/queries by name, without the comments above them. Only tests of packages
// directly in internal may call it.
func Statements(t testing.TB, file string) map[string]string {
	t.Helper()
	text, err := os.ReadFile("../../sql/queries/" + file + ".sql")
	require.NoError(t, err)
	statements := map[string]string{}
	heads := statementHead.FindAllStringSubmatchIndex(string(text), -1)
	require.NotEmpty(t, heads)
	for i, head := range heads {
		end := len(text)
		if i+1 < len(heads) {
			end = heads[i+1][0]
		}
		statements[string(text[head[2]:head[3]])] = strings.TrimSpace(string(text[head[1]:end]))
	}
	return statements
}
