package postgres

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"
)

func TestIsUnavailable(t *testing.T) {
	t.Parallel()
	state := func(code string) error { return &pgconn.PgError{Code: code} }
	for name, tt := range map[string]struct {
		err  error
		want bool
	}{
		"connection refused":     {&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}, true},
		"connection reset":       {&net.OpError{Op: "read", Err: syscall.ECONNRESET}, true},
		"unexpected end":         {io.ErrUnexpectedEOF, true},
		"connection exception":   {state("08006"), true},
		"administrator shutdown": {state("57P01"), true},
		"crash shutdown":         {state("57P02"), true},
		"cannot connect now":     {state("57P03"), true},
		"too many connections":   {state("53300"), true},

		"none":                    {nil, false},
		"no rows":                 {pgx.ErrNoRows, false},
		"syntax error":            {state("42601"), false},
		"unique violation":        {state("23505"), false},
		"disk full":               {state("53100"), false},
		"statement timeout":       {state("57014"), false},
		"translated timeout":      {rules{}.translate(state("57014")), false},
		"network timeout":         {&net.OpError{Op: "read", Err: os.ErrDeadlineExceeded}, false},
		"deadline of the request": {context.DeadlineExceeded, false},
		"cancelled request":       {context.Canceled, false},
	} {
		require.Equal(t, tt.want, IsUnavailable(tt.err), name)
		if tt.err != nil {
			require.Equal(t, tt.want, IsUnavailable(fmt.Errorf("choose next URL: %w", tt.err)), "wrapped: %s", name)
		}
	}
}

// TestIsUnavailableOfConnections checks IsUnavailable with errors of the driver and of a server.
func TestIsUnavailableOfConnections(t *testing.T) {
	t.Parallel()
	url := newDatabase(t)
	connect := func() *pgx.Conn {
		conn, err := pgx.Connect(t.Context(), url)
		require.NoError(t, err)
		t.Cleanup(func() { _ = conn.Close(context.Background()) })
		return conn
	}
	ask := func(conn *pgx.Conn, sql string) error {
		var result string
		return conn.QueryRow(t.Context(), sql).Scan(&result)
	}

	closed := connect()
	require.NoError(t, closed.Close(t.Context()))
	require.True(t, IsUnavailable(ask(closed, "SELECT 'a'")), "a closed connection")

	ended := connect()
	execute(t, url, fmt.Sprintf("SELECT pg_terminate_backend(%d, 60000)", ended.PgConn().PID()))
	require.True(t, IsUnavailable(ask(ended, "SELECT 'a'")), "a connection that the server ended")

	_, err := pgx.Connect(t.Context(), "postgres:///docket?host="+t.TempDir())
	require.Error(t, err)
	require.True(t, IsUnavailable(err), "no server")

	silent, err := pgx.ParseConfig(url)
	require.NoError(t, err)
	silent.DialFunc = func(context.Context, string, string) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Err: os.ErrDeadlineExceeded}
	}
	_, err = pgx.ConnectConfig(t.Context(), silent)
	require.Error(t, err)
	require.True(t, IsUnavailable(err), "a server that does not answer")

	alive := connect()
	require.False(t, IsUnavailable(ask(alive, "SELEC")), "a syntax error")
	_, err = alive.Exec(t.Context(), "SET statement_timeout = '10ms'")
	require.NoError(t, err)
	err = ask(alive, "SELECT pg_sleep(3600)::text")
	require.ErrorContains(t, err, "57014")
	require.False(t, IsUnavailable(err), "a statement timeout")
}
