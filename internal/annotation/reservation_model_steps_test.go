package annotation_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"docket/internal/annotation"
	"docket/internal/consensus"
	"docket/internal/postgres"
	"docket/internal/ranking"
)

func (m *modelled) ask(t *rapid.T) {
	a, service := m.someAnnotator(t), m.someService(t)
	freed := m.urlsWhere(t, expiredURLs)
	want, reason := m.offer(a, m.urlsWhere(t, hiddenURLs), freed)
	got, err := a.ask(context.Background(), service)
	require.NoError(t, err)
	if want == 0 {
		require.Nil(t, got.Next)
		return
	}
	require.NotNil(t, got.Next, "%s must be offered URL %d: %s", a, want, reason)
	require.Equal(t, fmt.Sprint(want, " ", reason), fmt.Sprint(got.Next.URLID, " ", got.Reason), "%s", a)
	require.WithinDuration(t, time.Now().Add(reserveFor), got.ReservedUntil, time.Minute)
}

func (m *modelled) passTime(t *rapid.T) {
	step := rapid.SampledFrom(timeSteps).Draw(t, "time")
	m.now += step
	_, err := m.pool.Exec(context.Background(), "UPDATE url_reservations SET expires_at = expires_at - $1::interval", step)
	require.NoError(t, err)
}

func (m *modelled) runSweep(t *rapid.T) {
	_, err := annotation.Sweep(context.Background(), m.pool, nil)
	require.NoError(t, err)
	require.Empty(t, m.urlsWhere(t, expiredURLs))
}

// answers are what annotators say. Two that are equal make a fact, and the second and the third agree on all but the type.
var modelAnswers = []annotation.Answer{
	{URLType: annotation.NotRelevant},
	{URLType: annotation.MetaURL, AgencyIDs: []int32{1}, LocationIDs: []int64{1}, NewName: new("One")},
	{URLType: annotation.IndividualRecord, AgencyIDs: []int32{1}, LocationIDs: []int64{1}, NewName: new("One")},
	{URLType: annotation.DataSource, RecordType: new(annotation.RecordType("Stops")), AgencyIDs: []int32{2}, LocationIDs: []int64{2},
		NewName: new("Two")},
}

func (m *modelled) someAnswer(t *rapid.T) (annotation.Answer, consensus.Votes) {
	answer := modelAnswers[rapid.IntRange(0, len(modelAnswers)-1).Draw(t, "answer")]
	said := consensus.Votes{}
	one := consensus.Count{Users: 1}
	said.Add(consensus.URLType, string(answer.URLType), one)
	for _, id := range answer.AgencyIDs {
		said.Add(consensus.Agency, fmt.Sprint(id), one)
	}
	for _, id := range answer.LocationIDs {
		said.Add(consensus.Location, fmt.Sprint(id), one)
	}
	if answer.RecordType != nil {
		said.Add(consensus.RecordType, string(*answer.RecordType), one)
	}
	if answer.NewName != nil {
		said.Add(consensus.Name, *answer.NewName, one)
	}
	return answer, said
}

// answer stores an answer, whether or not its annotator has the URL reserved.
func (m *modelled) answer(t *rapid.T) {
	a := m.someAnnotator(t)
	url := m.someURLOf(t, a)
	answer, said := m.someAnswer(t)
	err := a.submit(context.Background(), m.someService(t), url, answer)
	if m.hasAnswered(url, a) {
		if !errors.Is(err, annotation.ErrAlreadyAnnotated) {
			require.NoError(t, err, "the same answer")
		}
		return
	}
	require.NoError(t, err)
	m.urls[url].said[a], m.urls[url].reopened = said, false
	if own := m.holds[a]; own.url != url || !m.live(own) {
		m.trim(url)
	}
	m.unskip(url, a)
	m.leave(url, a)
}

