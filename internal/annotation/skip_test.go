package annotation_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"docket/internal/annotation"
	"docket/internal/dbtest"
	"docket/internal/progress"
	"docket/internal/ranking"
	"docket/internal/unknown"
)

// skipper is user 7 or a session, who skips and is offered URLs.
type skipper struct {
	b       bundle
	user    bool
	session annotation.Session
}

const skippingUser = 7

// eachSkipper runs a test for a user and for a session. The URLs are 1 to 3.
func eachSkipper(t *testing.T, test func(t *testing.T, by skipper), options ...annotation.Option) {
	for _, name := range []string{"user", "session"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.service = annotation.New(b.pool, ranking.NewQueue(), options...)
			test(t, skipper{b: b, user: name == "user", session: uuid.New()})
			b.requireExactQueue(t)
		})
	}
}

func (s skipper) skip(ctx context.Context, urlID int32, skip annotation.Skip) error {
	if s.user {
		return s.b.service.Skip(ctx, skippingUser, urlID, skip)
	}
	return s.b.service.SkipAnonymous(ctx, s.session, urlID, skip)
}

func (s skipper) submit(ctx context.Context, urlID int32) error {
	answer := annotation.Answer{URLType: annotation.NotRelevant}
	if s.user {
		return s.b.service.Submit(ctx, skippingUser, urlID, answer)
	}
	return s.b.service.SubmitAnonymous(ctx, s.session, urlID, answer)
}

func (s skipper) takeBack(ctx context.Context, urlID int32) error {
	if s.user {
		return s.b.service.TakeBack(ctx, skippingUser, urlID)
	}
	return s.b.service.TakeBackAnonymous(ctx, s.session, urlID)
}

func (s skipper) offer(t *testing.T) annotation.Offer {
	t.Helper()
	var offer annotation.Offer
	var err error
	if s.user {
		offer, err = s.b.service.Next(t.Context(), skippingUser, annotation.Filter{})
	} else {
		offer, err = s.b.service.NextAnonymous(t.Context(), s.session, 0)
	}
	require.NoError(t, err)
	return offer
}

// next returns the id of the URL offered; 0 for none, or for one that is skipped.
func (s skipper) next(t *testing.T) int32 {
	t.Helper()
	offer := s.offer(t)
	if offer.Next == nil || offer.Reason == annotation.SkippedByYou {
		return 0
	}
	return offer.Next.URLID
}

var notSure = annotation.Skip{Reason: annotation.SkipNotSure}

func TestSkip(t *testing.T) {
	t.Parallel()
	eachSkipper(t, func(t *testing.T, by skipper) {
		require.EqualValues(t, 1, by.next(t))
		annotator := by.session.String()
		if by.user {
			annotator = fmt.Sprint(skippingUser)
		}
		// The annotator has reserved URL 1, another one URL 2.
		_, err := by.b.pool.Exec(t.Context(), `INSERT INTO url_reservations (annotator, url_id, slot, suggestions_hidden, expires_at)
			VALUES ($1, 1, 1, false, now() + interval '1 hour'), ('8', 2, 1, false, now() + interval '1 hour')`, annotator)
		require.NoError(t, err)
		dbtest.Exec(t, by.b.pool, "UPDATE annotation_queue SET reserved = true WHERE url_id < 3")

		var submitted annotation.Submitted
		if by.user {
			submitted, err = by.b.service.SkipThenNext(t.Context(), skippingUser, 1, notSure, annotation.Filter{})
		} else {
			submitted, err = by.b.service.SkipAnonymousThenNext(t.Context(), by.session, 1, notSure)
		}
		require.NoError(t, err)
		require.NoError(t, submitted.NextErr)
		require.EqualValues(t, 3, submitted.Offer.Next.URLID)
		require.Equal(t, []string{"8 2"}, dbtest.List(t, by.b.pool, "SELECT annotator || ' ' || url_id FROM url_reservations"))
		require.Equal(t, []string{"2"}, dbtest.List(t, by.b.pool, "SELECT url_id::text FROM annotation_queue WHERE reserved"))
		const stored = `SELECT concat_ws(',', url_id, coalesce(user_id::text, session_id::text), reason, note, active,
			returns_at > now() + interval '23 hours' AND returns_at <= now() + interval '24 hours') FROM url_skips`
		require.Equal(t, []string{"1," + annotator + ",not sure,t,t"}, dbtest.List(t, by.b.pool, stored))
		require.Zero(t, by.b.annotations(t), "a skip is no vote")

		// Again, and with another reason.
		require.NoError(t, by.skip(t.Context(), 1, notSure))
		require.NoError(t, by.skip(t.Context(), 1, annotation.Skip{Reason: annotation.SkipOther, Note: " a cookie wall\n"}))
		require.Equal(t, []string{"1," + annotator + ",other,a cookie wall,t,t"}, dbtest.List(t, by.b.pool, stored))
		require.Equal(t, []string{
			"1 skipped " + annotator + ` {"reason": "not sure"}`,
			"1 skipped " + annotator + ` {"note": "a cookie wall", "reason": "other"}`,
		}, dbtest.List(t, by.b.pool, `SELECT concat_ws(' ', url_id, event, coalesce(user_id::text, session_id::text), detail)
			FROM url_history WHERE event = 'skipped' ORDER BY id`))
		require.EqualValues(t, 3, by.next(t))
	})
}

