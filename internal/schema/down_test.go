package schema_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"docket/internal/schema"
	sqlfiles "docket/sql"
)

// catalogData is rows for every kind of table that the first shipped migration creates, under its names.
const catalogData = `
INSERT INTO us_states (state_iso, state_name) VALUES ('PA', 'Pennsylvania');
INSERT INTO counties (fips, name, state_id) VALUES ('42003', 'Allegheny', 1);
INSERT INTO localities (name, county_id) VALUES ('Pittsburgh', 1);
INSERT INTO locations (type, state_id, county_id, locality_id) VALUES ('State', 1, null, null), ('Locality', 1, 1, 1);
INSERT INTO agencies (name, jurisdiction_type) VALUES ('Pittsburgh Bureau of Police', 'local');
INSERT INTO link_agencies__locations SELECT id, 2 FROM agencies;
INSERT INTO batches (strategy, status) VALUES ('manual', 'ready to label');
INSERT INTO urls (url, status, source)
SELECT 'example.com/' || n, (ARRAY['ok', 'ok', 'ok', 'ok', 'duplicate', 'broken']::url_status[])[n % 6 + 1], 'manual' FROM generate_series(1, 20) n;
INSERT INTO link_batches__urls (batch_id, url_id) SELECT 1, id FROM urls WHERE id <= 10;
INSERT INTO user_url_type_suggestions (url_id, user_id, type) SELECT id, 7, 'data source' FROM urls WHERE id % 3 = 0;
INSERT INTO user_url_agency_suggestions (url_id, user_id, agency_id)
SELECT u.id, 7, a.id FROM urls u, agencies a WHERE u.id % 4 = 0;
INSERT INTO anonymous_sessions DEFAULT VALUES;
INSERT INTO anonymous_annotation_url_type (url_id, url_type, session_id)
SELECT u.id, 'meta url', s.id FROM urls u, anonymous_sessions s;
INSERT INTO flag_url_validated (url_id, type) VALUES (1, 'data source');
INSERT INTO url_compressed_html (url_id, compressed_html) SELECT id, 'same' FROM urls WHERE id < 4`

// contents returns a line for each table and materialized view of public except the revisions: a hash of its rows.
func contents(t *testing.T, b bundle, relations ...string) []string {
	t.Helper()
	if relations == nil {
		relations = b.strings(t, `SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace
			AND relkind IN ('r', 'm') AND relname <> 'atlas_schema_revisions' ORDER BY relname`)
	}
	var lines []string
	for _, name := range relations {
		lines = append(lines, b.strings(t, fmt.Sprintf(
			`SELECT format('%%s: %%s rows %%s', '%s', count(*), md5(string_agg(t::text, E'\n' ORDER BY t::text))) FROM %[1]s t`, name))...)
	}
	return lines
}

// TestShippedMigrationsGoDownAndUp undoes each migration, compares the schema, and applies it again, from the last to the
// first and from the first to the last.
func TestShippedMigrationsGoDownAndUp(t *testing.T) {
	t.Parallel()
	b := setup(t)
	m := b.migrator(t, sqlfiles.Migrations)
	b.exec(t, "CREATE EXTENSION pg_trgm; CREATE EXTENSION pgcrypto") // the down file says why it keeps them
	_, err := m.Apply(t.Context())
	require.NoError(t, err)
	status, err := m.Status(t.Context())
	require.NoError(t, err)
	_, err = m.Down(t.Context(), down(t, m, len(status.Applied)))
	require.NoError(t, err)

	facts := [][]string{describe(t, b.conn)} // after 0, 1, … migrations
	for i, applied := range status.Applied {
		require.True(t, applied.Down, applied.Version)
		_, err := m.Apply(t.Context(), schema.To(applied.Version))
		require.NoError(t, err)
		facts = append(facts, describe(t, b.conn))
		require.NotEqual(t, facts[i], facts[i+1])
	}
	for i := len(facts) - 2; i >= 0; i-- {
		report, err := m.Down(t.Context(), down(t, m, 1))
		require.NoError(t, err)
		require.Equal(t, status.Applied[i].Version, report.From)
		requireSameFacts(t, facts[i], describe(t, b.conn), "undone "+report.From)
		_, err = m.Apply(t.Context(), schema.To(report.From))
		require.NoError(t, err)
		requireSameFacts(t, facts[i+1], describe(t, b.conn), "applied again "+report.From)
		_, err = m.Down(t.Context(), down(t, m, 1))
		require.NoError(t, err)
	}
	require.Equal(t, []string{"atlas_schema_revisions"}, b.tables(t))
	_, err = m.Apply(t.Context())
	require.NoError(t, err, "a database that holds only the revisions is not foreign")
	require.NoError(t, m.Check(t.Context()))
}

