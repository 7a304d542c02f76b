package annotation_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"docket/internal/annotation"
	"docket/internal/dbtest"
	"docket/internal/ranking"
	"docket/internal/unknown"
)

// theSession is a session of the tests of explanations; user 7 is the user.
var theSession = uuid.MustParse("00000000-0000-0000-0000-000000000007")

// TestEmptyReasons has a case for each reason for which no URL is given, for a user and for a session. URL 1 is in batch 1, URL 2
// in batch 2, URL 3 in none.
func TestEmptyReasons(t *testing.T) {
	t.Parallel()
	const (
		none      = "TRUNCATE urls CASCADE"
		validated = "INSERT INTO flag_url_validated (url_id, type) SELECT id, 'data source' FROM urls"
		done      = `INSERT INTO annotation__url_type__anon (url_id, session_id, url_type)
			SELECT urls.id, s.id, 'meta url' FROM urls, anonymous_sessions s;
			INSERT INTO annotation__url_type__user (url_id, user_id, type) SELECT id, 7, 'meta url' FROM urls`
		oneDone  = done + ` WHERE id = 1; DELETE FROM annotation__url_type__anon WHERE url_id <> 1`
		reserved = "UPDATE annotation_queue SET reserved = true"
	)
	only := func(statement, condition string) string { return statement + " WHERE " + condition }
	batch := func(id int32) annotation.Filter { return annotation.Filter{BatchID: &id} }
	url := func(id int32) annotation.Filter { return annotation.Filter{URLID: &id} }
	for name, test := range map[string]struct {
		before, after string // the queue is computed between them
		filter        annotation.Filter
		want          annotation.Reason
	}{
		"no URL":                              {none, "", annotation.Filter{}, annotation.NothingImported},
		"no URL, batch":                       {none, "", batch(1), annotation.NothingImported},
		"no URL, unknown URL":                 {none, "", url(1), annotation.NothingImported},
		"all validated":                       {validated, "", annotation.Filter{}, annotation.NoneLeft},
		"all validated, batch":                {validated, "", batch(1), annotation.NoneLeft},
		"all validated, one asked for":        {validated, "", url(1), annotation.NoneLeft},
		"all validated, offset":               {validated, "", annotation.Filter{Skip: 1}, annotation.NoneLeft},
		"all done":                            {done, "", annotation.Filter{}, annotation.AllDoneByYou},
		"all done, batch":                     {done, "", batch(1), annotation.AllDoneByYou},
		"all done, unknown batch":             {done, "", batch(9), annotation.NoneLeft},
		"all done, one asked for":             {done, "", url(1), annotation.AllDoneByYou},
		"all done, reserved":                  {done, reserved, annotation.Filter{}, annotation.AllDoneByYou},
		"all reserved":                        {"", reserved, annotation.Filter{}, annotation.AllReserved},
		"all reserved, batch":                 {"", reserved, batch(1), annotation.AllReserved},
		"all reserved, unknown batch":         {"", reserved, batch(9), annotation.FilteredOut},
		"reserved or done":                    {oneDone, reserved, annotation.Filter{}, annotation.AllReserved},
		"batch reserved":                      {"", only(reserved, "batch_id = 1"), batch(1), annotation.AllReserved},
		"batch done":                          {oneDone, "", batch(1), annotation.FilteredOut},
		"batch done, others reserved":         {oneDone, reserved, batch(1), annotation.FilteredOut},
		"batch validated":                     {only(validated, "id = 1"), "", batch(1), annotation.FilteredOut},
		"unknown batch":                       {"", "", batch(9), annotation.FilteredOut},
		"unknown URL":                         {"", "", url(9), annotation.FilteredOut},
		"one asked for is done":               {oneDone, "", url(1), annotation.FilteredOut},
		"offset beyond the end":               {"", "", annotation.Filter{Skip: 3}, annotation.FilteredOut},
		"offset beyond the end, all reserved": {"", reserved, annotation.Filter{Skip: 3}, annotation.FilteredOut},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			dbtest.Exec(t, b.pool, `INSERT INTO anonymous_sessions (id) VALUES ($1)`, theSession)
			dbtest.Exec(t, b.pool, `
				INSERT INTO batches (strategy, status) VALUES ('manual', 'ready to label'), ('manual', 'ready to label');
				INSERT INTO link_batches__urls (batch_id, url_id) VALUES (1, 1), (2, 2)`)
			dbtest.Exec(t, b.pool, test.before)
			b.settle(t)
			dbtest.Exec(t, b.pool, test.after)
			reason, err := b.service.EmptyReason(t.Context(), annotation.User(7), test.filter)
			require.NoError(t, err)
			require.Equal(t, test.want, reason)
			if test.filter.BatchID == nil && test.filter.URLID == nil { // sessions have no other filter
				reason, err = b.service.EmptyReason(t.Context(), annotation.Anonymous(theSession), test.filter)
				require.NoError(t, err)
				require.Equal(t, test.want, reason, "session")
			}
		})
	}
}

