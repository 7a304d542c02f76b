package embedded

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// account is the operating-system user the server runs as. PostgreSQL refuses to run as root, so root hands it
// to somebody else; nil means the current user.
type account struct {
	uid, gid int
	name     string
}

// serverAccount picks the account for a data directory: whoever owns one of the paths already, else the system
// user postgres, else nobody.
func serverAccount(paths ...string) (*account, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			continue
		}
		if owner := ownerOf(info); owner.uid != 0 {
			return &owner, nil
		}
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err := strconv.Atoi(u.Uid)
		if err != nil {
			return nil, fmt.Errorf("user %s: %w", name, err)
		}
		gid, err := strconv.Atoi(u.Gid)
		if err != nil {
			return nil, fmt.Errorf("group of user %s: %w", name, err)
		}
		return &account{uid: uid, gid: gid, name: name}, nil
	}
	return nil, errors.New("PostgreSQL does not run as root, and this system has neither a user postgres nor nobody: " +
		"create one, or start Docket as an ordinary user")
}

func ownerOf(info fs.FileInfo) account {
	stat := info.Sys().(*syscall.Stat_t)
	a := account{uid: int(stat.Uid), gid: int(stat.Gid), name: fmt.Sprintf("user %d", stat.Uid)}
	if u, err := user.LookupId(strconv.Itoa(a.uid)); err == nil {
		a.name = u.Username
	}
	return a
}

// credential makes a child process run as the account.
func (a *account) credential() *syscall.Credential {
	if a == nil {
		return nil
	}
	return &syscall.Credential{Uid: uint32(a.uid), Gid: uint32(a.gid)}
}

// own gives path to the account.
func (a *account) own(path string) error {
	if a == nil {
		return nil
	}
	return os.Lchown(path, a.uid, a.gid)
}

// ownTree gives everything under path to the account.
func (a *account) ownTree(path string) error {
	if a == nil {
		return nil
	}
	return filepath.WalkDir(path, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return a.own(path)
	})
}

// blockedAt returns the first directory on the way to path, path itself excluded, that the account cannot
// search; "" when the way is free. Missing directories block nothing: whoever makes them decides.
func (a *account) blockedAt(path string) string {
	if a == nil {
		return ""
	}
	var ways []string
	for dir := filepath.Dir(path); ; dir = filepath.Dir(dir) {
		ways = append(ways, dir)
		if dir == filepath.Dir(dir) {
			break
		}
	}
	for i := len(ways) - 1; i >= 0; i-- {
		info, err := os.Stat(ways[i])
		if err == nil && !a.maySearch(info) {
			return ways[i]
		}
	}
	return ""
}

func (a *account) maySearch(dir fs.FileInfo) bool {
	owner := ownerOf(dir)
	switch {
	case owner.uid == a.uid:
		return dir.Mode()&0o100 != 0
	case owner.gid == a.gid:
		return dir.Mode()&0o010 != 0
	default:
		return dir.Mode()&0o001 != 0
	}
}

// Reachable reports whether an embedded server could work in dir, as far as directory permissions tell. It is
// false only for root, whose server runs as another user, and a dir that lies below a private directory such as
// /root.
func Reachable(dir string) bool {
	dir, err := realPath(dir)
	if err != nil {
		return false
	}
	acct, err := serverAccount(filepath.Join(dir, clusterDir), dir)
	return err == nil && acct.blockedAt(dir) == ""
}

// realPath returns the absolute path without symlinks; the last parts of it need not exist.
func realPath(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	real, err := filepath.EvalSymlinks(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return real, err
	}
	parent, err := realPath(filepath.Dir(path))
	return filepath.Join(parent, filepath.Base(path)), err
}
