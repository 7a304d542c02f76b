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
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"docket/internal/annotation"
	"docket/internal/consensus"
	"docket/internal/ranking"
	"docket/internal/unknown"
)

// history is a database with concurrent writers, and one or two processes that have states of its annotators.
type history struct {
	world
	processes []*process

	lastURL  atomic.Int32
	mu       sync.Mutex
	known    []int32     // the URLs that were committed; some may be deleted
	sessions []uuid.UUID // some may have been transferred to a user
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

// actor is one goroutine of a history. Its choices depend on the seed only.
type actor struct {
	*history
	*rand.Rand
	actions []func(context.Context) error
}

// someURLs returns a few ids, of URLs that may be deleted.
func (a *actor) someURLs() []int32 {
	urls := make([]int32, 1+a.IntN(4))
	for i := range urls {
		urls[i] = a.someURL()
	}
	slices.Sort(urls)
	return slices.Compact(urls)
}

// someURL returns the id of a URL that was committed and may be deleted.
func (a *actor) someURL() int32 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.known[a.IntN(len(a.known))]
}

func (a *actor) someAnnotator() annotator {
	if a.IntN(4) == 0 {
		return annotator{session: a.someSession(), filter: ranking.Filter{Skip: max(0, a.Int32N(historyURLs)-historyURLs/2)}}
	}
	by := annotator{user: 1 + a.Int32N(historyUsers)}
	if a.IntN(3) == 0 {
		by.filter.BatchID = new(1 + a.Int32N(4)) // batch 4 does not exist
	}
	if a.IntN(8) == 0 {
		by.filter.URLID = new(a.someURL())
	}
	if a.IntN(8) == 0 {
		by.filter.Skip = a.Int32N(historyURLs / 2)
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

// annotate asks for a random annotator and answers about the URL offered, or about another one.
func (a *actor) annotate(ctx context.Context) error {
	by, process := a.someAnnotator(), a.processes[a.IntN(len(a.processes))]
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

// transfer transfers a session, which may be unknown or have been transferred before, and may open another one.
func (a *actor) transfer(ctx context.Context) error {
	service := a.processes[0].service
	if _, err := service.TransferSession(ctx, 1+a.Int32N(historyUsers), a.someSession()); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.IntN(2) == 0 { // others go on with the session that was transferred
		a.sessions[a.IntN(len(a.sessions))] = uuid.New()
	}
	return nil
}

// validateDue decides about the URLs that answers and transfers have made due.
func (a *actor) validateDue(ctx context.Context) error {
	_, err := consensus.New(a.pool, consensus.Config{}).Drain(ctx)
	return err
}

func (a *actor) validateAll(ctx context.Context) error {
	_, err := consensus.ValidateAll(ctx, a.pool, 1)
	return err
}

func (a *actor) suspendAll(ctx context.Context) error {
	_, err := consensus.Suspend(ctx, a.pool, 1)
	return err
}

// changing returns an action that changes some URLs by one of the statements.
func (a *actor) changing(statements ...string) func(context.Context) error {
	return func(ctx context.Context) error {
		return a.tryChange(ctx, a.someURLs(), statements[a.IntN(len(statements))])
	}
}

// changeFollow has a user follow a location or not, or links a batch to a location or not.
func (a *actor) changeFollow(ctx context.Context) error {
	statement := []string{follow, follow, leave, locate, locate, move}[a.IntN(6)]
	ids := int32(historyUsers)
	if statement == locate || statement == move {
		ids = 3
	}
	return a.changeFollows(ctx, statement, 1+a.Int32N(ids), 1+a.Int32N(3))
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

// reserveNext asks for a random annotator and reserves the URL offered.
func (a *actor) reserveNext(ctx context.Context) error {
	url, err := a.askAndCheck(ctx, a.processes[a.IntN(len(a.processes))].queue, a.someAnnotator())
	if err != nil || url == 0 {
		return err
	}
	return a.reserve(ctx, ids(url))
}

// freeOne ends the reservation of one of the reserved URLs.
func (a *actor) freeOne(ctx context.Context) error {
	rows, err := a.pool.Query(ctx, "SELECT url_id FROM annotation_queue WHERE reserved ORDER BY url_id")
	if err != nil {
		return err
	}
	reserved, err := pgx.CollectRows(rows, pgx.RowTo[int32])
	if err != nil || len(reserved) == 0 {
		return err
	}
	return a.free(ctx, ids(reserved[a.IntN(len(reserved))]))
}

// skip has a user put some URLs off, or all users come back to them.
func (a *actor) skip(ctx context.Context) error {
	return a.tryChange(ctx, a.someURLs(), []string{putOff(1 + a.Int32N(historyUsers)), comeBack}[a.IntN(2)])
}

func (a *actor) delete(ctx context.Context) error { return a.remove(ctx, a.someURLs()) }

// run lets each actor do a number of random actions.
func (h *history) run(t *testing.T, seed uint64, actions int, actors ...func(*actor)) {
	t.Helper()
	group, ctx := errgroup.WithContext(t.Context())
	for i, prepare := range actors {
		a := &actor{history: h, Rand: rand.New(rand.NewPCG(seed, uint64(i)))}
		prepare(a)
		group.Go(func() error {
			for n := range actions {
				if err := a.actions[a.IntN(len(a.actions))](ctx); err != nil {
					return fmt.Errorf("actor %d, action %d: %w", i, n, err)
				}
			}
			return nil
		})
	}
	require.NoError(t, group.Wait(), "seed %d", seed)
}

// everyAnnotator lists each annotator with each filter.
func (h *history) everyAnnotator() []annotator {
	var all []annotator
	for user := int32(1); user <= historyUsers+1; user++ { // the last one has done nothing
		all = append(all, annotator{user: user}, annotator{user: user, filter: ranking.Filter{URLID: new(user)}},
			annotator{user: user, filter: ranking.Filter{Skip: user}})
		for batch := int32(1); batch <= 4; batch++ {
			all = append(all, annotator{user: user, filter: inBatch(batch)})
		}
	}
	for _, session := range append(slices.Clone(h.sessions), uuid.New()) {
		all = append(all, annotator{session: session}, annotator{session: session, filter: ranking.Filter{Skip: 2}})
	}
	return all
}

// requireExact checks that the queue equals a recount, and that old processes and a new one return the right URL to every
// annotator.
func (h *history) requireExact(t *testing.T) {
	t.Helper()
	require.Empty(t, h.differences(t))
	for _, by := range h.everyAnnotator() {
		want, err := nextByDefinition(t.Context(), h.pool, by)
		require.NoError(t, err)
		for _, queue := range []*ranking.Queue{h.processes[0].queue, h.processes[len(h.processes)-1].queue, ranking.NewWarmQueue()} {
			got, err := ask(t.Context(), h.pool, queue, by)
			require.NoError(t, err)
			require.Equal(t, want, got, "%v", by)
		}
	}
}

func allActions(a *actor) {
	flag := a.changing(suspend, unsuspend, unsuspend, validate, unvalidate, unvalidate)
	a.actions = []func(context.Context) error{
		a.annotate, a.annotate, a.annotate, a.annotate, a.annotate, a.annotate, a.annotate, a.annotate,
		flag, flag,
		a.reserveNext, a.reserveNext, a.freeOne, a.freeOne,
		a.skip, a.skip,
		a.changeFollow,
		a.changing(robots, unsuggest, agencies),
		a.changing(vote, voteAnonymously, collected, manual),
		a.changing(link(1), link(2), link(3), unlink),
		a.changing(unsay),
		a.insert,
		a.delete,
		a.transfer,
		a.validateDue, a.validateDue, a.validateAll, a.suspendAll,
	}
}

// TestHistory lets several processes run all actions concurrently. Each request returns the right URL, and at the end the queue
// equals a recount.
func TestHistory(t *testing.T) {
	t.Parallel()
	for seed := range uint64(3) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			h := newHistory(t, historyURLs, 2)
			for part := range uint64(3) {
				h.run(t, 10*seed+part, 40, slices.Repeat([]func(*actor){allActions}, 6)...)
				h.requireExact(t)
			}
			require.Positive(t, scan[int](t, h.pool, "SELECT count(*) FROM link_tasks__urls"), "nothing was validated or suspended")
		})
	}
}

func annotating(a *actor) { a.actions = []func(context.Context) error{a.annotate} }

func reranking(a *actor) {
	a.actions = []func(context.Context) error{
		a.changing(robots, vote, voteAnonymously, collected, manual), a.changing(link(1), link(2), unlink), a.changeFollow,
		a.changing(suspend), a.changing(unsuspend), a.changing(unsuspend),
		a.reserveNext, a.reserveNext, a.freeOne, a.freeOne, a.skip,
	}
}

// sweeping changes so many URLs in one transaction that cursors are too far behind.
func sweeping(a *actor) {
	a.actions = []func(context.Context) error{
		func(ctx context.Context) error {
			first := a.someURL()
			urls := span(first, first+most)
			switch n := a.IntN(5); n {
			case 0:
				return a.reserve(ctx, urls)
			case 1:
				return a.free(ctx, urls)
			default:
				return a.tryChange(ctx, urls, []string{vote, suspend, unsuspend}[n-2])
			}
		},
	}
}

// TestRace has annotators share the cursors of one process, while other writers change the URLs before and after these.
func TestRace(t *testing.T) {
	t.Parallel()
	t.Run("few URLs", func(t *testing.T) {
		t.Parallel()
		h := newHistory(t, 60, 1)
		h.run(t, 1, 80, annotating, annotating, annotating, annotating, reranking, reranking)
		h.requireExact(t)
	})
	t.Run("more URLs than a warm statement reads", func(t *testing.T) {
		t.Parallel()
		h := newHistory(t, 3*most, 1)
		h.run(t, 1, 25, annotating, annotating, annotating, reranking, sweeping)
		h.requireExact(t)
	})
}
