package faults

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"docket/api"
	"docket/internal/dbtest"
	. "docket/internal/faultproxy"
)

// fault is something that breaks. start causes it, and returns what ends it.
type fault struct {
	name  string
	kill  bool // ends a process
	own   bool // also with the server that docket serve starts
	lasts time.Duration
	start func(s *suite) (end func())
}

// writes are the statements that store something. Many are committed by themselves, without a COMMIT.
var writes = SQL(`(?s)-- name: \S*(Insert|Upsert|Update|Delete|Transfer|Submit)`)

// ruled is a fault that the proxy causes at statements, until its end.
func ruled(name string, rules ...Rule) fault {
	return fault{name: name, start: func(s *suite) func() {
		s.system.proxy.Set(rules...)
		return func() {
			s.system.proxy.Set()
			s.system.proxy.Heal()
		}
	}}
}

const seldom, often = 0.03, 0.3 // per statement

var faults = []fault{
	{name: "none", start: func(*suite) func() { return func() {} }},

	ruled("cut before a statement", Rule{At: BeforeStatement, Probability: seldom, Do: Cut}),
	ruled("cut during a write", Rule{Match: writes, At: AfterSend, Probability: often, Do: Cut}),
	ruled("cut before the answer of a write", Rule{Match: writes, At: BeforeAnswer, Probability: often, Do: Cut}),
	ruled("cut after an answer", Rule{At: AfterAnswer, Probability: seldom, Do: Cut}),
	ruled("cut before COMMIT", Rule{Match: Commit, At: BeforeStatement, Probability: often, Do: Cut}),
	ruled("cut during COMMIT", Rule{Match: Commit, At: AfterSend, Probability: often, Do: Cut}),
	ruled("cut before the answer of COMMIT", Rule{Match: Commit, At: BeforeAnswer, Probability: often, Do: Cut}),
	ruled("cut before the answer of COMMIT, and new connections",
		Rule{Match: Commit, At: BeforeAnswer, Probability: often, Do: Cut}, Rule{At: Connect, Probability: often, Do: Cut}),

	ruled("delay", Rule{At: BeforeStatement, Probability: often, Do: Delay(30 * time.Millisecond)},
		Rule{At: BeforeAnswer, Probability: seldom, Do: Delay(500 * time.Millisecond)}),
	ruled("half-close to the server", Rule{At: BeforeStatement, Probability: seldom, Do: HalfClose(ToServer)}),
	ruled("half-close to the client", Rule{At: AfterSend, Probability: seldom, Do: HalfClose(ToClient)}),
	ruled("stall before a statement", Rule{At: BeforeStatement, Probability: seldom, Do: Stall(Both)}),
	ruled("stall before the answer of COMMIT", Rule{Match: Commit, At: BeforeAnswer, Probability: often, Do: Stall(ToClient)}),
	ruled("stall before the answer of a write", Rule{Match: writes, At: BeforeAnswer, Probability: often, Do: Stall(ToClient)}),
	{name: "partition", start: partition},
	{name: "long partition", lasts: longPartition, start: partition},
	{name: "no connections", start: func(s *suite) func() {
		s.system.proxy.Set(Rule{At: Connect, Do: Cut})
		s.system.proxy.Each(Cut)
		return func() { s.system.proxy.Set() }
	}},

	{name: "too many connections", start: tooManyConnections},
	{name: "locked table", lasts: lockedLong, start: func(s *suite) func() {
		conn := s.system.connect()
		dbtest.Exec(s.system.t, conn, "BEGIN")
		dbtest.Exec(s.system.t, conn, "LOCK TABLE annotation_queue IN EXCLUSIVE MODE")
		return func() { _ = conn.Close(context.Background()) }
	}},
	{name: "read-only", start: func(s *suite) func() {
		s.system.execute("ALTER SYSTEM SET default_transaction_read_only = on", "SELECT pg_reload_conf()")
		return func() {
			s.system.execute("SET default_transaction_read_only = off", "ALTER SYSTEM RESET default_transaction_read_only",
				"SELECT pg_reload_conf()")
		}
	}},
	{name: "terminated connections", own: true, start: func(s *suite) func() {
		s.system.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'docket'")
		return func() {}
	}},

	{name: "PostgreSQL restarted", kill: true, start: func(s *suite) func() {
		s.system.restartServer(s.shortly())
		return func() {}
	}},
	{name: "kill PostgreSQL", kill: true, own: true, start: func(s *suite) func() {
		s.system.killServer(s.shortly())
		return func() {}
	}},
	{name: "kill PostgreSQL before COMMIT", kill: true, start: killServerAt(BeforeStatement)},
	{name: "kill PostgreSQL during COMMIT", kill: true, start: killServerAt(AfterSend)},
	{name: "kill PostgreSQL before the answer of COMMIT", kill: true, start: killServerAt(BeforeAnswer)},
	{name: "kill one process of PostgreSQL", kill: true, own: true, start: func(s *suite) func() {
		if pids := s.system.backends(); len(pids) > 0 {
			_ = syscall.Kill(pids[s.random.IntN(len(pids))], syscall.SIGKILL)
		}
		return func() {}
	}},
	{name: "kill Docket", kill: true, own: true, start: func(s *suite) func() {
		s.system.killDocket()
		return s.system.awaitReady
	}},
	{name: "kill Docket before COMMIT", kill: true, start: killDocketAt(BeforeStatement)},
	{name: "kill Docket during COMMIT", kill: true, start: killDocketAt(AfterSend)},
	{name: "kill Docket before the answer of COMMIT", kill: true, start: killDocketAt(BeforeAnswer)},
	{name: "kill an import", kill: true, own: true, start: killImport},
	{name: "kill Docket and PostgreSQL", kill: true, start: func(s *suite) func() {
		s.system.killDocket()
		s.system.killServer(s.shortly())
		return s.system.awaitReady
	}},
}