func TestRefusedSkips(t *testing.T) {
	t.Parallel()
	eachSkipper(t, func(t *testing.T, by skipper) {
		require.NoError(t, by.submit(t.Context(), 2))
		before := dbtest.Digests(t, by.b.pool)
		var fields annotation.FieldErrors
		for _, blank := range []string{"", "\t ", "\u200b", " \u00a0\u2060\ufeff\u3164"} {
			require.ErrorAs(t, by.skip(t.Context(), 1, annotation.Skip{Reason: annotation.SkipOther, Note: blank}), &fields, "%+q", blank)
			require.Equal(t, "note", fields[0].Field)
		}
		tooLong := annotation.Skip{Reason: annotation.SkipLanguage, Note: strings.Repeat("ä", 501)}
		require.ErrorAs(t, by.skip(t.Context(), 1, tooLong), &fields)
		var notFound *unknown.Error
		require.ErrorAs(t, by.skip(t.Context(), 99, notSure), &notFound)
		require.ErrorIs(t, by.skip(t.Context(), 2, notSure), annotation.ErrAlreadyAnnotated)
		require.Equal(t, before, dbtest.Digests(t, by.b.pool))

		longest := annotation.Skip{Reason: annotation.SkipLanguage, Note: strings.Repeat("ä", 500)}
		require.NoError(t, by.skip(t.Context(), 1, longest))
	})
}

// A skip comes back after its time, for its annotator, from a cursor and from the front. One that is answered meanwhile does not.
func TestSkipReturns(t *testing.T) {
	t.Parallel()
	eachSkipper(t, func(t *testing.T, by skipper) {
		for url := int32(1); url <= 3; url++ {
			require.NoError(t, by.skip(t.Context(), url, notSure))
		}
		require.NoError(t, by.b.service.Skip(t.Context(), 8, 1, notSure))
		_ = by.next(t) // sets a cursor
		ended, err := by.b.service.EndSkips(t.Context())
		require.NoError(t, err)
		require.Zero(t, ended)

		dbtest.Exec(t, by.b.pool, "UPDATE url_skips SET returns_at = now() WHERE url_id >= 2")
		ended, err = by.b.service.EndSkips(t.Context())
		require.NoError(t, err)
		require.Equal(t, 2, ended)
		require.EqualValues(t, 2, by.next(t))
		fresh := by
		fresh.b.service = annotation.New(by.b.pool, ranking.NewQueue())
		require.EqualValues(t, 2, fresh.next(t))
		require.NoError(t, by.submit(t.Context(), 2))
		require.EqualValues(t, 3, by.next(t))
		require.Equal(t, []string{"1 t", "1 t", "3 f"},
			dbtest.List(t, by.b.pool, "SELECT concat_ws(' ', url_id, active) FROM url_skips WHERE url_id <> 2 ORDER BY url_id"))
		by.b.requireExactQueue(t)

		require.NoError(t, by.skip(t.Context(), 3, notSure), "again")
		require.Equal(t, 2, by.b.count(t, "SELECT count(*) FROM url_history WHERE url_id = 3 AND event = 'skipped'"))
	})
}

