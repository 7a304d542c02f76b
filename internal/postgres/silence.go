package postgres

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"

	"docket/internal/postgres/tcp"
)

// errSilent is the error of a connection over which the server no longer responds, although the socket seems to work.
var errSilent = errors.New("the connection to PostgreSQL is dead")

// Limits of a silent connection. A dead one is found after silentFor and two questions: within 6.5 seconds when no question is
// answered, sooner when the server says that the session does nothing.
const (
	silentFor       = 2 * time.Second        // the server is asked when it has sent nothing for so long
	questionTimeout = 2 * time.Second        // of a question: connect, ask, answer
	questionPause   = 500 * time.Millisecond // between two questions; a result may have been on its way during the first

	// cancelTimeout is how long a server may take to confirm that it has cancelled a statement.
	cancelTimeout = 2 * time.Second
)

// watch finds dead connections of one pool. TCP does so when packets get lost (package tcp). A proxy, a pooler or a stopped
// machine that accepts packets and does nothing with them is found only by asking the server. PostgreSQL's protocol has no
// ping for a connection on which a statement runs, so another connection asks which sessions are working.
type watch struct {
	config  *pgx.ConnConfig // of the connection that asks
	limits  watchLimits
	pooled  bool        // a pooler is at the other end
	onDeath func(error) // called for each dead connection, concurrently

	mu   sync.Mutex // held while the server is asked
	last answer
}

type watchLimits struct{ silent, question, pause, connect, cancel time.Duration }

var defaultLimits = watchLimits{silentFor, questionTimeout, questionPause, tcp.ConnectTimeout, cancelTimeout}

// answer is what the server said to a question.
type answer struct {
	asked   time.Time
	address string   // of the server
	working []uint32 // process ids of sessions that run a statement; nil when unknown
	err     error    // the server cannot be reached
}

// attach makes the connections of config watched ones.
func (w *watch) attach(config *pgconn.Config) {
	dial := config.DialFunc
	config.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		s := &socket{Conn: conn, watch: w}
		s.timer = time.AfterFunc(time.Hour, s.check)
		s.timer.Stop()
		return s, nil
	}
	config.BuildContextWatcherHandler = func(conn *pgconn.PgConn) ctxwatch.Handler {
		s := socketOf(conn.Conn())
		s.began.Store(int64(time.Since(start)))
		s.session.Store(conn.PID())
		return &contextEnd{
			socket: s,
			plain:  pgconn.DeadlineContextWatcherHandler{Conn: conn.Conn()},
			cancel: pgconn.CancelRequestContextWatcherHandler{Conn: conn, DeadlineDelay: w.limits.cancel},
		}
	}
}

func socketOf(conn net.Conn) *socket {
	if encrypted, ok := conn.(*tls.Conn); ok {
		conn = encrypted.NetConn()
	}
	return conn.(*socket)
}

// contextEnd handles the end of a context during a statement. When a client has left, the connection is closed. At a deadline
// the server is asked to cancel the statement. A server that confirms it was slow. One that does not is dead.
type contextEnd struct {
	socket *socket
	plain  pgconn.DeadlineContextWatcherHandler
	cancel pgconn.CancelRequestContextWatcherHandler
	asked  bool
}

func (h *contextEnd) HandleCancel(ctx context.Context) {
	if h.asked = errors.Is(ctx.Err(), context.DeadlineExceeded); !h.asked {
		h.plain.HandleCancel(ctx)
		return
	}
	h.socket.cancelling.Store(true)
	h.cancel.HandleCancel(ctx)
}

func (h *contextEnd) HandleUnwatchAfterCancel() {
	if !h.asked {
		h.plain.HandleUnwatchAfterCancel()
		return
	}
	h.cancel.HandleUnwatchAfterCancel()
	h.socket.cancelling.Store(false)
}

// socket is the network connection of a session, or of a request to cancel its statement. It notices when a read waits for
// long. A connection without a statement does not read.
type socket struct {
	net.Conn
	watch      *watch
	session    atomic.Uint32         // process id; 0 until the session has started
	began      atomic.Int64          // when it did, since start
	timer      *time.Timer           // runs check
	waiting    atomic.Int64          // when the current read began, since start; 0: there is none
	cancelling atomic.Bool           // a deadline means that the server did not confirm
	dead       atomic.Pointer[error] // why the connection was closed
}

// start is what monotonic times are measured from.
var start = time.Now()

func (s *socket) Read(b []byte) (int, error) {
	s.waiting.Store(int64(time.Since(start)))
	s.timer.Reset(s.limit())
	n, err := s.Conn.Read(b)
	s.timer.Stop()
	s.waiting.Store(0)
	return n, s.explain(err)
}

func (s *socket) Write(b []byte) (int, error) {
	n, err := s.Conn.Write(b)
	return n, s.explain(err)
}

// limit is how long a read may wait. Connecting has a limit of its own, which a request to cancel lacks.
func (s *socket) limit() time.Duration {
	if s.session.Load() == 0 {
		return s.watch.limits.connect
	}
	return s.watch.limits.silent
}

