package unknown_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"docket/internal/unknown"
)

func TestText(t *testing.T) {
	t.Parallel()
	require.EqualError(t, &unknown.Error{Kind: unknown.Agency}, "agency not found")
	require.EqualError(t, unknown.New(unknown.URL, 7), "URL not found: 7")
	require.EqualError(t, unknown.New(unknown.Location, int64(17), 18), "location not found: 17, 18")
	twenty := slices.Repeat([]int32{1}, 20)
	require.EqualError(t, unknown.New(unknown.Agency, twenty...),
		"agency not found: 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1")
	require.EqualError(t, unknown.New(unknown.Agency, append(twenty, 2, 3)...),
		"agency not found: 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1 and 2 more")
}
