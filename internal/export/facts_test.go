package export_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"docket/internal/convert"
	"docket/internal/dbtest"
	"docket/internal/export"
)

func collectFactLines(t *testing.T, s *export.Service, o export.FactOptions) (lines []export.FactLine) {
	for line, err := range s.Facts(t.Context(), o) {
		require.NoError(t, err)
		require.True(t, (line.Fact == nil) != (line.Withdrawn == nil), "one of both")
		lines = append(lines, line)
	}
	return lines
}

// collectFacts returns a whole export without facts that were taken back.
func collectFacts(t *testing.T, s *export.Service, o export.FactOptions) (facts []export.Fact) {
	for _, line := range collectFactLines(t, s, o) {
		require.Nil(t, line.Withdrawn)
		facts = append(facts, *line.Fact)
	}
	return facts
}

// factText returns a fact as a short text.
func factText(f export.Fact) string {
	or := func(text *string) string {
		if text == nil {
			return "-"
		}
		return fmt.Sprintf("%q", *text)
	}
	votes := func(count *export.VoteCount) string {
		if count == nil {
			return "-"
		}
		return fmt.Sprintf("%g:%g", count.For, count.Against)
	}
	by, rule := "hand", "-"
	if f.ByAgreement {
		by = "agreement"
	}
	if f.Rule != nil {
		rule = fmt.Sprintf("%d/%g/%g", f.Rule.Version, f.Rule.Threshold, f.Rule.AnonymousWeight)
	}
	return strings.Join([]string{
		fmt.Sprint(f.URLID), f.URL, f.URLType, or(f.RecordType), fmt.Sprint(f.Agencies), fmt.Sprint(f.Locations), or(f.Name),
		f.ValidatedAt.Format("01-02"), f.UpdatedAt.Format("01-02"), by, rule,
		votes(&f.Votes.URLType), votes(f.Votes.Agency), votes(f.Votes.Location), votes(f.Votes.RecordType), votes(f.Votes.Name),
		fmt.Sprintf("%d+%d", f.Users, f.Sessions),
	}, " ")
}

func factTexts(facts []export.Fact) []string { return convert.Each(facts, factText) }

