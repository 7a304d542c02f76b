package schema_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"docket/internal/schema"
)

var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.FixedZone("two hours east", 7200))

func listed(t *testing.T, dir string) []string {
	t.Helper()
	var names []string
	for name := range loaded(t, dir) {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func TestAdd(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	draft := schema.Draft{Name: "c", Up: "CREATE TABLE c ();", Down: "DROP TABLE c;"}
	for _, want := range [][]string{ // into an empty directory, immediately again, and when the clock is behind
		{"20260304100000_c.sql"}, {"20260304100001_c.sql", "20260304100002_c.sql"}, {"20260304100003_c.sql"},
	} {
		drafts := make([]schema.Draft, len(want))
		for i := range drafts {
			drafts[i] = draft
		}
		written, err := schema.Add(dir, advice, noon.Add(-time.Duration(len(want)-1)*time.Hour), drafts...)
		require.NoError(t, err)
		var paths []string
		for _, name := range want {
			paths = append(paths, filepath.Join(dir, name), filepath.Join(dir, "down", name))
		}
		require.Equal(t, paths, written)
		require.NoError(t, schema.Validate(os.DirFS(dir), advice))
	}
	content, err := os.ReadFile(filepath.Join(dir, "down", "20260304100003_c.sql"))
	require.NoError(t, err)
	require.Equal(t, "DROP TABLE c;", string(content))
}

func TestAddContinuesAfterTheLastSecondOfADay(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, map[string]string{"20991231235959_a.sql": "SELECT 1;"})
	require.NoError(t, schema.Hash(dir, advice))
	_, err := schema.Add(dir, advice, noon, schema.Draft{Name: "b"})
	require.NoError(t, err)
	require.Contains(t, listed(t, dir), "21000101000000_b.sql")

	write(t, dir, map[string]string{"29999999999998_a.sql": "SELECT 1;"}) // fourteen digits, but not a date
	require.NoError(t, schema.Hash(dir, advice))
	_, err = schema.Add(dir, advice, noon, schema.Draft{Name: "b"})
	require.NoError(t, err)
	require.Contains(t, listed(t, dir), "29999999999999_b.sql")
}

// A refused file must not be written, and the checksums must not change.
func TestAddRefuses(t *testing.T) {
	t.Parallel()
	good := schema.Draft{Name: "c", Up: "SELECT 1;", Down: "SELECT 1;"}
	tests := map[string]struct {
		spoil  map[string]string
		drafts []schema.Draft
		want   string
	}{
		"name":      {nil, []schema.Draft{{Name: "Add URLs"}}, "lower-case"},
		"edited":    {map[string]string{fileA: "SELECT 2;"}, []schema.Draft{good}, "was edited"},
		"bad draft": {nil, []schema.Draft{good, {Name: "d", Up: "COMMIT;", Down: "SELECT 1;"}}, `remove "COMMIT;"`},
		"bad down":  {nil, []schema.Draft{{Name: "d", Up: "SELECT 1;", Down: "SELECT (1;"}}, "unclosed '('"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			write(t, dir, aAndB)
			require.NoError(t, schema.Hash(dir, advice))
			write(t, dir, test.spoil)
			before := loaded(t, dir)
			_, err := schema.Add(dir, advice, noon, test.drafts...)
			require.ErrorContains(t, err, test.want)
			require.Equal(t, before, loaded(t, dir))
		})
	}
}

// Two branches each added a migration: after the merge the order of the files and the checksums are wrong.
func TestRebase(t *testing.T) {
	t.Parallel()
	const other = "20260102000000_other.sql"
	dir := t.TempDir()
	write(t, dir, aAndB)
	write(t, dir, map[string]string{
		other: "CREATE TABLE other ();", "down/" + other: "DROP TABLE other;",
		"atlas.sum": "<<<<<<< HEAD\n", "down/atlas.sum": "=======\n",
	})
	_, err := schema.Rebase(dir, advice, noon, "20260102000000")
	require.ErrorContains(t, err, "name the one to be moved: 20260102000000_b.sql or 20260102000000_other.sql")
	_, err = schema.Rebase(dir, advice, noon, "20270101000000")
	require.ErrorContains(t, err, "no migration is called")
	_, err = schema.Rebase(dir, advice, noon, "20260101000000", fileA)
	require.ErrorContains(t, err, "named twice")

	renamed, err := schema.Rebase(dir, advice, noon, other, "20260101000000")
	require.NoError(t, err)
	require.Equal(t, []string{"20260304100000_other.sql", "20260304100001_a.sql"}, renamed)
	require.Equal(t, []string{
		fileB, renamed[0], renamed[1], "atlas.sum", "down/" + fileB, "down/" + renamed[0], "down/" + renamed[1], "down/atlas.sum",
	}, listed(t, dir))
	require.NoError(t, schema.Validate(os.DirFS(dir), advice))
}

func TestRebaseWithoutADownFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, map[string]string{fileA: "SELECT 1;", fileB: "SELECT 2;"})
	_, err := schema.Rebase(dir, advice, noon, fileA)
	require.NoError(t, err)
	require.Equal(t, []string{fileB, "20260304100000_a.sql", "atlas.sum"}, listed(t, dir))
}
