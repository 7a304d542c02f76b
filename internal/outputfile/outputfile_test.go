package outputfile_test

import (
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"docket/internal/outputfile"
)

// An output replaces a regular file or the target of a link, and writes directly to a device.
func TestOutput(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name string) {
		out, err := outputfile.Open(name, io.Discard)
		require.NoError(t, err)
		_, err = io.WriteString(out, "new")
		require.NoError(t, err)
		require.NoError(t, out.Finish())
		require.NoError(t, out.Abandon(), "abandon after finish does nothing")
	}
	file, link := filepath.Join(dir, "file"), filepath.Join(dir, "link")
	require.NoError(t, os.WriteFile(file, []byte("old, and longer"), 0o644))
	require.NoError(t, os.Symlink("file", link))
	write(link)
	info, err := os.Lstat(link)
	require.NoError(t, err)
	require.NotZero(t, info.Mode()&os.ModeSymlink, "a link is kept")
	for _, name := range []string{file, filepath.Join(dir, "another")} {
		write(name)
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		require.Equal(t, "new", string(text))
	}
	write(os.DevNull)
	info, err = os.Stat(os.DevNull)
	require.NoError(t, err)
	require.NotZero(t, info.Mode()&os.ModeDevice)
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 3)
}

func TestDirectory(t *testing.T) {
	t.Parallel()
	_, err := outputfile.Open(t.TempDir(), io.Discard)
	require.ErrorIs(t, err, outputfile.ErrDirectory)
}
