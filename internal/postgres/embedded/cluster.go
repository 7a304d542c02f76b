package embedded

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"go.uber.org/zap"
)

// Role and database of the embedded server. It has no other role, and this one is a superuser.
const (
	roleName     = "docket"
	databaseName = "docket"
)

// cluster is the database cluster of an embedded server.
type cluster struct {
	pgdata    string
	ephemeral bool
	bin       Binaries
	acct      *account
	log       *zap.Logger
}

// ensure initialises the cluster when there is none, and refuses a cluster of another major version. A process that
// is killed during ensure leaves nothing that a later process takes for a cluster.
func (c cluster) ensure(ctx context.Context) error {
	c.removeUnfinished()
	if c.ephemeral && !c.reusable() {
		if err := os.RemoveAll(c.pgdata); err != nil {
			return fmt.Errorf("remove ephemeral cluster: %w", err)
		}
	}
	major, err := clusterMajor(c.pgdata)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return c.init(ctx)
	case err != nil:
		return err
	case major != c.bin.Major:
		return fmt.Errorf("the data in %s is of PostgreSQL %d, but the programs in %s are of PostgreSQL %d: "+
			"install PostgreSQL %d (and set PG_BINDIR to its programs if they are not found), "+
			"convert the data with pg_upgrade, or use another --data-dir",
			c.pgdata, major, c.bin.Dir, c.bin.Major, major)
	}
	if c.acct != nil {
		// The data may have been copied or restored by root.
		if info, err := os.Stat(c.pgdata); err == nil && ownerOf(info).uid != c.acct.uid {
			if err := c.acct.ownTree(c.pgdata); err != nil {
				return fmt.Errorf("change the owner of the data to %s: %w", c.acct.name, err)
			}
		}
	}
	return nil
}

// reusable reports whether an ephemeral cluster can be used again. After a crash it may be damaged, because it is
// never synced to disk.
func (c cluster) reusable() bool {
	_, err := os.Stat(filepath.Join(c.pgdata, pidFile))
	major, _ := clusterMajor(c.pgdata)
	return errors.Is(err, fs.ErrNotExist) && major == c.bin.Major
}

// clusterMajor returns the major version of the cluster, and fs.ErrNotExist when there is no cluster yet.
func clusterMajor(pgdata string) (int, error) {
	path := filepath.Join(pgdata, "PG_VERSION")
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		if entries, _ := os.ReadDir(pgdata); len(entries) > 0 {
			return 0, fmt.Errorf("%s is not empty and holds no PostgreSQL data: remove it, or use another --data-dir", pgdata)
		}
	}
	if err != nil {
		return 0, fmt.Errorf("read version of the data: %w", err)
	}
	major, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return 0, fmt.Errorf("read version of the data in %s: %w", path, err)
	}
	return major, nil
}

// unfinished is in the name of a cluster's directory while initdb runs.
const unfinished = ".init-"

// removeUnfinished removes what interrupted initialisations left.
func (c cluster) removeUnfinished() {
	leftovers, _ := filepath.Glob(c.pgdata + unfinished + "*")
	for _, dir := range leftovers {
		if err := os.RemoveAll(dir); err != nil {
			c.log.Warn("remove unfinished cluster", zap.String("directory", dir), zap.Error(err))
		}
	}
}

// init runs initdb in a directory next to c.pgdata and renames that, so that c.pgdata is absent or complete.
func (c cluster) init(ctx context.Context) error {
	parent := filepath.Dir(c.pgdata)
	dir, err := os.MkdirTemp(parent, filepath.Base(c.pgdata)+unfinished)
	if err != nil {
		return fmt.Errorf("make cluster directory: %w", err)
	}
	defer os.RemoveAll(dir)
	if err := c.acct.own(dir); err != nil {
		return fmt.Errorf("change the owner of the cluster directory to %s: %w", c.acct.name, err)
	}
	start := time.Now()
	// Text is ordered by bytes: no upgrade of the operating system changes that order under an index, and an index
	// in that order serves LIKE 'x%'. With C.UTF-8, upper() and lower() know all of Unicode; some systems lack it.
	err = c.initdb(ctx, dir, "C.UTF-8")
	if err != nil && ctx.Err() == nil {
		err = c.initdb(ctx, dir, "C")
	}
	if err != nil {
		return err
	}
	if err := os.Rename(dir, c.pgdata); err != nil {
		return fmt.Errorf("rename the new cluster: %w", err)
	}
	if !c.ephemeral {
		if err := syncDir(parent); err != nil {
			return fmt.Errorf("sync data directory: %w", err)
		}
	}
	c.log.Info("initialised PostgreSQL cluster", zap.String("directory", c.pgdata), zap.Int("major", c.bin.Major),
		zap.Duration("took", time.Since(start)))
	return nil
}

func (c cluster) initdb(ctx context.Context, dir, ctype string) error {
	args := []string{
		"--pgdata=" + dir, "--username=" + roleName, "--encoding=UTF8", "--lc-collate=C", "--lc-ctype=" + ctype,
		"--auth-local=trust", "--auth-host=reject", "--data-checksums", "--no-instructions",
	}
	if c.ephemeral {
		args = append(args, "--no-sync")
	}
	cmd := exec.CommandContext(ctx, c.bin.program("initdb"), args...)
	cmd.Dir, cmd.Env = "/", childEnv()
	cmd.SysProcAttr = processAttributes(c.acct, syscall.SIGINT)
	// On SIGINT initdb ends its child processes and empties the directory.
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGINT) }
	cmd.WaitDelay = 10 * time.Second
	runtime.LockOSThread() // see startChild
	defer runtime.UnlockOSThread()
	out, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		return fmt.Errorf("initdb: %w", ctx.Err())
	}
	if err != nil {
		return fmt.Errorf("initdb: %w:\n%s", err, strings.TrimSpace(string(out)))
	}
	return nil
}

// childEnv is the whole environment of a server program. It has none of Docket's secrets, and no PGDATA or LC_ALL of
// the caller's that would change what the program does.
func childEnv() []string {
	env := []string{"LC_ALL=C", "TZ=UTC"}
	for _, name := range []string{"PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"} {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env
}

func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

func shortHash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:6])
}
