package tcp

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// options are the options of a socket that was opened as a connection string says.
func options(t *testing.T, settings string) map[string]int {
	t.Helper()
	config, err := pgconn.ParseConfig("postgres://docket@localhost/facts" + settings)
	require.NoError(t, err)
	require.NoError(t, Configure(config))
	require.Empty(t, config.RuntimeParams, "the server would refuse them")
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	conn, err := config.DialFunc(t.Context(), "tcp", listener.Addr().String())
	require.NoError(t, err)
	defer conn.Close()
	raw, err := conn.(*net.TCPConn).SyscallConn()
	require.NoError(t, err)
	found := map[string]int{}
	require.NoError(t, raw.Control(func(fd uintptr) {
		for name, option := range map[string][2]int{
			"enabled":  {unix.SOL_SOCKET, unix.SO_KEEPALIVE},
			"idle":     {unix.IPPROTO_TCP, unix.TCP_KEEPIDLE},
			"interval": {unix.IPPROTO_TCP, unix.TCP_KEEPINTVL},
			"count":    {unix.IPPROTO_TCP, unix.TCP_KEEPCNT},
			"user":     {unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT},
		} {
			value, err := unix.GetsockoptInt(int(fd), option[0], option[1])
			if err == nil {
				found[name] = value
			}
		}
	}))
	return found
}

func TestSocketOptions(t *testing.T) {
	t.Parallel()
	system := options(t, "?keepalives_idle=0&keepalives_interval=0&keepalives_count=0&tcp_user_timeout=0")
	require.Equal(t, 1, system["enabled"])
	require.Zero(t, system["user"])
	require.NotEqual(t, 2, system["idle"])

	require.Equal(t, map[string]int{"enabled": 1, "idle": 2, "interval": 1, "count": 3, "user": 5000}, options(t, ""))
	require.Equal(t, map[string]int{"enabled": 1, "idle": 30, "interval": 7, "count": 9, "user": 1234},
		options(t, "?keepalives=1&keepalives_idle=30&keepalives_interval=7&keepalives_count=9&tcp_user_timeout=1234"))
	disabled := options(t, "?keepalives=0")
	require.Zero(t, disabled["enabled"])
	require.Equal(t, 5000, disabled["user"])
}

func TestSettingsThatAreNoNumbers(t *testing.T) {
	t.Parallel()
	for _, setting := range []string{"keepalives=yes", "keepalives_idle=5s", "keepalives_count=-1", "tcp_user_timeout="} {
		config, err := pgconn.ParseConfig("postgres://docket:hunter2@localhost/facts?" + setting)
		require.NoError(t, err)
		err = Configure(config)
		require.Error(t, err, setting)
		require.NotContains(t, err.Error(), "hunter2")
	}
}

func TestConnectTimeout(t *testing.T) {
	t.Parallel()
	for server, want := range map[string]time.Duration{
		"localhost/facts":                           5 * time.Second,
		"localhost/facts?connect_timeout=0":         5 * time.Second,
		"localhost/facts?connect_timeout=9":         9 * time.Second,
		"localhost/facts?sslmode=prefer":            5 * time.Second,
		"a,b/facts":                                 time.Second,
		"a:1,a:2/facts?sslmode=disable":             time.Second,
		"a,b/facts?connect_timeout=9":               9 * time.Second,
		"a,b/facts?target_session_attrs=read-write": time.Second,
	} {
		config, err := pgconn.ParseConfig("postgres://docket@" + server)
		require.NoError(t, err)
		require.NoError(t, Configure(config))
		require.Equal(t, want, config.ConnectTimeout, server)
	}
}

// A unix socket has no such options, and can be opened all the same.
func TestUnixSocket(t *testing.T) {
	t.Parallel()
	path := t.TempDir() + "/.s.PGSQL.5432"
	listener, err := net.Listen("unix", path)
	require.NoError(t, err)
	defer listener.Close()
	config, err := pgconn.ParseConfig("postgres:///facts?host=/tmp")
	require.NoError(t, err)
	require.NoError(t, Configure(config))
	conn, err := config.DialFunc(context.Background(), "unix", path)
	require.NoError(t, err)
	require.NoError(t, conn.Close())
}
