package faults

import (
	"context"
	"flag"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"docket/internal/dbtest"
)

var (
	annotators = flag.Int("annotators", 8, "how many clients work at the same time")
	kills      = flag.Int("kills", 6, "how many times processes are killed")
	rounds     = flag.Int("rounds", 1, "how many times each other fault is caused")
	seed       = flag.Uint64("seed", 0, "which faults and requests are chosen; 0 chooses a seed")
	prebuilt   = flag.String("docket", "", "the docket that is tested, if it is not to be built")
	only       = flag.String("only", "", "cause only the fault of this name")
)

// suite is one run.
type suite struct {
	*report
	catalog
	system *system
	random *rand.Rand // of the goroutine that causes faults

	slowly   bool         // each client pauses between its requests
	resting  atomic.Bool  // no new requests
	giveUp   atomic.Int64 // Unix time; 0 is never
	requests sync.WaitGroup
}

// TestFaults lets clients work while everything breaks, and requires that what they were told is stored, once and completely.
func TestFaults(t *testing.T) {
	t.Parallel()
	s := newSuite(startSystem(t))
	s.causeAll(schedule(s.random, faults, *rounds, *kills))
	s.check(t)
}

// TestFaultsOfOwnServer does it with the server that docket serve starts and, when it ends, starts again.
func TestFaultsOfOwnServer(t *testing.T) {
	t.Parallel()
	s := newSuite(startOwnSystem(t))
	s.causeAll(schedule(s.random, slices.DeleteFunc(slices.Clone(faults), func(f fault) bool { return !f.own }), *rounds, *kills/2))
	s.check(t)
}

// newSuite fills the database, and starts Docket and the clients.
func newSuite(system *system) *suite {
	system.fill("1000")
	system.serve()
	return startClients(system, false)
}

// startClients starts them on a system that serves. Slow ones leave most of two cores to the servers.
func startClients(system *system, slowly bool) *suite {
	s := &suite{report: newReport(), system: system, slowly: slowly, random: rand.New(rand.NewPCG(*seed, 0))}
	s.catalog = readCatalog(system)
	for number := range *annotators {
		w := &worker{suite: s, number: number, random: rand.New(rand.NewPCG(*seed, uint64(number)+1)), users: number%2 == 0}
		s.requests.Go(w.work)
	}
	reader := &worker{suite: s, number: *annotators, users: true}
	s.requests.Go(reader.read)
	return s
}

// check compares what clients were told with what is stored.
func (s *suite) check(t *testing.T) {
	conn := s.system.connect()
	defer conn.Close(context.Background())
	s.compare(conn, s.system)
	outcomes := s.outcomes(byKind)
	t.Log("\n" + table(outcomes))
	s.system.run("queue", "verify")
	requireReservationsRepaired(t, conn)
	for kind, o := range outcomes {
		assert.Zero(t, o.lost, "%s: acknowledged, and not stored", kind)
		assert.Zero(t, o.doubled, "%s: stored more than once", kind)
		assert.Zero(t, o.torn, "%s: stored in part", kind)
	}
	assert.Empty(t, s.surprises, "responses that no client should get")
	assert.Zero(t, s.system.unexpected.Load(), "docket serve ended by itself")
}

// requireReservationsRepaired waits until each URL that the queue leaves out as reserved has a reservation. A crash of PostgreSQL
// deletes all reservations.
func requireReservationsRepaired(t *testing.T, conn *pgx.Conn) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		lost := dbtest.List(t, conn, `
			SELECT q.url_id::text FROM annotation_queue q
			WHERE q.reserved AND NOT EXISTS (SELECT FROM url_reservations r WHERE r.url_id = q.url_id)`)
		if len(lost) == 0 {
			return
		}
		require.True(t, time.Now().Before(deadline), "URLs that stay left out: %v", lost)
	}
}