// change replaces an answer. Which parts of an answer that a user got from a session are replaced is another test's subject.
func (m *modelled) change(t *rapid.T) {
	a := m.someAnnotator(t)
	id := m.someURL(t)
	url := m.urls[id]
	if url.merged[a] {
		return
	}
	answer, said := m.someAnswer(t)
	err := a.replace(context.Background(), m.someService(t), id, answer)
	switch {
	case url.said[a] == nil && url.moved[a]:
		require.ErrorIs(t, err, annotation.ErrMigrated)
	case url.said[a] == nil:
		require.ErrorIs(t, err, annotation.ErrNoAnswer)
	case reflect.DeepEqual(said, url.said[a]):
		require.NoError(t, err)
	case url.validated:
		require.ErrorIs(t, err, annotation.ErrValidated)
	default:
		require.NoError(t, err)
		url.said[a], url.reopened = said, false
		m.trim(id)
	}
}

// takeBack deletes an answer. Its annotator is offered the URL again.
func (m *modelled) takeBack(t *rapid.T) {
	a := m.someAnnotator(t)
	id := m.someURL(t)
	url := m.urls[id]
	err := a.takeBack(context.Background(), m.someService(t), id)
	switch {
	case url.said[a] == nil && url.moved[a]:
		require.ErrorIs(t, err, annotation.ErrMigrated)
	case url.said[a] != nil && url.validated:
		require.ErrorIs(t, err, annotation.ErrValidated)
	default:
		require.NoError(t, err)
		if url.said[a] != nil {
			delete(url.said, a)
			m.trim(id)
		}
		delete(url.merged, a)
	}
}

// skip puts a URL off.
func (m *modelled) skip(t *rapid.T) {
	a := m.someAnnotator(t)
	url := m.someURLOf(t, a)
	err := a.skip(context.Background(), m.someService(t), url, annotation.Skip{Reason: annotation.SkipNotSure})
	if m.hasAnswered(url, a) {
		require.ErrorIs(t, err, annotation.ErrAlreadyAnnotated)
		return
	}
	require.NoError(t, err)
	m.unskip(url, a)
	m.skips = append(m.skips, modelSkip{a, url})
	m.leave(url, a)
}

// trim ends the live holds of a URL beyond what it needs, in the highest slots.
func (m *model) trim(url int32) {
	for by, h := range maps.Clone(m.holds) {
		if h.url == url && m.live(h) && m.ahead(h, by) >= m.needed(url) {
			defer delete(m.holds, by) // the others are counted first
		}
	}
}

// leave ends the hold of a URL.
func (m *model) leave(url int32, a annotator) {
	if m.holds[a].url == url {
		delete(m.holds, a)
	}
}

// end ends all holds of a URL that is not offered any more.
func (m *model) end(url int32) {
	maps.DeleteFunc(m.holds, func(_ annotator, h hold) bool { return h.url == url })
}

// validate has the validator decide about all URLs that are due.
func (m *modelled) validate(t *rapid.T) {
	due := m.urlsWhere(t, "SELECT url_id FROM consensus_due")
	_, err := m.validator.Drain(context.Background())
	require.NoError(t, err)
	validated := m.urlsWhere(t, "SELECT url_id FROM flag_url_validated")
	for id, url := range m.urls {
		_, decided := m.rule.Decide(m.votes(id))
		if decided && url.eligible() && !url.reopened && due[id] {
			require.True(t, validated[id], "URL %d has votes for a fact", id)
		}
		if validated[id] && !url.validated {
			require.True(t, decided && !url.reopened, "URL %d has no votes for a fact", id)
		}
		if validated[id] {
			m.end(id)
		}
		url.validated = validated[id]
	}
}

// reopen takes the validation of a URL back. It is not validated again before there is another vote.
func (m *modelled) reopen(t *rapid.T) {
	url := m.someURL(t)
	err := consensus.NewReopener(m.pool).Reopen(context.Background(), 9, url, "wrong")
	if !m.urls[url].validated {
		require.ErrorIs(t, err, consensus.ErrNotValidated)
		return
	}
	require.NoError(t, err)
	m.urls[url].validated, m.urls[url].reopened = false, true
}

