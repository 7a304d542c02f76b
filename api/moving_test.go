package api_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestMovingNamesTests shows that what docs/moving-from-the-reference.md says is shown by tests has these tests.
func TestMovingNamesTests(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/moving-from-the-reference.md")
	require.NoError(t, err)
	_, table, found := strings.Cut(string(page), "\n## Decisions and their tests\n")
	require.True(t, found)
	conversations := regexp.MustCompile("`([a-z]+/[a-z_]+)`").FindAllStringSubmatch(table, -1)
	tests := regexp.MustCompile("`(Test[A-Za-z]+)`").FindAllStringSubmatch(table, -1)
	require.NotEmpty(t, conversations)
	require.NotEmpty(t, tests)

	for _, name := range conversations {
		require.FileExists(t, filepath.Join("testdata", name[1]+".txtar"))
	}
	var sources strings.Builder
	for _, pattern := range []string{"*_test.go", "../internal/*/*_test.go"} {
		files, err := filepath.Glob(pattern)
		require.NoError(t, err)
		require.NotEmpty(t, files)
		for _, file := range files {
			data, err := os.ReadFile(file)
			require.NoError(t, err)
			sources.Write(data)
		}
	}
	for _, name := range tests {
		require.Contains(t, sources.String(), "func "+name[1]+"(t *testing.T)")
	}
}
