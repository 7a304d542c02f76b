package export_test

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"docket/internal/convert"
	"docket/internal/dbtest"
	"docket/internal/export"
	"docket/internal/postgres"
)

var tokenKey = []byte("a key for tests, of thirty-two bytes and more")

func setup(t *testing.T, statements ...string) (*postgres.Pool, *export.Service) {
	pool := dbtest.New(t)
	for _, statement := range statements {
		dbtest.Exec(t, pool, statement)
	}
	return pool, export.New(pool, tokenKey)
}

// collect returns a whole export.
func collect(t *testing.T, s *export.Service, o export.Options) (lines []export.Line) {
	for line, err := range s.Lines(t.Context(), o) {
		require.NoError(t, err)
		lines = append(lines, line)
	}
	return lines
}

// text returns a line as a short text.
func text(line export.Line) string {
	value, at := "-", "-"
	if line.Value != nil {
		value = *line.Value
	}
	if line.CreatedAt != nil {
		at = line.CreatedAt.Format("01-02")
	}
	return fmt.Sprintf("%d %s %s %s %q %s %t", line.URLID, line.URL, line.User, line.Attribute, value, at, line.Validated)
}

func texts(lines []export.Line) []string { return convert.Each(lines, text) }

// everyKind has two URLs with every kind of line, URL 1 validated and URL 2 not, and two URLs without lines.
const everyKind = `
	INSERT INTO agencies (id, name, jurisdiction_type) VALUES (5, 'A', 'local'), (40, 'B', 'local');
	INSERT INTO locations (id, type) OVERRIDING SYSTEM VALUE VALUES (8, 'National'), (9, 'National');
	INSERT INTO urls (id, url, scheme, trailing_slash, source, name) VALUES
		(0, 'nothing.org', NULL, false, 'manual', NULL), (1, 'one.org', 'https', true, 'manual', 'One'),
		(2, 'two.org', NULL, true, 'manual', 'Two'), (9, 'validated.org', '', false, 'manual', 'Nine');
	INSERT INTO flag_url_validated (url_id, type) VALUES (1, 'data source'), (9, 'data source');
	INSERT INTO url_record_type (url_id, record_type) VALUES (1, 'Stops'), (2, 'Stops');
	INSERT INTO link_agencies__urls (url_id, agency_id) VALUES (1, 5), (2, 5);
	INSERT INTO link_locations__urls (url_id, location_id) VALUES (1, 8), (2, 8);
	INSERT INTO annotation__url_type__user (url_id, user_id, type, created_at) VALUES
		(1, 7, 'data source', '2026-01-01'), (1, 10, 'meta url', '2026-01-02'), (2, 7, 'data source', '2026-01-03');
	INSERT INTO annotation__record_type__user (url_id, user_id, record_type, created_at) VALUES
		(1, 7, 'Stops', '2026-01-01'), (1, 10, 'Other', '2026-01-02'), (2, 7, 'Stops', '2026-01-03');
	INSERT INTO annotation__agency__user (url_id, user_id, agency_id, is_new) VALUES
		(1, 7, 5, NULL), (1, 7, 40, NULL), (1, 10, NULL, true), (1, 10, NULL, true), (1, 11, 5, NULL), (2, 7, 5, NULL);
	INSERT INTO annotation__location__user (url_id, user_id, location_id, created_at) VALUES
		(1, 7, 8, '2026-01-01'), (1, 10, 9, '2026-01-02'), (2, 7, 8, '2026-01-03');
	INSERT INTO annotation__name__suggestions (id, url_id, suggestion) VALUES (1, 1, 'One'), (2, 1, ''), (3, 1, 'nobody''s'), (4, 2, 'Two');
	INSERT INTO annotation__name__user__endorsements (user_id, suggestion_id, created_at) VALUES
		(7, 1, '2026-01-01'), (10, 2, '2026-01-02'), (7, 4, '2026-01-03');
	INSERT INTO link_user_suggestion_agency_not_found (url_id, user_id, created_at) VALUES (2, 10, '2026-01-04');
	INSERT INTO link_user_suggestion_location_not_found (url_id, user_id, created_at) VALUES (2, 10, '2026-01-04');
	INSERT INTO anonymous_sessions (id) VALUES ('5e551011-0000-4000-8000-000000000001');
	INSERT INTO annotation__url_type__anon (url_id, session_id, url_type, created_at) VALUES
		(1, '5e551011-0000-4000-8000-000000000001', 'data source', '2026-01-05'),
		(1, '5e551011-0000-4000-8000-000000000001', 'meta url', '2026-01-06');
	INSERT INTO annotation__record_type__anon (url_id, session_id, record_type, created_at) VALUES
		(1, '5e551011-0000-4000-8000-000000000001', 'Stops', '2026-01-05');
	INSERT INTO annotation__agency__anon (url_id, session_id, agency_id, created_at) VALUES
		(1, '5e551011-0000-4000-8000-000000000001', 5, '2026-01-05');
	INSERT INTO annotation__location__anon (url_id, session_id, location_id, created_at) VALUES
		(1, '5e551011-0000-4000-8000-000000000001', 8, '2026-01-05');
	INSERT INTO annotation__name__anon__endorsements (suggestion_id, session_id, created_at) VALUES
		(1, '5e551011-0000-4000-8000-000000000001', '2026-01-05'), (4, '5e551011-0000-4000-8000-000000000001', '2026-01-06');
	-- A session that gave its answer to user 7: the rows above are its only lines.
	INSERT INTO anonymous_sessions (id) VALUES ('5e551011-0000-4000-8000-000000000002');
	INSERT INTO anonymous_migrated_answers (session_id, url_id, url_types, record_types, agency_ids, location_ids, names)
		VALUES ('5e551011-0000-4000-8000-000000000002', 1, '{data source}', '{Stops}', '{5}', '{8}', '{One}')`

