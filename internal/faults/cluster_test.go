//go:build cluster

package faults

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"docket/internal/dbtest"
)

// The flags are those of scripts/cluster, which has the defaults.
var (
	clusterDir = flag.String("cluster", "", "the directory of the cluster")
	python     = flag.String("python", "", "the program that runs Patroni")
	pgBin      = flag.String("pg-bin", "", "the directory of PostgreSQL's programs")
	events     = flag.Int("events", 10, "how many events")
	eventKinds = flag.String("kinds", "", "which events, by name with commas")
	through    = flag.String("through", "haproxy,hosts", "how Docket connects")
)

// backLater is how much later than the cluster Docket may be back.
const backLater = 2 * time.Second

// event is something that happens to the leader. cause returns what ends it, after another node leads.
type event struct {
	name  string
	cause func(leader *node) (end func())
}

func nothing() {}

var clusterEvents = []event{
	{"switchover", func(leader *node) func() {
		leader.switchOver()
		return nothing
	}},
	{"postmaster killed", func(leader *node) func() {
		_ = syscall.Kill(leader.postmaster(), syscall.SIGKILL)
		return nothing
	}},
	{"node killed", func(leader *node) func() {
		leader.killPatroni()
		leader.signalServer(syscall.SIGKILL)
		return leader.start
	}},
	{"node frozen", func(leader *node) func() {
		_ = leader.patroni.Process.Signal(syscall.SIGSTOP)
		leader.signalServer(syscall.SIGSTOP)
		return func() {
			leader.signalServer(syscall.SIGCONT)
			_ = leader.patroni.Process.Signal(syscall.SIGCONT)
		}
	}},
	// PostgreSQL continues without a Patroni: nothing but the check of HAProxy keeps clients from it.
	{"Patroni killed", func(leader *node) func() {
		leader.killPatroni()
		return func() {
			leader.signalServer(syscall.SIGKILL)
			leader.start()
		}
	}},
}

// TestCluster lets clients work on two Dockets while the leader of a cluster of Patroni changes.
func TestCluster(t *testing.T) {
	c := startCluster(t, *clusterDir)
	for _, way := range strings.Split(*through, ",") {
		t.Run(way, func(t *testing.T) { c.breakLeaders(t, way) })
	}
}

func (c *cluster) breakLeaders(t *testing.T, way string) {
	c.t = t
	database := "docket_" + way
	conn, err := pgx.Connect(t.Context(), url("postgres", "", c.leader(nil).SQL))
	require.NoError(t, err)
	dbtest.Exec(t, conn, "CREATE DATABASE "+database)
	dbtest.Exec(t, conn, "CREATE TABLE IF NOT EXISTS probe (at timestamptz)")
	require.NoError(t, conn.Close(t.Context()))

	dockets := &instances{system: newSystem(t), commands: [][]string{{"serve"}, {"serve"}}}
	switch way {
	case "haproxy":
		dockets.url = url(database, "", c.HAProxy)
	case "hosts":
		var addresses []string
		for _, n := range c.Nodes {
			addresses = append(addresses, n.SQL)
		}
		dockets.url = url(database, "target_session_attrs=read-write", addresses...)
	default:
		t.Fatalf("-through: %q is not known", way)
	}
	dockets.fill("5000")
	dockets.startAll()
	for i, process := range dockets.processes {
		c.note(fmt.Sprintf("docket%d", i), process)
	}
	s := startClients(dockets.system, true)
	r := &clusterReport{ready: map[string]time.Duration{}}
	s.causeEvents(c, r)
	s.compareEvents(t, way, r)
	s.check(t)
}

// chosenEvents returns as many events as the flags say, of each kind in turn.
func chosenEvents(t *testing.T) (list []event) {
	var kinds []event
	for _, name := range strings.Split(*eventKinds, ",") {
		i := slices.IndexFunc(clusterEvents, func(e event) bool { return e.name == name })
		require.GreaterOrEqual(t, i, 0, "-kinds: %q is not known", name)
		kinds = append(kinds, clusterEvents[i])
	}
	for i := range *events {
		list = append(list, kinds[i%len(kinds)])
	}
	return list
}

// causeEvents causes the events, one after another, then waits for the requests in progress.
func (s *suite) causeEvents(c *cluster, r *clusterReport) {
	list := chosenEvents(s.system.t)
	s.random.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	defer s.finish()
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	c.probe(ctx, func(began time.Time) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.gaps.success(began, s.currentFault())
	})
	go s.watchReady(ctx, r)
	for i, e := range list {
		s.causeEvent(c, fmt.Sprintf("%d. %s", i+1, e.name), e)
	}
}

// timeBetween is how long clients work undisturbed between two events, and while a node that led is away.
const timeBetween = 3 * time.Second