// randomState fills a database with URLs in every state that user 7 and the session can have with them.
const randomState = `
	INSERT INTO anonymous_sessions (id)
		SELECT ('00000000-0000-0000-0000-' || lpad(n::text, 12, '0'))::uuid FROM generate_series(1, 9) AS n;
	INSERT INTO batches (strategy, status) SELECT 'manual', 'ready to label' FROM generate_series(1, 3);
	INSERT INTO link_batches__locations (batch_id, location_id) VALUES (1, 1), (2, 2);
	INSERT INTO link__locations__user_follows (user_id, location_id) VALUES (7, 1), (8, 2);
	INSERT INTO urls (id, url, source) SELECT n, n || '.org', (ARRAY['manual', 'collector'])[1 + n % 2]::url_source
		FROM generate_series(4, 40) AS n;
	INSERT INTO link_batches__urls (batch_id, url_id) SELECT 1 + (random() * 2)::int, id FROM urls WHERE random() < 0.7;
	INSERT INTO flag_url_validated (url_id, type) SELECT id, 'data source' FROM urls WHERE random() < 0.15;
	INSERT INTO flag_url_suspended (url_id) SELECT id FROM urls WHERE random() < 0.15;
	INSERT INTO annotation__url_type__user (url_id, user_id, type)
		SELECT urls.id, n, 'meta url' FROM urls, unnest('{7,8,9}'::int[]) AS n WHERE random() < 0.2;
	INSERT INTO annotation__url_type__anon (url_id, session_id, url_type)
		SELECT urls.id, s.id, 'meta url' FROM urls, anonymous_sessions s WHERE random() < 0.2;
	INSERT INTO url_skips (url_id, user_id, reason, active)
		SELECT id, 7, 'language', random() < 0.7 FROM urls WHERE random() < 0.2
		AND NOT EXISTS (SELECT FROM annotation__url_type__user a WHERE a.url_id = id AND a.user_id = 7);
	INSERT INTO url_skips (url_id, session_id, reason, active)
		SELECT id, '00000000-0000-0000-0000-000000000007', 'language', random() < 0.7 FROM urls WHERE random() < 0.2
		AND NOT EXISTS (SELECT FROM annotation__url_type__anon a WHERE a.url_id = id AND a.session_id::text LIKE '%7')`

const randomReservations = `
	INSERT INTO urls (id, url, source) VALUES (41, '41.org', 'manual'), (42, '42.org', 'manual');
	UPDATE annotation_queue SET reserved = true WHERE eligible AND random() < 0.3;
	UPDATE annotation_queue SET eligible = false
		WHERE url_id = (SELECT url_id FROM annotation_queue WHERE eligible ORDER BY random() LIMIT 1);
	INSERT INTO url_reservations (annotator, url_id, slot, suggestions_hidden, expires_at)
		SELECT CASE n WHEN 1 THEN '7' ELSE '00000000-0000-0000-0000-000000000007' END, url_id, n, false, now() + '1 hour'
		FROM unnest('{1,2}'::int[]) AS n, LATERAL (SELECT url_id FROM annotation_queue WHERE eligible ORDER BY random() + n LIMIT 1) AS q`

