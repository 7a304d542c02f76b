// Package pgbouncer starts a PgBouncer for a test, in front of a database that the test has. Only tests import it.
package pgbouncer

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// port is only part of the name of the socket.
const port = "6432"

const startTimeout = 10 * time.Second

// Start starts a PgBouncer in transaction mode in front of the database, with four server connections, and returns the URL of the
// database through it. Options replace the settings of its section [pgbouncer]. It ends with the test.
func Start(t testing.TB, database string, options map[string]string) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "pgbouncer-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	through, ini, err := configure(dir, database, options)
	if err != nil {
		t.Fatalf("configure PgBouncer: %v", err)
	}
	Run(t, dir, ini)
	return through
}

// configure writes the files of a PgBouncer and returns the URL through it and the name of the configuration file.
func configure(dir, database string, options map[string]string) (through, ini string, err error) {
	parsed, err := url.Parse(database)
	if err != nil {
		return "", "", errors.New("the URL of the database cannot be read")
	}
	query := parsed.Query()
	server := map[string]string{
		"host": parsed.Hostname(), "port": parsed.Port(), "dbname": strings.TrimPrefix(parsed.Path, "/"), "user": parsed.User.Username(),
	}
	server["password"], _ = parsed.User.Password()
	for name := range server {
		if given := query.Get(name); given != "" {
			server[name] = given
		}
	}
	var entry []string
	for _, name := range slices.Sorted(maps.Keys(server)) {
		if server[name] != "" && name != "user" {
			entry = append(entry, name+"="+server[name])
		}
	}
	users := filepath.Join(dir, "userlist.txt")
	settings := map[string]string{
		"listen_port": port, "unix_socket_dir": dir, "auth_type": "trust", "auth_file": users,
		"pool_mode": "transaction", "default_pool_size": "4", "max_client_conn": "200", "log_connections": "0", "log_disconnections": "0",
	}
	maps.Copy(settings, options)
	var text strings.Builder
	fmt.Fprintf(&text, "[databases]\n%s = %s\n[pgbouncer]\n", server["dbname"], strings.Join(entry, " "))
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		fmt.Fprintf(&text, "%s = %s\n", name, settings[name])
	}
	ini = filepath.Join(dir, "pgbouncer.ini")
	if err := os.WriteFile(ini, []byte(text.String()), 0o644); err != nil {
		return "", "", err
	}
	if err := os.WriteFile(users, fmt.Appendf(nil, "%q %q\n", server["user"], server["password"]), 0o644); err != nil {
		return "", "", err
	}
	through = (&url.URL{
		Scheme: "postgres", User: url.User(server["user"]), Path: "/" + server["dbname"],
		RawQuery: url.Values{"host": {dir}, "port": {port}}.Encode(),
	}).String()
	return through, ini, nil
}

// Run runs PgBouncer with a configuration file in the directory, which must have its socket there, until the test ends. When root
// runs the test, PgBouncer, which refuses to run as root, runs as the user postgres, and owns the directory.
func Run(t testing.TB, dir, ini string) {
	t.Helper()
	program, err := exec.LookPath("pgbouncer")
	if err != nil {
		program = "/usr/sbin/pgbouncer" // not in the path of all users
	}
	if _, err := os.Stat(program); err != nil {
		t.Fatalf("PgBouncer is not installed; scripts/prepare --race installs it: %v", err)
	}
	args := []string{"-q", ini}
	if os.Geteuid() == 0 {
		args = []string{"-q", "-u", "postgres", ini}
		for _, path := range []string{dir, ini} {
			if output, err := exec.CommandContext(t.Context(), "chown", "-R", "postgres", path).CombinedOutput(); err != nil {
				t.Fatalf("chown %s: %v: %s", path, err, output)
			}
		}
	}
	// The shell ends PgBouncer when its standard input does, so that none outlives a test process that is killed.
	cmd := exec.Command("/bin/sh", append([]string{"-c", `"$@" & read -r _; kill -INT $!; wait $!`, "sh", program}, args...)...)
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	input, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("start PgBouncer: %v", err)
	}
	t.Cleanup(func() {
		_ = input.Close()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("PgBouncer:\n%s", log.String())
		}
	})
	socket := filepath.Join(dir, ".s.PGSQL."+port)
	for deadline := time.Now().Add(startTimeout); ; time.Sleep(10 * time.Millisecond) {
		conn, err := net.Dial("unix", socket)
		if err == nil {
			_ = conn.Close()
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("PgBouncer does not accept connections: %v", err)
		}
	}
}
