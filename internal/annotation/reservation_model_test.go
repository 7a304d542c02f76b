package annotation_test

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"docket/internal/annotation"
	"docket/internal/consensus"
	"docket/internal/dbtest"
	"docket/internal/postgres"
	"docket/internal/ranking"
)

// model is what must be true of some annotators and a few URLs, kept in memory. The clock is the model's: time passes by making
// what is stored older.
type model struct {
	annotators []annotator
	rule       consensus.Rule
	now        time.Duration

	urls  map[int32]*modelURL
	holds map[annotator]hold // also those that have expired
	skips []modelSkip        // the oldest first
}

type modelURL struct {
	said                           map[annotator]consensus.Votes
	moved                          map[annotator]bool // sessions whose answers became a user's
	merged                         map[annotator]bool // users who got what a session has said
	validated, suspended, reopened bool
}

func (u *modelURL) eligible() bool { return !u.validated && !u.suspended }

type hold struct {
	url   int32
	slot  int
	until time.Duration
}

type modelSkip struct {
	by  annotator
	url int32
}

// reserveFor is how long URLs are reserved. No sum of the steps of time is as long.
const reserveFor = 10 * time.Minute

var timeSteps = []time.Duration{4 * time.Minute, 11 * time.Minute}

func (m *model) votes(url int32) consensus.Votes {
	votes := consensus.Votes{}
	for by, said := range m.urls[url].said {
		one := consensus.Count{Users: 1}
		if by.isSession() {
			one = consensus.Count{Sessions: 1}
		}
		for attribute, values := range said {
			for value := range values {
				votes.Add(attribute, value, one)
			}
		}
	}
	return votes
}

func (m *model) needed(url int32) int { return int(m.rule.Needed(m.votes(url))) }

func (m *model) live(h hold) bool { return h.until > m.now }

// others returns the live holds of a URL that are not the annotator's.
func (m *model) others(url int32, a annotator) (list []hold) {
	for by, h := range m.holds {
		if h.url == url && by != a && m.live(h) {
			list = append(list, h)
		}
	}
	return list
}

// ahead returns how many others have the URL of a hold in a lower slot.
func (m *model) ahead(own hold, a annotator) (n int) {
	for _, other := range m.others(own.url, a) {
		if other.slot < own.slot {
			n++
		}
	}
	return n
}

func (m *model) hasAnswered(url int32, a annotator) bool {
	return m.urls[url].said[a] != nil || m.urls[url].moved[a]
}

func (m *model) skipped(url int32, a annotator) bool {
	return slices.Contains(m.skips, modelSkip{a, url})
}

func (m *model) unskip(url int32, a annotator) {
	m.skips = slices.DeleteFunc(m.skips, func(s modelSkip) bool { return s == modelSkip{a, url} })
}

// order returns the URLs that the annotator can be offered, the first one first: those that more users, then more sessions have
// answered come first.
func (m *model) order(a annotator) (urls []int32) {
	for id, url := range m.urls {
		if url.eligible() && !m.hasAnswered(id, a) && !m.skipped(id, a) {
			urls = append(urls, id)
		}
	}
	slices.SortFunc(urls, func(x, y int32) int {
		xUsers, xSessions := m.answers(x)
		yUsers, ySessions := m.answers(y)
		return cmp.Or(cmp.Compare(yUsers, xUsers), cmp.Compare(ySessions, xSessions), cmp.Compare(x, y))
	})
	return urls
}

func (m *model) answers(url int32) (users, sessions int) {
	for by := range m.urls[url].said {
		if by.isSession() {
			sessions++
		} else {
			users++
		}
	}
	return users, sessions
}

// offer returns what the annotator must be offered, and reserves it. hidden are the URLs that the queue leaves out; those in freed
// are not left out any more once nothing else is found.
func (m *model) offer(a annotator, hidden, freed map[int32]bool) (int32, annotation.Reason) {
	behind := int32(0) // the annotator's own, which others before the annotator suffice for
	if own, ok := m.holds[a]; ok && m.live(own) && m.urls[own.url].eligible() && !m.hasAnswered(own.url, a) {
		own.until = m.now + reserveFor
		m.holds[a] = own
		if m.ahead(own, a) < m.needed(own.url) {
			return own.url, annotation.ReservedByYou
		}
		behind = own.url
	}
	order := m.order(a)
	for _, again := range []bool{false, true} {
		for _, url := range order {
			if (!hidden[url] || again && freed[url]) && len(m.others(url, a)) < m.needed(url) {
				m.hold(url, a)
				return url, annotation.NextInOrder
			}
		}
	}
	if behind != 0 {
		return behind, annotation.Shared
	}
	slices.SortStableFunc(order, func(x, y int32) int { return cmp.Compare(len(m.others(x, a)), len(m.others(y, a))) })
	if len(order) > 0 {
		m.hold(order[0], a)
		return order[0], annotation.Shared
	}
	for _, shared := range []bool{false, true} {
		for _, skip := range m.skips {
			free := (!hidden[skip.url] || freed[skip.url]) && len(m.others(skip.url, a)) < m.needed(skip.url)
			if skip.by == a && m.urls[skip.url].eligible() && !m.hasAnswered(skip.url, a) && (free || shared) {
				m.hold(skip.url, a)
				return skip.url, annotation.SkippedByYou
			}
		}
	}
	return 0, ""
}

// hold reserves a URL in the lowest slot that is free.
func (m *model) hold(url int32, a annotator) {
	slot := 1
	for slices.ContainsFunc(m.others(url, a), func(h hold) bool { return h.slot == slot }) {
		slot++
	}
	m.holds[a] = hold{url, slot, m.now + reserveFor}
}