// Without a time, a skip ends only with an answer.
func TestSkipWithoutEnd(t *testing.T) {
	t.Parallel()
	eachSkipper(t, func(t *testing.T, by skipper) {
		require.NoError(t, by.skip(t.Context(), 1, notSure))
		require.Equal(t, 1, by.b.count(t, "SELECT count(*) FROM url_skips WHERE active AND returns_at IS NULL"))
	}, annotation.SkipFor(0))
}

// oftenSkipped returns what often_skipped_urls has about a URL.
func (b bundle) oftenSkipped(t *testing.T, urlID int32) []string {
	t.Helper()
	return dbtest.List(t, b.pool, fmt.Sprintf(
		"SELECT concat_ws(' ', reason, people) FROM often_skipped_urls WHERE url_id = %d ORDER BY reason", urlID))
}

// An answer and a skip of one annotator at the same time leave at most a skip without effect: the URL stays done, also when the
// skip ends, nothing counts the skip, and it is deleted with the answer.
func TestSkipDuringAnswer(t *testing.T) {
	t.Parallel()
	eachSkipper(t, func(t *testing.T, by skipper) {
		require.NoError(t, by.submit(t.Context(), 3))
		for _, first := range []string{"answer", "skip"} {
			url := map[string]int32{"answer": 1, "skip": 2}[first]
			calls := []func() error{
				func() error { return by.submit(context.Background(), url) },
				func() error { return by.skip(context.Background(), url, notSure) },
			}
			if first == "skip" {
				calls[0], calls[1] = calls[1], calls[0]
			}
			held := by.b.begin(t, fmt.Sprintf("SELECT FROM annotation_queue WHERE url_id = %d FOR UPDATE", url))
			done := []chan error{make(chan error, 1), make(chan error, 1)}
			for i, call := range calls {
				go func() { done[i] <- call() }()
				dbtest.WaitForLocks(t, by.b.pool, i+1)
			}
			require.NoError(t, held.Rollback(t.Context()))
			require.NoError(t, <-done[0])
			require.NoError(t, <-done[1])
			by.b.requireExactQueue(t)
			for range 2 {
				require.NoError(t, by.b.service.SkipAnonymous(t.Context(), uuid.New(), url, notSure))
			}
			require.Empty(t, by.b.oftenSkipped(t, url), "two people have put the URL off and not answered it")
			require.NoError(t, by.b.service.SkipAnonymous(t.Context(), uuid.New(), url, notSure))
			require.Equal(t, []string{"not sure 3"}, by.b.oftenSkipped(t, url))
		}
		dbtest.Exec(t, by.b.pool, "UPDATE url_skips SET returns_at = now()")
		_, err := by.b.service.EndSkips(t.Context())
		require.NoError(t, err)
		by.b.requireExactQueue(t)
		require.Zero(t, by.next(t), "all are answered")
		for url := int32(1); url <= 2; url++ {
			require.NoError(t, by.takeBack(t.Context(), url))
		}
		require.Zero(t, by.b.count(t, "SELECT count(*) FROM url_skips WHERE user_id IS NOT NULL OR session_id = $1", by.session))
	})
}