// TestShippedDownFilesKeepData undoes all migrations but the first, and applies them again. The rows that the first one has are
// as before, and the steps up compute the rest again.
func TestShippedDownFilesKeepData(t *testing.T) {
	t.Parallel()
	b := setup(t)
	m := b.migrator(t, sqlfiles.Migrations)
	_, err := m.Apply(t.Context())
	require.NoError(t, err)
	status, err := m.Status(t.Context())
	require.NoError(t, err)
	first := status.Applied[0].Version
	_, err = m.Down(t.Context(), downTo(t, m, first))
	require.NoError(t, err)
	b.exec(t, catalogData)
	for _, view := range b.strings(t, "SELECT matviewname::text FROM pg_matviews WHERE schemaname = 'public'") {
		b.exec(t, "REFRESH MATERIALIZED VIEW "+view)
	}
	below := contents(t, b)
	require.Contains(t, strings.Join(below, "\n"), "urls: 20 rows")

	_, err = m.Apply(t.Context())
	require.NoError(t, err)
	above := contents(t, b)
	require.Greater(t, len(above), len(below))
	require.Contains(t, strings.Join(above, "\n"), "annotation_queue: 20 rows")
	require.Contains(t, strings.Join(above, "\n"), "url_former_status: 6 rows")

	_, err = m.Down(t.Context(), downTo(t, m, first))
	require.NoError(t, err)
	require.Equal(t, below, contents(t, b))
	_, err = m.Apply(t.Context())
	require.NoError(t, err)
	require.Equal(t, above, contents(t, b))
}

// A down file never drops with CASCADE: an object of others that depends on a table makes it fail.
func TestShippedDownFilesStopAtWhatOthersBuilt(t *testing.T) {
	t.Parallel()
	b := setup(t)
	m := b.migrator(t, sqlfiles.Migrations)
	_, err := m.Apply(t.Context())
	require.NoError(t, err)
	b.exec(t, "CREATE SCHEMA theirs; CREATE VIEW theirs.popular AS SELECT url_id FROM user_url_done")
	before := describe(t, b.conn)
	_, err = m.Down(t.Context(), downTo(t, m, "20261123054300"))
	require.ErrorContains(t, err, "undo down/20261123064500_ranking.sql, statement at line ")
	require.ErrorContains(t, err, "SQLSTATE 2BP01")
	require.ErrorContains(t, err, "nothing of this file was kept")
	_, err = m.Apply(t.Context())
	require.NoError(t, err)
	require.Equal(t, before, describe(t, b.conn))
}

// A key that was used under one version stays used under the other: a repetition of its request must not take effect again. The older
// version refuses a request whose key has no response until claimed_until, and the newer one a key without a result.
func TestKeysStayUsedUpAndDown(t *testing.T) {
	t.Parallel()
	const before, version = "20261130084000", "20261130113532"
	b := setup(t)
	m := b.migrator(t, sqlfiles.Migrations)
	_, err := m.Apply(t.Context(), schema.To(before))
	require.NoError(t, err)
	b.exec(t, `INSERT INTO idempotency_keys VALUES
		('user 7', 'done', sha256(''), gen_random_uuid(), now(), now() + '1 hour', 200, 'application/json', '{}'),
		('user 7', 'claimed', sha256(''), gen_random_uuid(), now(), now() + '1 hour', NULL, NULL, NULL)`)
	_, err = m.Apply(t.Context(), schema.To(version))
	require.NoError(t, err)
	require.Equal(t, []string{"claimed", "done"}, b.strings(t, "SELECT key FROM idempotency_keys WHERE outcome IS NULL ORDER BY key"))

	b.exec(t, `INSERT INTO idempotency_keys VALUES ('user 7', 'new', sha256(''), now() + '1 hour', '{}')`)
	_, err = m.Down(t.Context(), downTo(t, m, before))
	require.NoError(t, err)
	require.Equal(t, []string{"claimed", "done", "new"}, b.strings(t, `SELECT key FROM idempotency_keys
		WHERE status IS NULL AND claimed_until = expires_at AND claimed_until > now() ORDER BY key`))
}

func down(t *testing.T, m *schema.Migrator, steps int) schema.Preview {
	t.Helper()
	preview, err := m.PreviewDown(t.Context(), steps)
	require.NoError(t, err)
	return preview
}

func downTo(t *testing.T, m *schema.Migrator, version string) schema.Preview {
	t.Helper()
	preview, err := m.PreviewDownTo(t.Context(), version)
	require.NoError(t, err)
	return preview
}

func requireSameFacts(t *testing.T, want, got []string, when string) {
	t.Helper()
	if !slices.Equal(want, got) {
		t.Errorf("%s (- before, + after):\n%s", when, difference(want, got))
	}
}

