package embedded

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// StartStandby copies an ephemeral server into a new directory and starts the copy as a hot standby that follows it. It is for
// tests: the server must run as long as the standby.
func (s *Server) StartStandby(ctx context.Context, dir string) (*Server, error) {
	c := s.cluster
	dir, err := realPath(dir)
	if err != nil {
		return nil, fmt.Errorf("directory of the standby: %w", err)
	}
	if err := prepareDataDir(dir, c.acct); err != nil {
		return nil, err
	}
	pgdata := filepath.Join(dir, ephemeralDir)
	if err := os.Mkdir(pgdata, 0o700); err != nil {
		return nil, fmt.Errorf("directory of the standby: %w", err)
	}
	if err := c.acct.own(pgdata); err != nil {
		return nil, fmt.Errorf("change the owner of the standby's directory to %s: %w", c.acct.name, err)
	}
	if err := c.baseBackup(ctx, s.socketDir, pgdata); err != nil {
		return nil, err
	}
	return Start(ctx, Config{DataDir: dir, Ephemeral: true, Owner: "a standby"})
}

// baseBackup copies the cluster whose server has a socket in sockets, with the settings of a standby and a replication slot.
func (c cluster) baseBackup(ctx context.Context, sockets, pgdata string) error {
	cmd := exec.CommandContext(ctx, c.bin.program("pg_basebackup"), "--pgdata="+pgdata, "--host="+sockets, "--port="+port,
		"--username="+roleName, "--write-recovery-conf", "--wal-method=stream", "--checkpoint=fast", "--no-sync", "--no-password",
		"--create-slot", "--slot=standby_"+shortHash(pgdata))
	cmd.Dir, cmd.Env = "/", childEnv()
	cmd.SysProcAttr = processAttributes(c.acct, syscall.SIGINT)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGINT) }
	cmd.WaitDelay = 10 * time.Second
	runtime.LockOSThread() // see startChild
	defer runtime.UnlockOSThread()
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("pg_basebackup: %w:\n%s", err, strings.TrimSpace(string(out)))
	}
	return nil
}
