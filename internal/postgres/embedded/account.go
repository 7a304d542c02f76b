package embedded

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
)

// account is the operating-system user the server runs as; nil means the current user. PostgreSQL refuses to run as
// root, so root has to run it as another user.
type account struct {
	uid, gid int
	name     string
}

// serverAccount chooses the account for a data directory: the owner of the first path that exists and does not belong
// to root, else the system user postgres, else the system user nobody.
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
	return nil, errors.New("PostgreSQL does not run as root, and this system has no user named postgres or nobody: " +
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

// credential returns what makes a child process run as the account.
func (a *account) credential() *syscall.Credential {
	if a == nil {
		return nil
	}
	return &syscall.Credential{Uid: uint32(a.uid), Gid: uint32(a.gid)}
}

// own makes the account the owner of path.
func (a *account) own(path string) error {
	if a == nil {
		return nil
	}
	return os.Lchown(path, a.uid, a.gid)
}

// ownTree makes the account the owner of path and of everything below it.
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

// blockedAt returns the topmost parent of path that the account may not search, or "" if it may search all of them.
// Missing directories do not count: their permissions are known only when they are created.
func (a *account) blockedAt(path string) string {
	if a == nil {
		return ""
	}
	var parents []string
	for dir := filepath.Dir(path); ; dir = filepath.Dir(dir) {
		parents = append(parents, dir)
		if dir == filepath.Dir(dir) {
			break
		}
	}
	for _, dir := range slices.Backward(parents) {
		info, err := os.Stat(dir)
		if err == nil && !a.maySearch(info) {
			return dir
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

// Reachable reports whether the permissions of the parents of dir let an embedded server use it as its data
// directory. It is false only when the caller is root, whose server runs as another user, and dir is below a private
// directory such as /root.
func Reachable(dir string) bool {
	dir, err := realPath(dir)
	if err != nil {
		return false
	}
	acct, err := serverAccount(filepath.Join(dir, clusterDir), dir)
	return err == nil && acct.blockedAt(dir) == ""
}

// realPath returns the absolute path without symlinks. Its last elements need not exist.
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
