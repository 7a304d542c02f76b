package annotation_test

import (
	"fmt"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"docket/internal/annotation"
	"docket/internal/dbtest"
)

// The skips and the reservation of a session become the user's. The user's own skip stays, answers delete skips, and nothing of it
// is counted as an annotation.
func TestTransferOfSkips(t *testing.T) {
	t.Parallel()
	b := setup(t).withURLs(t, 6)
	session := uuid.New()
	for url := int32(1); url <= 4; url++ {
		require.NoError(t, b.service.SkipAnonymous(t.Context(), session, url, annotation.Skip{Reason: annotation.SkipLanguage}))
	}
	require.NoError(t, b.service.SubmitAnonymous(t.Context(), session, 5, everything(1)))
	require.NoError(t, b.service.Skip(t.Context(), 7, 2, notSure))
	require.NoError(t, b.service.Submit(t.Context(), 7, 3, everything(1)))
	require.NoError(t, b.service.Skip(t.Context(), 7, 5, notSure))
	require.NoError(t, b.service.Skip(t.Context(), 8, 1, notSure))
	history := b.count(t, "SELECT count(*) FROM url_history")

	done, err := b.service.TransferSession(t.Context(), 7, session)
	require.NoError(t, err)
	require.Equal(t, annotation.SessionTransfer{Transferred: 5}, done)
	require.Equal(t, []string{"1 7 language", "1 8 not sure", "2 7 not sure", "4 7 language"}, dbtest.List(t, b.pool,
		"SELECT concat_ws(' ', url_id, user_id, session_id, reason) FROM url_skips ORDER BY url_id, user_id"))
	require.Equal(t, history+2, b.count(t, "SELECT count(*) FROM url_history"), "the one answer moves")
	b.requireExactQueue(t)
	require.EqualValues(t, 6, skipper{b: b, user: true}.next(t))
	require.EqualValues(t, 3, skipper{b: b, session: session}.next(t), "the session may be offered the URL again")

	// A session with nothing but skips.
	session = uuid.New()
	require.NoError(t, b.service.SkipAnonymous(t.Context(), session, 6, notSure))
	done, err = b.service.TransferSession(t.Context(), 9, session)
	require.NoError(t, err)
	require.Zero(t, done)
	require.Equal(t, 1, b.count(t, "SELECT count(*) FROM url_skips WHERE user_id = 9 AND url_id = 6"))
	require.Zero(t, b.count(t, "SELECT count(*) FROM url_skips WHERE session_id IS NOT NULL"))
	b.requireExactQueue(t)
}

// The reservation of a session becomes the user's, unless the user has one. A session that has answered nothing may have one too.
func TestTransferOfReservation(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		user    string // expires_at of the user's reservation of URL 2
		session string // of the session's
		answers int32  // the URL that the user has answered
		stored  bool   // the session
		want    []string
	}{
		"moves":                 {session: "+1", stored: true, want: []string{"7 1"}},
		"of an unknown one":     {session: "+1", want: []string{"7 1"}},
		"user has one":          {user: "+1", session: "+1", stored: true, want: []string{"7 2"}},
		"user has one, twice":   {user: "+1", session: "+1", want: []string{"7 2"}},
		"user's has expired":    {user: "-1", session: "+1", stored: true, want: []string{"7 1"}},
		"session's has expired": {user: "-1", session: "-1", stored: true, want: []string{"7 2"}},
		"user has answered":     {session: "+1", answers: 1, stored: true},
		"none":                  {stored: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			session := uuid.New()
			if test.stored {
				require.NoError(t, b.service.SubmitAnonymous(t.Context(), session, 3, everything(1)))
			}
			if test.answers > 0 {
				require.NoError(t, b.service.Submit(t.Context(), 7, test.answers, everything(1)))
			}
			for _, r := range []struct {
				annotator any
				url       int
				expires   string
			}{{"7", 2, test.user}, {session.String(), 1, test.session}} {
				if r.expires == "" {
					continue
				}
				_, err := b.pool.Exec(t.Context(), fmt.Sprintf(`
					INSERT INTO url_reservations (annotator, url_id, slot, suggestions_hidden, expires_at)
					VALUES ($1, $2, 1, true, now() + interval '%s hour')`, r.expires), r.annotator, r.url)
				require.NoError(t, err)
			}
			dbtest.Exec(t, b.pool, `UPDATE annotation_queue q SET reserved = true
				WHERE url_id = 1 AND EXISTS (SELECT FROM url_reservations r WHERE r.url_id = q.url_id)`)
			_, err := b.service.TransferSession(t.Context(), 7, session)
			require.NoError(t, err)
			require.Equal(t, test.want, append([]string(nil), dbtest.List(t, b.pool,
				"SELECT annotator || ' ' || url_id FROM url_reservations ORDER BY 1")...))
			require.Zero(t, b.count(t, "SELECT count(*) FROM annotation_queue WHERE reserved"))
			b.requireExactQueue(t)
		})
	}
}

// Skips of a session while it is transferred are the user's or still the session's.
func TestTransferDuringSkips(t *testing.T) {
	t.Parallel()
	const urls = 20
	b := setup(t).withURLs(t, urls)
	for user := int32(1); user <= 4; user++ {
		session := uuid.New()
		var calls []func() error
		for url := int32(1); url <= urls; url++ {
			calls = append(calls, func() error { return b.service.SkipAnonymous(t.Context(), session, url, notSure) })
			if url%3 == 0 {
				calls = append(calls, func() error { return b.service.Skip(t.Context(), user, url, notSure) })
			}
		}
		calls = append(calls, func() error { _, err := b.service.TransferSession(t.Context(), user, session); return err })
		for _, err := range race(calls...) {
			require.NoError(t, err)
		}
		require.Equal(t, urls, b.count(t,
			"SELECT count(DISTINCT url_id) FROM url_skips WHERE user_id = $1 OR session_id = $2", user, session))
		_, err := b.service.TransferSession(t.Context(), user, session)
		require.NoError(t, err)
		require.Equal(t, urls, b.count(t, "SELECT count(*) FROM url_skips WHERE user_id = $1", user))
	}
	require.Zero(t, b.count(t, "SELECT count(*) FROM url_skips WHERE session_id IS NOT NULL"))
	b.requireExactQueue(t)
}
