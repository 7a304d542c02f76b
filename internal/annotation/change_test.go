package annotation_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"docket/internal/annotation"
	"docket/internal/consensus"
	"docket/internal/dbtest"
	"docket/internal/progress"
	"docket/internal/ranking"
)

// changer answers, changes and takes back for one annotator, a user or a session.
type changer struct {
	user    int32
	session annotation.Session // of a user it is uuid.Nil
}

func (c changer) submit(ctx context.Context, s *annotation.Service, url int32, answer annotation.Answer) error {
	if c.session != uuid.Nil {
		return s.SubmitAnonymous(ctx, c.session, url, answer)
	}
	return s.Submit(ctx, c.user, url, answer)
}

func (c changer) replace(ctx context.Context, s *annotation.Service, url int32, answer annotation.Answer) error {
	if c.session != uuid.Nil {
		return s.ReplaceAnonymous(ctx, c.session, url, answer)
	}
	return s.Replace(ctx, c.user, url, answer)
}

func (c changer) takeBack(ctx context.Context, s *annotation.Service, url int32) error {
	if c.session != uuid.Nil {
		return s.TakeBackAnonymous(ctx, c.session, url)
	}
	return s.TakeBack(ctx, c.user, url)
}

func (c changer) given(
	ctx context.Context, s *annotation.Service, url *int32, after *annotation.Position,
) ([]annotation.GivenAnswer, *annotation.Position, error) {
	if c.session != uuid.Nil {
		return s.GivenAnonymous(ctx, c.session, url, after)
	}
	return s.Given(ctx, c.user, url, after)
}

// changers are one annotator of each kind.
func changers() map[string]changer {
	return map[string]changer{"user": {user: 7}, "session": {session: uuid.New()}}
}

// dump returns the rows of all tables, without columns that say when or in which order something was stored. It leaves out what is
// not derived from answers: the history, sessions, what is due, and what annotators work on.
func (b bundle) dump(t testing.TB) map[string][]string {
	t.Helper()
	rows, err := b.pool.Query(t.Context(),
		"SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'")
	require.NoError(t, err)
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	state := map[string][]string{}
	for _, table := range tables {
		kept := []string{"url_history", "anonymous_sessions", "consensus_due", "url_reservations", "url_skips", "tasks"}
		if slices.Contains(kept, table) {
			continue
		}
		row := "to_jsonb(r) - 'created_at' - 'updated_at' - 'changed_xid'"
		switch table {
		case "annotation__agency__user", "annotation__name__suggestions":
			row += " - 'id'"
		case "annotation__name__user__endorsements", "annotation__name__anon__endorsements":
			row += ` - 'suggestion_id' || jsonb_build_object('name', (
				SELECT n.url_id || ' ' || n.suggestion FROM annotation__name__suggestions n WHERE n.id = r.suggestion_id))`
		}
		rows, err := b.pool.Query(t.Context(), fmt.Sprintf("SELECT (%s)::text FROM %s r ORDER BY 1", row, table))
		require.NoError(t, err)
		state[table], err = pgx.CollectRows(rows, pgx.RowTo[string])
		require.NoError(t, err)
	}
	return state
}

// crowd gives the URLs of setup batches, follows, robots, names of every origin, and answers of others.
func (b bundle) crowd(t *testing.T) {
	t.Helper()
	dbtest.Exec(t, b.pool, `
		INSERT INTO tasks (task_type, task_status) VALUES ('Agency Identification', 'complete');
		INSERT INTO batches (strategy, status) VALUES ('manual', 'ready to label'), ('manual', 'ready to label');
		INSERT INTO link_batches__urls (batch_id, url_id) VALUES (1, 1), (1, 2), (2, 3);
		INSERT INTO link_batches__locations (batch_id, location_id) VALUES (1, 1);
		INSERT INTO link__locations__user_follows (user_id, location_id) VALUES (7, 1);
		INSERT INTO annotation__url_type__auto (url_id, relevant) VALUES (1, true);
		INSERT INTO annotation__record_type__auto (url_id, record_type) VALUES (1, 'Stops');
		INSERT INTO annotation__agency__auto__subtasks (task_id, url_id, type, agencies_found)
			VALUES (1, 1, 'nlp_location_match', true);
		INSERT INTO annotation__agency__auto__suggestions (subtask_id, agency_id, confidence) VALUES (1, 2, 50), (1, 1, 90);
		INSERT INTO annotation__name__suggestions (url_id, suggestion, source) VALUES
			(1, 'Title', 'HTML Metadata Title'), (1, 'Unendorsed', 'User'), (2, 'Submitted', 'User');
		INSERT INTO annotation__name__user__endorsements (user_id, suggestion_id, created_at)
			SELECT 7, id, '2025-01-01' FROM annotation__name__suggestions WHERE suggestion = 'Submitted';
		INSERT INTO followed_batches (user_id, batch_ids, changed_xid) VALUES (7, '{1}', 0)`)
	require.NoError(t, b.service.Submit(t.Context(), 1, 1, everything(1)))
	require.NoError(t, b.service.SubmitAnonymous(t.Context(), uuid.New(), 2, everything(2)))
	b.settle(t)
}

