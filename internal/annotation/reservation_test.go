package annotation_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"docket/internal/annotation"
	"docket/internal/db"
	"docket/internal/dbtest"
	"docket/internal/postgres"
	"docket/internal/ranking"
)

// reserving is a bundle whose services reserve URLs, on a clock of their own. Of its URLs each needs two answers.
type reserving struct {
	bundle
	now    time.Time
	policy annotation.ReservePolicy
}

func setupReserving(t *testing.T, options ...func(*annotation.ReservePolicy)) *reserving {
	r := &reserving{bundle: setup(t), now: time.Now().Truncate(time.Second)}
	r.policy = annotation.ReservePolicy{For: 10 * time.Minute, WhenAllReserved: annotation.Share}
	for _, option := range options {
		option(&r.policy)
	}
	r.service = r.process(ranking.NewQueue())
	return r
}

// process returns a service such as another process has.
func (r *reserving) process(ranked annotation.Ranking) *annotation.Service {
	service := annotation.New(r.pool, ranked, annotation.Reserve(r.policy))
	service.SetTime(func() time.Time { return r.now })
	return service
}

func (r *reserving) next(t *testing.T, user int32) annotation.Offer {
	t.Helper()
	offer, err := r.service.Next(t.Context(), user, annotation.Filter{})
	require.NoError(t, err)
	return offer
}

func (r *reserving) requireOffer(t *testing.T, user, urlID int32, reason annotation.Reason) {
	t.Helper()
	offer := r.next(t, user)
	require.NotNil(t, offer.Next, "%s", offer.Reason)
	require.Equal(t, urlID, offer.Next.URLID)
	require.Equal(t, reason, offer.Reason)
	require.WithinDuration(t, r.now.Add(r.policy.For), offer.ReservedUntil, time.Second)
}

func (r *reserving) sweep(t *testing.T) int {
	t.Helper()
	freed, err := annotation.Sweep(t.Context(), r.pool, &r.now)
	require.NoError(t, err)
	return freed
}

// held are the reservations that have not expired, as annotator, URL and slot.
func (r *reserving) held(t *testing.T) []string {
	t.Helper()
	return dbtest.List(t, r.pool, `SELECT annotator || ' ' || url_id || ' ' || slot FROM url_reservations WHERE expires_at > $1
		ORDER BY length(annotator), annotator`, r.now)
}

func (r *reserving) offered(t *testing.T) []string {
	t.Helper()
	return dbtest.List(t, r.pool, "SELECT url_id::text FROM annotation_queue WHERE eligible AND NOT reserved ORDER BY url_id")
}

func TestReservationsSpreadAnnotators(t *testing.T) {
	t.Parallel()
	r := setupReserving(t)
	for user, url := range []int32{1, 1, 2, 2, 3, 3} {
		r.requireOffer(t, int32(user), url, annotation.NextInOrder)
	}
	require.Empty(t, r.offered(t))
	r.requireOffer(t, 2, 2, annotation.ReservedByYou)
	r.requireOffer(t, 6, 1, annotation.Shared)
	r.requireOffer(t, 7, 2, annotation.Shared)
	r.requireOffer(t, 6, 1, annotation.Shared)
	require.Equal(t, []string{"0 1 1", "1 1 2", "2 2 1", "3 2 2", "4 3 1", "5 3 2", "6 1 3", "7 2 3"}, r.held(t))
}

func TestReservationEndsWithTheAnswer(t *testing.T) {
	t.Parallel()
	r := setupReserving(t)
	r.requireOffer(t, 1, 1, annotation.NextInOrder)
	r.requireOffer(t, 2, 1, annotation.NextInOrder)
	submitted, err := r.service.SubmitThenNext(t.Context(), 1, 1, everything(1), annotation.Filter{})
	require.NoError(t, err)
	require.Equal(t, int32(2), submitted.Offer.Next.URLID)
	require.Equal(t, []string{"1 2 1", "2 1 2"}, r.held(t))
	r.requireOffer(t, 3, 2, annotation.NextInOrder)
	require.Equal(t, []string{"3"}, r.offered(t), "URL 1 needs one more answer, and user 2 works on it")
	r.requireOffer(t, 2, 1, annotation.ReservedByYou)
}

