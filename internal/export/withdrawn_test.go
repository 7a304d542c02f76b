package export_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"docket/internal/annotation"
	"docket/internal/consensus"
	"docket/internal/convert"
	"docket/internal/dbtest"
	"docket/internal/export"
	"docket/internal/ranking"
)

func factLineTexts(lines []export.FactLine) []string {
	return convert.Each(lines, func(line export.FactLine) string {
		if line.Withdrawn == nil {
			return fmt.Sprintf("%d %s", line.Fact.URLID, line.Fact.URLType)
		}
		return fmt.Sprintf("%d withdrawn: %s", line.Withdrawn.URLID, line.Withdrawn.Reason)
	})
}

// An increment says that a fact was taken back, until the URL is a fact again. A reader of increments then has the same facts as a
// reader of all.
func TestFactsTakenBack(t *testing.T) {
	t.Parallel()
	pool, service := setup(t, `
		INSERT INTO us_states (state_iso, state_name) VALUES ('PA', 'Pennsylvania');
		INSERT INTO locations (type, state_id) VALUES ('State', 1);
		INSERT INTO agencies (id, name, jurisdiction_type) VALUES (1, 'A', 'local');
		INSERT INTO urls (id, url, scheme, source) VALUES (1, 'one.org', 'https', 'manual')`)
	require.NoError(t, ranking.Reconcile(t.Context(), pool, func(ranking.Difference) {}))
	answers := annotation.New(pool, ranking.NewQueue())
	validator, reopener := consensus.New(pool, consensus.Config{}), consensus.NewReopener(pool)
	submit := func(urlType annotation.URLType, users ...int32) {
		answer := annotation.Answer{URLType: urlType}
		if urlType == annotation.MetaURL {
			answer.AgencyIDs, answer.LocationIDs, answer.NewName = []int32{1}, []int64{1}, new("a name")
		}
		for _, userID := range users {
			require.NoError(t, answers.Submit(t.Context(), userID, 1, answer))
		}
		_, err := validator.Drain(t.Context())
		require.NoError(t, err)
	}
	var last time.Time // of the increments
	known := map[string]map[int32]string{"": {}, "not relevant": {}, "meta url": {}}
	follow := func() (lines []string) {
		now := dbtest.Value[time.Time](t, pool, "SELECT now()::timestamp")
		for urlType, facts := range known {
			o := export.FactOptions{Since: &last}
			if urlType != "" {
				o.Type = &urlType
			}
			increment := collectFactLines(t, service, o)
			for _, line := range increment {
				if line.Withdrawn != nil {
					require.Equal(t, "https://one.org", line.Withdrawn.URL)
					require.WithinRange(t, line.Withdrawn.At, last, now)
					delete(facts, line.Withdrawn.URLID)
				} else {
					facts[line.Fact.URLID] = line.Fact.URLType
				}
			}
			all := map[int32]string{}
			o.Since = nil
			for _, fact := range collectFacts(t, service, o) { // which never has a withdrawn one
				all[fact.URLID] = fact.URLType
			}
			require.Equal(t, all, facts, "of type %q", urlType)
			if urlType == "" {
				lines = factLineTexts(increment)
			}
		}
		last = now.Add(time.Microsecond)
		return lines
	}
	reopen := func(reason string) { require.NoError(t, reopener.Reopen(t.Context(), 9, 1, reason)) }

	submit("not relevant", 1, 2)
	require.Equal(t, []string{"1 not relevant"}, follow())
	reopen("it is relevant")
	require.Equal(t, []string{"1 withdrawn: it is relevant"}, follow())
	require.Empty(t, follow())
	submit("meta url", 3, 4, 5)
	require.Equal(t, []string{"1 meta url"}, follow())

	// Two changes of the type between two increments.
	reopen("no meta URL")
	submit("not relevant", 6, 7)
	require.Equal(t, []string{"1 not relevant"}, follow())
	reopen("first")
	submit("meta url", 8, 10)
	reopen("second")
	require.Equal(t, []string{"1 withdrawn: second"}, follow())
}

// Facts that were taken back are between the others, by URL, in windows of URLs of both kinds. Another program may have validated a
// reopened URL.
func TestFactsTakenBackByURL(t *testing.T) {
	t.Parallel()
	pool, service := setup(t, `
		INSERT INTO urls (id, url, source) SELECT n, 'u' || n, 'manual' FROM generate_series(1, 2500) AS n;
		INSERT INTO flag_url_validated (url_id, type) SELECT id, 'meta url' FROM urls WHERE id % 2 = 0 OR id = 101;
		INSERT INTO flag_url_reopened (url_id, created_at) SELECT id, '2026-01-01' FROM urls WHERE id % 2 = 1;
		INSERT INTO url_history (url_id, event, user_id, detail, created_at)
			SELECT id, 'reopened', 1, '{"reason": "r", "url_type": "meta url"}', '2026-01-01' FROM urls WHERE id % 2 = 1`)
	since := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var done []int64
	lines := factLineTexts(collectFactLines(t, service, export.FactOptions{Since: &since, Progress: func(d, total int64) {
		require.EqualValues(t, 2500, total)
		done = append(done, d)
	}}))
	require.Equal(t, []int64{0, 1000, 2000, 2500}, done)
	require.Len(t, lines, 2500)
	for i, line := range lines {
		want := fmt.Sprintf("%d meta url", i+1)
		if i%2 == 0 && i != 100 {
			want = fmt.Sprintf("%d withdrawn: r", i+1)
		}
		require.Equal(t, want, line)
	}
	since = since.Add(time.Microsecond)
	require.Len(t, collectFacts(t, service, export.FactOptions{Since: &since}), 1251)
	dbtest.Exec(t, pool, "DELETE FROM flag_url_validated")
	require.Empty(t, collectFactLines(t, service, export.FactOptions{Since: &since}))
	require.Empty(t, collectFacts(t, service, export.FactOptions{}), "an export of all facts has no line for what was taken back")
}