// validateDue decides about what is due, so that a state has no decision outstanding.
func (b bundle) validateDue(t testing.TB) {
	t.Helper()
	_, err := consensus.New(b.pool, consensus.Config{}).Drain(t.Context())
	require.NoError(t, err)
}

// drawChange draws an answer that may give a name of any origin.
func drawChange(rt *rapid.T) annotation.Answer {
	answer := drawAnswer(rt)
	answer.ExistingNameID = nil
	names := []string{"", "One", "Title", "Unendorsed", "Submitted", "Name 1", "Name 2", "New", "Other"}
	if name := rapid.SampledFrom(names).Draw(rt, "name"); name != "" {
		answer.NewName = &name
	}
	return answer
}

// TestTakingBackIsTheInverse takes random answers back. All that depends on answers is then as before. Answers of others stay
// between the two, and are taken back in any order.
func TestTakingBackIsTheInverse(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.crowd(t)
	b.validateDue(t)
	before := b.dump(t)
	rapid.Check(t, func(rt *rapid.T) {
		all := []changer{{user: 7}, {user: 8}, {session: uuid.New()}}
		url := rapid.Int32Range(1, 3).Draw(rt, "URL")
		for i, by := range all {
			if err := by.submit(t.Context(), b.service, url, drawChange(rt)); err != nil {
				rt.Fatal(i, err)
			}
			if rapid.Bool().Draw(rt, "change") {
				if err := by.replace(t.Context(), b.service, url, drawChange(rt)); err != nil {
					rt.Fatal(i, err)
				}
			}
		}
		for _, by := range rapid.Permutation(all).Draw(rt, "order") {
			if err := by.takeBack(t.Context(), b.service, url); err != nil {
				rt.Fatal(err)
			}
			if err := by.takeBack(t.Context(), b.service, url); err != nil {
				rt.Fatal("a repetition: ", err)
			}
		}
		b.validateDue(t)
		require.Equal(rt, before, b.dump(t))
	})
	b.requireExactQueue(t)
}

// TestReplacingEqualsAnswering compares an answer that replaces another one with the same answer given at first.
func TestReplacingEqualsAnswering(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.crowd(t)
	rapid.Check(t, func(rt *rapid.T) {
		by := rapid.SampledFrom([]changer{{user: 7}, {user: 8}, {session: uuid.UUID{15: 9}}}).Draw(rt, "annotator")
		url := rapid.Int32Range(1, 3).Draw(rt, "URL")
		first, second := drawChange(rt), drawChange(rt)
		for _, step := range []error{
			by.submit(t.Context(), b.service, url, first), by.replace(t.Context(), b.service, url, second),
		} {
			if step != nil {
				rt.Fatal(step)
			}
		}
		replaced := b.dump(t)
		for _, step := range []error{
			by.takeBack(t.Context(), b.service, url), by.submit(t.Context(), b.service, url, second),
		} {
			if step != nil {
				rt.Fatal(step)
			}
		}
		answered := b.dump(t)
		if err := by.takeBack(t.Context(), b.service, url); err != nil {
			rt.Fatal(err)
		}
		require.Equal(rt, answered, replaced)
	})
	b.requireExactQueue(t)
}