// TestCausesAddUp compares the number of URLs of each cause with the causes of the single URLs, which are another computation.
func TestCausesAddUp(t *testing.T) {
	t.Parallel()
	for round := range 4 {
		t.Run(fmt.Sprint(round), func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			dbtest.Exec(t, b.pool, randomState)
			b.settle(t)
			dbtest.Exec(t, b.pool, randomReservations)
			for _, batch := range []*int32{nil, new(int32(1)), new(int32(2))} {
				explain := func(urlID *int32) (annotation.Explanation, error) {
					return b.service.ExplainNext(t.Context(), 7, annotation.Filter{BatchID: batch, URLID: urlID})
				}
				requireCauses(t, explain)
			}
			requireCauses(t, func(urlID *int32) (annotation.Explanation, error) {
				return b.service.ExplainNextAnonymous(t.Context(), theSession, annotation.Filter{URLID: urlID})
			})
		})
	}
}

func requireCauses(t *testing.T, explain func(urlID *int32) (annotation.Explanation, error)) {
	t.Helper()
	tally := map[annotation.Cause]int64{}
	for id := range int32(42) {
		one, err := explain(new(id + 1))
		require.NoError(t, err)
		tally[one.URL.Cause]++
	}
	all, err := explain(nil)
	require.NoError(t, err)
	require.Equal(t, annotation.Causes{
		All: 42, NotQueued: tally[annotation.NotQueued], FilteredOut: tally[annotation.OutsideBatch],
		Validated: tally[annotation.IsValidated], Suspended: tally[annotation.IsSuspended], Done: tally[annotation.DoneByYou],
		Skipped: tally[annotation.PutOff], Reserved: tally[annotation.FullyReserved], Offered: tally[annotation.Offered],
	}, all.Counts)
	c := all.Counts
	require.Equal(t, c.All, c.NotQueued+c.FilteredOut+c.Validated+c.Suspended+c.Done+c.Skipped+c.Reserved+c.Offered)
}

// TestPlaces shows that the place of each URL is the number of the request, each with an offset, that returns it.
func TestPlaces(t *testing.T) {
	t.Parallel()
	b := setup(t)
	dbtest.Exec(t, b.pool, randomState)
	b.settle(t)
	dbtest.Exec(t, b.pool, "UPDATE annotation_queue SET reserved = true WHERE eligible AND random() < 0.2")
	one, places := int32(1), 0
	for _, filter := range []annotation.Filter{{}, {BatchID: &one}} {
		filter.Skip = 0
		for {
			offer, err := b.service.Next(t.Context(), 7, filter)
			require.NoError(t, err)
			if offer.Next == nil || offer.Reason == annotation.SkippedByYou {
				break
			}
			filter.Skip++
			one := annotation.Filter{BatchID: filter.BatchID, URLID: &offer.Next.URLID}
			explained, err := b.service.ExplainNext(t.Context(), 7, one)
			require.NoError(t, err)
			require.Equal(t, int64(filter.Skip), explained.URL.Place, "%+v", explained.URL)
			places++
		}
	}
	require.Greater(t, places, 3)
}

func TestExplainUnknown(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, filter := range []annotation.Filter{{BatchID: new(int32(9))}, {URLID: new(int32(9))}} {
		_, err := b.service.ExplainNext(t.Context(), 7, filter)
		var missing *unknown.Error
		require.ErrorAs(t, err, &missing)
	}
}