// EndSkips does not wait for a URL that another writer has locked, and ends its skip the next time.
func TestEndSkipsLeavesOutLocked(t *testing.T) {
	t.Parallel()
	eachSkipper(t, func(t *testing.T, by skipper) {
		for url := int32(1); url <= 3; url++ {
			require.NoError(t, by.skip(t.Context(), url, notSure))
		}
		dbtest.Exec(t, by.b.pool, "UPDATE url_skips SET returns_at = now()")
		held := by.b.begin(t, "SELECT FROM annotation_queue WHERE url_id = 2 FOR UPDATE")
		ended, err := by.b.service.EndSkips(t.Context())
		require.NoError(t, err)
		require.Equal(t, 2, ended)
		require.NoError(t, held.Rollback(t.Context()))
		ended, err = by.b.service.EndSkips(t.Context())
		require.NoError(t, err)
		require.Equal(t, 1, ended)
		require.EqualValues(t, 1, by.next(t))
	})
}

// More skips end than one transaction handles, while their annotators answer, skip again, and URLs are recounted.
func TestEndManySkips(t *testing.T) {
	t.Parallel()
	const urls = 1200
	b := setup(t).withURLs(t, urls)
	dbtest.Exec(t, b.pool, `
		INSERT INTO url_skips (url_id, user_id, reason, returns_at)
		SELECT urls.id, 1 + urls.id % 3, 'not sure', now() FROM urls;
		INSERT INTO user_url_done (user_id, url_id) SELECT user_id, url_id FROM url_skips`)
	var ended atomic.Int64
	errs := race(
		func() error {
			for range 20 {
				n, err := b.service.EndSkips(t.Context())
				if ended.Add(int64(n)); err != nil {
					return err
				}
			}
			return nil
		},
		func() error {
			for url := int32(1); url <= urls; url += 20 {
				if err := b.service.Submit(t.Context(), 1+url%3, url, otherAnswer()); err != nil {
					return err
				}
			}
			return nil
		},
		func() error {
			for url := int32(urls - 1); url > 0; url -= 30 {
				if err := b.service.Skip(t.Context(), 1+url%3, url, notSure); err != nil {
					return err
				}
			}
			return nil
		},
		func() error {
			for url := int32(2); url <= urls; url += 25 {
				if err := b.recount(t.Context(), url, url/2); err != nil {
					return err
				}
			}
			return nil
		})
	for _, err := range errs {
		require.NoError(t, err)
	}
	_, err := b.service.EndSkips(t.Context())
	require.NoError(t, err)
	require.Positive(t, ended.Load())
	require.Zero(t, b.count(t, "SELECT count(*) FROM url_skips WHERE active AND returns_at <= now()"))
	b.requireExactQueue(t)
}

func (b bundle) recount(ctx context.Context, urlIDs ...int32) error {
	tx, err := b.pool.Begin(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback(ctx) }()
	if err := ranking.Recount(ctx, tx, urlIDs); err != nil {
		return err
	}
	return tx.Commit(ctx)
}

// A skipped URL that is validated has no done row. It has one again when the validation is taken back.
func TestSkippedURLBecomesEligibleAgain(t *testing.T) {
	t.Parallel()
	eachSkipper(t, func(t *testing.T, by skipper) {
		require.NoError(t, by.skip(t.Context(), 1, notSure))
		dbtest.Exec(t, by.b.pool, "INSERT INTO flag_url_validated (url_id, type) VALUES (1, 'data source'), (2, 'data source')")
		require.NoError(t, by.b.recount(t.Context(), 1, 2))
		by.b.requireExactQueue(t)
		const done = `SELECT url_id::text FROM user_url_done UNION ALL SELECT url_id::text FROM anonymous_url_done ORDER BY 1`
		require.Empty(t, dbtest.List(t, by.b.pool, done))
		require.NoError(t, by.skip(t.Context(), 2, notSure), "it is not eligible")
		require.Empty(t, dbtest.List(t, by.b.pool, done))
		dbtest.Exec(t, by.b.pool, "DELETE FROM flag_url_validated")
		require.NoError(t, by.b.recount(t.Context(), 1, 2))
		require.Equal(t, []string{"1", "2"}, dbtest.List(t, by.b.pool, done))
		require.EqualValues(t, 3, by.next(t))
	})
}

