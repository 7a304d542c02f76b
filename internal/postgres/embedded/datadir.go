package embedded

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/gofrs/flock"
)

// The names in a data directory. An ephemeral server has a cluster of its own, so that no mistake in the
// configuration can turn off the durability of a durable cluster, or remove its data.
const (
	clusterDir   = "postgres"
	ephemeralDir = "ephemeral"
	socketDir    = "run"
	lockFile     = "docket.lock"
	logFile      = "postgres.log"
)

// ErrInUse is returned by Start when another process runs or starts a server in the data directory.
var ErrInUse = errors.New("data directory is in use")

// prepareDataDir creates dir if necessary and gives the account, and no other user, permission to search it.
func prepareDataDir(dir string, acct *account) error {
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return fmt.Errorf("make data directory: %w", err)
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("make data directory: %w", err)
	}
	info, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	if !info.IsDir() {
		return fmt.Errorf("data directory %s is not a directory; use another --data-dir", dir)
	}
	if acct == nil {
		return nil
	}
	if blocked := acct.blockedAt(dir); blocked != "" {
		return fmt.Errorf("PostgreSQL does not run as root. It would run as %s, but that user may not search %s, a parent of %s: "+
			"use another --data-dir, such as /var/lib/docket, or start Docket as an ordinary user", acct.name, blocked, dir)
	}
	if owner := ownerOf(info); owner.uid == acct.uid {
		return nil
	}
	// The server only needs search permission, through the group. The directory, the lock and all other files of
	// Docket's still belong to root.
	if err := os.Chown(dir, -1, acct.gid); err != nil {
		return fmt.Errorf("let %s search the data directory: %w", acct.name, err)
	}
	if err := os.Chmod(dir, info.Mode().Perm()|0o010); err != nil {
		return fmt.Errorf("let %s search the data directory: %w", acct.name, err)
	}
	return nil
}

// lockDataDir excludes other Docket processes from the directory until the lock is released. The kernel releases it
// when the process dies. The lock file names the holder, for the error of the next process.
func lockDataDir(dir, owner string) (*flock.Flock, error) {
	path := filepath.Join(dir, lockFile)
	lock := flock.New(path)
	switch free, err := lock.TryLock(); {
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("data directory %s belongs to another user: use another --data-dir: %w", dir, err)
	case err != nil:
		return nil, fmt.Errorf("lock data directory %s: %w", dir, err)
	case !free:
		text, _ := os.ReadFile(path) // without it the error only lacks the name
		holder := strings.TrimSpace(string(text))
		if holder == "" {
			holder = "another Docket process"
		}
		return nil, fmt.Errorf("%w: %s is held by %s; stop that first, or use another --data-dir", ErrInUse, dir, holder)
	}
	if err := os.WriteFile(path, fmt.Appendf(nil, "%s (pid %d)\n", owner, os.Getpid()), 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("write %s: %w", path, err), lock.Unlock())
	}
	return lock, nil
}

// maxSocketDir is the longest directory whose socket fits into sockaddr_un, which has 104 bytes on macOS and more on
// Linux.
const maxSocketDir = 104 - len("/.s.PGSQL.5432\x00")

// fitsSocket reports whether a socket in the directory can be created, and named in a connection string, where a
// comma separates hosts.
func fitsSocket(dir string) bool { return len(dir) <= maxSocketDir && !strings.Contains(dir, ",") }

// makeSocketDir creates the private directory for the server's socket and returns it. The directory is in the data
// directory, or in the system's temporary directory when a socket cannot have the first path.
//
// The server has no TCP port and requires no password: the directory's permissions are the only access control. Only
// root and the server's user, who can read the data files anyway, can search it.
func makeSocketDir(dataDir string, acct *account) (string, error) {
	dir := filepath.Join(dataDir, socketDir)
	if !fitsSocket(dir) {
		dir = filepath.Join(os.TempDir(), "docket-"+shortHash(dataDir))
		if !fitsSocket(dir) || acct.blockedAt(dir) != "" {
			return "", fmt.Errorf("the server's socket cannot be in %s, whose name is longer than %d bytes or has a comma, nor in %s: "+
				"use a --data-dir with a shorter name and without a comma",
				dataDir, maxSocketDir-len("/"+socketDir), os.TempDir())
		}
	}
	err := os.Mkdir(dir, 0o700)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return "", fmt.Errorf("make socket directory: %w", err)
	}
	// In the temporary directory another user may have created it first.
	info, err := os.Lstat(dir)
	if err != nil {
		return "", fmt.Errorf("socket directory: %w", err)
	}
	uid := int(info.Sys().(*syscall.Stat_t).Uid)
	ours := uid == os.Geteuid() || acct != nil && uid == acct.uid
	if !info.IsDir() || !ours {
		return "", fmt.Errorf("socket directory %s belongs to another user or is not a directory: "+
			"remove it, or use another --data-dir", dir)
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		return "", fmt.Errorf("socket directory: %w", err)
	}
	if err := acct.own(dir); err != nil {
		return "", fmt.Errorf("socket directory: %w", err)
	}
	return dir, nil
}
