package postgres

import (
	"context"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"docket/internal/postgres/embedded"
)

// startPair starts a server and a standby to which it replicates synchronously.
func startPair(t *testing.T) (primary, standby *embedded.Server, primaryProcess int) {
	t.Helper()
	dir, err := os.MkdirTemp("", "docket-postgres-")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	require.NoError(t, os.Chmod(dir, 0o711))
	primary, err = embedded.Start(t.Context(), embedded.Config{DataDir: filepath.Join(dir, "primary"), Ephemeral: true})
	require.NoError(t, err)
	t.Cleanup(func() { _ = primary.Stop(context.Background()) }) // the test kills it
	standby, err = primary.StartStandby(t.Context(), filepath.Join(dir, "standby"))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, standby.Stop(context.Background())) })
	execute(t, primary.URL(), "ALTER SYSTEM SET synchronous_standby_names = '*'")
	execute(t, primary.URL(), "SELECT pg_reload_conf()")
	require.Eventually(t, func() bool {
		return ask[string](t, primary.URL(), "SELECT coalesce(min(sync_state), '') FROM pg_stat_replication") == "sync"
	}, time.Minute, 10*time.Millisecond)

	data := ask[string](t, primary.URL(), "SELECT current_setting('data_directory')")
	text, err := os.ReadFile(filepath.Join(data, "postmaster.pid"))
	require.NoError(t, err)
	first, _, _ := strings.Cut(string(text), "\n")
	primaryProcess, err = strconv.Atoi(first)
	require.NoError(t, err)
	return primary, standby, primaryProcess
}

// ask returns the only value that a query returns.
func ask[T any](t *testing.T, url, query string) (value T) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	defer conn.Close(context.Background())
	require.NoError(t, conn.QueryRow(t.Context(), query).Scan(&value))
	return value
}

// both returns a URL that names both servers, the standby first.
func both(t *testing.T, primary, standby *embedded.Server) string {
	t.Helper()
	of := func(server *embedded.Server) string {
		parsed, err := url.Parse(server.URL())
		require.NoError(t, err)
		return parsed.Query().Get("host")
	}
	parsed, err := url.Parse(primary.URL())
	require.NoError(t, err)
	query := parsed.Query()
	query.Set("host", of(standby)+","+of(primary))
	query.Set("port", query.Get("port")+","+query.Get("port"))
	query.Set("synchronous_commit", "on") // a server of tests has it off
	parsed.RawQuery = query.Encode()
	return parsed.String()
}

// The primary dies while clients write, and its standby is promoted. The pool follows: what was acknowledged is stored, what was
// said to have failed is not.
func TestFailover(t *testing.T) {
	t.Parallel()
	primary, standby, process := startPair(t)
	execute(t, primary.URL(), "CREATE TABLE fact (n bigint)")
	pool, err := Open(t.Context(), PoolConfig{URL: both(t, primary, standby), MaxConns: 8, Served: true, Primary: true})
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	const server = "SELECT " + currentServer + " FROM pg_stat_bgwriter"
	before := ask[string](t, primary.URL(), server)

	// A standby does not say what became of a transaction, not even of one that it has not received.
	conn, err := pgx.Connect(t.Context(), standby.URL())
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	_, err = conn.Exec(t.Context(), statusOfTx, "1000000000", before)
	require.ErrorContains(t, err, "recovery is in progress")

	var (
		mu                   sync.Mutex
		acknowledged, failed []int64
		next, successes      atomic.Int64
		clients              sync.WaitGroup
		stop                 = make(chan struct{})
	)
	for range 4 {
		clients.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				n := next.Add(1)
				err := InTx(context.Background(), pool, func(tx pgx.Tx) error {
					_, err := tx.Exec(context.Background(), "INSERT INTO fact VALUES ($1)", n)
					return err
				})
				mu.Lock()
				switch {
				case err == nil:
					acknowledged = append(acknowledged, n)
					successes.Add(1)
				case !IsUnavailable(err):
					t.Errorf("transaction %d: %v", n, err)
				case !errors.Is(err, ErrOutcomeUnknown):
					failed = append(failed, n)
				}
				mu.Unlock()
			}
		})
	}
	succeed := func() {
		from := successes.Load()
		require.Eventually(t, func() bool { return successes.Load() >= from+20 }, time.Minute, time.Millisecond)
	}
	succeed()
	require.NoError(t, syscall.Kill(process, syscall.SIGKILL))
	<-primary.Done()
	execute(t, standby.URL(), "SELECT pg_promote()")
	succeed()
	close(stop)
	clients.Wait()

	timeline := func(server string) string { return server[len(server)-8:] }
	require.NotEqual(t, timeline(before), timeline(ask[string](t, standby.URL(), server)), "other transactions may have the same ids")
	const missing = "SELECT count(*) FROM unnest($1::bigint[]) sent (n) WHERE NOT EXISTS (SELECT FROM fact WHERE fact.n = sent.n)"
	var lost, absent, twice int
	require.NoError(t, pool.QueryRow(t.Context(), missing, acknowledged).Scan(&lost))
	require.Zero(t, lost, "acknowledged, and not stored")
	require.NoError(t, pool.QueryRow(t.Context(), missing, failed).Scan(&absent))
	require.Equal(t, len(failed), absent, "said to have failed, and stored")
	require.NoError(t, pool.QueryRow(t.Context(), "SELECT count(*) - count(DISTINCT n) FROM fact").Scan(&twice))
	require.Zero(t, twice, "stored twice")
	t.Logf("%d acknowledged, %d failed", len(acknowledged), len(failed))
}