// explain returns errSilent for what is not an error of the network but a judgement on it. It hides timeouts, of which pgx
// would report that the deadline of the context came first.
func (s *socket) explain(err error) error {
	if err == nil {
		return nil
	}
	if reason := s.dead.Load(); reason != nil {
		return *reason
	}
	if s.session.Load() == 0 {
		return err // pgconn.ConnectError says the rest
	}
	switch {
	case errors.Is(err, syscall.ETIMEDOUT):
		return s.died(err.Error()) // not wrapped: pgx would report it as the end of a context
	case s.cancelling.Load() && errors.Is(err, os.ErrDeadlineExceeded):
		return s.died(fmt.Sprintf("a request to cancel its statement was not answered within %s", s.watch.limits.cancel))
	}
	return err
}

// check runs when a read has waited for long. It closes the connection if the server cannot be reached, or has no statement
// of this session, two times in a row.
func (s *socket) check() {
	read := s.waiting.Load()
	if read == 0 || time.Since(start)-time.Duration(read) < s.limit() {
		return // another read began meanwhile, and has set the timer
	}
	waits := func() bool { return s.waiting.Load() == read }
	if s.session.Load() == 0 {
		s.died("no response while connecting")
		return
	}
	doubt := s.doubt()
	if doubt != "" && waits() {
		time.Sleep(s.watch.limits.pause)
		if waits() {
			doubt = s.doubt()
		}
	}
	switch {
	case !waits():
	case doubt == "":
		s.timer.Reset(s.limit())
	default:
		waited := (time.Since(start) - time.Duration(read)).Round(time.Millisecond)
		s.died(fmt.Sprintf("no response for %s, %s", waited, doubt))
	}
}

// doubt returns why the server seems not to work for the session; "" when it does, or may do.
func (s *socket) doubt() string {
	answer := s.watch.ask()
	switch {
	case answer.err != nil:
		return "and a new connection got none either: " + answer.err.Error()
	case answer.working == nil, answer.address != s.RemoteAddr().String(), slices.Contains(answer.working, s.session.Load()):
		return ""
	}
	return "and the server runs no statement of this session"
}

// died closes the socket, which ends a read that waits.
func (s *socket) died(reason string) error {
	err := fmt.Errorf("%w: %s", errSilent, reason)
	if s.dead.CompareAndSwap(nil, &err) {
		_ = s.Conn.Close()
		if session := s.session.Load(); session != 0 {
			go s.watch.terminate(session, time.Since(start)-time.Duration(s.began.Load()))
			s.watch.onDeath(err)
		}
	}
	return *s.dead.Load()
}

// ask returns an answer to a question asked after the call. Concurrent callers share one.
func (w *watch) ask() answer {
	called := time.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.last.asked.Before(called) {
		w.last = w.question()
	}
	return w.last
}

// workingSessions returns no session that waits for a statement. Whether a session of another role does is not known here.
const workingSessions = `
SELECT pg_backend_pid(), coalesce(array_agg(pid), '{}')
FROM pg_stat_activity
WHERE state NOT LIKE 'idle%'`

func (w *watch) question() answer {
	given := answer{asked: time.Now()}
	err := w.onNewConn(func(ctx context.Context, conn *pgx.Conn) error {
		if w.pooled {
			// It has answered, which is all that can be known: the processes have other ids. A statement could wait for a session
			// longer than a question may take, because others use them all.
			return nil
		}
		var own uint32
		given.address = conn.PgConn().Conn().RemoteAddr().String()
		err := conn.QueryRow(ctx, workingSessions, pgx.QueryExecModeExec).Scan(&own, &given.working)
		if own != conn.PgConn().PID() { // a pooler has numbers of its own
			given.working = nil
		}
		return err
	})
	if refusal := new(pgconn.PgError); errors.As(err, &refusal) { // as for too many connections; but the server responds
		given.working = nil
	} else {
		given.err = err
	}
	return given
}

// terminateIdle ends a session that is not working, unless the process id is that of a younger one. A pooler has process ids of
// its own, which say nothing.
const terminateIdle = `
SELECT pg_terminate_backend(pid)
FROM pg_stat_activity
WHERE pid = $1 AND state LIKE 'idle%' AND backend_start <= clock_timestamp() - make_interval(secs => $2)
    AND pg_backend_pid() = $3`

// terminate ends the session of a dead connection, if the server can be reached: it may hold locks, and a transaction that is
// neither committed nor rolled back. Without it, the server does so after idleInTransaction.
func (w *watch) terminate(session uint32, age time.Duration) {
	if w.pooled {
		return // it ends the session itself when its client has left
	}
	_ = w.onNewConn(func(ctx context.Context, conn *pgx.Conn) error {
		own := int32(conn.PgConn().PID())
		_, err := conn.Exec(ctx, terminateIdle, pgx.QueryExecModeExec, int32(session), age.Seconds(), own)
		return err
	})
}

func (w *watch) onNewConn(do func(context.Context, *pgx.Conn) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), w.limits.question)
	defer cancel()
	conn, err := pgx.ConnectConfig(ctx, w.config.Copy())
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	return do(ctx, conn)
}