const session = "anonymous-dvth76evzgbrvz34"

var everyLine = []string{
	`1 https://one.org/ 7 agency "40" 01-01 false`,
	`1 https://one.org/ 7 agency "5" 01-01 true`,
	`1 https://one.org/ 7 location "8" 01-01 true`,
	`1 https://one.org/ 7 name "One" 01-01 true`,
	`1 https://one.org/ 7 record_type "Stops" 01-01 true`,
	`1 https://one.org/ 7 url_type "data source" 01-01 true`,
	`1 https://one.org/ 10 agency "-" 01-02 false`, // one line for two rows
	`1 https://one.org/ 10 location "9" 01-02 false`,
	`1 https://one.org/ 10 name "" 01-02 false`,
	`1 https://one.org/ 10 record_type "Other" 01-02 false`,
	`1 https://one.org/ 10 url_type "meta url" 01-02 false`,
	`1 https://one.org/ 11 agency "5" - true`, // without a type by the same user, so without a time
	`1 https://one.org/ ` + session + ` agency "5" 01-05 true`,
	`1 https://one.org/ ` + session + ` location "8" 01-05 true`,
	`1 https://one.org/ ` + session + ` name "One" 01-05 true`,
	`1 https://one.org/ ` + session + ` record_type "Stops" 01-05 true`,
	`1 https://one.org/ ` + session + ` url_type "data source" 01-05 true`,
	`1 https://one.org/ ` + session + ` url_type "meta url" 01-06 false`,
	// Record type, agency, location and name equal those of the URL, but it is not validated.
	`2 two.org 7 agency "5" 01-03 false`,
	`2 two.org 7 location "8" 01-03 false`,
	`2 two.org 7 name "Two" 01-03 false`,
	`2 two.org 7 record_type "Stops" 01-03 false`,
	`2 two.org 7 url_type "data source" 01-03 false`,
	`2 two.org 10 agency_not_found "-" 01-04 false`,
	`2 two.org 10 location_not_found "-" 01-04 false`,
	`2 two.org ` + session + ` name "Two" 01-06 false`,
}

func TestLines(t *testing.T) {
	t.Parallel()
	_, service := setup(t, everyKind)
	require.Equal(t, everyLine, texts(collect(t, service, export.Options{})))
}

func TestSince(t *testing.T) {
	t.Parallel()
	_, service := setup(t, everyKind)
	for _, day := range []int{1, 3, 5, 6, 7} {
		since := time.Date(2026, 1, day, 0, 0, 0, 0, time.UTC)
		want := []string{}
		for _, line := range everyLine {
			fields := strings.Fields(line)
			if at := fields[len(fields)-2]; at != "-" && at >= since.Format("01-02") {
				want = append(want, line)
			}
		}
		require.Equal(t, want, texts(collect(t, service, export.Options{Since: &since})), since)
	}
	later := time.Date(2026, 1, 6, 0, 0, 0, 1000, time.UTC)
	require.Empty(t, collect(t, service, export.Options{Since: &later}), "a microsecond counts")
}