// everyFact has a fact of every origin, and a URL that is not validated.
const everyFact = `
	INSERT INTO us_states (id, state_iso, state_name) OVERRIDING SYSTEM VALUE VALUES (1, 'OH', 'Ohio');
	INSERT INTO counties (id, fips, name, state_id) OVERRIDING SYSTEM VALUE VALUES (2, '09049', 'Franklin', 1);
	INSERT INTO localities (id, name, county_id) OVERRIDING SYSTEM VALUE VALUES (3, 'Columbus', 2);
	INSERT INTO locations (id, type, state_id, county_id, locality_id) OVERRIDING SYSTEM VALUE VALUES
		(8, 'National', NULL, NULL, NULL), (7, 'State', 1, NULL, NULL), (6, 'County', 1, 2, NULL), (5, 'Locality', 1, 2, 3);
	INSERT INTO agencies (id, name, jurisdiction_type) VALUES (40, 'Police | Ωmega', 'local'), (5, 'A', 'local');
	INSERT INTO urls (id, url, scheme, trailing_slash, source, name, updated_at) VALUES
		(-3, 'recorded.org', 'https', true, 'manual', 'Récords 記録', '2026-01-01'),
		(1, 'before.org', 'http', false, 'manual', 'Before', '2026-01-01'),
		(2, 'hand.org', NULL, true, 'manual', NULL, NULL), (3, 'open.org', NULL, false, 'manual', 'Open', '2026-01-01'),
		(4, 'surplus.org', NULL, false, 'manual', 'Surplus', '2026-01-01'), (5, 'bare.org', NULL, false, 'manual', NULL, '2026-01-01');
	INSERT INTO flag_url_validated (url_id, type, created_at, updated_at) VALUES
		(-3, 'data source', '2026-01-03', '2026-01-03'), (1, 'meta url', '2026-01-04', '2026-01-04'),
		(2, 'data source', '2026-01-05', '2026-01-05'), (4, 'not relevant', '2026-01-06', '2026-01-06'),
		(5, 'broken page', '2026-01-07', '2026-01-07');
	INSERT INTO flag_url_auto_validated (url_id, created_at) VALUES (-3, '2026-01-03'), (1, '2026-01-04'), (4, '2026-01-06');
	INSERT INTO url_record_type (url_id, record_type, created_at, updated_at) VALUES
		(-3, 'Stops', '2026-01-03', '2026-01-03'), (2, 'Other', '2026-01-05', '2026-01-05');
	INSERT INTO link_agencies__urls (url_id, agency_id, created_at, updated_at) VALUES
		(-3, 40, '2026-01-03', '2026-01-03'), (-3, 5, '2026-01-08', '2026-01-08'), (1, 5, '2026-01-04', '2026-01-04');
	INSERT INTO link_locations__urls (url_id, location_id, created_at) VALUES
		(-3, 8, '2026-01-03'), (-3, 7, '2026-01-03'), (-3, 6, '2026-01-03'), (-3, 5, '2026-01-03');
	INSERT INTO consensus_facts (url_id, rule_version, threshold, anonymous_weight, url_type, record_type, agency_id, location_id,
		name, users, sessions, votes, created_at)
	VALUES (-3, 7, 3, 0.25, 'data source', 'Stops', 40, 8, 'Récords 記録', 4, 3, '{
		"url_type": {"data source": {"users": 3, "sessions": 2}, "meta url": {"users": 1, "sessions": 0},
			"broken page": {"users": 0, "sessions": 1}},
		"agency": {"40": {"users": 3, "sessions": 0}, "5": {"users": 1, "sessions": 1}, "400": {"users": 1, "sessions": 0}},
		"location": {"8": {"users": 4, "sessions": 0}},
		"record_type": {"Other": {"users": 0, "sessions": 1}},
		"name": {"Récords 記録": {"users": 3, "sessions": 0}, "x": {"users": 2, "sessions": 0}}}', '2026-01-03'),
		(4, 7, 3, 0.25, 'not relevant', NULL, NULL, NULL, NULL, 3, 0, '{
		"url_type": {"not relevant": {"users": 3, "sessions": 0}}, "agency": {"5": {"users": 3, "sessions": 0}}}', '2026-01-06');
	-- Votes that came after the record, which do not count, and those of a URL without a record.
	INSERT INTO annotation__url_type__user (url_id, user_id, type) VALUES
		(-3, 7, 'data source'), (1, 7, 'meta url'), (1, 8, 'meta url'), (1, 9, 'data source');
	INSERT INTO annotation__record_type__user (url_id, user_id, record_type) VALUES (1, 9, 'Stops');
	INSERT INTO annotation__agency__user (url_id, user_id, agency_id) VALUES (1, 7, 5), (1, 7, 40), (1, 10, NULL), (1, 8, 5);
	INSERT INTO annotation__location__user (url_id, user_id, location_id) VALUES (1, 7, 8);
	INSERT INTO annotation__name__suggestions (id, url_id, suggestion) VALUES (1, 1, 'Before'), (2, 1, 'before'), (3, 1, 'no vote');
	INSERT INTO annotation__name__user__endorsements (user_id, suggestion_id) VALUES (7, 1), (8, 1), (9, 2);
	INSERT INTO anonymous_sessions (id) VALUES ('5e551011-0000-4000-8000-000000000001');
	INSERT INTO annotation__url_type__anon (url_id, session_id, url_type) VALUES
		(1, '5e551011-0000-4000-8000-000000000001', 'meta url'), (1, '5e551011-0000-4000-8000-000000000001', 'broken page');
	INSERT INTO annotation__name__anon__endorsements (suggestion_id, session_id) VALUES (1, '5e551011-0000-4000-8000-000000000001')`

