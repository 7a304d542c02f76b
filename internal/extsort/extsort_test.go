package extsort

import (
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// Whatever fits into memory, the records come back sorted, and no file stays.
func TestSorted(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	rapid.Check(t, func(t *rapid.T) {
		records := rapid.SliceOfN(rapid.StringN(0, 20, -1), 0, 200).Draw(t, "records")
		s := New(rapid.IntRange(1, 3000).Draw(t, "memory"))
		for _, record := range records {
			require.NoError(t, s.Add([]byte(record)))
		}
		var sorted []string
		for record, err := range s.Sorted() {
			require.NoError(t, err)
			sorted = append(sorted, string(record))
		}
		require.NoError(t, s.Close())
		slices.Sort(records)
		require.Equal(t, len(records), len(sorted))
		require.True(t, slices.Equal(records, sorted))
	})
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, left)
}

func TestAddFails(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir()+"/missing")
	s := New(1)
	require.ErrorIs(t, s.Add([]byte("x")), os.ErrNotExist)
	require.NoError(t, s.Close())
}