// TestExplanationIsWhatIsGiven compares the explanation with the offer that follows it, in random states: annotators ask, answer,
// skip and release, and reservations expire.
func TestExplanationIsWhatIsGiven(t *testing.T) {
	t.Parallel()
	seen := map[annotation.Reason]int{}
	var lock sync.Mutex
	t.Cleanup(func() {
		for _, reason := range []annotation.Reason{
			annotation.NextInOrder, annotation.ReservedByYou, annotation.Shared, annotation.SkippedByYou, annotation.AllReserved,
			annotation.AllDoneByYou,
		} {
			assert.Positive(t, seen[reason], reason)
		}
	})
	for _, policy := range []annotation.ReservePolicy{
		{For: time.Minute, WhenAllReserved: annotation.Share},
		{For: time.Minute, WhenAllReserved: annotation.Wait},
		{For: time.Minute, WhenAllReserved: annotation.Share, Overlap: 1},
		{For: time.Minute, WhenAllReserved: annotation.Wait, Overlap: 1},
		{},
	} {
		t.Run(fmt.Sprintf("%+v", policy), func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			dbtest.Exec(t, b.pool, `
				INSERT INTO batches (strategy, status) VALUES ('manual', 'ready to label');
				INSERT INTO link_batches__locations (batch_id, location_id) VALUES (1, 1);
				INSERT INTO link__locations__user_follows (user_id, location_id) VALUES (7, 1);
				INSERT INTO urls (id, url, source) SELECT n, n || '.org', 'collector' FROM generate_series(4, 7) AS n;
				INSERT INTO link_batches__urls (batch_id, url_id) VALUES (1, 3), (1, 6)`)
			b.settle(t)
			now := time.Now()
			service := annotation.New(b.pool, ranking.NewQueue(), annotation.Reserve(policy))
			service.SetTime(func() time.Time { return now })
			random := rand.New(rand.NewPCG(1, uint64(policy.Overlap)+uint64(len(policy.WhenAllReserved))))
			for step := range 120 {
				user, session := 7+random.Int32N(7), uuid.UUID{15: byte(1 + random.IntN(3))}
				filter := annotation.Filter{}
				if random.IntN(6) == 0 {
					filter.BatchID = new(int32(1))
				}
				explain := func() (annotation.Explanation, error) { return service.ExplainNext(t.Context(), user, filter) }
				next := func() (annotation.Offer, error) { return service.Next(t.Context(), user, filter) }
				by, anonymous := annotation.User(user), random.IntN(4) == 0
				if anonymous {
					explain = func() (annotation.Explanation, error) {
						return service.ExplainNextAnonymous(t.Context(), session, annotation.Filter{})
					}
					next = func() (annotation.Offer, error) { return service.NextAnonymous(t.Context(), session, 0) }
					by = annotation.Anonymous(session)
				}
				explained, err := explain()
				require.NoError(t, err)
				offer, err := next()
				require.NoError(t, err)
				require.Equal(t, offer.Reason, explained.Reason, "step %d, %s: %+v %+v", step, by, offer, explained.URL)
				lock.Lock()
				seen[offer.Reason]++
				lock.Unlock()
				if offer.Next == nil {
					require.Nil(t, explained.URL)
				} else {
					require.Equal(t, offer.Next.URLID, explained.URL.ID, "step %d, %s, %s: %+v", step, by, offer.Reason, explained.URL)
				}
				skip := annotation.Skip{Reason: annotation.SkipLanguage}
				switch act := random.IntN(12); {
				case act == 0:
					now = now.Add(time.Duration(random.IntN(90)) * time.Second)
				case offer.Next == nil || act < 6:
				case act < 8 && anonymous:
					err = service.SkipAnonymous(t.Context(), session, offer.Next.URLID, skip)
				case act < 8:
					err = service.Skip(t.Context(), user, offer.Next.URLID, skip)
				case act == 8 && policy.For > 0:
					err = service.Release(t.Context(), by, offer.Next.URLID)
				case anonymous:
					answer := annotation.Answer{URLType: annotation.NotRelevant}
					err = service.SubmitAnonymous(t.Context(), session, offer.Next.URLID, answer)
				default:
					err = service.Submit(t.Context(), user, offer.Next.URLID, annotation.Answer{URLType: annotation.BrokenPage})
				}
				require.NoError(t, err)
			}
		})
	}
}