// causeAll causes the faults, one after another, then waits for the requests in progress.
func (s *suite) causeAll(list []fault) {
	defer s.finish()
	for _, f := range list {
		if *only == "" || f.name == *only {
			s.cause(f)
		}
	}
}

// finish lets no client begin another request, and waits for those in progress.
func (s *suite) finish() {
	s.resting.Store(true)
	s.giveUp.Store(time.Now().Add(time.Minute).Unix())
	s.requests.Wait()
	s.system.t.Logf("%v\n%v", s.system, s.report)
}

// Each fault lasts until so many responses have arrived, or until so much time has passed. One that lasts longer says so.
const (
	responsesPerFault = 40
	timePerFault      = 2 * time.Second
	backAfter         = 2 * time.Minute // the longest time after a fault until clients succeed again
)

// cause causes a fault, ends it, and waits until clients succeed again.
func (s *suite) cause(f fault) {
	s.setFault(f.name)
	end := f.start(s)
	start, _ := s.counts()
	for began := time.Now(); time.Since(began) < max(timePerFault, f.lasts); time.Sleep(5 * time.Millisecond) {
		if now, _ := s.counts(); now >= start+responsesPerFault && time.Since(began) >= f.lasts {
			break
		}
	}
	end()
	s.recovered(f.name, s.awaitSuccesses(f.name))
	s.setFault("none")
}

// awaitSuccesses waits until clients succeed, and returns how long that took.
func (s *suite) awaitSuccesses(fault string) time.Duration {
	began := time.Now()
	_, before := s.counts()
	require.Eventually(s.system.t, func() bool {
		_, now := s.counts()
		return now >= before+*annotators
	}, backAfter, 5*time.Millisecond, "no successes after: %s", fault)
	return time.Since(began)
}

// work sends requests of all kinds until the suite rests.
func (w *worker) work() {
	for !w.resting.Load() {
		if w.slowly {
			pause()
		}
		k := weighted[w.random.IntN(len(weighted))]
		r, mark, found := k.make(w, markOf())
		if !found {
			continue
		}
		if w.random.IntN(2) == 0 {
			r.key = uuid.NewString()
		}
		final, attempts := w.send(k.name, r, k.harmless || r.key != "")
		repeated := attempts > 1 && r.key == ""
		acknowledged := final.status == http.StatusOK || repeated && k.refused != nil && k.refused(final)
		if final.status == http.StatusOK && k.wrong != nil && k.wrong(final, !repeated) {
			w.surprise(final, "%s: wrong answer, with key %v, repeated %v", k.name, r.key != "", attempts > 1)
		}
		if !acknowledged && !final.invitesRetry() && final.status < 500 {
			w.surprise(final, "%s: %s, with key %v, repeated %v", k.name, final.tells(), r.key != "", attempts > 1)
		}
		w.finished(k, mark, acknowledged, r.key != "")
	}
}

// read asks for the next URL and waits, until the suite rests.
func (w *worker) read() {
	for ; !w.resting.Load(); pause() {
		start := time.Now()
		if r := w.system.attempt(w.nextRequest()); r.status == http.StatusOK {
			w.answeredRead(time.Since(start))
		}
	}
}

// send sends a request and repeats it as clients are invited to. A request whose repetition may double something is not repeated
// when its outcome is unknown.
func (s *suite) send(what string, r request, repeat bool) (final response, attempts int) {
	for attempts = 1; ; attempts++ {
		began := time.Now()
		final = s.system.attempt(r)
		fault := s.count(r.method, began, final)
		if final.status >= 500 && !final.invitesRetry() {
			s.surprise(final, "%s: %s during: %s", what, final.tells(), fault)
		}
		unanswered := final.invitesRetry() || final.status >= 500
		outcomeUnknown := final.status != http.StatusServiceUnavailable || final.problem == "result-unknown"
		giveUp := s.giveUp.Load()
		if !unanswered || outcomeUnknown && !repeat || giveUp > 0 && time.Now().Unix() > giveUp {
			return final, attempts
		}
		pause()
	}
}