// modelled is a database, two processes on it, and the model that they are compared with.
type modelled struct {
	*model
	bundle
	rule      consensus.Rule
	services  []*annotation.Service
	validator *consensus.Validator
}

const modelURLs = 3

// start makes the database equal to a new model.
func (m *modelled) start(t *testing.T) {
	dbtest.Exec(t, m.pool, `DELETE FROM urls; DELETE FROM url_reservations; DELETE FROM anonymous_sessions; DELETE FROM consensus_due`)
	dbtest.Exec(t, m.pool,
		`INSERT INTO urls (id, url, source) SELECT n, 'example.org/' || n, 'manual' FROM generate_series(1, $1::int) AS n`,
		modelURLs)
	m.model = &model{rule: m.rule, urls: map[int32]*modelURL{}, holds: map[annotator]hold{}}
	var ids []int32
	for id := int32(1); id <= modelURLs; id++ {
		ids = append(ids, id)
		m.urls[id] = &modelURL{said: map[annotator]consensus.Votes{}, moved: map[annotator]bool{}, merged: map[annotator]bool{}}
	}
	require.NoError(t, postgres.InTx(t.Context(), m.pool, func(tx pgx.Tx) error { return ranking.Recount(t.Context(), tx, ids) }))
	m.services = nil
	for range 2 {
		m.services = append(m.services, annotation.New(m.pool, ranking.NewQueue(), annotation.SkipFor(0),
			annotation.Reserve(annotation.ReservePolicy{For: reserveFor})))
	}
	m.annotators = []annotator{{user: 1}, {user: 2}, {user: 3}, {session: uuid.New()}, {session: uuid.New()}}
}

// urlsWhere returns the URLs that a query with one column returns.
func (m *modelled) urlsWhere(t *rapid.T, query string) map[int32]bool {
	rows, err := m.pool.Query(context.Background(), query)
	require.NoError(t, err)
	ids, err := pgx.CollectRows(rows, pgx.RowTo[int32])
	require.NoError(t, err)
	set := map[int32]bool{}
	for _, id := range ids {
		set[id] = true
	}
	return set
}

const hiddenURLs = "SELECT url_id FROM annotation_queue WHERE eligible AND reserved"

const expiredURLs = "SELECT url_id FROM url_reservations WHERE expires_at <= now()"

func (m *modelled) someAnnotator(t *rapid.T) annotator {
	return rapid.SampledFrom(m.annotators).Draw(t, "annotator")
}

func (m *modelled) someURL(t *rapid.T) int32 { return rapid.Int32Range(1, modelURLs).Draw(t, "URL") }

func (m *modelled) someService(t *rapid.T) *annotation.Service {
	return rapid.SampledFrom(m.services).Draw(t, "process")
}

// someURLOf returns the URL that the annotator holds or has held, mostly, so that the actions are about URLs that were offered.
func (m *modelled) someURLOf(t *rapid.T, a annotator) int32 {
	if held, ok := m.holds[a]; ok && rapid.IntRange(0, 3).Draw(t, "other URL") > 0 {
		return held.url
	}
	return m.someURL(t)
}

// check compares what is stored with the model.
func (m *modelled) check(t *rapid.T) {
	want := []string{}
	for by, h := range m.holds {
		if m.live(h) {
			want = append(want, fmt.Sprintf("%s: URL %d, slot %d", by, h.url, h.slot))
		}
	}
	slices.Sort(want)
	rows, err := m.pool.Query(context.Background(),
		"SELECT format('%s: URL %s, slot %s', annotator, url_id, slot) FROM url_reservations WHERE expires_at > now() ORDER BY 1")
	require.NoError(t, err)
	got, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	slices.Sort(got)
	require.Equal(t, want, got, "reservations")

	ids := slices.Sorted(maps.Keys(m.urls))
	votes, err := consensus.LoadVotes(context.Background(), m.pool, ids)
	require.NoError(t, err)
	expired := m.urlsWhere(t, expiredURLs)
	for _, id := range ids {
		if want := m.votes(id); len(want) > 0 || len(votes[id]) > 0 {
			require.Equal(t, want, votes[id], "votes about URL %d", id)
		}
	}
	for id := range m.urlsWhere(t, hiddenURLs) {
		full := len(m.others(id, annotator{})) >= m.needed(id)
		require.True(t, full || expired[id], "URL %d is left out, although others could work on it", id)
	}
}

// TestReservationsFollowTheModel compares random sequences with the model after each step: who holds what, who is offered what and
// why, and what the votes are. At the end, the queue equals a recount.
func TestReservationsFollowTheModel(t *testing.T) {
	t.Parallel()
	m := &modelled{bundle: setup(t)}
	var err error
	m.rule, err = consensus.CurrentRule(t.Context(), m.pool)
	require.NoError(t, err)
	m.validator = consensus.New(m.pool, consensus.Config{Report: func(err error) { t.Error(err) }})
	actions := map[string]func(*rapid.T){
		"ask": m.ask, "answer": m.answer, "time passes": m.passTime, "sweep": m.runSweep, "validate": m.validate, "reopen": m.reopen,
		"skip":   m.skip,
		"change": m.change, "take back": m.takeBack,
		"suspend": m.suspend, "transfer": m.transfer, "release": m.release, "heartbeat": m.beat,
	}
	names := append(slices.Sorted(maps.Keys(actions)), "ask", "ask", "ask", "ask", "answer", "answer")
	rapid.Check(t, func(rt *rapid.T) {
		m.start(t)
		for range rapid.IntRange(1, 25).Draw(rt, "steps") {
			actions[rapid.SampledFrom(names).Draw(rt, "action")](rt)
			m.check(rt)
		}
		m.runSweep(rt)
		m.requireExactQueue(t)
	})
}
