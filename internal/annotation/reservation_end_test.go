package annotation_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"docket/internal/annotation"
	"docket/internal/consensus"
	"docket/internal/dbtest"
	"docket/internal/submissions"
)

// A URL that is validated, suspended or deleted is reserved for no annotator from then on. Reservations of others stay.
func TestReservationEndsWithTheURL(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*testing.T, *reserving){
		"validated": func(t *testing.T, r *reserving) {
			require.NoError(t, r.service.Submit(t.Context(), 3, 1, everything(1)))
			require.NoError(t, r.service.Submit(t.Context(), 4, 1, everything(1)))
			r.hold(t, 1, 1) // before the decision
			r.validateDue(t)
			require.Equal(t, 1, r.count(t, "SELECT count(*) FROM flag_url_validated WHERE url_id = 1"))
		},
		"suspended": func(t *testing.T, r *reserving) {
			for user := int32(3); user <= 4; user++ {
				require.NoError(t, r.service.Submit(t.Context(), user, 1, annotation.Answer{URLType: annotation.MetaURL, AgencyNotFound: true}))
			}
			r.hold(t, 1, 1)
			dbtest.Exec(t, r.pool, "INSERT INTO tasks (id, task_type, task_status) VALUES (1, 'Suspend URLs', 'in-process')")
			_, err := consensus.Suspend(t.Context(), r.pool, 1)
			require.NoError(t, err)
			require.Equal(t, 1, r.count(t, "SELECT count(*) FROM flag_url_suspended WHERE url_id = 1"))
		},
		"deleted": func(t *testing.T, r *reserving) {
			r.hold(t, 1, 1)
			require.NoError(t, submissions.New(r.pool).DeleteURL(t.Context(), 1))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := setupReserving(t)
			r.hold(t, 2, 2)
			end(t, r)
			require.Equal(t, []string{"2 2 1"}, r.held(t))
			live, err := annotation.ReservationCount(t.Context(), r.pool)
			require.NoError(t, err)
			require.EqualValues(t, 1, live)
			r.requireOffer(t, 1, 2, annotation.NextInOrder)
			r.requireExactQueue(t)
		})
	}
}

// hold reserves a URL for a user.
func (r *reserving) hold(t *testing.T, user, urlID int32) {
	t.Helper()
	_, err := r.service.Hold(t.Context(), annotation.User(user), urlID)
	require.NoError(t, err)
}

// The first URL of a session is reserved for a short time, because the session may never be used again. Its next request and its
// heartbeat extend the reservation. New sessions do not get the same URL beyond its need.
func TestFirstReservationOfASessionIsShort(t *testing.T) {
	t.Parallel()
	r := setupReserving(t)
	short := r.policy.For / 5
	var sessions []annotation.Session
	for _, url := range []int32{1, 1, 2} {
		session, offer, err := r.service.NextNewSession(t.Context(), 0)
		require.NoError(t, err)
		require.Equal(t, url, offer.Next.URLID)
		require.WithinDuration(t, r.now.Add(short), offer.ReservedUntil, 0)
		sessions = append(sessions, session)
	}
	offer, err := r.service.NextAnonymous(t.Context(), sessions[0], 0)
	require.NoError(t, err)
	require.EqualValues(t, 1, offer.Next.URLID)
	require.Equal(t, annotation.ReservedByYou, offer.Reason)
	require.WithinDuration(t, r.now.Add(r.policy.For), offer.ReservedUntil, 0)
	until, err := r.service.Hold(t.Context(), annotation.Anonymous(sessions[2]), 2)
	require.NoError(t, err)
	require.WithinDuration(t, r.now.Add(r.policy.For), until, 0)

	r.now = r.now.Add(short)
	require.Equal(t, 1, r.sweep(t), "the second session was not used again")
	r.requireOffer(t, 1, 1, annotation.NextInOrder)
	require.NoError(t, r.service.SubmitAnonymous(t.Context(), sessions[1], 1, everything(1)), "a late answer is stored")
}