func TestReservationExpires(t *testing.T) {
	t.Parallel()
	r := setupReserving(t)
	r.requireOffer(t, 1, 1, annotation.NextInOrder)
	r.now = r.now.Add(6 * time.Minute)
	r.requireOffer(t, 2, 1, annotation.NextInOrder)
	r.requireOffer(t, 1, 1, annotation.ReservedByYou)
	r.now = r.now.Add(9 * time.Minute)
	require.Zero(t, r.sweep(t))
	r.requireOffer(t, 1, 1, annotation.ReservedByYou)
	require.Equal(t, []string{"2", "3"}, r.offered(t))
	r.now = r.now.Add(time.Minute)
	require.Equal(t, 1, r.sweep(t), "the reservation of user 2 has ended")
	require.Equal(t, []string{"1", "2", "3"}, r.offered(t))
	require.Equal(t, []string{"1 1 1"}, r.held(t))

	r.requireOffer(t, 3, 1, annotation.NextInOrder)
	require.NoError(t, r.service.Submit(t.Context(), 2, 1, everything(1)), "a late answer is stored")
	require.Equal(t, 1, r.count(t, "SELECT count(*) FROM annotation__url_type__user WHERE user_id = 2"))
	r.requireOffer(t, 1, 1, annotation.ReservedByYou)
	r.requireOffer(t, 3, 2, annotation.NextInOrder)
	require.Equal(t, []string{"1 1 1", "3 2 1"}, r.held(t), "the late answer has lowered the need to one")
}

// TestClaimEndsExpired shows that an expired reservation keeps no annotator from a URL even if no sweep has run.
func TestClaimEndsExpired(t *testing.T) {
	t.Parallel()
	r := setupReserving(t)
	r.requireOffer(t, 1, 1, annotation.NextInOrder)
	r.now = r.now.Add(10 * time.Minute)
	r.requireOffer(t, 2, 1, annotation.NextInOrder)
	r.requireOffer(t, 3, 1, annotation.NextInOrder)
	require.Equal(t, []string{"2 1 1", "3 1 2"}, r.held(t))
	require.Equal(t, 2, r.count(t, "SELECT count(*) FROM url_reservations"))

	for user, url := range []int32{2, 2, 3, 3} {
		r.requireOffer(t, int32(user+4), url, annotation.NextInOrder)
	}
	r.now = r.now.Add(10 * time.Minute)
	r.requireOffer(t, 9, 1, annotation.NextInOrder)
	require.Equal(t, []string{"1", "2", "3"}, r.offered(t), "an annotator who finds nothing sweeps")
}

func TestExtendWritesOnceASecond(t *testing.T) {
	t.Parallel()
	r := setupReserving(t)
	r.requireOffer(t, 1, 1, annotation.NextInOrder)
	version := func() string {
		return dbtest.Value[string](t, r.pool, "SELECT xmin::text FROM url_reservations WHERE annotator = '1'")
	}
	before := version()
	r.now = r.now.Add(900 * time.Millisecond)
	r.requireOffer(t, 1, 1, annotation.ReservedByYou)
	require.Equal(t, before, version())
	r.now = r.now.Add(100 * time.Millisecond)
	r.requireOffer(t, 1, 1, annotation.ReservedByYou)
	require.NotEqual(t, before, version())
}

// TestReservationWritesTheQueueOnlyWhenItIsFull also shows that the description of a URL that a claim has filled is not read again.
func TestReservationWritesTheQueueOnlyWhenItIsFull(t *testing.T) {
	t.Parallel()
	r := setupReserving(t)
	row := func() string {
		return dbtest.Value[string](t, r.pool, "SELECT ctid::text FROM annotation_queue WHERE url_id = 1")
	}
	before := row()
	r.requireOffer(t, 1, 1, annotation.NextInOrder)
	require.Equal(t, before, row())
	r.requireOffer(t, 2, 1, annotation.NextInOrder)
	require.NotEqual(t, before, row())

	pool, recorder := dbtest.Record(t, r.pool)
	service := annotation.New(pool, ranking.NewQueue(), annotation.Reserve(r.policy))
	for user := int32(3); user < 5; user++ {
		_, err := service.Next(t.Context(), user, annotation.Filter{})
		require.NoError(t, err)
	}
	recorder.Statements = nil
	_, err := service.Next(t.Context(), 4, annotation.Filter{})
	require.NoError(t, err)
	require.Len(t, recorder.Statements, 1, "the reservation is extended, and nothing else is read")
}

