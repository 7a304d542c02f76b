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

// Role and database of the embedded server. The role is its only one, and superuser.
const (
	roleName     = "docket"
	databaseName = "docket"
)

// cluster is the database cluster that an embedded server works on.
type cluster struct {
	pgdata    string
	ephemeral bool
	bin       Binaries
	acct      *account
	log       *zap.Logger
}

// ensure initialises the cluster when there is none, and checks that there is none of another major version.
// A process killed in the middle leaves nothing that a later one takes for a cluster.
func (c cluster) ensure(ctx context.Context) error {
	c.sweep()
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
			"install PostgreSQL %d (PG_BINDIR may name its programs), convert the data with pg_upgrade, or use another --data-dir",
			c.pgdata, major, c.bin.Dir, c.bin.Major, major)
	}
	if c.acct != nil {
		// Somebody has copied or restored the data as root.
		if info, err := os.Stat(c.pgdata); err == nil && ownerOf(info).uid != c.acct.uid {
			if err := c.acct.ownTree(c.pgdata); err != nil {
				return fmt.Errorf("give the data to %s: %w", c.acct.name, err)
			}
		}
	}
	return nil
}

// reusable reports whether an ephemeral cluster may serve again. After an unclean end it may be damaged, since
// it is never synced to disk.
func (c cluster) reusable() bool {
	_, err := os.Stat(filepath.Join(c.pgdata, pidFile))
	major, _ := clusterMajor(c.pgdata)
	return errors.Is(err, fs.ErrNotExist) && major == c.bin.Major
}

// clusterMajor returns the version that wrote the cluster, and fs.ErrNotExist when there is none yet.
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

const unfinished = ".init-"

// sweep removes what interrupted initialisations left.
func (c cluster) sweep() {
	leftovers, _ := filepath.Glob(c.pgdata + unfinished + "*")
	for _, dir := range leftovers {
		if err := os.RemoveAll(dir); err != nil {
			c.log.Warn("remove unfinished cluster", zap.String("directory", dir), zap.Error(err))
		}
	}
}

// init runs initdb beside the final place and renames, so that the final place is a whole cluster or absent.
func (c cluster) init(ctx context.Context) error {
	parent := filepath.Dir(c.pgdata)
	dir, err := os.MkdirTemp(parent, filepath.Base(c.pgdata)+unfinished)
	if err != nil {
		return fmt.Errorf("make cluster directory: %w", err)
	}
	defer os.RemoveAll(dir)
	if err := c.acct.own(dir); err != nil {
		return fmt.Errorf("give cluster directory to %s: %w", c.acct.name, err)
	}
	start := time.Now()
	// Text is ordered by bytes, the one order that no upgrade of the operating system changes under an index
	// and that serves LIKE 'x%'. Upper and lower case are still those of all of Unicode, where the system has
	// that locale.
	err = c.initdb(ctx, dir, "C.UTF-8")
	if err != nil && ctx.Err() == nil {
		err = c.initdb(ctx, dir, "C")
	}
	if err != nil {
		return err
	}
	if err := os.Rename(dir, c.pgdata); err != nil {
		return fmt.Errorf("put cluster in place: %w", err)
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
	// Interrupted, initdb ends its helpers and empties the directory.
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

// childEnv is all that a server program sees of Docket's environment: no secrets, and nothing of PGDATA or
// LC_ALL that would change what it does.
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
