package embedded

import (
	"context"
	"fmt"
	"os"
	"time"

	"go.uber.org/zap"
)

// restarts says how a server is started again after it has ended unexpectedly.
type restarts struct {
	most    int           // starts that may fail in a row
	first   time.Duration // pause before the first start
	longest time.Duration // each further pause is twice as long, up to this
}

// The pauses of 15 failed starts add up to more than two minutes. A server that has run for steadyAfter begins with the first pause
// again. For one that ends soon after each start the pauses keep growing.
const (
	firstPause   = 100 * time.Millisecond
	longestPause = 15 * time.Second
	steadyAfter  = 10 * time.Second
)

// supervise waits for the exit of the process, and starts another one if the server must not end. At the end it releases everything
// that the server holds, including the lock.
func (s *Server) supervise(ctx context.Context, p *process) {
	defer close(s.done)
	defer s.release()
	pause := s.restarts.first
	for {
		<-p.exited
		if ctx.Err() != nil {
			return
		}
		s.err = fmt.Errorf("embedded PostgreSQL (pid %d) exited unexpectedly: %w; the last lines of its log %s:\n%s",
			p.os.Pid, p.reason, s.logPath, tail(s.logPath, p.logStart))
		s.setDown(fmt.Errorf("PostgreSQL (pid %d) exited unexpectedly: %w", p.os.Pid, p.reason))
		s.log.Error("embedded PostgreSQL exited unexpectedly", zap.Int("pid", p.os.Pid),
			zap.NamedError("reason", p.reason), zap.String("log", s.logPath))
		// They may outlive this process too, which could end without another start.
		if err := endBackends(context.WithoutCancel(ctx), s.cluster.pgdata); err != nil {
			s.log.Error("end the backends of the server that exited", zap.Error(err))
		}
		if s.restarts.most == 0 {
			return
		}
		if time.Since(p.ready) > steadyAfter {
			pause = s.restarts.first
		}
		if p = s.startAgain(ctx, &pause); p == nil {
			if ctx.Err() != nil {
				s.err = nil // stopped on purpose
			}
			return
		}
		s.err = nil
		s.setDown(nil)
		s.log.Warn("restarted embedded PostgreSQL", zap.Int("pid", p.os.Pid), zap.Duration("took", p.ready.Sub(p.started)))
	}
}

// startAgain starts the server until it accepts connections. It returns nil when ctx ends, and when too many starts in a row have
// failed; then it sets s.err. Other processes see in the lock file that the server is being restarted.
func (s *Server) startAgain(ctx context.Context, pause *time.Duration) *process {
	if err := s.lock.describe(restarting); err != nil {
		s.log.Warn("describe the restart in the lock file", zap.Error(err))
	}
	defer func() {
		if err := s.lock.describe(""); err != nil {
			s.log.Warn("describe the lock in its file", zap.Error(err))
		}
	}()
	for failed := 0; ; {
		s.log.Warn("restart embedded PostgreSQL", zap.Duration("after", *pause), zap.Int("failed_starts", failed))
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(*pause):
		}
		*pause = min(2**pause, s.restarts.longest)
		p, err := s.restart(ctx)
		if err == nil {
			return p
		}
		if ctx.Err() != nil {
			return nil
		}
		failed++
		s.setDown(fmt.Errorf("PostgreSQL has failed to start %d times in a row; see %s", failed, s.logPath))
		s.log.Error("embedded PostgreSQL does not start again", zap.Int("failed_starts", failed),
			zap.Int("at_most", s.restarts.most), zap.Error(err))
		if failed >= s.restarts.most {
			s.err = fmt.Errorf("embedded PostgreSQL does not start again: gave up after %d failed starts in a row: %w", failed, err)
			return nil
		}
	}
}

// restart clears what the last process left, and launches another one. A backend of the last process may live on: PostgreSQL does
// not start while one has the shared memory, so they must be gone.
func (s *Server) restart(ctx context.Context) (*process, error) {
	if err := clearLeftover(ctx, s.cluster.pgdata, s.log); err != nil {
		return nil, err
	}
	if s.before != nil {
		s.before()
	}
	return s.launch(ctx)
}

func (s *Server) setDown(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = err
}

// release gives up what the server held.
func (s *Server) release() {
	if err := os.Remove(s.socketDir); err != nil {
		// A killed server leaves its socket; the next start reuses the directory.
		s.log.Debug("remove socket directory", zap.Error(err))
	}
	if err := s.lock.release(); err != nil {
		s.log.Warn("release data directory", zap.Error(err))
	}
}
