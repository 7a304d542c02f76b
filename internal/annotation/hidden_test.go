package annotation_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"docket/internal/annotation"
	"docket/internal/dbtest"
	"docket/internal/ranking"
	"docket/internal/unknown"
)

// suggestedFor1 adds a suggestion of each kind for URL 1, by a user, a session and robots, and has URLs 1 and 2 in batch 1.
const suggestedFor1 = `
INSERT INTO batches (id, strategy, status) VALUES (1, 'manual', 'ready to label');
INSERT INTO link_batches__urls (batch_id, url_id) VALUES (1, 1), (1, 2);
INSERT INTO tasks (id, task_type, task_status) VALUES (1, 'Agency Identification', 'complete');
INSERT INTO url_html_content (url_id, content_type, content) VALUES (1, 'Title', 'A title');
INSERT INTO annotation__url_type__user (url_id, user_id, type) VALUES (1, 50, 'data source');
INSERT INTO annotation__record_type__user (url_id, user_id, record_type) VALUES (1, 50, 'Stops');
INSERT INTO annotation__url_type__auto (url_id, relevant) VALUES (1, true);
INSERT INTO annotation__record_type__auto (url_id, record_type) VALUES (1, 'Other');
INSERT INTO annotation__agency__auto__subtasks (id, task_id, url_id, type, agencies_found) VALUES (1, 1, 1, 'homepage_match', true);
INSERT INTO annotation__agency__auto__suggestions (subtask_id, agency_id, confidence) VALUES (1, 2, 60), (1, 1, 80);
INSERT INTO annotation__location__user (url_id, user_id, location_id) VALUES (1, 50, 1);
INSERT INTO link_user_suggestion_agency_not_found (url_id, user_id) VALUES (1, 51);
INSERT INTO link_user_suggestion_location_not_found (url_id, user_id) VALUES (1, 51);`

func setupHidden(t *testing.T, options ...annotation.Option) bundle {
	b := setup(t)
	dbtest.Exec(t, b.pool, suggestedFor1)
	require.NoError(t, ranking.Reconcile(t.Context(), b.pool, func(ranking.Difference) {}))
	b.service = annotation.New(b.pool, ranking.NewQueue(), options...)
	return b
}

func requireShown(t *testing.T, next *annotation.Next) {
	t.Helper()
	require.NotEmpty(t, next.URLTypes)
	require.NotEmpty(t, next.RecordTypes)
	require.Len(t, next.Agencies.Entities, 2)
	require.Len(t, next.Locations.Entities, 1)
	require.NotEmpty(t, next.Names)
	require.Equal(t, []int32{1, 1}, []int32{next.Agencies.NotFound, next.Locations.NotFound})
	require.False(t, next.SuggestionsHidden)
}

// requireHidden requires that nothing is left of the suggestions, and that the rest is complete.
func requireHidden(t *testing.T, next *annotation.Next) {
	t.Helper()
	require.Equal(t, &annotation.Next{
		URLID: 1, URL: "one.org", HTML: annotation.HTML{Title: "A title"}, SuggestionsHidden: true,
	}, next)
}

// One annotator asks for a URL without suggestions. Others are shown them all the same, although what is shown of a URL is cached,
// and the annotator is too when the annotator asks for them.
func TestSuggestionsAreHiddenOnRequest(t *testing.T) {
	t.Parallel()
	b, session := setupHidden(t), uuid.New()
	for range 2 {
		hidden, err := b.service.Next(t.Context(), 7, annotation.Filter{}, annotation.HideSuggestions(true))
		require.NoError(t, err)
		requireHidden(t, hidden.Next)
		hidden, err = b.service.NextAnonymous(t.Context(), session, 0, annotation.HideSuggestions(true))
		require.NoError(t, err)
		requireHidden(t, hidden.Next)
		for _, how := range [][]annotation.Showing{nil, {annotation.HideSuggestions(false)}} {
			shown, err := b.service.Next(t.Context(), 7, annotation.Filter{}, how...)
			require.NoError(t, err)
			requireShown(t, shown.Next)
		}
	}
	for _, hide := range []bool{true, false} {
		after, err := b.service.SubmitThenNext(t.Context(), int32(60), 3,
			annotation.Answer{URLType: annotation.BrokenPage, SuggestionsHidden: hide}, annotation.Filter{})
		require.NoError(t, err)
		require.Equal(t, hide, after.Offer.Next.SuggestionsHidden)
	}
}

// The flag of a batch hides the suggestions of its URLs from all, and the agencies that are asked for one by one. A service of
// another process follows within CachedFor.
func TestBatchHidesSuggestions(t *testing.T) {
	t.Parallel()
	b := setupHidden(t)
	now := time.Now()
	other := annotation.New(b.pool, ranking.NewQueue())
	other.SetClock(func() time.Time { return now })
	next := func(s *annotation.Service) *annotation.Next {
		offer, err := s.Next(t.Context(), 7, annotation.Filter{})
		require.NoError(t, err)
		return offer.Next
	}
	requireShown(t, next(b.service))
	requireShown(t, next(other))

	require.NoError(t, b.service.HideSuggestionsOfBatch(t.Context(), 1, true))
	require.NoError(t, b.service.HideSuggestionsOfBatch(t.Context(), 1, true), "again")
	requireHidden(t, next(b.service))
	now = now.Add(annotation.CachedFor + time.Millisecond)
	requireHidden(t, next(other))
	agencies, err := b.service.Agencies(t.Context(), annotation.User(7), 1, nil)
	require.NoError(t, err)
	require.Equal(t, annotation.EntitySuggestions{}, agencies)
	offer, err := b.service.Next(t.Context(), 7, annotation.Filter{URLID: new(int32(3))})
	require.NoError(t, err)
	require.False(t, offer.Next.SuggestionsHidden, "of no batch")

	require.NoError(t, b.service.HideSuggestionsOfBatch(t.Context(), 1, false))
	requireShown(t, next(b.service))
	agencies, err = b.service.Agencies(t.Context(), annotation.User(7), 1, nil)
	require.NoError(t, err)
	require.Len(t, agencies.Entities, 2)
	require.Equal(t, unknown.New(unknown.Batch, 2), b.service.HideSuggestionsOfBatch(t.Context(), 2, true))
}

