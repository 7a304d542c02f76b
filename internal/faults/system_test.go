package faults

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"docket/internal/dbtest"
	"docket/internal/faultproxy"
	"docket/internal/postgres/embedded"
)

// system is Docket, a proxy, and PostgreSQL. Both programs are started again when they end.
type system struct {
	t         *testing.T
	dataDir   string        // of PostgreSQL
	addresses []string      // of Docket's processes, such as http://127.0.0.1:8080
	turn      atomic.Uint64 // chooses the process of the next request
	logs      *os.File
	url       string            // of the database, without the proxy; empty until Docket has started its own server
	proxy     *faultproxy.Proxy // nil with Docket's own server
	client    *http.Client

	server     *embedded.Server // nil with Docket's own server; only the goroutine that causes faults uses it
	docket     atomic.Pointer[os.Process]
	killed     atomic.Bool  // the process in docket was killed on purpose
	unexpected atomic.Int64 // how often Docket ended by itself after it had been ready
	stopping   atomic.Bool
	running    sync.WaitGroup
}

var secretKey = []byte(strings.Repeat("faults..", 4))

// program is docket, built from this source.
var program string

func TestMain(m *testing.M) { os.Exit(runTests(m)) }

func runTests(m *testing.M) int {
	flag.Parse()
	dir, err := os.MkdirTemp("", "docket-faults-*")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	program = filepath.Join(dir, "docket")
	if *prebuilt != "" {
		program = *prebuilt
	} else if output, err := exec.Command("go", "build", "-o", program, "docket/cmd/docket").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build docket: %v: %s\n", err, output)
		return 1
	}
	if *seed == 0 {
		*seed = rand.Uint64N(1_000_000) + 1
	}
	fmt.Println("-seed", *seed)
	return m.Run()
}

// startSystem starts PostgreSQL and the proxy, not Docket.
func startSystem(t *testing.T) *system {
	t.Helper()
	s := newSystem(t)
	s.startServer()
	t.Cleanup(func() { require.NoError(t, s.server.Stop(context.Background())) })
	s.url = s.server.URL()
	s.proxy = faultproxy.New(t, s.url)
	s.proxy.Seed(*seed)
	return s
}

// startOwnSystem leaves PostgreSQL to Docket, without a proxy.
func startOwnSystem(t *testing.T) *system {
	t.Helper()
	return newSystem(t)
}