func TestPreviewDown(t *testing.T) {
	t.Parallel()
	b := setup(t)
	m := b.migrator(t, hashed(t, aToC))
	_, err := m.PreviewDown(t.Context(), 1)
	require.ErrorContains(t, err, "has 0")
	_, err = m.Apply(t.Context())
	require.NoError(t, err)

	preview := down(t, m, 2)
	require.Equal(t, []string{versionC, versionA}, []string{preview.From, preview.To})
	require.Equal(t, []schema.PreviewFile{
		{Path: "down/" + fileC, Version: versionC, Name: "c", Transactional: true, Statements: []string{"DROP TABLE c;", "SELECT 1;"}},
		{Path: "down/" + fileB, Version: versionB, Name: "b", Transactional: true, Statements: []string{"DROP TABLE b;"}},
	}, preview.Files)
	require.Equal(t, preview, downTo(t, m, versionA))
	require.Empty(t, downTo(t, m, versionC).Files)
	require.Len(t, downTo(t, m, schema.Before).Files, 3)
	require.Empty(t, downTo(t, m, schema.Before).To)
	require.NoError(t, m.Check(t.Context()), "a preview must not write")

	_, err = m.PreviewDown(t.Context(), 4)
	require.ErrorContains(t, err, "cannot undo 4 migrations")
	_, err = m.PreviewDownTo(t.Context(), "20250101000000")
	require.ErrorContains(t, err, "never had version 20250101000000")
}

func TestDown(t *testing.T) {
	t.Parallel()
	b := setup(t)
	m := b.migrator(t, hashed(t, aToC))
	_, err := m.Apply(t.Context())
	require.NoError(t, err)
	shown := down(t, m, 2)
	report, err := m.Down(t.Context(), shown)
	require.NoError(t, err)
	require.Equal(t, []string{versionC, versionA}, []string{report.From, report.To})
	require.Len(t, report.Files, 2)
	require.Equal(t, 2, report.Files[0].Statements)
	require.Equal(t, []string{"a", "atlas_schema_revisions"}, b.tables(t))
	status, err := m.Status(t.Context())
	require.NoError(t, err)
	require.Equal(t, schema.Pending, status.State)
	require.Equal(t, []string{fileB, fileC}, status.Pending)

	_, err = m.Down(t.Context(), shown)
	require.ErrorIs(t, err, schema.ErrChanged, "the preview is outdated")
	require.Equal(t, []string{"a", "atlas_schema_revisions"}, b.tables(t))

	report, err = m.Down(t.Context(), downTo(t, m, schema.Before))
	require.NoError(t, err)
	require.Empty(t, report.To)
	require.Equal(t, []string{"atlas_schema_revisions"}, b.tables(t))
}

func TestDownRefuses(t *testing.T) {
	t.Parallel()
	without := func(name, content string) map[string]string {
		files := map[string]string{}
		for path, text := range aToC {
			files[path] = text
		}
		delete(files, name)
		if content != "" {
			files[name] = content
		}
		return files
	}
	tests := map[string]struct {
		files map[string]string
		then  string
		want  error
		says  string
	}{
		"missing file": {without("down/"+fileB, ""), "", schema.ErrNoDown,
			`down/20260102000000_b.sql is missing; write there what undoes the migration, then run "docket migrate hash"`},
		"file without statements": {without("down/"+fileB, "-- to be written"), "", nil,
			"down/20260102000000_b.sql: holds no statement"},
		"baseline": {aToC, "UPDATE atlas_schema_revisions SET type = 1, applied = 0, total = 0 WHERE version = '20260102000000';" +
			"DELETE FROM atlas_schema_revisions WHERE version < '20260102000000'", schema.ErrNoDown,
			`the last possible step is "docket migrate down --to 20260102000000"`},
		"half-applied": {aToC, "UPDATE atlas_schema_revisions SET applied = 0 WHERE version = '20260103000000'", schema.ErrUnfinished,
			`run "docket migrate apply"; after that it can be undone`},
		"edited": {aToC, "UPDATE atlas_schema_revisions SET hash = 'x'", schema.ErrEdited, "is not what was applied"},
		"ahead": {aToC, "INSERT INTO atlas_schema_revisions (version, description, executed_at, execution_time, hash, " +
			"operator_version) VALUES ('20270101000000', 'd', now(), 0, '', 'x')", schema.ErrAhead, "not known here"},
		"out of order": {aToC, "DELETE FROM atlas_schema_revisions WHERE version = '20260102000000'", schema.ErrOutOfOrder,
			`"docket migrate rebase 20260102000000_b.sql" puts it after the last one`},
		"foreign": {aToC, "DELETE FROM atlas_schema_revisions", schema.ErrForeign, "table a, table b, table c"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			m := b.migrator(t, hashed(t, test.files))
			_, err := m.Apply(t.Context())
			require.NoError(t, err)
			shown := schema.Preview{From: versionC, Files: []schema.PreviewFile{{Version: versionC}, {Version: versionB}}}
			if test.then != "" {
				b.exec(t, test.then)
			}
			before := contents(t, b, "atlas_schema_revisions")
			_, err = m.PreviewDown(t.Context(), 2)
			if test.want != nil {
				require.ErrorIs(t, err, test.want)
			}
			require.ErrorContains(t, err, test.says)
			_, err = m.Down(t.Context(), shown)
			require.ErrorContains(t, err, test.says)
			require.Equal(t, before, contents(t, b, "atlas_schema_revisions"))
			require.Equal(t, []string{"a", "atlas_schema_revisions", "b", "c"}, b.tables(t))
		})
	}
}