var everyFactLine = []string{
	`-3 https://recorded.org/ data source "Stops" [{5 A} {40 Police | Ωmega}] ` +
		`[{5 Locality Columbus, Franklin, Ohio OH 09049} {6 County Franklin, Ohio OH 09049} {7 State Ohio OH } ` +
		`{8 National United States  }] "Récords 記録" 01-03 01-08 agreement 7/3/0.25 3.5:1.25 4.25:1 4:0 0:0.25 3:2 4+3`,
	// The service before has stored neither its rule nor the location.
	`1 http://before.org meta url - [{5 A}] [] "Before" 01-04 01-04 agreement - 2.5:1.5 2:1 - - 2.5:1 3+1`,
	`2 hand.org data source "Other" [] [] - 01-05 01-05 hand - 0:0 - - 0:0 - 0+0`,
	`4 surplus.org not relevant - [] [] "Surplus" 01-06 01-06 agreement 7/3/0.25 3:0 - - - 0:0 3+0`,
	`5 bare.org broken page - [] [] - 01-07 01-07 hand - 0:0 - - - - 0+0`,
}

func TestFacts(t *testing.T) {
	t.Parallel()
	_, service := setup(t, everyFact)
	require.Equal(t, everyFactLine, factTexts(collectFacts(t, service, export.FactOptions{})))
	urlType := "data source"
	require.Equal(t, []string{everyFactLine[0], everyFactLine[2]},
		factTexts(collectFacts(t, service, export.FactOptions{Type: &urlType})))
	urlType = "individual record"
	require.Empty(t, collectFacts(t, service, export.FactOptions{Type: &urlType}))
}

func TestNoFacts(t *testing.T) {
	t.Parallel()
	_, service := setup(t)
	var seen []int64
	progress := func(done, total int64) { seen = append(seen, done, total) }
	require.Empty(t, collectFacts(t, service, export.FactOptions{Progress: progress}))
	require.Equal(t, []int64{0, 0}, seen)
}

// An increment has each fact that may have changed since, whatever has changed of it.
func TestFactsSince(t *testing.T) {
	t.Parallel()
	pool, service := setup(t, everyFact)
	ids := func(since time.Time) []int32 {
		return convert.Each(collectFacts(t, service, export.FactOptions{Since: &since}), func(f export.Fact) int32 { return f.URLID })
	}
	day := func(day int) time.Time { return time.Date(2026, 1, day, 0, 0, 0, 0, time.UTC) }
	require.Equal(t, []int32{-3, 1, 2, 4, 5}, ids(day(4)))
	require.Equal(t, []int32{-3, 4, 5}, ids(day(6)))
	require.Equal(t, []int32{-3, 5}, ids(day(6).Add(time.Microsecond)), "a microsecond counts")
	require.Empty(t, ids(day(9)))
	for _, change := range []string{
		"UPDATE flag_url_validated SET type = 'not found', updated_at = '2026-02-01' WHERE url_id = 5",
		"UPDATE urls SET name = 'Other', updated_at = '2026-02-02' WHERE id = 5",
		"INSERT INTO url_record_type (url_id, record_type, updated_at) VALUES (5, 'Stops', '2026-02-03')",
		"INSERT INTO link_agencies__urls (url_id, agency_id, updated_at) VALUES (5, 5, '2026-02-04')",
		"INSERT INTO link_locations__urls (url_id, location_id, created_at) VALUES (5, 5, '2026-02-05')",
	} {
		since := day(9)
		before := collectFacts(t, service, export.FactOptions{})
		dbtest.Exec(t, pool, change)
		require.Equal(t, []int32{5}, ids(since), change)
		after := collectFacts(t, service, export.FactOptions{})
		require.True(t, after[4].UpdatedAt.After(before[4].UpdatedAt), change)
		require.Equal(t, before[4].ValidatedAt, after[4].ValidatedAt, change)
	}
}

