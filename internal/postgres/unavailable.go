package postgres

import (
	"errors"
	"io"
	"net"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// IsUnavailable reports whether err means that PostgreSQL cannot be reached or accepts no statements, so that a later retry may
// succeed. It is false for an error that is caused by a statement.
func IsUnavailable(err error) bool {
	var (
		pgErr      *pgconn.PgError
		connectErr *pgconn.ConnectError
		netErr     net.Error
	)
	if errors.As(err, &pgErr) {
		const (
			adminShutdown      = "57P01"
			crashShutdown      = "57P02"
			tooManyConnections = "53300"
		)
		return strings.HasPrefix(pgErr.Code, "08") ||
			slices.Contains([]string{adminShutdown, crashShutdown, cannotConnectNow, tooManyConnections}, pgErr.Code)
	}
	return errors.As(err, &connectErr) || errors.As(err, &netErr) && !netErr.Timeout() ||
		errors.Is(err, io.ErrUnexpectedEOF) || // the connection broke while a result was read
		pgconn.SafeToRetry(err) // or before anything was sent
}
