package convert

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestEach(t *testing.T) {
	t.Parallel()
	require.Equal(t, []string{"3", "1", "2"}, Each([]int{3, 1, 2}, strconv.Itoa))
	require.Equal(t, []string{}, Each(nil, strconv.Itoa), "an empty JSON array, not null")
}