// manyFacts has facts in the gaps of more URLs than a window has, the first of them with negative ids.
const manyFacts = `
	INSERT INTO urls (id, url, source) SELECT n * 3 - 4000, 'u' || n, 'manual' FROM generate_series(1, 3500) AS n;
	INSERT INTO flag_url_validated (url_id, type, updated_at)
		SELECT id, CASE WHEN id % 2 = 0 THEN 'meta url' ELSE 'not relevant' END::url_type, '2026-01-01' FROM urls WHERE id % 5 <> 0;
	UPDATE flag_url_validated SET created_at = '2026-01-01';
	UPDATE urls SET updated_at = NULL`

func TestFactWindows(t *testing.T) {
	t.Parallel()
	pool, service := setup(t, manyFacts)
	var done []int64
	all := collectFacts(t, service, export.FactOptions{Progress: func(d, total int64) {
		require.EqualValues(t, 2800, total)
		done = append(done, d)
	}})
	require.Equal(t, []int64{0, 1000, 2000, 2800}, done)
	require.Len(t, all, 2800)
	for i := 1; i < len(all); i++ {
		require.Less(t, all[i-1].URLID, all[i].URLID)
	}

	// A window without a line does not end the export.
	dbtest.Exec(t, pool, "UPDATE urls SET updated_at = '2026-02-01' WHERE id = 6497")
	urlType, since := "not relevant", time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC)
	few := collectFacts(t, service, export.FactOptions{Since: &since, Type: &urlType})
	require.Len(t, few, 1)
	require.EqualValues(t, 6497, few[0].URLID)
}

// Commits of other transactions during an export do not appear in it.
func TestFactsOfOneSnapshot(t *testing.T) {
	t.Parallel()
	pool, service := setup(t, manyFacts)
	want := factTexts(collectFacts(t, service, export.FactOptions{}))
	var during []string
	for line, err := range service.Facts(t.Context(), export.FactOptions{}) {
		require.NoError(t, err)
		if len(during) == 0 {
			dbtest.Exec(t, pool, `
				DELETE FROM urls WHERE id = 6497;
				UPDATE flag_url_validated SET type = 'broken page' WHERE url_id = 6494;
				UPDATE urls SET name = 'later' WHERE id = 6488;
				INSERT INTO annotation__url_type__user (url_id, user_id, type) VALUES (6482, 7, 'meta url');
				INSERT INTO flag_url_validated (url_id, type) VALUES (6500, 'meta url')`)
		}
		during = append(during, factText(*line.Fact))
	}
	require.Equal(t, want, during)
	require.Len(t, collectFacts(t, service, export.FactOptions{}), 2800)
}

// Exports of facts never take the last slot, which is for exports of annotations. Together both kinds have no more than the slots.
func TestConcurrentExportsOfFacts(t *testing.T) {
	t.Parallel()
	pool, service := setup(t, everyFact)
	require.EqualValues(t, 8, pool.Config().MaxConns, "two exports")
	busyFacts := func() {
		for _, err := range service.Facts(t.Context(), export.FactOptions{}) {
			require.ErrorIs(t, err, export.ErrBusy)
		}
	}
	for _, err := range service.Facts(t.Context(), export.FactOptions{}) {
		require.NoError(t, err)
		busyFacts()
		for _, err := range service.Lines(t.Context(), export.Options{}) {
			require.NoError(t, err)
			for _, err := range service.Lines(t.Context(), export.Options{}) {
				require.ErrorIs(t, err, export.ErrBusy)
			}
			break
		}
		break
	}
	for range service.Lines(t.Context(), export.Options{}) {
		for range service.Lines(t.Context(), export.Options{}) {
			busyFacts() // and the slot of facts is free again afterwards
			break
		}
		break
	}
	require.Len(t, collectFacts(t, service, export.FactOptions{}), len(everyFactLine))
}