func TestRequestedURLIsAlwaysGiven(t *testing.T) {
	t.Parallel()
	r := setupReserving(t)
	ask := func(user int32, url int32) annotation.Offer {
		offer, err := r.service.Next(t.Context(), user, annotation.Filter{URLID: &url})
		require.NoError(t, err)
		require.Equal(t, url, offer.Next.URLID)
		require.Equal(t, annotation.Requested, offer.Reason)
		return offer
	}
	require.NotZero(t, ask(1, 3).ReservedUntil)
	require.NotZero(t, ask(2, 3).ReservedUntil)
	require.Equal(t, []string{"1", "2"}, r.offered(t))
	r.requireOffer(t, 4, 1, annotation.NextInOrder)
	require.Zero(t, ask(4, 3).ReservedUntil, "others have it")
	require.Equal(t, []string{"1 3 1", "2 3 2", "4 1 1"}, r.held(t), "the reservation is kept")

	require.NotZero(t, ask(1, 2).ReservedUntil)
	require.Equal(t, []string{"1 2 1", "2 3 2", "4 1 1"}, r.held(t), "the reservation has moved")
	require.Equal(t, []string{"1", "2", "3"}, r.offered(t))
	r.requireOffer(t, 1, 2, annotation.ReservedByYou)
}

// meanwhile is a ranking before whose choices something happens.
type meanwhile struct {
	annotation.Ranking
	happens func()
}

func (m meanwhile) NextForUser(ctx context.Context, on db.DBTX, user int32, filter ranking.Filter) (*ranking.Choice, error) {
	m.happens()
	return m.Ranking.NextForUser(ctx, on, user, filter)
}

// After an answer the annotator has no reservation. One that another request makes before the claim does not replace what was asked
// for.
func TestRequestedURLIsGivenDespiteAnotherRequest(t *testing.T) {
	t.Parallel()
	r := setupReserving(t)
	other := r.process(ranking.NewQueue())
	r.requireOffer(t, 1, 1, annotation.NextInOrder)
	service := r.process(meanwhile{ranking.NewQueue(), func() {
		offer, err := other.Next(t.Context(), 1, annotation.Filter{})
		require.NoError(t, err)
		require.Equal(t, int32(2), offer.Next.URLID)
	}})
	done, err := service.SubmitThenNext(t.Context(), 1, 1, annotation.Answer{URLType: annotation.NotRelevant},
		annotation.Filter{URLID: new(int32(3))})
	require.NoError(t, err)
	require.NoError(t, done.NextErr)
	require.Equal(t, int32(3), done.Offer.Next.URLID)
	require.Equal(t, []string{"1 3 1"}, r.held(t))
}

func TestOffsetReservesNothing(t *testing.T) {
	t.Parallel()
	r := setupReserving(t)
	offer, err := r.service.Next(t.Context(), 1, annotation.Filter{Skip: 1})
	require.NoError(t, err)
	require.Equal(t, int32(2), offer.Next.URLID)
	_, err = r.service.NextAnonymous(t.Context(), uuid.New(), 2)
	require.NoError(t, err)
	require.Empty(t, r.held(t))
}

func TestReservationInABatch(t *testing.T) {
	t.Parallel()
	r := setupReserving(t)
	dbtest.Exec(t, r.pool, `
		INSERT INTO batches (id, strategy, status, parameters)
			VALUES (1, 'manual', 'ready to label', '{}'), (2, 'manual', 'ready to label', '{}');
		INSERT INTO link_batches__urls (batch_id, url_id) VALUES (1, 1), (2, 2)`)
	require.NoError(t, ranking.Reconcile(t.Context(), r.pool, func(ranking.Difference) {}))
	for _, batch := range []int32{2, 1, 2} {
		offer, err := r.service.Next(t.Context(), 7, annotation.Filter{BatchID: &batch})
		require.NoError(t, err)
		require.Equal(t, batch, offer.Next.URLID)
		require.Equal(t, []string{fmt.Sprintf("7 %d 1", batch)}, r.held(t))
	}
	r.requireOffer(t, 7, 2, annotation.ReservedByYou)
}

func TestWaitForOthers(t *testing.T) {
	t.Parallel()
	r := setupReserving(t, func(p *annotation.ReservePolicy) { p.Overlap, p.WhenAllReserved = 1, annotation.Wait })
	for user := range int32(3) {
		r.requireOffer(t, user, user+1, annotation.NextInOrder)
		r.now = r.now.Add(1500 * time.Millisecond)
	}
	require.Equal(t,
		annotation.Offer{Reason: annotation.AllReserved, RetryAfter: 10*time.Minute - 4500*time.Millisecond}, r.next(t, 9))
	r.requireOffer(t, 0, 1, annotation.ReservedByYou)
	require.Equal(t, annotation.Offer{Reason: annotation.AllReserved, RetryAfter: 10*time.Minute - 3*time.Second}, r.next(t, 9))
	r.now = r.now.Add(10*time.Minute - 3*time.Second)
	r.requireOffer(t, 9, 2, annotation.NextInOrder)
}

