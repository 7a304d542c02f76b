package page

import (
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestOffset(t *testing.T) {
	t.Parallel()
	require.Equal(t, int64(0), Offset(1, Size))
	require.Equal(t, int64(200), Offset(3, Size))
	require.Equal(t, int64(20), Offset(3, SearchSize))
	require.Equal(t, int64(math.MaxInt32-1)*Size, Offset(math.MaxInt32, Size), "without overflow")
}

func TestSizesOfStatements(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../sql/queries/*.sql")
	require.NoError(t, err)
	paged := regexp.MustCompile(`LIMIT (\S+) OFFSET @skip`)
	statements := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		size := strconv.Itoa(Size)
		if filepath.Base(file) == "search.sql" {
			size = strconv.Itoa(SearchSize)
		}
		for _, match := range paged.FindAllStringSubmatch(string(text), -1) {
			if match[1] == "1" { // one URL after those to skip, not a page
				continue
			}
			statements++
			if limit := match[1]; limit != size && limit != "@page_size::bigint" {
				t.Errorf("%s: a page has %s rows, not %s", file, limit, size)
			}
		}
	}
	require.Greater(t, statements, 5, "too few paged statements were found")
}
