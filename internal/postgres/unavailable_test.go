package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

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
		"connection refused": {&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}, true},
		"connection reset":   {&net.OpError{Op: "read", Err: syscall.ECONNRESET}, true},
		"unexpected end":     {io.ErrUnexpectedEOF, true},
		"dead connection":    {fmt.Errorf("%w: no response", errSilent), true},

		"none":                    {nil, false},
		"no rows":                 {pgx.ErrNoRows, false},
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

// TestUnavailableStates has every class of PostgreSQL 18's appendix A, and every state of a class whose states differ.
func TestUnavailableStates(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]bool{
		"00000": false, "01000": false, "02000": false, "03000": false,
		"08000": true, "08001": true, "08003": true, "08004": true, "08006": true, "08007": true, "08P01": true,
		"09000": false, "0A000": false, "0B000": false, "0F000": false, "0L000": false, "0P000": false, "0Z000": false, "10608": false,
		"20000": false, "21000": false, "22003": false, "22021": false, "23502": false, "23503": false, "23505": false, "24000": false,
		"25000": false, "25001": false, "25006": true, "25P01": false, "25P02": false, "25P03": true, "25P04": false,
		"26000": false, "27000": false, "28000": false, "28P01": false, "2B000": false, "2D000": false, "2F000": false,
		"34000": false, "38000": false, "39000": false, "3B000": false, "3D000": false, "3F000": false,
		"40000": true, "40001": true, "40002": false, "40003": true, "40P01": true,
		"42501": false, "42601": false, "42P01": false, "44000": false,
		"53000": true, "53100": true, "53200": true, "53300": true, "53400": true,
		"54000": false, "54001": false, "55000": false, "55006": false, "55P02": false, "55P03": true, "55P04": false,
		"57000": true, "57014": false, "57P01": true, "57P02": true, "57P03": true, "57P04": true, "57P05": true,
		"58000": true, "58030": true, "58P01": true, "58P02": true, "58P03": true,
		"72000": true, "F0000": false, "HV000": false, "P0001": false, "XX000": false, "XX001": false, "XX002": false,
	} {
		err := rules{}.translate(&pgconn.PgError{Code: code})
		require.Equal(t, want, IsUnavailable(fmt.Errorf("store answer: %w", err)), code)
		require.Equal(t, code == "57014" || code == "25P04", errors.Is(err, context.DeadlineExceeded), code)
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

	_, err = pgx.Connect(t.Context(), url+"&user=no_such_role")
	require.ErrorContains(t, err, "28000")
	require.True(t, IsUnavailable(err), "a role that may not connect")

	gone, cancel := context.WithDeadline(t.Context(), time.Now())
	defer cancel()
	err = connect().QueryRow(gone, "SELECT 'a'").Scan(new(string))
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.False(t, IsUnavailable(err), "nothing was sent, because the deadline had passed")

	alive := connect()
	require.False(t, IsUnavailable(ask(alive, "SELEC")), "a syntax error")
	_, err = alive.Exec(t.Context(), "SET statement_timeout = '10ms'")
	require.NoError(t, err)
	err = ask(alive, "SELECT pg_sleep(3600)::text")
	require.ErrorContains(t, err, "57014")
	require.False(t, IsUnavailable(err), "a statement timeout")
}
