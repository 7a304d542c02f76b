package postgres

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"docket/internal/postgres/tcp"
)

// The pages that explain a 503 have the limits of the program.
func TestPagesOfUnavailable(t *testing.T) {
	t.Parallel()
	page := func(name string) string {
		text, err := os.ReadFile("../../docs/" + name)
		require.NoError(t, err)
		return strings.Join(strings.Fields(string(text)), " ")
	}
	inSeconds := func(d time.Duration) string { return fmt.Sprint(d.Seconds()) }

	slowest := silentFor + 2*questionTimeout + questionPause
	decision := page("decisions/unavailable-or-slow.md")
	for _, sentence := range []string{
		"one that confirms within " + inSeconds(cancelTimeout) + " seconds was slow",
		"a TCP user timeout of " + inSeconds(tcp.UserTimeout) + " seconds, and keepalives every second after " +
			inSeconds(tcp.KeepaliveIdle) + " seconds of silence",
		"opens another connection, within " + inSeconds(questionTimeout) + " seconds, when one has waited for " + inSeconds(silentFor) +
			" seconds",
		"half a second apart",
		"after " + inSeconds(slowest) + " seconds at the latest",
		"waited " + inSeconds(idleInTransaction) + " seconds for their next statement",
		"longer than " + inSeconds(silentFor) + " seconds costs a connection, and another every " + inSeconds(silentFor) + " seconds",
		"A pause of the network of more than " + inSeconds(tcp.UserTimeout) + " seconds",
	} {
		require.Contains(t, decision, sentence)
	}
	require.Equal(t, time.Second, tcp.KeepaliveInterval)
	require.Equal(t, time.Second/2, questionPause)

	operations := page("operations.md")
	require.LessOrEqual(t, tcp.UserTimeout, 5*time.Second)
	require.LessOrEqual(t, slowest, 7*time.Second)
	for _, sentence := range []string{
		"for " + inSeconds(lackingFor) + " seconds after a request failed for lack",
		"| `connect_timeout` | " + inSeconds(tcp.ConnectTimeout) + "; " + inSeconds(tcp.ConnectTimeoutOfSeveral) + " if the URL names several",
		"| `tcp_user_timeout` | " + milliseconds(tcp.UserTimeout) + " |",
		fmt.Sprintf("| %s, %s, %d |", inSeconds(tcp.KeepaliveIdle), inSeconds(tcp.KeepaliveInterval), tcp.KeepaliveCount),
		"requests get 503 after 5 to 7 seconds",
		"(" + milliseconds(idleInTransaction) + " ms)",
	} {
		require.Contains(t, operations, sentence)
	}

	// The states on the decision's page are those of the code.
	for _, code := range append(append([]string{}, unavailableClasses...), unavailableStates...) {
		require.Contains(t, decision, code)
	}
	for _, code := range append([]string{transactionTimeout}, alwaysTheSame...) {
		require.Contains(t, decision, code)
	}
}

// The sessions of a served pool make the server notice a client that is gone.
func TestLimitsOfServedSessions(t *testing.T) {
	t.Parallel()
	url := newDatabase(t)
	setting := func(pool *Pool, name string) (value string) {
		require.NoError(t, pool.QueryRow(t.Context(), "SELECT current_setting($1)", name).Scan(&value))
		return value
	}
	open := func(cfg PoolConfig) *Pool {
		pool, err := Open(t.Context(), cfg)
		require.NoError(t, err)
		t.Cleanup(pool.Close)
		return pool
	}
	const idle = "idle_in_transaction_session_timeout"
	served := open(PoolConfig{URL: url, MaxConns: 1, Served: true})
	require.Equal(t, "10s", setting(served, idle))
	require.NoError(t, InSnapshot(t.Context(), served, func(tx pgx.Tx) error {
		var value string
		require.NoError(t, tx.QueryRow(t.Context(), "SELECT current_setting($1)", idle).Scan(&value))
		require.Equal(t, "0", value, "a client may read an export slowly")
		return nil
	}))
	config := served.Config().ConnConfig
	require.Equal(t, "5000", config.RuntimeParams["tcp_user_timeout"])
	require.Equal(t, "2", config.RuntimeParams["tcp_keepalives_idle"])
	require.Equal(t, "1min", setting(open(PoolConfig{URL: url + "&" + idle + "=60000", MaxConns: 1, Served: true}), idle))
	require.Equal(t, "0", setting(open(PoolConfig{URL: url, MaxConns: 1}), idle), "a command may pause")
}