// A recount that makes a URL eligible and a skip of it at the same time: the done row is there in both orders.
func TestSkipDuringRecount(t *testing.T) {
	t.Parallel()
	eachSkipper(t, func(t *testing.T, by skipper) {
		for url := int32(1); url <= 2; url++ {
			held := by.b.begin(t, fmt.Sprintf("SELECT FROM annotation_queue WHERE url_id = %d FOR UPDATE", url))
			dbtest.Exec(t, by.b.pool, fmt.Sprintf("INSERT INTO flag_url_suspended (url_id) VALUES (%d)", url))
			calls := []func() error{
				func() error { return by.skip(context.Background(), url, notSure) },
				func() error { return by.b.recount(context.Background(), url) },
			}
			if url == 2 {
				calls[0], calls[1] = calls[1], calls[0]
			}
			done := []chan error{make(chan error, 1), make(chan error, 1)}
			for i, call := range calls {
				go func() { done[i] <- call() }()
				dbtest.WaitForLocks(t, by.b.pool, i+1)
			}
			require.NoError(t, held.Rollback(t.Context()))
			require.NoError(t, <-done[0])
			require.NoError(t, <-done[1])
			by.b.requireExactQueue(t)
		}
	})
}

// A URL that is asked for by its id is offered, even if it is skipped, by both rankings.
func TestSkippedURLByID(t *testing.T) {
	t.Parallel()
	b := setup(t)
	require.NoError(t, b.service.Skip(t.Context(), 7, 1, notSure))
	require.NoError(t, b.service.Submit(t.Context(), 7, 2, everything(1)))
	for _, ranked := range []annotation.Ranking{ranking.NewQueue(), ranking.Matview{}} {
		service := annotation.New(b.pool, ranked)
		offer, err := service.Next(t.Context(), 7, annotation.Filter{URLID: new(int32(1))})
		require.NoError(t, err)
		require.NotNil(t, offer.Next)
		require.EqualValues(t, 1, offer.Next.URLID)
		offer, err = service.Next(t.Context(), 7, annotation.Filter{URLID: new(int32(2))})
		require.NoError(t, err)
		require.Nil(t, offer.Next, "answered")
	}
}

// nothingElse is a service of policy, and annotators 7 and 8, of whom 7 has skipped the URLs 2, 1 and 3, in this order.
func nothingElse(t *testing.T, by skipper, policy annotation.ReservePolicy) skipper {
	t.Helper()
	by.b.service = annotation.New(by.b.pool, ranking.NewQueue(), annotation.Reserve(policy))
	for _, url := range []int32{2, 1, 3} {
		require.NoError(t, by.skip(t.Context(), url, notSure))
	}
	return by
}

// When nothing else is left, the oldest skip is offered, reserved if the service reserves. A new URL comes first.
func TestSkippedURLsWhenNothingElseIsLeft(t *testing.T) {
	t.Parallel()
	for _, hold := range []time.Duration{0, time.Hour} {
		eachSkipper(t, func(t *testing.T, by skipper) {
			by = nothingElse(t, by, annotation.ReservePolicy{For: hold, WhenAllReserved: annotation.Share})
			for _, url := range []int32{2, 1, 3, 2} { // after its second skip, URL 2 is last
				if url == 3 {
					dbtest.Exec(t, by.b.pool, "INSERT INTO urls (id, url, source) VALUES (4, 'four.org', 'collector')")
					require.NoError(t, by.b.recount(t.Context(), 4))
					require.Equal(t, annotation.NextInOrder, by.offer(t).Reason)
					require.NoError(t, by.submit(t.Context(), 4))
				}
				offer := by.offer(t)
				require.Equal(t, annotation.SkippedByYou, offer.Reason)
				require.Equal(t, url, offer.Next.URLID)
				require.Equal(t, hold > 0, !offer.ReservedUntil.IsZero())
				require.Equal(t, url, by.offer(t).Next.URLID, "the same again")
				require.NoError(t, by.skip(t.Context(), url, notSure))
			}
			for _, url := range []int32{1, 2, 3} {
				require.NoError(t, by.submit(t.Context(), url))
			}
			offer := by.offer(t)
			require.Nil(t, offer.Next)
			require.NotEqual(t, annotation.SkippedByYou, offer.Reason)
		})
	}
}

