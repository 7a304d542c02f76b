package annotation_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"docket/internal/annotation"
	"docket/internal/dbtest"
	"docket/internal/ranking"
)

// TestCacheIsNeverBehindDocket stores answers through another process. The next request of each process must show them, although
// it has cached the URL.
func TestCacheIsNeverBehindDocket(t *testing.T) {
	t.Parallel()
	b := setup(t)
	other := annotation.New(b.pool, ranking.NewQueue())
	filter := annotation.Filter{URLID: new(int32(1))}
	for answers := range int32(5) {
		for _, service := range []*annotation.Service{b.service, other} {
			for range 2 { // read, then cached
				offer, err := service.Next(t.Context(), 100, filter)
				require.NoError(t, err)
				if answers == 0 {
					require.Empty(t, offer.Next.Agencies.Entities)
				} else {
					require.Equal(t, answers, offer.Next.Agencies.Entities[0].Votes)
				}
			}
		}
		require.NoError(t, other.Submit(t.Context(), answers, 1, annotation.Answer{URLType: annotation.MetaURL, AgencyIDs: []int32{1}}))
	}
}

// TestCacheShowsAnswersOfSessions stores answers of sessions through another process. Two of them count as one vote, and the next
// request of each process must show it, although it has cached the URL.
func TestCacheShowsAnswersOfSessions(t *testing.T) {
	t.Parallel()
	b := setup(t)
	other := annotation.New(b.pool, ranking.NewQueue())
	filter := annotation.Filter{URLID: new(int32(1))}
	for answers := range int32(5) {
		for _, service := range []*annotation.Service{b.service, other} {
			for range 2 { // read, then cached
				offer, err := service.Next(t.Context(), 100, filter)
				require.NoError(t, err)
				if answers == 0 {
					require.Empty(t, offer.Next.URLTypes)
					require.Empty(t, offer.Next.Agencies.Entities)
				} else {
					require.Equal(t, []annotation.URLTypeVotes{{Type: annotation.MetaURL, Votes: answers / 2}}, offer.Next.URLTypes)
					require.Equal(t, answers/2, offer.Next.Agencies.Entities[0].Votes)
				}
			}
		}
		session := dbtest.Value[annotation.Session](t, b.pool, "INSERT INTO anonymous_sessions DEFAULT VALUES RETURNING id")
		require.NoError(t, other.SubmitAnonymous(t.Context(), session, 1,
			annotation.Answer{URLType: annotation.MetaURL, AgencyIDs: []int32{1}}))
	}
}

// TestCacheExpires changes something without a new revision: it is unseen while the entry is valid, and seen afterwards.
func TestCacheExpires(t *testing.T) {
	t.Parallel()
	b := setup(t)
	now := time.Now()
	b.service.SetClock(func() time.Time { return now })
	require.NoError(t, b.service.Submit(t.Context(), 1, 1, annotation.Answer{URLType: annotation.MetaURL, AgencyIDs: []int32{1}}))
	name := func() string {
		offer, err := b.service.Next(t.Context(), 100, annotation.Filter{URLID: new(int32(1))})
		require.NoError(t, err)
		return offer.Next.Agencies.Entities[0].DisplayName
	}
	require.Equal(t, "A", name())
	_, err := b.pool.Exec(t.Context(), "UPDATE agencies SET name = 'Renamed' WHERE id = 1")
	require.NoError(t, err)
	require.Equal(t, "A", name())
	now = now.Add(annotation.CachedFor + time.Millisecond)
	require.Equal(t, "Renamed", name())
}

// TestCacheExpiresByTheTimeOfItsReads shows that an entry is as old as its oldest read: while it was read, a writer outside Docket
// may have changed something.
func TestCacheExpiresByTheTimeOfItsReads(t *testing.T) {
	t.Parallel()
	b := setup(t)
	now := time.Now()
	require.NoError(t, b.service.Submit(t.Context(), 1, 1, annotation.Answer{URLType: annotation.MetaURL, AgencyIDs: []int32{1}}))
	b.service.SetClock(func() time.Time {
		now = now.Add(time.Second) // each look at the clock
		return now
	})
	name := func() string {
		offer, err := b.service.Next(t.Context(), 100, annotation.Filter{URLID: new(int32(1))})
		require.NoError(t, err)
		return offer.Next.Agencies.Entities[0].DisplayName
	}
	began := now
	require.Equal(t, "A", name())
	_, err := b.pool.Exec(t.Context(), "UPDATE agencies SET name = 'Renamed' WHERE id = 1")
	require.NoError(t, err)
	now = began.Add(time.Second + annotation.CachedFor) // CachedFor after the first look
	require.Equal(t, "Renamed", name())
}

// TestCacheHasNoBatchProgress shows that the progress of a batch is not cached with the URL.
func TestCacheHasNoBatchProgress(t *testing.T) {
	t.Parallel()
	b := setup(t)
	_, err := b.pool.Exec(t.Context(), `INSERT INTO batches (strategy, status) VALUES ('manual', 'ready to label');
		INSERT INTO link_batches__urls (batch_id, url_id) VALUES (1, 1), (1, 2)`)
	require.NoError(t, err)
	require.NoError(t, ranking.Reconcile(t.Context(), b.pool, func(ranking.Difference) {}))
	filter := annotation.Filter{URLID: new(int32(1)), BatchID: new(int32(1))}
	for _, annotated := range []int32{0, 1} {
		offer, err := b.service.Next(t.Context(), 100, filter)
		require.NoError(t, err)
		require.Equal(t, &annotation.BatchInfo{Total: 2, Annotated: annotated}, offer.Next.Batch)
		offer, err = b.service.Next(t.Context(), 100, annotation.Filter{URLID: filter.URLID})
		require.NoError(t, err)
		require.Nil(t, offer.Next.Batch)
		answer := annotation.Answer{URLType: annotation.MetaURL, AgencyIDs: []int32{1}}
		require.NoError(t, b.service.Submit(t.Context(), annotated, 2, answer))
	}
}