// No line is missing or repeated between two pages, with many lines of one URL and with many URLs without lines. The pages and
// the whole export have the same order, also for texts that a language would order differently.
func TestPages(t *testing.T) {
	t.Parallel()
	pool, service := setup(t,
		`INSERT INTO urls (id, url, source) SELECT n * 3 - 4000, 'u' || n, 'manual' FROM generate_series(1, 3500) AS n`,
		`INSERT INTO annotation__url_type__user (url_id, user_id, type)
			SELECT urls.id, n, 'meta url' FROM urls, generate_series(-2, 2) AS n WHERE urls.id % 7 = 0`,
		// One URL with more lines than a page, most of them by one user.
		`INSERT INTO annotation__url_type__user (url_id, user_id, type) SELECT 5, n, 'meta url' FROM generate_series(1, 300) AS n`,
		`INSERT INTO annotation__name__suggestions (id, url_id, suggestion)
			SELECT n, 5, chr(65 + n % 60) || CASE WHEN n % 2 = 0 THEN 'é' ELSE '-' END || n FROM generate_series(1, 12000) AS n`,
		`INSERT INTO annotation__name__user__endorsements (user_id, suggestion_id) SELECT 3, n FROM generate_series(1, 12000) AS n`,
		`INSERT INTO anonymous_sessions (id) SELECT md5(n::text)::uuid FROM generate_series(1, 3000) AS n`,
		`INSERT INTO annotation__url_type__anon (url_id, session_id, url_type)
			SELECT 5, md5(n::text)::uuid, unnest('{meta url,broken page}'::url_type[]) FROM generate_series(1, 3000) AS n`,
	)
	want := dbtest.Count(t, pool, `SELECT (SELECT count(*) FROM annotation__url_type__user)
		+ (SELECT count(*) FROM annotation__name__user__endorsements) + (SELECT count(*) FROM annotation__url_type__anon)`)
	var done []int64
	all := collect(t, service, export.Options{Progress: func(d, total int64) {
		require.EqualValues(t, 3500, total)
		done = append(done, d)
	}})
	require.Equal(t, []int64{0, 1000, 2000, 3000, 3500}, done)
	require.Len(t, all, want)

	ordered := func(a, b export.Line) int {
		byUser := cmp.Compare(a.User, b.User)
		var first, second int
		if _, err := fmt.Sscan(a.User+" "+b.User, &first, &second); err == nil {
			byUser = cmp.Compare(first, second)
		} else if strings.HasPrefix(a.User, "anonymous-") && strings.HasPrefix(b.User, "anonymous-") && byUser != 0 {
			byUser = -1 // in the order of session ids, which the export does not have
		}
		return cmp.Or(cmp.Compare(a.URLID, b.URLID), byUser, cmp.Compare(a.Attribute, b.Attribute), cmp.Compare(*a.Value, *b.Value))
	}
	seen := map[string]bool{}
	for i, line := range all {
		require.False(t, seen[text(line)], text(line))
		seen[text(line)] = true
		if i > 0 {
			require.Negative(t, ordered(all[i-1], line), "%s, then %s", text(all[i-1]), text(line))
		}
	}

	secret := collect(t, service, export.Options{Pseudonymous: true})
	require.Len(t, secret, want)
	require.True(t, slices.IsSortedFunc(secret, func(a, b export.Line) int {
		return cmp.Or(cmp.Compare(a.URLID, b.URLID), cmp.Compare(a.User, b.User), cmp.Compare(a.Attribute, b.Attribute),
			cmp.Compare(*a.Value, *b.Value))
	}))
}