func TestHeartbeat(t *testing.T) {
	t.Parallel()
	r := setupReserving(t)
	hold := func(by annotation.Annotator, url int32) error {
		until, err := r.service.Hold(t.Context(), by, url)
		if err == nil {
			require.WithinDuration(t, r.now.Add(r.policy.For), until, 0)
		}
		return err
	}
	session := annotation.Anonymous(annotation.Session{7})
	require.NoError(t, hold(annotation.User(1), 2))
	require.NoError(t, hold(session, 2))
	require.ErrorIs(t, hold(annotation.User(2), 2), annotation.ErrHeldByOthers)
	r.now = r.now.Add(9 * time.Minute)
	require.NoError(t, hold(session, 2))
	r.now = r.now.Add(time.Minute)
	require.NoError(t, hold(annotation.User(2), 2), "the reservation of user 1 has expired")
	require.ErrorContains(t, hold(session, 99), "99")

	require.NoError(t, r.service.Release(t.Context(), session, 2))
	require.NoError(t, r.service.Release(t.Context(), session, 2))
	require.Error(t, r.service.Release(t.Context(), session, 99))
	require.Equal(t, []string{"2 2 1"}, r.held(t))
	require.Equal(t, []string{"1", "2", "3"}, r.offered(t))

	require.NoError(t, r.service.Submit(t.Context(), 2, 2, everything(1)))
	require.ErrorIs(t, hold(annotation.User(2), 2), annotation.ErrNotOffered)
	off := annotation.New(r.pool, ranking.NewQueue())
	_, err := off.Hold(t.Context(), session, 2)
	require.ErrorIs(t, err, annotation.ErrNothingIsReserved)
}

// TestLostReservations shows what a crash of the server leaves: the table is empty, and rows of the queue are still reserved.
func TestLostReservations(t *testing.T) {
	t.Parallel()
	r := setupReserving(t)
	for user := range int32(6) {
		r.next(t, user)
	}
	require.Empty(t, r.offered(t))
	dbtest.Exec(t, r.pool, "TRUNCATE url_reservations")
	r.requireOffer(t, 1, 1, annotation.NextInOrder)
	require.Equal(t, []string{"1", "2", "3"}, r.offered(t))

	dbtest.Exec(t, r.pool, "INSERT INTO url_reservations VALUES ('8', 999, 1, false, now() - interval '1 hour')")
	r.sweep(t)
	require.Equal(t, []string{"1 1 1"},
		dbtest.List(t, r.pool, "SELECT annotator || ' ' || url_id || ' ' || slot FROM url_reservations"),
		"the reservation of a deleted URL is deleted")
}

func TestTwoProcesses(t *testing.T) {
	t.Parallel()
	for name, ranked := range map[string]func() annotation.Ranking{
		"queue":   func() annotation.Ranking { return ranking.NewQueue() },
		"matview": func() annotation.Ranking { return ranking.Matview{} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := setupReserving(t)
			processes := []*annotation.Service{r.process(ranked()), r.process(ranked())}
			for user := range int32(6) {
				for i := range int32(4) {
					offer, err := processes[(user+i)%2].Next(t.Context(), user, annotation.Filter{})
					require.NoError(t, err)
					require.Equal(t, user/2+1, offer.Next.URLID)
				}
			}
		})
	}
}

// TestReadOnlyDatabase shows that URLs are offered without reservations when these cannot be stored.
func TestReadOnlyDatabase(t *testing.T) {
	t.Parallel()
	r := setupReserving(t)
	config := r.pool.Config().Copy()
	config.ConnConfig.RuntimeParams["default_transaction_read_only"] = "on"
	pool, err := postgres.NewPool(t.Context(), config)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	offer, err := annotation.New(pool, ranking.NewQueue(), annotation.Reserve(r.policy)).Next(t.Context(), 1, annotation.Filter{})
	require.NoError(t, err)
	require.Equal(t, int32(1), offer.Next.URLID)
	require.Zero(t, offer.ReservedUntil)
}

