package postgres

import (
	"errors"
	"io"
	"net"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// IsUnavailable tells whether err says that PostgreSQL cannot be reached or takes no work at the moment, so that trying
// again later may help, rather than that something is wrong with a statement.
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
		errors.Is(err, io.ErrUnexpectedEOF) || // the connection broke while an answer was read
		pgconn.SafeToRetry(err) // or before anything was sent
}
