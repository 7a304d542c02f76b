package ranking_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"docket/internal/annotation"
	"docket/internal/ranking"
	"docket/internal/unknown"
)

// history is a database that many act on at once, and what a process or two remember of its annotators.
type history struct {
	world
	processes []*process

	lastURL  atomic.Int32
	mu       sync.Mutex
	known    []int32     // the URLs that are committed, or deleted since
	sessions []uuid.UUID // as somebody may know them: a user may have taken one over
}

type process struct {
	queue   *ranking.Queue
	service *annotation.Service
}

const (
	historyURLs  = 40
	historyUsers = 5
)

func newHistory(t *testing.T, urls, processes int) *history {
	h := &history{world: newWorld(t, urls), known: span(1, int32(urls))}
	for i := range processes {
		queue := ranking.NewWarmQueue()
		if i%2 == 1 {
			queue = ranking.NewQueue()
		}
		h.processes = append(h.processes, &process{queue, annotation.New(h.pool, queue)})
	}
	for range 3 {
		h.sessions = append(h.sessions, h.session(t))
	}
	h.lastURL.Store(int32(urls))
	return h
}

// actor is one goroutine's part in a history, the same for the same seed as far as it depends on itself.
type actor struct {
	*history
	*rand.Rand
	act []func(context.Context) error
}

// someURLs returns a few ids, of URLs that may be gone.
func (a *actor) someURLs() []int32 {
	urls := make([]int32, 1+a.IntN(4))
	for i := range urls {
		urls[i] = a.someURL()
	}
	slices.Sort(urls)
	return slices.Compact(urls)
}

// someURL returns the id of a URL as somebody may know it: whoever deletes one has seen it.
func (a *actor) someURL() int32 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.known[a.IntN(len(a.known))]
}

func (a *actor) someone() who {
	if a.IntN(4) == 0 {
		return who{session: a.someSession()}
	}
	by := who{user: 1 + a.Int32N(historyUsers)}
	if a.IntN(2) == 0 {
		by.filter.BatchID = new(1 + a.Int32N(4)) // one of them is not there
	}
	if a.IntN(4) == 0 {
		by.filter.URLID = new(a.someURL())
	}
	return by
}

func (a *actor) someSession() uuid.UUID {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.sessions[a.IntN(len(a.sessions))]
}

func (a *actor) answer() annotation.Answer {
	answer := annotation.Answer{URLType: annotation.DataSource}
	switch a.IntN(4) {
	case 0:
		answer.URLType = annotation.NotRelevant
		return answer
	case 1:
		answer.RecordType = new(annotation.RecordType("Stops"))
		answer.AgencyNotFound = true
	}
	if !answer.AgencyNotFound {
		answer.AgencyIDs = span(1, a.Int32N(4))
	}
	for id := range a.Int64N(3) {
		answer.LocationIDs = append(answer.LocationIDs, id+1)
	}
	return answer
}

// annotate asks as somebody and answers what is offered, or something else.
func (a *actor) annotate(ctx context.Context) error {
	by, process := a.someone(), a.processes[a.IntN(len(a.processes))]
	url, err := a.askAndCheck(ctx, process.queue, by)
	if err != nil {
		return err
	}
	if url == 0 || a.IntN(8) == 0 {
		url = a.someURL()
	}
	if by.session != uuid.Nil {
		err = process.service.SubmitAnonymous(ctx, by.session, url, a.answer())
	} else {
		err = process.service.Submit(ctx, by.user, url, a.answer())
	}
	var missing *unknown.Error
	if errors.Is(err, annotation.ErrAlreadyAnnotated) || errors.As(err, &missing) && missing.Kind != unknown.Agency {
		return nil
	}
	return err
}

// migrate takes over a session that may have been taken over, and opens another one.
func (a *actor) migrate(ctx context.Context) error {
	service := a.processes[0].service
	_, err := service.TransferSession(ctx, 1+a.Int32N(historyUsers), a.someSession())
	var missing *unknown.Error
	if err != nil && !errors.As(err, &missing) {
		return err
	}
	session, err := service.OpenSession(ctx)
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.sessions[a.IntN(len(a.sessions))] = session
	return nil
}

// changing returns an act that changes some URLs by one of the statements.
func (a *actor) changing(statements ...string) func(context.Context) error {
	return func(ctx context.Context) error {
		return a.tryChange(ctx, a.someURLs(), statements[a.IntN(len(statements))])
	}
}