// TestGivenAnswers lists what was answered, changed and taken back: the latest first, page by page, or the one about a URL.
func TestGivenAnswers(t *testing.T) {
	t.Parallel()
	for kind, by := range changers() {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			const urls = 203
			dbtest.Exec(t, b.pool, "INSERT INTO urls (id, url, source) SELECT n, n || '.org', 'manual' FROM generate_series(4, 203) AS n")
			b.settle(t)
			for url := range int32(urls) {
				require.NoError(t, by.submit(t.Context(), b.service, url+1, annotation.Answer{URLType: annotation.BrokenPage}))
			}
			full := everything(1)
			require.NoError(t, by.replace(t.Context(), b.service, 1, full))
			require.NoError(t, by.takeBack(t.Context(), b.service, 203))
			// As the votes of one batch that another program has stored: all at one time.
			dbtest.Exec(t, b.pool, `
				UPDATE annotation__url_type__user SET created_at = '2025-01-01' WHERE url_id > 1;
				UPDATE annotation__url_type__anon SET created_at = '2025-01-01' WHERE url_id > 1;
				INSERT INTO flag_url_validated (url_id, type) VALUES (2, 'data source')`)

			var got []int32
			var after *annotation.Position
			for pages := 1; ; pages++ {
				answers, next, err := by.given(t.Context(), b.service, nil, after)
				require.NoError(t, err)
				for _, answer := range answers {
					got = append(got, answer.URLID)
					require.Equal(t, answer.URLID == 2, answer.Validated)
				}
				if pages == 1 {
					require.Equal(t, full, answers[0].Answer)
					require.Equal(t, "one.org", answers[0].URL)
				}
				if next == nil {
					require.Equal(t, 3, pages)
					break
				}
				after = next
			}
			want := []int32{1}
			for url := int32(202); url > 1; url-- {
				want = append(want, url)
			}
			require.Equal(t, want, got)

			for url, count := range map[int32]int{1: 1, 203: 0, 9999: 0} {
				one, next, err := by.given(t.Context(), b.service, &url, nil)
				require.NoError(t, err)
				require.Len(t, one, count)
				require.Nil(t, next)
			}
		})
	}
}

// TestChangesThatAreRefused change nothing.
func TestChangesThatAreRefused(t *testing.T) {
	t.Parallel()
	for kind, by := range changers() {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			given := everything(1)
			require.NoError(t, by.submit(t.Context(), b.service, 1, given))
			require.NoError(t, by.submit(t.Context(), b.service, 2, given))
			dbtest.Exec(t, b.pool, "INSERT INTO flag_url_validated (url_id, type) VALUES (2, 'data source')")
			b.settle(t)
			before := b.dump(t)
			events := b.count(t, "SELECT count(*) FROM url_history")

			require.ErrorIs(t, by.replace(t.Context(), b.service, 3, otherAnswer()), annotation.ErrNoAnswer)
			require.ErrorIs(t, by.replace(t.Context(), b.service, 2, otherAnswer()), annotation.ErrValidated)
			require.ErrorIs(t, by.takeBack(t.Context(), b.service, 2), annotation.ErrValidated)
			require.ErrorContains(t, by.replace(t.Context(), b.service, 9, otherAnswer()), "URL not found: 9")
			require.ErrorContains(t, by.takeBack(t.Context(), b.service, 9), "URL not found: 9")
			unknownAgency, unknownName := everything(99), everything(1)
			unknownName.NewName, unknownName.ExistingNameID = nil, new(int32(77))
			require.ErrorContains(t, by.replace(t.Context(), b.service, 1, unknownAgency), "agency not found: 99")
			require.ErrorContains(t, by.replace(t.Context(), b.service, 1, unknownName), "not found: 77")
			broken := annotation.Answer{URLType: annotation.NotRelevant, AgencyIDs: []int32{1}}
			var rule *annotation.RuleError
			require.ErrorAs(t, by.replace(t.Context(), b.service, 1, broken), &rule)
			// What has no effect is no error: the same answer, even if the URL was validated meanwhile, and taking nothing back.
			require.NoError(t, by.replace(t.Context(), b.service, 1, given))
			require.NoError(t, by.replace(t.Context(), b.service, 2, given))
			require.NoError(t, by.takeBack(t.Context(), b.service, 3))

			require.Equal(t, before, b.dump(t))
			require.Equal(t, events, b.count(t, "SELECT count(*) FROM url_history"))
		})
	}
}