// The answer is recorded with what its annotator was shown, not with what is hidden when it arrives: who has seen suggestions has
// seen them.
func TestAnswersRecordWhatWasShown(t *testing.T) {
	t.Parallel()
	const hide, show, hideBatch, showBatch, late = "hide", "show", "hide batch", "show batch", "late"
	const hold, holdHidden = "hold", "hold hidden"
	for name, tt := range map[string]struct {
		steps []string
		asks  bool // the answer says that it asked for no suggestions
		shown bool
	}{
		"shown":                               {[]string{show}, false, true},
		"hidden":                              {[]string{hide}, false, false},
		"hidden, then shown":                  {[]string{hide, show}, true, true},
		"shown, then hidden":                  {[]string{show, hide}, true, true},
		"hidden by the batch":                 {[]string{hideBatch, show}, false, false},
		"shown before the batch hides":        {[]string{show, hideBatch}, false, true},
		"shown, and again after batch hides":  {[]string{show, hideBatch, show}, false, true},
		"hidden by the batch, which shows":    {[]string{hideBatch, show, showBatch}, false, false},
		"hidden by the batch, which shows it": {[]string{hideBatch, show, showBatch, show}, false, true},
		"late, and asks":                      {[]string{hide, late}, true, false},
		"late":                                {[]string{show, late}, false, true},
		"late, of a batch":                    {[]string{hideBatch, show, late}, false, false},
		"held":                                {[]string{hide, hold}, false, false},
		"held, and asks":                      {[]string{show, holdHidden}, true, true},
		"held late":                           {[]string{show, late, hold}, true, true},
		"held late, and asks":                 {[]string{hide, late, holdHidden}, false, false},
		"held late, of a batch":               {[]string{hideBatch, show, late, hold, showBatch}, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setupHidden(t, annotation.Reserve(annotation.ReservePolicy{For: time.Minute, WhenAllReserved: annotation.Share}))
			session := uuid.New()
			for i, byUser := range []bool{true, false} {
				for _, step := range tt.steps {
					var err error
					switch step {
					case hide, show:
						how := annotation.HideSuggestions(step == hide)
						if byUser {
							_, err = b.service.Next(t.Context(), 7, annotation.Filter{URLID: new(int32(1))}, how)
							require.NoError(t, err)
							_, err = b.service.Next(t.Context(), 7, annotation.Filter{}, how)
						} else {
							_, err = b.service.NextAnonymous(t.Context(), session, 0, how)
						}
					case hideBatch, showBatch:
						err = b.service.HideSuggestionsOfBatch(t.Context(), 1, step == hideBatch)
					case late:
						dbtest.Exec(t, b.pool, "DELETE FROM url_reservations")
					case hold, holdHidden:
						by := annotation.Anonymous(session)
						if byUser {
							by = annotation.User(7)
						}
						_, err = b.service.Hold(t.Context(), by, 1, annotation.HideSuggestions(step == holdHidden))
					}
					require.NoError(t, err)
				}
				answer := annotation.Answer{URLType: annotation.MetaURL, SuggestionsHidden: tt.asks}
				if byUser {
					require.NoError(t, b.service.Submit(t.Context(), 7, 1, answer))
				} else {
					require.NoError(t, b.service.SubmitAnonymous(t.Context(), session, 1, answer))
				}
				var shown bool
				var robots string
				require.NoError(t, b.pool.QueryRow(t.Context(), `SELECT suggestions_shown, robots::text FROM url_history
					WHERE event = 'answered' ORDER BY id DESC LIMIT 1`).Scan(&shown, &robots))
				require.Equal(t, tt.shown, shown, "by a user: %t", byUser)
				require.JSONEq(t, `{"agency": ["1", "2"], "record_type": ["Other"], "url_type": ["relevant"]}`, robots)
				require.Equal(t, i+1, b.count(t, "SELECT count(*) FROM url_history WHERE event = 'answered'"))
				require.NoError(t, b.service.HideSuggestionsOfBatch(t.Context(), 1, false))
			}
		})
	}
}

// An annotator who works on a URL without suggestions does not find them elsewhere.
func TestAgenciesAreHiddenFromTheirAnnotator(t *testing.T) {
	t.Parallel()
	b := setupHidden(t, annotation.Reserve(annotation.ReservePolicy{For: time.Minute, WhenAllReserved: annotation.Share}))
	for _, hide := range []bool{true, false} {
		_, err := b.service.Next(t.Context(), 7, annotation.Filter{URLID: new(int32(1))}, annotation.HideSuggestions(hide))
		require.NoError(t, err)
		agencies, err := b.service.Agencies(t.Context(), annotation.User(7), 1, nil)
		require.NoError(t, err)
		require.Equal(t, hide, len(agencies.Entities) == 0)
		agencies, err = b.service.Agencies(t.Context(), annotation.User(8), 1, nil)
		require.NoError(t, err)
		require.Len(t, agencies.Entities, 2)
	}
}
