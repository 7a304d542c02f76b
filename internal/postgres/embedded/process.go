package embedded

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"go.uber.org/zap"
)

// process is one run of the server program.
type process struct {
	os             *os.Process
	started, ready time.Time
	logStart       int64         // where its part of the log begins
	exited         chan struct{} // closed when it has exited
	reason         error         // of the exit; must not be read before exited is closed
}

// errStopped is returned by launch when Stop has been called.
var errStopped = errors.New("the server is being stopped")

// launch starts the server program and waits until it accepts connections. If it fails, no process is left.
func (s *Server) launch(ctx context.Context) (*process, error) {
	if err := clearSocket(s.socketDir); err != nil {
		return nil, err
	}
	p, err := s.fork()
	if err != nil {
		return nil, fmt.Errorf("start PostgreSQL: %w", err)
	}
	if err := p.awaitReady(ctx, s.socketDir); err != nil {
		err = fmt.Errorf("start PostgreSQL in %s: %w; the last lines of its log %s:\n%s",
			s.cluster.pgdata, err, s.logPath, tail(s.logPath, p.logStart))
		return nil, errors.Join(err, p.end(context.WithoutCancel(ctx), s.log))
	}
	p.ready = time.Now()
	return p, nil
}

// fork starts the server program, unless Stop has been called.
func (s *Server) fork() (*process, error) {
	out, err := openLog(s.logPath)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	logStart, err := out.Seek(0, 2)
	if err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	cmd := exec.Command(s.cluster.bin.program("postgres"), serverArgs(s.cluster, s.socketDir)...)
	cmd.Dir, cmd.Env = "/", childEnv()
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = processAttributes(s.cluster.acct, syscall.SIGINT)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping {
		return nil, errStopped
	}
	p := &process{started: time.Now(), logStart: logStart, exited: make(chan struct{})}
	exited, err := startChild(cmd)
	if err != nil {
		return nil, err
	}
	p.os = cmd.Process
	go func() {
		p.reason = exitReason(<-exited)
		close(p.exited)
	}()
	s.process = p
	return p, nil
}

// startChild starts the command and returns a channel that receives the result of waiting for it.
func startChild(cmd *exec.Cmd) (<-chan error, error) {
	started, exited := make(chan error), make(chan error, 1)
	go func() {
		// The kernel sends Pdeathsig when the thread that forked the child ends, not when the parent process ends.
		// So that thread must live as long as the child.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			exited <- cmd.Wait()
		}
	}()
	return exited, <-started
}

// exitReason names the exit of a process, given the error of waiting for it.
func exitReason(err error) error {
	if err == nil {
		return errors.New("exit status 0")
	}
	return err
}

// awaitReady returns when the server accepts connections and has its database.
func (p *process) awaitReady(ctx context.Context, socketDir string) error {
	maintenance := socketURL(socketDir, port, "postgres")
	deadline := time.Now().Add(startTimeout)
	for pause := 10 * time.Millisecond; ; pause = min(2*pause, 200*time.Millisecond) {
		conn, err := pgx.Connect(ctx, maintenance)
		if err == nil {
			defer conn.Close(context.WithoutCancel(ctx))
			return ensureDatabase(ctx, conn)
		}
		const cannotConnectNow = "57P03"
		var refusal *pgconn.PgError
		if errors.As(err, &refusal) && refusal.Code == cannotConnectNow {
			deadline = time.Now().Add(startTimeout)
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("no response within %v: %w", startTimeout, err)
		}
		select {
		case <-p.exited:
			return fmt.Errorf("it exited: %w", p.reason)
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
}

func ensureDatabase(ctx context.Context, conn *pgx.Conn) error {
	var exists bool
	err := conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", databaseName).Scan(&exists)
	if err == nil && !exists {
		_, err = conn.Exec(ctx, "CREATE DATABASE "+databaseName)
	}
	if err != nil {
		return fmt.Errorf("create database %s: %w", databaseName, err)
	}
	return nil
}

// end shuts the process down and returns when it has exited. When ctx ends, or the process takes too long, it forces the shutdown.
func (p *process) end(ctx context.Context, log *zap.Logger) error {
	for _, step := range []struct {
		signal  syscall.Signal
		timeout time.Duration
	}{{syscall.SIGINT, fastStopTimeout}, {syscall.SIGQUIT, forcedStopTimeout}, {syscall.SIGKILL, forcedStopTimeout}} {
		if err := p.os.Signal(step.signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return fmt.Errorf("stop PostgreSQL (pid %d): %w", p.os.Pid, err)
		}
		canceled := ctx.Done()
		if step.signal != syscall.SIGINT {
			canceled = nil // a forced shutdown does not depend on ctx
		}
		select {
		case <-p.exited:
			return nil
		case <-canceled:
		case <-time.After(step.timeout):
		}
		log.Warn("PostgreSQL is slow to stop", zap.Int("pid", p.os.Pid), zap.Stringer("after", step.signal))
	}
	return fmt.Errorf("stop PostgreSQL (pid %d): it does not exit", p.os.Pid)
}