func (s *suite) causeEvent(c *cluster, name string, e event) {
	time.Sleep(timeBetween)
	leader := c.leader(nil)
	fmt.Printf("%s %s: %s\n", time.Now().Format(time.TimeOnly), name, leader.Name)
	s.setFault(name)
	end := e.cause(leader)
	c.leader(leader)
	s.awaitSuccesses(name)
	time.Sleep(timeBetween)
	end()
	c.awaitHealthy()
	s.awaitSuccesses(name)
	s.setFault("none")
}

// watchReady asks each Docket whether it is ready.
func (s *suite) watchReady(ctx context.Context, r *clusterReport) {
	for _, address := range s.system.addresses {
		go func() {
			var since time.Time
			for ; ctx.Err() == nil; time.Sleep(50 * time.Millisecond) {
				resp, err := s.system.client.Get(address + "/readyz")
				if err == nil {
					_ = resp.Body.Close()
				}
				switch {
				case err == nil && resp.StatusCode == http.StatusOK:
					since = time.Time{}
				case since.IsZero():
					since = time.Now()
				default:
					r.notReady(s.currentFault(), time.Since(since))
				}
			}
		}()
	}
}

// clusterReport is what the suite does not report of a cluster.
type clusterReport struct {
	mu    sync.Mutex
	gaps  gaps                     // of the cluster alone
	ready map[string]time.Duration // the longest time a Docket was not ready
}

func (r *report) currentFault() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.fault
}

func (r *clusterReport) notReady(event string, lasts time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ready[event] = max(r.ready[event], lasts)
}

// compareEvents prints what clients were told and what is stored, by event, and requires that Docket is back soon.
func (s *suite) compareEvents(t *testing.T, way string, r *clusterReport) {
	conn := s.system.connect()
	defer conn.Close(context.Background())
	s.compare(conn, s.system)
	outcomes := s.outcomes(func(request *sent) string { return request.fault })
	var text strings.Builder
	fmt.Fprintf(&text, "| %s | acknowledged | lost | doubled | no write for | of the cluster alone | not ready for | other statuses |\n",
		way)
	fmt.Fprintln(&text, "| --- | ---: | ---: | ---: | ---: | ---: | ---: | --- |")
	for _, event := range slices.SortedFunc(maps.Keys(outcomes), func(a, b string) int { return number(a) - number(b) }) {
		if number(event) == 0 {
			continue // between events
		}
		o := outcomes[event]
		other := s.otherStatuses(event)
		assert.Empty(t, other, "%s: statuses that no client should get", event)
		gap, alone := s.writes.longest[event], r.gaps.longest[event]
		assert.LessOrEqual(t, gap, alone+backLater, "%s: how long no write succeeded", event)
		fmt.Fprintf(&text, "| %s | %d | %d | %d | %.1f s | %.1f s | %.1f s | %s |\n", event, o.acknowledged, o.lost, o.doubled,
			gap.Seconds(), alone.Seconds(), r.ready[event].Seconds(), strings.Join(other, ", "))
	}
	fmt.Println("\n" + text.String())
	require.NoError(t, os.WriteFile(*clusterDir+"/"+way+".md", []byte(text.String()), 0o600))
}

// number returns 2 of "2. switchover", and 0 of what is no event.
func number(event string) (n int) {
	_, _ = fmt.Sscanf(event, "%d.", &n)
	return n
}

// otherStatuses are those that are neither success, nor a conflict that a problem of Docket's explains, nor a request to try later.
func (s *suite) otherStatuses(event string) (list []string) {
	for status, count := range s.statuses[event] {
		code, problem, _ := strings.Cut(status, " ")
		expected := code[0] == '2' || code == "409" && problem != "" || code == "503" && status != noRetryAfter
		if !expected {
			list = append(list, fmt.Sprintf("%d × %s", count, status))
		}
	}
	slices.Sort(list)
	return list
}

// probe writes while the node leads.
func (n *node) probe(ctx context.Context, success func(began time.Time)) {
	var conn *pgx.Conn
	for ; ctx.Err() == nil; time.Sleep(50 * time.Millisecond) {
		if !n.isLeader() {
			continue
		}
		began := time.Now()
		err := func() (err error) {
			ctx, cancel := context.WithTimeout(ctx, time.Second)
			defer cancel()
			if conn == nil {
				if conn, err = pgx.Connect(ctx, url("postgres", "", n.SQL)); err != nil {
					return err
				}
			}
			_, err = conn.Exec(ctx, "INSERT INTO probe VALUES (now())")
			return err
		}()
		if err == nil {
			success(began)
		} else if conn != nil {
			_ = conn.Close(ctx)
			conn = nil
		}
	}
}