// TestNoReservationBeyondNeed has many annotators ask at once, through two processes, and checks after each of their requests that
// no URL has more reservations than it needs answers. Some answer, and some release.
func TestNoReservationBeyondNeed(t *testing.T) {
	t.Parallel()
	r := setupReserving(t, func(p *annotation.ReservePolicy) { p.WhenAllReserved = annotation.Wait })
	dbtest.Exec(t, r.pool, "INSERT INTO urls (id, url, source) SELECT n, n || '.org', 'manual' FROM generate_series(4, 16) AS n")
	require.NoError(t, ranking.Reconcile(t.Context(), r.pool, func(ranking.Difference) {}))
	processes := []*annotation.Service{r.process(ranking.NewQueue()), r.process(ranking.NewQueue())}
	var given atomic.Int32
	require.NoError(t, dbtest.Together(24, func(i int) error {
		user, service := int32(i+1), processes[i%2]
		for range 4 {
			offer, err := service.Next(t.Context(), user, annotation.Filter{})
			if err != nil || offer.Next == nil {
				return err
			}
			given.Add(1)
			switch i % 3 {
			case 0:
				err = service.Release(t.Context(), annotation.User(user), offer.Next.URLID)
			case 1:
				err = service.Submit(t.Context(), user, offer.Next.URLID, annotation.Answer{URLType: annotation.NotRelevant})
			}
			if err != nil {
				return err
			}
			if over, err := r.beyondNeed(t.Context()); err != nil || over != "" {
				return fmt.Errorf("%s: %w", over, err)
			}
		}
		return nil
	}))
	require.Greater(t, given.Load(), int32(24))
}

// beyondNeed returns the URLs with more reservations than answers needed. Only users answer, and all say the same.
func (r *reserving) beyondNeed(ctx context.Context) (over string, err error) {
	err = r.pool.QueryRow(ctx, `SELECT coalesce(string_agg(q.url_id || ' has ' || held.n, ', '), '')
		FROM annotation_queue q JOIN (SELECT url_id, count(*) AS n FROM url_reservations GROUP BY url_id) AS held USING (url_id)
		WHERE held.n > greatest(1, 2 - q.user_url_type_count)`).Scan(&over)
	return over, err
}

// flickering is a ranking after whose empty choices something happens.
type flickering struct {
	annotation.Ranking
	afterNone func()
}

func (f flickering) NextForUser(ctx context.Context, on db.DBTX, user int32, filter ranking.Filter) (*ranking.Choice, error) {
	choice, err := f.Ranking.NextForUser(ctx, on, user, filter)
	if choice == nil && err == nil {
		f.afterNone()
	}
	return choice, err
}

// A URL that is released after the choice among those that are not reserved, and before the choice among those that are, is left.
func TestNothingIsLeftInNoMoment(t *testing.T) {
	t.Parallel()
	for _, when := range []annotation.WhenAllReserved{annotation.Share, annotation.Wait} {
		t.Run(string(when), func(t *testing.T) {
			t.Parallel()
			r := setupReserving(t, func(p *annotation.ReservePolicy) { p.Overlap, p.WhenAllReserved = 1, when })
			held := map[int32]int32{}
			for other := int32(101); len(r.offered(t)) > 0; other++ {
				held[other] = r.next(t, other).Next.URLID
			}
			released := false
			r.service = r.process(flickering{ranking.NewQueue(), func() {
				if released {
					return
				}
				released = true
				for other, url := range held {
					require.NoError(t, r.service.Release(t.Context(), annotation.User(other), url))
				}
			}})
			offer := r.next(t, 1)
			require.NotNil(t, offer.Next, "%s", offer.Reason)
			require.Equal(t, annotation.NextInOrder, offer.Reason)
		})
	}
}

// Requests that choose at the same time, in the same order, have different numbers, the lowest ones.
func TestRequestsAreNumbered(t *testing.T) {
	t.Parallel()
	var s annotation.Seekers
	first, leaveFirst := s.Join(nil)
	second, leaveSecond := s.Join(nil)
	inBatch, leaveBatch := s.Join(new(int32))
	require.Equal(t, []int32{0, 1, 0}, []int32{first, second, inBatch})
	leaveFirst()
	again, leaveAgain := s.Join(nil)
	third, leaveThird := s.Join(nil)
	require.Equal(t, []int32{0, 2}, []int32{again, third})
	for _, leave := range []func(){leaveThird, leaveAgain, leaveSecond, leaveBatch} {
		leave()
	}
	last, _ := s.Join(nil)
	require.Zero(t, last)
}