// suspend has a URL not be offered, or again.
func (m *modelled) suspend(t *rapid.T) {
	id := m.someURL(t)
	statement := "INSERT INTO flag_url_suspended (url_id) VALUES ($1)"
	if m.urls[id].suspended {
		statement = "DELETE FROM flag_url_suspended WHERE url_id = $1"
	}
	err := postgres.InTx(context.Background(), m.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(context.Background(), statement, id); err != nil {
			return err
		}
		return ranking.Recount(context.Background(), tx, []int32{id})
	})
	require.NoError(t, err)
	m.urls[id].suspended = !m.urls[id].suspended
	if m.urls[id].suspended {
		m.end(id)
	}
}

// transfer gives what a session has said, skipped and reserved to a user. Others use the session afterwards.
func (m *modelled) transfer(t *rapid.T) {
	user := rapid.SampledFrom(m.annotators[:3]).Draw(t, "user")
	session := rapid.SampledFrom(m.annotators[3:]).Draw(t, "session")
	_, err := m.someService(t).TransferSession(context.Background(), user.user, session.session)
	require.NoError(t, err)
	changed := map[int32]bool{m.holds[session].url: true}
	for id, url := range m.urls {
		changed[id] = changed[id] || url.said[session] != nil || m.skipped(id, session)
		if said := url.said[session]; said != nil {
			url.said[user] = merged(url.said[user], said)
			delete(url.said, session)
			url.moved[session], url.merged[user] = true, true
		}
		if m.skipped(id, session) {
			if m.skipped(id, user) {
				m.unskip(id, session)
			} else {
				m.skips[slices.Index(m.skips, modelSkip{session, id})].by = user
			}
		}
		if m.hasAnswered(id, user) {
			m.unskip(id, user)
		}
	}
	if held, ok := m.holds[session]; ok {
		delete(m.holds, session)
		if m.live(held) && !m.live(m.holds[user]) && !m.hasAnswered(held.url, user) {
			m.holds[user] = held
		}
	}
	for id := range m.urls {
		if changed[id] {
			m.trim(id)
		}
	}
}

// merged returns what a user has said who said the first and gets the second.
func merged(own, got consensus.Votes) consensus.Votes {
	all := consensus.Votes{}
	for attribute, values := range own {
		all[attribute] = maps.Clone(values)
	}
	for attribute, values := range got {
		if exclusive(string(attribute)) && len(own[attribute]) > 0 {
			continue
		}
		for value, count := range values {
			if all[attribute] == nil {
				all[attribute] = map[string]consensus.Count{}
			}
			all[attribute][value] = count
		}
	}
	return all
}

// beat reserves a URL, or extends the reservation.
func (m *modelled) beat(t *rapid.T) {
	a := m.someAnnotator(t)
	url := m.someURLOf(t, a)
	until, err := m.someService(t).Hold(context.Background(), a.id(), url)
	own, ahead := m.holds[a], len(m.others(url, a))
	if own.url == url && m.live(own) {
		ahead = m.ahead(own, a)
	}
	switch {
	case !m.urls[url].eligible() || m.hasAnswered(url, a):
		require.ErrorIs(t, err, annotation.ErrNotOffered)
	case ahead >= m.needed(url):
		require.ErrorIs(t, err, annotation.ErrHeldByOthers)
	default:
		require.NoError(t, err)
		require.WithinDuration(t, time.Now().Add(reserveFor), until, time.Minute)
		if own.url == url && m.live(own) {
			own.until = m.now + reserveFor
			m.holds[a] = own
		} else {
			m.hold(url, a)
		}
	}
}

func (m *modelled) release(t *rapid.T) {
	a := m.someAnnotator(t)
	url := m.someURLOf(t, a)
	require.NoError(t, m.someService(t).Release(context.Background(), a.id(), url))
	m.leave(url, a)
}