// TestChangesOfAMigratedSession are refused: the answer is the user's, who can change it and take it back.
func TestChangesOfAMigratedSession(t *testing.T) {
	t.Parallel()
	b := setup(t)
	session, user := changer{session: uuid.New()}, changer{user: 7}
	require.NoError(t, session.submit(t.Context(), b.service, 1, everything(1)))
	_, err := b.service.TransferSession(t.Context(), 7, session.session)
	require.NoError(t, err)
	require.ErrorIs(t, session.replace(t.Context(), b.service, 1, otherAnswer()), annotation.ErrMigrated)
	require.ErrorIs(t, session.takeBack(t.Context(), b.service, 1), annotation.ErrMigrated)
	listed, _, err := session.given(t.Context(), b.service, nil, nil)
	require.NoError(t, err)
	require.Empty(t, listed)

	require.NoError(t, user.replace(t.Context(), b.service, 1, everything(2)))
	require.NoError(t, user.takeBack(t.Context(), b.service, 1))
	require.Zero(t, b.annotations(t))
	require.Zero(t, b.count(t, "SELECT count(*) FROM annotation__name__suggestions WHERE suggestion LIKE 'Name%'"))
	b.requireExactQueue(t)
}

// TestHistoryOfChanges checks what each step records: the whole answer, what was before, what robots suggest, and whether the
// annotator was shown it.
func TestHistoryOfChanges(t *testing.T) {
	t.Parallel()
	for kind, by := range changers() {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.crowd(t)
			from := b.count(t, "SELECT max(id) FROM url_history")
			one := everything(1)
			one.NewName, one.ExistingNameID = nil, new(int32(1))
			two := annotation.Answer{URLType: annotation.MetaURL, SuggestionsHidden: true}
			require.NoError(t, by.submit(t.Context(), b.service, 1, one))
			require.NoError(t, by.replace(t.Context(), b.service, 1, two))
			require.NoError(t, by.takeBack(t.Context(), b.service, 1))

			var got []string
			rows, err := b.pool.Query(t.Context(), `
				SELECT event || ' ' || coalesce(suggestions_shown::text, '-') || ' ' || coalesce(user_id::text, 'session') || ' ' || detail
				FROM url_history WHERE id > $1 ORDER BY id`, from)
			require.NoError(t, err)
			got, err = pgx.CollectRows(rows, pgx.RowTo[string])
			require.NoError(t, err)
			who := "7"
			if by.session != uuid.Nil {
				who = "session"
			}
			const said = `{"name": "One", "url_type": "data source", "agency_ids": [1], "record_type": "Stops", "location_ids": [1]}`
			require.Equal(t, []string{
				"answered true " + who + " " + said,
				"changed false " + who + ` {"before": ` + said + `, "url_type": "meta url"}`,
				"taken back - " + who + ` {"before": {"url_type": "meta url"}}`,
			}, got)
			var robots map[string][]string
			var text []byte
			require.NoError(t, b.pool.QueryRow(t.Context(), "SELECT robots FROM url_history WHERE id = $1", from+1).Scan(&text))
			require.NoError(t, json.Unmarshal(text, &robots))
			require.Equal(t, map[string][]string{
				"agency": {"1", "2"}, "name": {"Title"}, "record_type": {"Stops"}, "url_type": {"relevant"},
			}, robots)
		})
	}
}

// TestSuggestionsShown checks which of reservation, request and batch decides what an answer records.
func TestSuggestionsShown(t *testing.T) {
	t.Parallel()
	for kind, by := range changers() {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.crowd(t)
			annotator := cmpOr(by.session)
			dbtest.Exec(t, b.pool, "INSERT INTO flag_batch_suggestions_hidden (batch_id) VALUES (2)")
			for i, test := range []struct {
				url                    int32
				reserved, hidden, asks bool
				shown                  bool
			}{
				{url: 1, shown: true}, {url: 1, asks: true}, {url: 3}, {url: 1, reserved: true, asks: true, shown: true},
				{url: 1, reserved: true, hidden: true}, {url: 3, reserved: true, shown: true},
			} {
				if test.reserved {
					_, err := b.pool.Exec(t.Context(), `INSERT INTO url_reservations (annotator, url_id, slot, suggestions_hidden, expires_at)
						VALUES ($1, $2, 1, $3, now())`, annotator, test.url, test.hidden)
					require.NoError(t, err)
					dbtest.Exec(t, b.pool, "UPDATE annotation_queue SET reserved = true")
				}
				answer := annotation.Answer{URLType: annotation.MetaURL, SuggestionsHidden: test.asks}
				require.NoError(t, by.submit(t.Context(), b.service, test.url, answer))
				shown := b.count(t, "SELECT suggestions_shown::integer FROM url_history ORDER BY id DESC LIMIT 1")
				require.Equal(t, test.shown, shown == 1, "case %d", i)
				require.Zero(t, b.count(t, "SELECT count(*) FROM url_reservations"), "the answer ends the reservation")
				require.Zero(t, b.count(t, "SELECT count(*) FROM annotation_queue WHERE reserved AND url_id = $1", test.url))
				require.NoError(t, by.takeBack(t.Context(), b.service, test.url))
			}
		})
	}
}

