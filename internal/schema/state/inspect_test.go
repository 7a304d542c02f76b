package state_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"io/fs"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"

	"docket/internal/dbtest"
	"docket/internal/schema/state"
	sqlfiles "docket/sql"
)

// open connects to a database with public on the search path.
func open(t testing.TB, url string) *sql.DB {
	t.Helper()
	config, err := pgx.ParseConfig(url)
	require.NoError(t, err)
	config.RuntimeParams["search_path"] = "public"
	db := stdlib.OpenDB(*config)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}

func run(t testing.TB, db *sql.DB, text string) {
	t.Helper()
	_, err := db.ExecContext(t.Context(), text)
	require.NoError(t, err, text)
}

func inspect(t testing.TB, db *sql.DB, exclude ...string) *state.State {
	t.Helper()
	s, err := state.Inspect(t.Context(), db, exclude)
	require.NoError(t, err)
	return s
}

// files returns all files of sql/schema.
func files(t testing.TB) string {
	t.Helper()
	names, err := fs.Glob(sqlfiles.Schema, "*.sql")
	require.NoError(t, err)
	var text string
	for _, name := range names {
		content, err := fs.ReadFile(sqlfiles.Schema, name)
		require.NoError(t, err)
		text += string(content) + "\n"
	}
	return text
}

func TestInspectSchemaOfTheFiles(t *testing.T) {
	t.Parallel()
	db := open(t, dbtest.URL(t))
	s := inspect(t, db)
	require.Equal(t, []string{"pg_trgm", "pgcrypto"}, s.Extensions)
	require.NotEmpty(t, s.Details)
	require.Empty(t, s.Unmanaged)
	require.Empty(t, s.Excluded)
}

func TestSearchPathMustBePublic(t *testing.T) {
	t.Parallel()
	db := open(t, dbtest.Empty(t))
	db.SetMaxOpenConns(1)
	run(t, db, "CREATE SCHEMA other")
	for path, ok := range map[string]bool{
		"public": true, `"$user", public`: true, "public, nowhere": true, "''": false, "other": false, "public, other": false,
		"other, public": false,
	} {
		run(t, db, "SET search_path = "+path)
		_, err := state.Inspect(t.Context(), db, nil)
		_, factsErr := state.Facts(t.Context(), db)
		if ok {
			require.NoError(t, err, path)
			require.NoError(t, factsErr, path)
		} else {
			require.ErrorContains(t, err, "search_path", path)
			require.ErrorContains(t, factsErr, "search_path", path)
		}
	}
}

// The settings of a session determine how PostgreSQL prints constants. Two states must not differ by that.
func TestSettingsOfTheSessionDoNotMatter(t *testing.T) {
	t.Parallel()
	db := open(t, dbtest.Empty(t))
	db.SetMaxOpenConns(1)
	run(t, db, `
CREATE TABLE t (at timestamptz DEFAULT '2020-01-01 12:00+05', long interval DEFAULT '1 day 2 hours', bytes bytea DEFAULT '\x00ff',
    number float8 DEFAULT 0.1::float4, text text DEFAULT E'a\\b', CHECK (at > '2000-02-01 00:00+00'));
CREATE VIEW v AS SELECT at, date '2020-02-01' AS day FROM t WHERE at > '2020-01-01 12:00+05'`)
	before := inspect(t, db)
	facts, err := state.Facts(t.Context(), db)
	require.NoError(t, err)
	settings := map[string]string{
		"DateStyle": "German, DMY", "IntervalStyle": "iso_8601", "TimeZone": "Asia/Kolkata", "extra_float_digits": "-10",
		"bytea_output": "escape", "quote_all_identifiers": "on", "standard_conforming_strings": "off",
	}
	for name, value := range settings {
		run(t, db, "SET "+name+" = "+state.Literal(value))
	}
	require.Equal(t, before, inspect(t, db))
	again, err := state.Facts(t.Context(), db)
	require.NoError(t, err)
	require.Equal(t, facts, again)
	for name, value := range settings {
		var now string
		require.NoError(t, db.QueryRowContext(t.Context(), "SHOW "+name).Scan(&now))
		require.Equal(t, value, now, "the settings of the session are restored")
	}
}

