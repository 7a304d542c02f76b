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
	only       = flag.String("only", "", "cause only the fault of this name")
)

// suite is one run.
type suite struct {
	*report
	catalog
	system *system
	random *rand.Rand // of the goroutine that causes faults

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

// newSuite fills the database and starts the clients.
func newSuite(system *system) *suite {
	s := &suite{report: newReport(), system: system, random: rand.New(rand.NewPCG(*seed, 0))}
	system.run("migrate", "apply")
	system.run("seed", "--urls", "1000")
	system.serve()
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
	outcomes := s.compare(conn, s.system)
	t.Log("\n" + table(outcomes))
	s.system.run("queue", "verify")
	requireReservationsRepaired(t, conn)
	for k, o := range outcomes {
		assert.Zero(t, o.lost, "%s: acknowledged, and not stored", k.name)
		assert.Zero(t, o.doubled, "%s: stored more than once", k.name)
		assert.Zero(t, o.torn, "%s: stored in part", k.name)
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
	defer func() {
		s.resting.Store(true)
		s.giveUp.Store(time.Now().Add(time.Minute).Unix())
		s.requests.Wait()
		s.system.t.Logf("%v\n%v", s.system, s.report)
	}()
	for _, f := range list {
		if *only == "" || f.name == *only {
			s.cause(f)
		}
	}
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
	ended := time.Now()
	_, before := s.counts()
	require.Eventually(s.system.t, func() bool {
		_, now := s.counts()
		return now >= before+*annotators
	}, backAfter, 5*time.Millisecond, "no successes after: %s", f.name)
	s.recovered(f.name, time.Since(ended))
	s.setFault("none")
}

// work sends requests of all kinds until the suite rests.
func (w *worker) work() {
	for !w.resting.Load() {
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
		final = s.system.attempt(r)
		fault := s.count(final)
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
