package embedded

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

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

// dataLock excludes other Docket processes from a data directory. The kernel releases it when the process dies. The lock file
// names the holder, for the error of the next process.
type dataLock struct {
	lock  *flock.Flock
	owner string
}

// restarting is the state in the lock file while the holder starts its server again.
const restarting = "is restarting its PostgreSQL"

// lockDataDir takes the lock of the directory, or returns ErrInUse.
func lockDataDir(dir, owner string) (*dataLock, error) {
	l := &dataLock{flock.New(filepath.Join(dir, lockFile)), owner}
	switch free, err := l.lock.TryLock(); {
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("data directory %s belongs to another user: use another --data-dir: %w", dir, err)
	case err != nil:
		return nil, fmt.Errorf("lock data directory %s: %w", dir, err)
	case !free:
		holder := cmp.Or(lockHolder(dir), "another Docket process")
		if owner, found := strings.CutSuffix(holder, ", which "+restarting); found {
			return nil, fmt.Errorf("%w: %s is held by %s, which %s; try again in some seconds", ErrInUse, dir, owner, restarting)
		}
		return nil, fmt.Errorf("%w: %s is held by %s; stop that first, or use another --data-dir", ErrInUse, dir, holder)
	}
	if err := l.describe(""); err != nil {
		return nil, errors.Join(err, l.release())
	}
	return l, nil
}

// lockHolder returns what the lock file says about the holder, "" if it cannot be read.
func lockHolder(dir string) string {
	text, _ := os.ReadFile(filepath.Join(dir, lockFile))
	return strings.TrimSpace(string(text))
}

// restartHolder returns which process holds the lock of the directory while it restarts its server, "" if none does.
func restartHolder(dir string) string {
	holder, found := strings.CutSuffix(lockHolder(dir), ", which "+restarting)
	if !found {
		return ""
	}
	lock := flock.New(filepath.Join(dir, lockFile))
	if free, err := lock.TryRLock(); free || err != nil { // the holder was killed during a restart
		_ = lock.Close()
		return ""
	}
	return holder
}

// describe writes the holder, and what it is doing, into the lock file.
func (l *dataLock) describe(doing string) error {
	text := fmt.Sprintf("%s (pid %d)", l.owner, os.Getpid())
	if doing != "" {
		text += ", which " + doing
	}
	if err := os.WriteFile(l.lock.Path(), []byte(text+"\n"), 0o600); err != nil {
		return fmt.Errorf("write %s: %w", l.lock.Path(), err)
	}
	return nil
}

func (l *dataLock) release() error { return l.lock.Unlock() }

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

// clearSocket removes the socket and the lock file of it that a killed server left in the directory. PostgreSQL would refuse to
// start if the process id in the lock file is that of a live process, which may have got it by chance. The caller must hold the
// lock of the data directory, and no server of its clusters may run. A server that listens on the socket all the same, such as one
// in another container, is an error.
func clearSocket(dir string) error {
	path := filepath.Join(dir, ".s.PGSQL."+port)
	conn, err := net.DialTimeout("unix", path, time.Second)
	switch {
	case err == nil:
		_ = conn.Close()
		return fmt.Errorf("another server listens on %s: stop it, or use another --data-dir", path)
	case !errors.Is(err, syscall.ECONNREFUSED) && !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("socket of an earlier server: %w", err)
	}
	for _, name := range []string{path + ".lock", path} {
		if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove the socket of an earlier server: %w", err)
		}
	}
	return nil
}