// spy records the lock_timeout before each query.
type spy struct {
	*sql.Conn
	seen map[string]bool
}

func (s spy) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	var now string
	if err := s.QueryRowContext(ctx, "SHOW lock_timeout").Scan(&now); err != nil {
		return nil, err
	}
	s.seen[now] = true
	return s.Conn.QueryContext(ctx, query, args...)
}

// A migration that runs for hours must not make an inspection wait for hours.
func TestInspectLimitsItsWaitForLocks(t *testing.T) {
	t.Parallel()
	url := dbtest.Empty(t)
	db := open(t, url)
	run(t, db, "CREATE TABLE t (id int)")
	conn, err := db.Conn(t.Context())
	require.NoError(t, err)
	defer func() { require.NoError(t, conn.Close()) }()
	s := spy{conn, map[string]bool{}}
	_, err = state.Inspect(t.Context(), s, nil)
	require.NoError(t, err)
	require.Equal(t, map[string]bool{"0": true, "30s": true}, s.seen, "0 before the settings are fixed")
	var after string
	require.NoError(t, conn.QueryRowContext(t.Context(), "SHOW lock_timeout").Scan(&after))
	require.Equal(t, "0", after)

	tx, err := open(t, url).BeginTx(t.Context(), nil)
	require.NoError(t, err)
	defer func() { require.NoError(t, tx.Rollback()) }()
	_, err = tx.ExecContext(t.Context(), "LOCK TABLE t")
	require.NoError(t, err)
	_, err = conn.ExecContext(t.Context(), "SET lock_timeout = '1ms'")
	require.NoError(t, err)
	_, err = state.Inspect(t.Context(), conn, nil)
	require.ErrorContains(t, err, "another transaction, perhaps a migration, holds a lock")
}

// In a transaction, Inspect sees the transaction's changes. After an error the caller still has to roll back.
func TestInspectInTransaction(t *testing.T) {
	t.Parallel()
	db := open(t, dbtest.Empty(t))
	tx, err := db.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	defer func() { require.NoError(t, tx.Rollback()) }()
	_, err = tx.ExecContext(t.Context(), "CREATE TABLE t (id int)")
	require.NoError(t, err)
	s, err := state.Inspect(t.Context(), tx, nil)
	require.NoError(t, err)
	require.NotNil(t, s.Table("t"))
	_, err = tx.ExecContext(t.Context(), "SELECT 1 / 0")
	require.Error(t, err)
	_, err = state.Inspect(t.Context(), tx, nil)
	require.ErrorContains(t, err, "25P02", "the transaction is aborted")
}

// Only its owner sees the defaults of a table. An error is better than an incomplete state.
func TestTablesOfAnotherRoleAreRefused(t *testing.T) {
	t.Parallel()
	db := open(t, dbtest.Empty(t))
	run(t, db, "CREATE TABLE t (id int DEFAULT 5); CREATE TABLE u (id int); ALTER TABLE u OWNER TO pg_monitor")
	tx, err := db.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	defer func() { require.NoError(t, tx.Rollback()) }()
	_, err = tx.ExecContext(t.Context(), "GRANT SELECT ON t TO pg_monitor; SET LOCAL ROLE pg_monitor")
	require.NoError(t, err)
	_, err = state.Inspect(t.Context(), tx, nil)
	require.ErrorContains(t, err, "table t belongs to role docket")
	s, err := state.Inspect(t.Context(), tx, []string{"t"})
	require.NoError(t, err, "an excluded table may belong to any role")
	require.NotNil(t, s.Table("u"))
}

func TestSequences(t *testing.T) {
	t.Parallel()
	db := open(t, dbtest.Empty(t))
	run(t, db, `
CREATE TABLE t (a serial, c serial,
    b bigint GENERATED ALWAYS AS IDENTITY (START WITH 7 INCREMENT BY 2 MINVALUE 3 MAXVALUE 99 CACHE 4 CYCLE));
ALTER TABLE t ALTER c TYPE bigint;
COMMENT ON SEQUENCE t_a_seq IS 'numbers'`)
	s := inspect(t, db)
	require.Equal(t, []state.Sequence{
		{Name: "t_a_seq", Table: "t", Column: "a", Type: "integer", Start: 1, Increment: 1, Min: 1, Max: 2147483647, Cache: 1,
			Owner: "docket", Comment: "numbers"},
		{Name: "t_b_seq", Table: "t", Column: "b", Identity: true, Type: "bigint",
			Start: 7, Increment: 2, Min: 3, Max: 99, Cache: 4, Cycle: true, Owner: "docket"},
		{Name: "t_c_seq", Table: "t", Column: "c", Type: "integer", Start: 1, Increment: 1, Min: 1, Max: 2147483647, Cache: 1,
			Owner: "docket"},
	}, s.Sequences)
	require.Empty(t, s.Unmanaged)
}

