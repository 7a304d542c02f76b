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

// What stands in a data directory. A server without durability has a cluster of its own, so that no mistake in
// the configuration can take the durability, or the data, from a real one.
const (
	clusterDir   = "postgres"
	ephemeralDir = "ephemeral"
	socketDir    = "run"
	lockFile     = "docket.lock"
	logFile      = "postgres.log"
)

// ErrInUse is returned by StartServer when another process has a server in the data directory, or is about to.
var ErrInUse = errors.New("data directory is in use")

// prepareDataDir makes dir if need be and lets the account through it, and nobody else.
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
		return fmt.Errorf("PostgreSQL does not run as root, and %s, as whom it would run, cannot enter %s on the way to %s: "+
			"use a --data-dir elsewhere, such as /var/lib/docket, or start Docket as an ordinary user", acct.name, blocked, dir)
	}
	if owner := ownerOf(info); owner.uid == acct.uid {
		return nil
	}
	// Search permission through the group is all the server needs: the directory, the lock and whatever else
	// Docket keeps there stay root's.
	if err := os.Chown(dir, -1, acct.gid); err != nil {
		return fmt.Errorf("let %s into the data directory: %w", acct.name, err)
	}
	if err := os.Chmod(dir, info.Mode().Perm()|0o010); err != nil {
		return fmt.Errorf("let %s into the data directory: %w", acct.name, err)
	}
	return nil
}

// holdDataDir keeps other Docket processes out until the lock is released, which the kernel does for a process
// that dies. The file names the holder, for the message to whoever comes second.
func holdDataDir(dir, owner string) (*flock.Flock, error) {
	path := filepath.Join(dir, lockFile)
	lock := flock.New(path)
	switch free, err := lock.TryLock(); {
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("data directory %s belongs to another user: use another --data-dir: %w", dir, err)
	case err != nil:
		return nil, fmt.Errorf("lock data directory %s: %w", dir, err)
	case !free:
		holder, _ := os.ReadFile(path) // the refusal stands without the name
		who := strings.TrimSpace(string(holder))
		if who == "" {
			who = "another Docket"
		}
		return nil, fmt.Errorf("%w: %s is held by %s; stop that first, or use another --data-dir", ErrInUse, dir, who)
	}
	if err := os.WriteFile(path, fmt.Appendf(nil, "%s (pid %d)\n", owner, os.Getpid()), 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("write %s: %w", path, err), lock.Unlock())
	}
	return lock, nil
}

// maxSocketDir keeps the path of the socket within sockaddr_un, whose smallest size among our systems is 104.
const maxSocketDir = 104 - len("/.s.PGSQL.5432\x00")

// fitsSocket reports whether the directory can be named in a connection string: a comma separates hosts there.
func fitsSocket(dir string) bool { return len(dir) <= maxSocketDir && !strings.Contains(dir, ",") }

// makeSocketDir returns the private directory for the server's socket: below the data directory, or in the
// system's temporary directory when that path does not do for a socket.
//
// The server has no TCP port and asks for no password; this directory is the whole access control. Only the
// server's own user, who can read the data files anyway, and root can enter it.
func makeSocketDir(dataDir string, acct *account) (string, error) {
	dir := filepath.Join(dataDir, socketDir)
	if !fitsSocket(dir) {
		dir = filepath.Join(os.TempDir(), "docket-"+shortHash(dataDir))
		if !fitsSocket(dir) || acct.blockedAt(dir) != "" {
			return "", fmt.Errorf("no place for the server's socket: the name of %s is over %d bytes or has a comma, and %s does not do instead; "+
				"use a --data-dir with a shorter name", dataDir, maxSocketDir-len("/"+socketDir), os.TempDir())
		}
	}
	err := os.Mkdir(dir, 0o700)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return "", fmt.Errorf("make socket directory: %w", err)
	}
	// In a temporary directory a stranger may have been first.
	info, err := os.Lstat(dir)
	if err != nil {
		return "", fmt.Errorf("socket directory: %w", err)
	}
	uid := int(info.Sys().(*syscall.Stat_t).Uid)
	ours := uid == os.Geteuid() || acct != nil && uid == acct.uid
	if !info.IsDir() || !ours {
		return "", fmt.Errorf("socket directory %s is somebody else's: remove it, or use another --data-dir", dir)
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		return "", fmt.Errorf("socket directory: %w", err)
	}
	if err := acct.own(dir); err != nil {
		return "", fmt.Errorf("socket directory: %w", err)
	}
	return dir, nil
}