func newSystem(t *testing.T) *system {
	dir, err := os.MkdirTemp("", "docket-faults-*")
	require.NoError(t, err)
	t.Cleanup(func() {
		if !t.Failed() {
			require.NoError(t, os.RemoveAll(dir))
		}
	})
	require.NoError(t, os.Chmod(dir, 0o755)) // started by root, PostgreSQL runs as another user
	s := &system{t: t, dataDir: filepath.Join(dir, "data")}
	s.client = &http.Client{Timeout: time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	s.logs, err = os.Create(filepath.Join(dir, "docket.log"))
	require.NoError(t, err)
	return s
}

// fill makes the tables and the sample data.
func (s *system) fill(urls string) {
	s.run("migrate", "apply")
	s.run("seed", "--urls", urls)
}

// run executes a command of docket, without the proxy, and returns what it prints.
func (s *system) run(args ...string) string {
	output, err := s.command(s.url, args...).CombinedOutput()
	assert.NoError(s.t, err, "docket %v: %s", args, output)
	return strings.TrimSpace(string(output))
}

// command is a command of docket on a database or, without its URL, on Docket's own server.
func (s *system) command(databaseURL string, args ...string) *exec.Cmd {
	where := []string{"--database-url", databaseURL, "--log-format", "json", "--log-level", "warn"}
	if databaseURL == "" {
		where = append([]string{"--data-dir", s.dataDir}, where[2:]...)
	}
	cmd := exec.Command(program, append(args, where...)...)
	cmd.Env = append(os.Environ(), "DS_APP_SECRET_KEY="+string(secretKey))
	return cmd
}

// serve runs docket serve until stop, and starts it again whenever it ends.
func (s *system) serve() {
	address := freeAddress(s.t)
	s.addresses = []string{"http://" + address}
	s.running.Go(func() {
		for !s.stopping.Load() {
			s.serveOnce(address)
			time.Sleep(50 * time.Millisecond) // it ends at once while there is no server
		}
	})
	s.t.Cleanup(s.stop)
	s.awaitReady()
	if s.url == "" {
		s.url = s.run("db", "url")
	}
}

func (s *system) serveOnce(address string) {
	through := ""
	if s.proxy != nil {
		through = s.proxy.URL()
	}
	cmd := s.command(through, "serve", "--addr", address, "--max-conns", "12")
	cmd.Stdout, cmd.Stderr = s.logs, s.logs
	if err := cmd.Start(); err != nil {
		s.t.Error(err)
		return
	}
	s.killed.Store(false)
	s.docket.Store(cmd.Process)
	ended := make(chan struct{})
	wasReady := make(chan bool)
	go func() {
		for !s.ready() {
			select {
			case <-ended:
				wasReady <- false
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
		wasReady <- true
	}()
	_ = cmd.Wait()
	close(ended)
	if <-wasReady && !s.killed.Load() && !s.stopping.Load() {
		s.unexpected.Add(1)
	}
}

// ready asks all processes of Docket, not the database: /healthz depends on the process only.
func (s *system) ready() bool {
	return !slices.ContainsFunc(s.addresses, func(address string) bool {
		resp, err := s.client.Get(address + "/healthz")
		if err != nil {
			return true
		}
		_ = resp.Body.Close()
		return resp.StatusCode != http.StatusOK
	})
}

func (s *system) awaitReady() {
	require.Eventually(s.t, s.ready, 2*time.Minute, 10*time.Millisecond, "docket serve does not start; its log is %s", s.logs.Name())
}

func (s *system) stop() {
	s.stopping.Store(true)
	_ = s.docket.Load().Signal(os.Interrupt)
	s.running.Wait()
}

// killDocket kills the process as kill -9 does.
func (s *system) killDocket() {
	s.killed.Store(true)
	_ = s.docket.Load().Kill()
}

// startServer starts PostgreSQL; after a kill it recovers.
func (s *system) startServer() {
	var err error
	for range 100 {
		s.server, err = embedded.Start(s.t.Context(), embedded.Config{DataDir: s.dataDir, Owner: "the test of faults"})
		if !errors.Is(err, embedded.ErrInUse) {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	require.NoError(s.t, err)
}

// killServer kills PostgreSQL's first process as kill -9 does, and starts it again after the pause, unless Docket does.
func (s *system) killServer(pause time.Duration) {
	require.NoError(s.t, syscall.Kill(s.serverProcess(), syscall.SIGKILL))
	if s.server == nil {
		return
	}
	<-s.server.Done()
	time.Sleep(pause)
	s.startServer()
}

// serverProcess is the first process of PostgreSQL. It is in the first line of the file.
func (s *system) serverProcess() int {
	text, err := os.ReadFile(filepath.Join(s.dataDir, "postgres", "postmaster.pid"))
	require.NoError(s.t, err)
	first, _, _ := strings.Cut(string(text), "\n")
	pid, err := strconv.Atoi(first)
	require.NoError(s.t, err)
	return pid
}

// restartServer stops PostgreSQL as its operator does.
func (s *system) restartServer(pause time.Duration) {
	require.NoError(s.t, s.server.Stop(s.t.Context()))
	time.Sleep(pause)
	s.startServer()
}

// connect returns a connection of the test's own. It waits until the server accepts one.
func (s *system) connect() *pgx.Conn {
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		conn, err := pgx.Connect(s.t.Context(), s.url)
		if err == nil {
			return conn
		}
		require.True(s.t, time.Now().Before(deadline), "no connection: %v", err)
	}
}

// backends are the processes of PostgreSQL that serve Docket.
func (s *system) backends() (pids []int) {
	conn := s.connect()
	defer conn.Close(context.Background())
	for _, pid := range dbtest.List(s.t, conn, "SELECT pid::text FROM pg_stat_activity WHERE application_name = 'docket' ORDER BY pid") {
		number, err := strconv.Atoi(pid)
		require.NoError(s.t, err)
		pids = append(pids, number)
	}
	return pids
}

// execute runs statements on a connection of their own.
func (s *system) execute(statements ...string) {
	conn := s.connect()
	defer conn.Close(context.Background())
	for _, statement := range statements {
		dbtest.Exec(s.t, conn, statement)
	}
}

func (s *system) String() string {
	return fmt.Sprintf("docket on %s, log %s", s.addresses, s.logs.Name())
}