// lockedLong is longer than docket serve waits for a lock.
const lockedLong = 5 * time.Second

// longPartition is longer than docket serve processes a request, so that the request ends before the partition.
const longPartition = api.DefaultRequestTimeout + 5*time.Second

func partition(s *suite) func() {
	s.system.proxy.Partition(Both)
	return s.system.proxy.Heal
}

// shortly is how long PostgreSQL is away.
func (s *suite) shortly() time.Duration { return time.Duration(s.random.IntN(500)) * time.Millisecond }

func killDocketAt(point Point) func(*suite) func() {
	return func(s *suite) func() {
		s.system.proxy.Set(Rule{Match: Commit, At: point, Times: 1, Do: func(*Conn) { s.system.killDocket() }})
		return func() {
			s.system.proxy.Set()
			s.system.awaitReady()
		}
	}
}

// killServerAt starts PostgreSQL again at the end of the fault.
func killServerAt(point Point) func(*suite) func() {
	return func(s *suite) func() {
		pid := s.system.serverProcess()
		s.system.proxy.Set(Rule{Match: Commit, At: point, Times: 1, Do: func(*Conn) { _ = syscall.Kill(pid, syscall.SIGKILL) }})
		<-s.system.server.Done()
		s.system.proxy.Set()
		s.system.startServer()
		return func() {}
	}
}

// killImport kills an import of URLs, and runs it again at the end of the fault.
func killImport(s *suite) func() {
	const rows = 500
	mark := markOf()
	file := filepath.Join(s.system.dataDir, "..", mark+".csv")
	var text strings.Builder
	text.WriteString("url\n")
	for i := range rows {
		fmt.Fprintf(&text, "https://%s/%d\n", mark, i)
	}
	require.NoError(s.system.t, os.WriteFile(file, []byte(text.String()), 0o600))
	first := s.system.command(s.system.url, "import", "urls", file)
	require.NoError(s.system.t, first.Start())
	time.Sleep(s.shortly())
	_ = first.Process.Kill() // it may have ended
	_ = first.Wait()
	return func() {
		s.system.run("import", "urls", file)
		conn := s.system.connect()
		defer conn.Close(context.Background())
		stored := dbtest.Value[int](s.system.t, conn, "SELECT count(*)::int FROM urls WHERE starts_with(url, $1)", mark)
		assert.Equal(s.system.t, rows, stored, "rows of an import that was killed and run again")
	}
}

// tooManyConnections uses every connection that PostgreSQL allows, and cuts Docket's.
func tooManyConnections(s *suite) func() {
	var conns []*pgx.Conn
	fill := func() {
		for {
			conn, err := pgx.Connect(s.system.t.Context(), s.system.url)
			if err != nil {
				return
			}
			conns = append(conns, conn)
		}
	}
	fill()
	s.system.proxy.Each(Cut)
	fill()
	return func() {
		for _, conn := range conns {
			_ = conn.Close(context.Background())
		}
	}
}

// schedule returns faults in random order: each that kills nothing that many times, and as many of the others as kills says.
func schedule(random *rand.Rand, from []fault, rounds, kills int) (list []fault) {
	var killing []fault
	for _, f := range from {
		if f.kill {
			killing = append(killing, f)
			continue
		}
		for range rounds {
			list = append(list, f)
		}
	}
	first := random.IntN(len(killing))
	for i := range kills {
		list = append(list, killing[(first+i)%len(killing)])
	}
	random.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	return list
}