// Commits of other transactions during an export do not appear in it, neither at its start nor at its end.
func TestOneSnapshot(t *testing.T) {
	t.Parallel()
	pool, service := setup(t,
		`INSERT INTO urls (id, url, source) SELECT n, 'u' || n, 'manual' FROM generate_series(1, 2500) AS n`,
		`INSERT INTO annotation__url_type__user (url_id, user_id, type) SELECT id, 7, 'meta url' FROM urls`)
	want := texts(collect(t, service, export.Options{}))
	require.Len(t, want, 2500)

	var during []string
	for line, err := range service.Lines(t.Context(), export.Options{}) {
		require.NoError(t, err)
		if len(during) == 0 {
			dbtest.Exec(t, pool, `
				DELETE FROM urls WHERE id = 2400;
				UPDATE annotation__url_type__user SET type = 'broken page' WHERE url_id = 2300;
				INSERT INTO flag_url_validated (url_id, type) VALUES (2200, 'meta url');
				INSERT INTO annotation__url_type__user (url_id, user_id, type) VALUES (1, 8, 'meta url'), (2100, 8, 'meta url');
				INSERT INTO urls (id, url, source) VALUES (2501, 'later', 'manual');
				INSERT INTO annotation__url_type__user (url_id, user_id, type) VALUES (2501, 7, 'meta url')`)
		}
		during = append(during, text(line))
	}
	require.Equal(t, want, during)
	require.Len(t, collect(t, service, export.Options{}), 2502)
}

// An export that ends early releases its connection and its slots, and ends its transaction, whatever the reason.
func TestEndsEarly(t *testing.T) {
	t.Parallel()
	pool, service := setup(t,
		`INSERT INTO urls (id, url, source) SELECT n, 'u' || n, 'manual' FROM generate_series(1, 2500) AS n`,
		`INSERT INTO annotation__url_type__user (url_id, user_id, type) SELECT id, 7, 'meta url' FROM urls`,
		`INSERT INTO flag_url_validated (url_id, type) SELECT id, 'meta url' FROM urls`)
	lines := func(ctx context.Context) iter.Seq2[export.Line, error] { return service.Lines(ctx, export.Options{}) }
	secret := func(ctx context.Context) iter.Seq2[export.Line, error] {
		return service.Lines(ctx, export.Options{Pseudonymous: true})
	}
	facts := func(ctx context.Context) iter.Seq2[export.FactLine, error] {
		return service.Facts(ctx, export.FactOptions{})
	}
	requireEndsEarly(t, pool, lines)
	requireEndsEarly(t, pool, secret)
	requireEndsEarly(t, pool, facts)

	dbtest.Exec(t, pool, "ALTER TABLE annotation__name__suggestions RENAME TO elsewhere; DROP TABLE url_record_type CASCADE")
	requireOnlyError(t, lines, "export answers: ")
	requireOnlyError(t, facts, "export facts: ")
	require.Zero(t, pool.Stat().AcquiredConns())
}

// requireEndsEarly ends exports of 2,500 lines early.
func requireEndsEarly[Line any](t *testing.T, pool *postgres.Pool, lines func(context.Context) iter.Seq2[Line, error]) {
	over := func(why string) {
		require.Zero(t, pool.Stat().AcquiredConns(), why)
		count := 0
		for _, err := range lines(t.Context()) {
			require.NoError(t, err, why)
			count++
		}
		require.Equal(t, 2500, count, why)
	}
	for range lines(t.Context()) {
		require.EqualValues(t, 1, pool.Stat().AcquiredConns())
		break
	}
	over("the reader stops")

	require.Panics(t, func() {
		for range lines(t.Context()) {
			panic("reader")
		}
	})
	over("the reader panics")

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var last error
	count := 0
	for _, err := range lines(ctx) {
		cancel()
		last = err
		count++
	}
	require.ErrorIs(t, last, context.Canceled)
	require.Less(t, count, 2500)
	over("the context is cancelled")
}

func requireOnlyError[Line any](t *testing.T, lines func(context.Context) iter.Seq2[Line, error], action string) {
	count := 0
	var last error
	for _, last = range lines(t.Context()) {
		count++
	}
	require.ErrorContains(t, last, action)
	require.Equal(t, 1, count, "only the error")
}

// Exports use a quarter of the connections at most.
func TestConcurrentExportsAreLimited(t *testing.T) {
	t.Parallel()
	pool, service := setup(t, everyKind)
	require.EqualValues(t, 8, pool.Config().MaxConns)
	for _, err := range service.Lines(t.Context(), export.Options{}) {
		require.NoError(t, err)
		for _, err := range service.Lines(t.Context(), export.Options{}) {
			require.NoError(t, err)
			for _, err := range service.Lines(t.Context(), export.Options{}) {
				require.ErrorIs(t, err, export.ErrBusy)
			}
			break
		}
		break
	}
	require.Len(t, collect(t, service, export.Options{}), len(everyLine))
}
