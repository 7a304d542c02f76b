package main

import (
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"docket/internal/dbtest"
	"docket/internal/faultproxy"
)

// submit submits a URL as a user.
func (s serving) submit(t *testing.T, address string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+s.address+"/submit/url",
		strings.NewReader(`{"url": "`+address+`"}`))
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer "+s.token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	t.Cleanup(func() { _ = resp.Body.Close() })
	return resp
}

func requireUnavailable(t *testing.T, resp *http.Response) {
	t.Helper()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusServiceUnavailable, resp.StatusCode, "%s", body)
	require.Equal(t, "1", resp.Header.Get("Retry-After"))
	require.Contains(t, string(body), "The database is unavailable; send the request again")
}

// setDefault sets a parameter of all later sessions on the database; "" resets it.
func setDefault(t *testing.T, databaseURL, parameter, value string) {
	t.Helper()
	config, err := pgx.ParseConfig(databaseURL)
	require.NoError(t, err)
	statement := "ALTER DATABASE " + pgx.Identifier{config.Database}.Sanitize() + " SET " + parameter + " = " + value
	if value == "" {
		statement = "ALTER DATABASE " + pgx.Identifier{config.Database}.Sanitize() + " RESET " + parameter
	}
	config.RuntimeParams["default_transaction_read_only"] = "off"
	conn, err := pgx.ConnectConfig(t.Context(), config)
	require.NoError(t, err)
	defer conn.Close(t.Context())
	dbtest.Exec(t, conn, statement)
}

// A standby is refused by everything that writes. What only reads can use it.
func TestStandbyIsRefused(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	succeed(t, "seed", "--urls", "20", "--data-dir", dir)
	signals, err := filepath.Glob(filepath.Join(dir, "*", "PG_VERSION"))
	require.NoError(t, err)
	require.Len(t, signals, 1)
	require.NoError(t, os.WriteFile(filepath.Join(filepath.Dir(signals[0]), "standby.signal"), nil, 0o644))
	for _, command := range [][]string{
		{"serve", "--addr", "127.0.0.1:0"}, {"refresh"}, {"migrate", "apply"}, {"schema", "apply", "--auto-approve"},
		{"queue", "reconcile"}, {"seed", "--urls", "20"},
	} {
		status, _, stderr := docket(t, append(command, "--data-dir", dir)...)
		require.Equal(t, exitFailure, status, command)
		require.Contains(t, stderr, "is a standby, which accepts no writes: name the primary server, or promote this one", command)
	}
	succeed(t, "queue", "verify", "--data-dir", dir) // without the reservations, which a standby does not have
}

func TestOtherEncodingsAreRefused(t *testing.T) {
	t.Setenv(secretKeyVariable, strings.Repeat("k", 32))
	latin, err := url.Parse(dbtest.Empty(t))
	require.NoError(t, err)
	server := dbtest.Connect(t, latin.String())
	name := strings.TrimPrefix(latin.Path, "/") + "_latin"
	latin.Path = "/" + name
	dbtest.Exec(t, server, "CREATE DATABASE "+name+" TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'")
	defer dbtest.Exec(t, server, "DROP DATABASE "+name+" WITH (FORCE)")
	for _, command := range [][]string{{"serve", "--addr", "127.0.0.1:0"}, {"migrate", "apply"}, {"seed"}} {
		status, _, stderr := docket(t, append(command, "--database-url", latin.String())...)
		require.Equal(t, exitFailure, status, command)
		require.Contains(t, stderr, `database "`+name+`" on `)
		require.Contains(t, stderr, "does not store UTF-8: its encoding is LATIN1; create one with createdb --encoding=UTF8")
	}
	_, _, stderr := docket(t, "migrate", "status", "--database-url", latin.String())
	require.Contains(t, stderr, "migrations are pending", "it only reads")
}

// servable returns the URL of a database that docket serve can use.
func servable(t *testing.T) string {
	t.Helper()
	t.Setenv(secretKeyVariable, strings.Repeat("k", 32))
	at := dbtest.Empty(t)
	succeed(t, "migrate", "apply", "--database-url", at)
	return at
}