func (a *actor) insert(ctx context.Context) error {
	urls := ids(a.lastURL.Add(1))
	if err := a.tryChange(ctx, urls, insertURLs); err != nil {
		return err
	}
	a.mu.Lock()
	a.known = append(a.known, urls...)
	a.mu.Unlock()
	if a.IntN(2) == 0 {
		return nil
	}
	return a.tryChange(ctx, urls, link(1+a.Int32N(3)))
}

func (a *actor) delete(ctx context.Context) error { return a.remove(ctx, a.someURLs()) }

// live makes some actors do so many things each, as they like.
func (h *history) live(t *testing.T, seed uint64, acts int, actors ...func(*actor)) {
	t.Helper()
	group, ctx := errgroup.WithContext(t.Context())
	for i, prepare := range actors {
		a := &actor{history: h, Rand: rand.New(rand.NewPCG(seed, uint64(i)))}
		prepare(a)
		group.Go(func() error {
			for n := range acts {
				if err := a.act[a.IntN(len(a.act))](ctx); err != nil {
					return fmt.Errorf("actor %d, act %d: %w", i, n, err)
				}
			}
			return nil
		})
	}
	require.NoError(t, group.Wait(), "seed %d", seed)
}

// everybody lists each annotator with each filter.
func (h *history) everybody() []who {
	var all []who
	for user := int32(1); user <= historyUsers+1; user++ { // one of them never did anything
		all = append(all, who{user: user}, who{user: user, filter: ranking.Filter{URLID: new(user)}})
		for batch := int32(1); batch <= 4; batch++ {
			all = append(all, who{user: user, filter: inBatch(batch)})
		}
	}
	for _, session := range append(slices.Clone(h.sessions), uuid.New()) {
		all = append(all, who{session: session})
	}
	return all
}

// requireTrue wants a queue that equals a recount, and processes, old ones and a new one, that give everybody the right URL.
func (h *history) requireTrue(t *testing.T) {
	t.Helper()
	require.Empty(t, h.differences(t))
	for _, by := range h.everybody() {
		want, err := lookSlowly(t.Context(), h.pool, by)
		require.NoError(t, err)
		for _, queue := range []*ranking.Queue{h.processes[0].queue, h.processes[len(h.processes)-1].queue, ranking.NewWarmQueue()} {
			got, err := ask(t.Context(), h.pool, queue, by)
			require.NoError(t, err)
			require.Equal(t, want, got, "%v", by)
		}
	}
}

func anything(a *actor) {
	flag := a.changing(suspend, unsuspend, unsuspend, validate, unvalidate, unvalidate, breakURLs, mendURLs, mendURLs)
	a.act = []func(context.Context) error{
		a.annotate, a.annotate, a.annotate, a.annotate, a.annotate, a.annotate,
		flag, flag,
		a.changing(robots, unsuggest),
		a.changing(link(1), link(2), link(3), unlink),
		a.changing(unsay),
		a.insert,
		a.delete,
		a.migrate,
	}
}

// TestHistory lets several processes do everything at once. At any point each answer is the right one, and in the end
// the queue equals a recount.
func TestHistory(t *testing.T) {
	t.Parallel()
	for seed := range uint64(3) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			h := newHistory(t, historyURLs, 2)
			for part := range uint64(3) {
				h.live(t, 10*seed+part, 40, slices.Repeat([]func(*actor){anything}, 6)...)
				h.requireTrue(t)
			}
		})
	}
}

func annotating(a *actor) { a.act = []func(context.Context) error{a.annotate} }

func reranking(a *actor) {
	a.act = []func(context.Context) error{a.changing(robots), a.changing(suspend), a.changing(unsuspend), a.changing(unsuspend)}
}

// sweeping changes so many URLs at once that cursors are of no use.
func sweeping(a *actor) {
	a.act = []func(context.Context) error{
		func(ctx context.Context) error {
			first := a.someURL()
			return a.tryChange(ctx, span(first, first+most), []string{robots, suspend, unsuspend}[a.IntN(3)])
		},
	}
}

// TestRace has annotators on one memory of cursors, while others move what is behind and ahead of them.
func TestRace(t *testing.T) {
	t.Parallel()
	t.Run("few URLs", func(t *testing.T) {
		t.Parallel()
		h := newHistory(t, 60, 1)
		h.live(t, 1, 80, annotating, annotating, annotating, annotating, reranking, reranking)
		h.requireTrue(t)
	})
	t.Run("more than cursors look at", func(t *testing.T) {
		t.Parallel()
		h := newHistory(t, 3*most, 1)
		h.live(t, 1, 25, annotating, annotating, annotating, reranking, sweeping)
		h.requireTrue(t)
	})
}