// A skipped URL that another annotator has reserved comes after those that are free. When all are reserved, it is shared, or the
// annotator waits.
func TestReservedSkippedURLs(t *testing.T) {
	t.Parallel()
	for _, when := range []annotation.WhenAllReserved{annotation.Share, annotation.Wait} {
		eachSkipper(t, func(t *testing.T, by skipper) {
			by = nothingElse(t, by, annotation.ReservePolicy{For: time.Hour, Overlap: 1, WhenAllReserved: when})
			for user := int32(8); user <= 10; user++ {
				_, err := by.b.service.Hold(t.Context(), annotation.User(user), user-7)
				require.NoError(t, err)
				offer := by.offer(t)
				switch want := map[int32]int32{8: 2, 9: 3}[user]; {
				case want > 0:
					require.Equal(t, annotation.SkippedByYou, offer.Reason)
					require.Equal(t, want, offer.Next.URLID)
					require.NoError(t, by.skip(t.Context(), want, notSure), "so that the other one can hold it")
				case when == annotation.Wait:
					require.Nil(t, offer.Next)
					require.Equal(t, annotation.AllReserved, offer.Reason)
					require.InDelta(t, time.Hour.Seconds(), offer.RetryAfter.Seconds(), 600)
				default:
					require.Equal(t, annotation.SkippedByYou, offer.Reason)
					require.EqualValues(t, 1, offer.Next.URLID, "the oldest skip")
					require.False(t, offer.ReservedUntil.IsZero())
				}
			}
		})
	}
}

// Skips are no votes: what is derived from votes is the same with and without them.
func TestSkipsAreNoVotes(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for user := int32(1); user <= 2; user++ {
		require.NoError(t, b.service.Submit(t.Context(), user, 1, everything(1)))
		require.NoError(t, b.service.Submit(t.Context(), 2+user, 2, everything(user)))
	}
	derived := func() (all []string) {
		for _, query := range []string{
			`SELECT (to_jsonb(q) - 'changed_xid')::text FROM annotation_queue q ORDER BY url_id`,
			`SELECT v::text FROM annotation_votes v ORDER BY v::text`,
			`SELECT url_id::text FROM consensus_due ORDER BY url_id`,
			`SELECT c::text FROM url_annotation_count_view c ORDER BY url_id`,
		} {
			all = append(all, dbtest.List(t, b.pool, query)...)
		}
		statistics := progress.New(b.pool)
		leaderboard, err := statistics.Leaderboard(t.Context())
		require.NoError(t, err)
		of, err := statistics.Contribution(t.Context(), 1)
		require.NoError(t, err)
		next := skipper{b: b, session: uuid.New()}.next(t)
		return append(all, fmt.Sprint(leaderboard, of, next))
	}
	dbtest.Exec(t, b.pool, "REFRESH MATERIALIZED VIEW url_annotation_count_view")
	before := derived()
	for user := int32(5); user <= 8; user++ {
		for url := int32(1); url <= 3; url++ {
			require.NoError(t, b.service.Skip(t.Context(), user, url, notSure))
			require.NoError(t, b.service.SkipAnonymous(t.Context(), uuid.New(), url, notSure))
		}
	}
	dbtest.Exec(t, b.pool, "REFRESH MATERIALIZED VIEW url_annotation_count_view")
	require.Equal(t, 24, b.count(t, "SELECT count(*) FROM url_skips"))
	require.Equal(t, before, derived())
}
