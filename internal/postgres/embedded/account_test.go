package embedded

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestReachable(t *testing.T) {
	t.Parallel()
	open := newDir(t)
	private := filepath.Join(open, "private")
	require.NoError(t, os.Mkdir(private, 0o700))
	require.NoError(t, os.Symlink(private, filepath.Join(open, "link")))
	root := os.Geteuid() == 0
	for dir, want := range map[string]bool{
		open:                                   true,
		filepath.Join(open, "not", "yet"):      true,
		private:                                true, // Start itself lets the server search the data directory
		filepath.Join(private, "data"):         !root,
		filepath.Join(private, "not", "yet"):   !root,
		filepath.Join(open, "link", "not-yet"): !root,
	} {
		require.Equal(t, want, Reachable(dir), dir)
	}
}

func TestErrorNamesTheUnreachableDirectory(t *testing.T) {
	t.Parallel()
	private := filepath.Join(newDir(t), "private")
	require.NoError(t, os.Mkdir(private, 0o700))
	acct := &account{uid: os.Geteuid() + 12345, gid: os.Getegid() + 12345, name: "someone"}
	err := prepareDataDir(filepath.Join(private, "data"), acct)
	require.ErrorContains(t, err, "It would run as someone, but that user may not search "+private+", a parent of ")
	require.ErrorContains(t, err, "use another --data-dir")
}

func TestServerAccountIsTheOwnerOfTheData(t *testing.T) {
	t.Parallel()
	dir := newDir(t)
	if os.Geteuid() != 0 {
		acct, err := serverAccount(dir)
		require.NoError(t, err)
		require.Nil(t, acct, "the server runs as the current user")
		return
	}
	acct, err := serverAccount(filepath.Join(dir, "missing"), dir)
	require.NoError(t, err)
	require.Contains(t, []string{"postgres", "nobody"}, acct.name)
	require.NoError(t, os.Chown(dir, 4242, 4343))
	acct, err = serverAccount(filepath.Join(dir, "missing"), dir)
	require.NoError(t, err)
	require.Equal(t, 4242, acct.uid)
	require.Equal(t, 4343, acct.gid)
}

func TestMaySearch(t *testing.T) {
	t.Parallel()
	dir := newDir(t)
	owner := account{uid: os.Geteuid(), gid: os.Getegid()}
	group := account{uid: os.Geteuid() + 1, gid: os.Getegid()}
	other := account{uid: os.Geteuid() + 1, gid: os.Getegid() + 1}
	for _, tt := range []struct {
		mode os.FileMode
		want account
	}{{0o100, owner}, {0o010, group}, {0o001, other}} {
		require.NoError(t, os.Chmod(dir, tt.mode))
		info, err := os.Stat(dir)
		require.NoError(t, err)
		for _, acct := range []account{owner, group, other} {
			require.Equal(t, acct == tt.want, acct.maySearch(info), "mode %o, %+v", tt.mode, acct)
		}
	}
	require.NoError(t, os.Chmod(dir, 0o700))
}

func TestSocketDirThatIsASymlinkIsRefused(t *testing.T) {
	t.Parallel()
	dir := newDir(t)
	elsewhere := filepath.Join(dir, "elsewhere")
	require.NoError(t, os.Mkdir(elsewhere, 0o700))
	require.NoError(t, os.Symlink(elsewhere, filepath.Join(dir, socketDir)))
	_, err := makeSocketDir(dir, nil)
	require.ErrorContains(t, err, "belongs to another user or is not a directory")
}

func TestLargeLogIsRenamed(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), logFile)
	for _, text := range []string{"first", strings.Repeat("x", maxLog), "last"} {
		file, err := openLog(path)
		require.NoError(t, err)
		_, err = file.WriteString(text)
		require.NoError(t, err)
		require.NoError(t, file.Close())
	}
	require.Equal(t, "last", tail(path, 0))
	renamed, err := os.Stat(path + ".1")
	require.NoError(t, err)
	require.Equal(t, int64(len("first")+maxLog), renamed.Size(), "small logs are appended to")
}

func TestTail(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), logFile)
	lines := strings.Repeat("earlier start\n", 3) + strings.Repeat("line\n", 30) + "end\n"
	require.NoError(t, os.WriteFile(path, []byte(lines), 0o600))
	require.Equal(t, strings.Repeat("line\n", 19)+"end", tail(path, 42))
	require.Equal(t, "line\nend", tail(path, int64(len(lines)-len("line\nend\n"))))
}
