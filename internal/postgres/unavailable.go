package postgres

import (
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// The SQLSTATEs and classes of SQLSTATEs of a server that may do the same work later. docs/decisions/unavailable-or-slow.md
// has the reason for each.
var (
	unavailableClasses = []string{
		"08", // connection exceptions, which connection poolers report too
		"40", // deadlocks and serialization failures, after the retries of InTx
		"53", // out of disk, memory, connections or temporary files
		"57", // shutdown, crash, start, a dropped database, an idle session that was ended
		"58", // errors of the operating system, such as a failed read of the disk
	}
	unavailableStates = []string{
		readOnlyTransaction,
		"25P03", // a session was ended because it was idle in a transaction
		"55P03", // a lock was not free in time
		"72000", // a snapshot was too old
	}
	alwaysTheSame = []string{
		queryCanceled, // the work was too slow: see timeouts
		"40002",       // a constraint was violated at the commit
	}
)

// errNoConn means that the pool could not get a connection. pgxpool has errors of its own for that, and those of connecting.
var errNoConn = errors.New("no connection to the database")

// IsUnavailable reports whether err means that PostgreSQL cannot be reached or refuses work for a reason that may end without
// a change to the request, so that a later retry may succeed. Whether a transaction was committed is unknown when the
// connection broke at its commit. It is false for an error caused by the statement itself, and for one that was cancelled
// because it took too long.
func IsUnavailable(err error) bool {
	var (
		pgErr      *pgconn.PgError
		connectErr *pgconn.ConnectError
		netErr     net.Error
	)
	switch {
	case errors.Is(err, ErrBusy), errors.Is(err, errNoConn), errors.Is(err, ErrOutcomeUnknown): // whatever came of a last attempt
		return true
	case errors.As(err, &connectErr): // whatever the reason: without a connection no request can be served
		return true
	case errors.As(err, &pgErr):
		return unavailableState(pgErr.Code)
	case errors.Is(err, errSilent):
		return true
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return false
	}
	return errors.As(err, &netErr) && !netErr.Timeout() ||
		errors.Is(err, io.ErrUnexpectedEOF) || // the connection broke while a result was read
		pgconn.SafeToRetry(err) // or before anything was sent
}

func unavailableState(code string) bool {
	is := func(prefix string) bool { return strings.HasPrefix(code, prefix) }
	if slices.ContainsFunc(alwaysTheSame, is) {
		return false
	}
	return slices.ContainsFunc(unavailableClasses, is) || slices.ContainsFunc(unavailableStates, is)
}