// While the database is read-only, requests that write get 503 and store nothing, and both end with the cause.
func TestServeWhileReadOnly(t *testing.T) {
	at := servable(t)
	setDefault(t, at, "default_transaction_read_only", "on")
	s := serve(t, "--database-url", at)
	requireUnavailable(t, s.submit(t, "https://read-only.example"))
	status, body := s.get(t, "/readyz", "")
	require.Equal(t, http.StatusServiceUnavailable, status)
	require.Contains(t, body, "Not ready: database")
	status, body = s.get(t, "/annotate/all", s.token)
	require.Equal(t, http.StatusOK, status, body)

	setDefault(t, at, "default_transaction_read_only", "")
	require.Zero(t, dbtest.Count(t, dbtest.Connect(t, at), "SELECT count(*) FROM urls"))
	s.ready(t)
	require.Eventually(t, func() bool {
		resp := s.submit(t, "https://read-only.example")
		return resp.StatusCode == http.StatusOK
	}, time.Minute, time.Millisecond, "each session that is read-only is replaced when a request has found out")
	require.Equal(t, 1, dbtest.Count(t, dbtest.Connect(t, at), "SELECT count(*) FROM urls"))
}

// A full disk gives 503, and the instance is not ready until a write succeeds.
func TestServeOnAFullDisk(t *testing.T) {
	at := servable(t)
	db := dbtest.Connect(t, at)
	dbtest.Exec(t, db, `CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql
		AS $$ BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = 'disk_full'; END $$`)
	dbtest.Exec(t, db, "CREATE TRIGGER full_disk BEFORE INSERT ON urls FOR EACH ROW EXECUTE FUNCTION full_disk()")
	s := serve(t, "--database-url", at)
	s.ready(t)
	requireUnavailable(t, s.submit(t, "https://full.example"))
	require.Eventually(t, func() bool {
		s.submit(t, "https://full.example")
		status, _ := s.get(t, "/readyz", "")
		return status == http.StatusServiceUnavailable
	}, time.Minute, time.Millisecond, "the result of an earlier check is used for a second")
	dbtest.Exec(t, db, "DROP TRIGGER full_disk ON urls")
	require.Equal(t, http.StatusOK, s.submit(t, "https://full.example").StatusCode)
	s.ready(t)
}

// An instance whose connections are all in use is ready.
func TestReadyWithAFullPool(t *testing.T) {
	at := servable(t)
	s := serve(t, "--database-url", at, "--max-conns", "1", "--views-max-age", "1000h")
	succeed(t, "refresh", "--database-url", at)
	db := dbtest.Connect(t, at)
	dbtest.Exec(t, db, "BEGIN")
	dbtest.Exec(t, db, "LOCK TABLE annotation_queue IN ACCESS EXCLUSIVE MODE")
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.get(t, "/annotate/all", s.token)
	}()
	dbtest.WaitForLocks(t, dbtest.Connect(t, at), 1)
	s.ready(t)
	dbtest.Exec(t, db, "ROLLBACK")
	<-ended
}

// A network that drops everything gives 503, not 504, although no packet says so. Requests succeed again at once afterwards.
func TestServeDuringAPartition(t *testing.T) {
	proxy := faultproxy.New(t, servable(t))
	s := serve(t, "--database-url", proxy.URL())
	s.ready(t)
	proxy.Partition(faultproxy.Both)
	begin := time.Now()
	requireUnavailable(t, s.submit(t, "https://partition.example"))
	t.Logf("503 after %s", time.Since(begin))
	status, _ := s.get(t, "/readyz", "")
	for status == http.StatusOK { // of a check before the partition
		status, _ = s.get(t, "/readyz", "")
	}
	require.Equal(t, http.StatusServiceUnavailable, status)
	proxy.Heal()
	s.ready(t)
	require.Equal(t, http.StatusOK, s.submit(t, "https://partition.example").StatusCode)
}