// cmpOr returns the annotator of a reservation.
func cmpOr(session annotation.Session) string {
	if session != uuid.Nil {
		return session.String()
	}
	return "7"
}

// TestContributionsAfterChanges compares the counts of a user with those of a user who gave the last answer at first.
func TestContributionsAfterChanges(t *testing.T) {
	t.Parallel()
	b := setup(t)
	agreed := everything(1)
	changed, direct := changer{user: 7}, changer{user: 8}
	require.NoError(t, changed.submit(t.Context(), b.service, 1, otherAnswer()))
	require.NoError(t, changed.replace(t.Context(), b.service, 1, agreed))
	require.NoError(t, changed.submit(t.Context(), b.service, 2, agreed))
	require.NoError(t, changed.takeBack(t.Context(), b.service, 2))
	require.NoError(t, direct.submit(t.Context(), b.service, 1, agreed))
	b.validateDue(t)
	require.Equal(t, 1, b.count(t, "SELECT count(*) FROM flag_url_validated"), "the changed vote counts")
	counts := progress.New(b.pool)
	one, err := counts.Contribution(t.Context(), 7)
	require.NoError(t, err)
	other, err := counts.Contribution(t.Context(), 8)
	require.NoError(t, err)
	require.Equal(t, other, one)
	require.ErrorIs(t, changed.takeBack(t.Context(), b.service, 1), annotation.ErrValidated)
}

// TestChangesConcurrently lets annotators answer, change and take back one name and one URL, while the URL is decided about, and
// sessions are migrated. Nothing deadlocks so that it fails, the queue is exact, and no name without a vote is left over.
func TestChangesConcurrently(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var calls []func() error
	var everyone []changer
	for n := range int32(4) {
		everyone = append(everyone, changer{user: 10 + n}, changer{session: uuid.New()})
	}
	ctx := t.Context()
	for i, by := range everyone {
		calls = append(calls, func() error {
			for n := range int32(8) {
				answer := everything(1 + (int32(i)+n)%2)
				answer.URLType = []annotation.URLType{annotation.DataSource, annotation.MetaURL, annotation.BrokenPage,
					annotation.NotRelevant}[i%4]
				if answer.URLType != annotation.DataSource {
					answer = annotation.Answer{URLType: answer.URLType, NewName: answer.NewName}
				}
				steps := []error{by.submit(ctx, b.service, 1, answer), nil, nil}
				answer.NewName = new(fmt.Sprintf("Name %d", 1+n%3))
				steps[1] = by.replace(ctx, b.service, 1, answer)
				steps[2] = by.takeBack(ctx, b.service, 1)
				for _, err := range steps {
					if err != nil {
						return err
					}
				}
			}
			return nil
		})
	}
	calls = append(calls, func() error {
		for range 10 {
			if _, err := consensus.New(b.pool, consensus.Config{}).Drain(ctx); err != nil {
				return err
			}
			if err := ranking.Reconcile(ctx, b.pool, func(ranking.Difference) {}); err != nil {
				return err
			}
		}
		return nil
	})
	for _, err := range race(calls...) {
		if err != nil && !strings.Contains(err.Error(), annotation.ErrValidated.Error()) {
			require.NoError(t, err)
		}
	}
	b.requireExactQueue(t)
	if b.count(t, "SELECT count(*) FROM flag_url_validated") == 0 {
		require.Zero(t, b.annotations(t))
		require.Equal(t, 1, b.count(t, "SELECT count(*) FROM annotation__name__suggestions WHERE url_id = 1"))
	}
}
