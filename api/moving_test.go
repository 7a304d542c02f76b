package api_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestMovingNamesConversations shows that each conversation that docs/moving-from-the-reference.md names exists. The test of all
// pages does the same for the tests in Go.
func TestMovingNamesConversations(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/moving-from-the-reference.md")
	require.NoError(t, err)
	_, table, found := strings.Cut(string(page), "\n## Decisions and their tests\n")
	require.True(t, found)
	conversations := regexp.MustCompile("`([a-z]+/[a-z_]+)`").FindAllStringSubmatch(table, -1)
	require.NotEmpty(t, conversations)
	for _, name := range conversations {
		require.FileExists(t, filepath.Join("testdata", name[1]+".txtar"))
	}
}