func TestParametersAndEstimates(t *testing.T) {
	t.Parallel()
	db := open(t, dbtest.Empty(t))
	run(t, db, `
CREATE TABLE t (id int, name text, CONSTRAINT t_pkey PRIMARY KEY (id) WITH (fillfactor = 60))
WITH (fillfactor = 70, autovacuum_enabled = false, toast.autovacuum_enabled = false);
CREATE INDEX i ON t (name) WITH (deduplicate_items = off);
CREATE TABLE bare (id int);
CREATE VIEW v AS SELECT id FROM t;
CREATE MATERIALIZED VIEW m AS SELECT id FROM t;
INSERT INTO t SELECT n, n FROM generate_series(1, 1000) AS n`)
	run(t, db, "ANALYZE t")
	s := inspect(t, db)
	table := s.Table("t")
	require.Equal(t, []string{"autovacuum_enabled=false", "fillfactor=70", "toast.autovacuum_enabled=false"}, table.Options)
	require.Equal(t, []string{"fillfactor=60"}, table.Constraints[0].Options)
	require.Equal(t, []string{"deduplicate_items=off"}, table.Indexes[0].Options)
	require.Len(t, s.Estimates, 3)
	require.Equal(t, int64(1000), s.Estimates["t"].Rows)
	require.Greater(t, s.Estimates["t"].Bytes, int64(1000*8))
	require.Equal(t, int64(-1), s.Estimates["bare"].Rows)
	require.Contains(t, s.Estimates, "m")
}

// Programs read the JSON: empty lists are [], and the names of the fields must not change.
func TestJSON(t *testing.T) {
	t.Parallel()
	db := open(t, dbtest.Empty(t))
	empty := inspect(t, db)
	empty.Database, empty.Role = "", ""
	text, err := json.Marshal(empty)
	require.NoError(t, err)
	require.JSONEq(t, `{"postgres_major": 15, "database": "", "role": "", "default_grants": [], "extensions": [], "enums": [],
		"tables": [], "sequences": [], "views": [], "estimates": {}, "unmanaged": [],
		"excluded": []}`, string(text))
	run(t, db, `
CREATE TYPE mood AS ENUM ('good');
CREATE TABLE t (id int DEFAULT 1, mood mood NOT NULL, CONSTRAINT t_pkey PRIMARY KEY (id));
CREATE INDEX t_mood ON t (mood);`)
	text, err = json.Marshal(inspect(t, db))
	require.NoError(t, err)
	var got map[string]any
	require.NoError(t, json.Unmarshal(text, &got))
	require.JSONEq(t, `[{"name": "mood", "values": ["good"]}]`, marshal(t, got["enums"]))
	require.JSONEq(t, `[{"name": "t", "owner": "docket",
		"columns": [{"name": "id", "type": "integer", "not_null": true, "default": "1"},
			{"name": "mood", "type": "mood", "not_null": true, "enum": "mood"}],
		"constraints": [{"name": "t_pkey", "kind": "primary key", "definition": "PRIMARY KEY (id)", "columns": ["id"],
			"uses": [{"relation": "t", "column": "id"}], "validated": true}],
		"indexes": [{"name": "t_mood", "definition": "CREATE INDEX t_mood ON t USING btree (mood)", "key": ["mood"],
			"uses": [{"relation": "t", "column": "mood"}], "unique": false, "valid": true, "concurrent": false}]}]`,
		marshal(t, got["tables"]))
}

func marshal(t *testing.T, value any) string {
	t.Helper()
	text, err := json.Marshal(value)
	require.NoError(t, err)
	return string(text)
}

