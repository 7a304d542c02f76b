package postgres

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// NewConnTimeout is how long a check of a database in use waits for a new connection, and for its result over it. A server that is
// overloaded takes long for a new connection, for which it starts a process, and still responds over an open one.
const NewConnTimeout = 500 * time.Millisecond

// spare is a connection that is kept for checks.
type spare struct {
	mu   sync.Mutex // held during a check
	conn *pgx.Conn  // nil before the first success
}

// checkUsable checks the database over a new connection, whose session has the current settings, and keeps it until the next check.
// If the server has no connection left, or takes too long for a new one, it is asked over the one that the last check has kept.
func (h *Health) checkUsable(ctx context.Context) error {
	h.spare.mu.Lock()
	defer h.spare.mu.Unlock()
	if h.spare.conn == nil {
		return h.renew(ctx)
	}
	bounded, cancel := context.WithTimeout(ctx, NewConnTimeout)
	defer cancel()
	err := h.renew(bounded)
	if !IsBusy(err) {
		return err
	}
	if failure := checkConn(ctx, h.spare.conn); failure != nil {
		h.dropSpare()
		return errors.Join(err, failure)
	}
	return nil
}

// renew replaces the spare connection by a new one if that is usable.
func (h *Health) renew(ctx context.Context) error {
	conn, err := connectUsable(ctx, h.url)
	if err == nil {
		h.dropSpare()
		h.spare.conn = conn
	}
	return err
}

func (h *Health) dropSpare() {
	if conn := h.spare.conn; conn != nil {
		h.spare.conn = nil
		go func() { _ = conn.Close(context.Background()) }() // waits for a server that does not respond
	}
}

// Close closes the connection that Check keeps. A later Check keeps one again.
func (h *Health) Close() {
	h.spare.mu.Lock()
	defer h.spare.mu.Unlock()
	if conn := h.spare.conn; conn != nil {
		h.spare.conn = nil
		ctx, cancel := context.WithTimeout(context.Background(), NewConnTimeout)
		defer cancel()
		_ = conn.Close(ctx)
	}
}

// IsBusy reports whether err only means that the server has no connection left, or did not respond in time.
func IsBusy(err error) bool {
	pgErr, ok := errors.AsType[*pgconn.PgError](err)
	return ok && pgErr.Code == tooManyConnections || errors.Is(err, context.DeadlineExceeded) || pgconn.Timeout(err)
}