func TestIdentQuotesAsPostgresDoes(t *testing.T) {
	t.Parallel()
	db := open(t, dbtest.Empty(t))
	conn, err := db.Conn(t.Context())
	require.NoError(t, err)
	defer func() { require.NoError(t, conn.Close()) }()
	rows, err := conn.QueryContext(t.Context(), `
SELECT word, quote_ident(word) FROM pg_get_keywords()
UNION ALL SELECT name, quote_ident(name)
FROM unnest(ARRAY['urls', 'Urls', 'a b', 'a"b', '1a', 'a1', '_a', 'ä', 'a$', 'a.b', 'a-b']) AS name`)
	require.NoError(t, err)
	defer func() { require.NoError(t, rows.Close()) }()
	later := " json json_array json_arrayagg json_exists json_object json_objectagg json_query json_scalar json_serialize" +
		" json_table json_value merge_action system_user "
	for rows.Next() {
		var name, quoted string
		require.NoError(t, rows.Scan(&name, &quoted))
		if !strings.Contains(later, " "+name+" ") {
			require.Equal(t, quoted, state.Ident(name))
		}
	}
	require.NoError(t, rows.Err())
}

func TestLiteralPreservesTheText(t *testing.T) {
	t.Parallel()
	db := open(t, dbtest.Empty(t))
	for _, setting := range []string{"on", "off"} {
		tx, err := db.BeginTx(t.Context(), nil)
		require.NoError(t, err)
		_, err = tx.ExecContext(t.Context(), "SET LOCAL standard_conforming_strings = "+setting)
		require.NoError(t, err)
		for _, text := range []string{"", "a", "it's", `'quoted'`, `back\slash`, `\'`, "two\nlines", "ü", `\\n`} {
			var got string
			require.NoError(t, tx.QueryRowContext(context.Background(), "SELECT "+state.Literal(text)).Scan(&got), text)
			require.Equal(t, text, got)
		}
		require.NoError(t, tx.Rollback())
	}
}

func BenchmarkFacts(b *testing.B) {
	db := open(b, dbtest.URL(b))
	for b.Loop() {
		_, err := state.Facts(b.Context(), db)
		require.NoError(b, err)
	}
}

func BenchmarkInspect(b *testing.B) {
	db := open(b, dbtest.URL(b))
	for b.Loop() {
		inspect(b, db)
	}
}

// What uses an enum is found by its dependencies, in arrays and under odd names as well. Parts of managed tables do not count.
func TestEnumUsers(t *testing.T) {
	t.Parallel()
	db := open(t, dbtest.Empty(t))
	run(t, db, `
CREATE TYPE "m (ood" AS ENUM ('a', 'b');
CREATE TYPE unused AS ENUM ('a');
CREATE TABLE "t'" (id int, m "m (ood"[] DEFAULT '{a}', CONSTRAINT c CHECK ('a'::"m (ood" = ANY (m)));
CREATE INDEX t_i ON "t'" (id) WHERE m[1] = 'a';
CREATE STATISTICS t_s ON id, (m[1] = 'b'::"m (ood") FROM "t'";
CREATE VIEW v AS SELECT id, 'a'::"m (ood" AS constant FROM "t'";
CREATE RULE r AS ON INSERT TO "t'" WHERE new.m[1] = 'a'::"m (ood" DO ALSO NOTHING;
CREATE FUNCTION tf() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END';
CREATE TRIGGER g BEFORE INSERT ON "t'" FOR EACH ROW WHEN (new.m[1] = 'a'::"m (ood") EXECUTE FUNCTION tf();
CREATE FUNCTION f("m (ood"[]) RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE TABLE ex (m "m (ood");
CREATE CAST ("m (ood" AS json) WITH INOUT;`)
	s := inspect(t, db, "ex")
	users := map[string]string{}
	for _, d := range s.Dependents {
		if d.Needs.Type != "" {
			require.Equal(t, "m (ood", d.Needs.Type)
			users[d.String()] = d.On
		}
	}
	require.Equal(t, map[string]string{
		`cast ("m (ood" AS pg_catalog.json)`: "", `function f("m (ood"[])`: "", "rule r on \"t'\"": "t'", "statistics object t_s": "t'",
		"table column ex.m": "", "trigger g on \"t'\"": "t'",
	}, users)
}
