package state_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"docket/internal/dbtest"
	"docket/internal/schema/state"
)

const viewSchema = `
CREATE EXTENSION pg_trgm;
CREATE TYPE mood AS ENUM ('good', 'bad');
CREATE TABLE t (id int, name text, mood mood, at timestamptz, gone int, CONSTRAINT t_pkey PRIMARY KEY (id));
CREATE FUNCTION shout(text) RETURNS text LANGUAGE sql AS 'SELECT upper($1)';
CREATE SCHEMA other;
CREATE TABLE other."Table" (id int);
CREATE VIEW z AS SELECT id, name COLLATE "C" AS name FROM t WHERE mood = 'good';
CREATE MATERIALIZED VIEW y WITH (fillfactor = 80) AS SELECT id, count(*) AS n FROM z GROUP BY id;
CREATE VIEW x WITH (security_barrier = true, security_invoker = true) AS
SELECT t.*, similarity(t.name, 'a') AS near FROM t JOIN y ON y.id = t.id GROUP BY t.id;
CREATE MATERIALIZED VIEW a AS
SELECT x.id, shout(x.name) AS name, ARRAY(SELECT count(*) FROM t) AS counts FROM x
WHERE x.mood = ANY ('{good}'::mood[]) WITH NO DATA;
CREATE VIEW abroad AS SELECT id FROM other."Table";
CREATE UNIQUE INDEX y_key ON y (id) NULLS NOT DISTINCT;
COMMENT ON MATERIALIZED VIEW y IS 'the y';
COMMENT ON COLUMN y.n IS 'the n';
COMMENT ON INDEX y_key IS 'its key';
CREATE TABLE refreshes (view_name text, seconds double precision);
INSERT INTO refreshes VALUES ('y', 1.5), ('a', NULL), ('gone', 3), ('x', 7);`

func TestViews(t *testing.T) {
	t.Parallel()
	db := open(t, dbtest.Empty(t))
	run(t, db, viewSchema)
	s := inspect(t, db)
	require.Nil(t, s.View("y").LastRefresh)
	require.NoError(t, state.ReadRefreshes(t.Context(), db, s, "refreshes"))
	var order []string
	for _, v := range s.Views {
		order = append(order, v.String())
	}
	require.Equal(t, []string{"view z", "materialized view y", "view x", "materialized view a", "view abroad"}, order)

	y := s.View("y")
	took := 1500 * time.Millisecond
	require.Equal(t, &state.View{
		Name: "y", Materialized: true, Populated: true, Owner: "docket", Comment: "the y", LastRefresh: &took,
		Definition: "SELECT z.id,\n    count(*) AS n\n   FROM z\n  GROUP BY z.id",
		Columns:    []state.ViewColumn{{Name: "id", Type: "integer"}, {Name: "n", Type: "bigint", Comment: "the n"}},
		Options:    []string{"fillfactor=80"},
		Grants:     []state.Grant{},
		Reads:      []state.Reference{{Relation: "z", Column: "id"}},
		Indexes: []*state.Index{{
			Name: "y_key", Definition: "CREATE UNIQUE INDEX y_key ON y USING btree (id) NULLS NOT DISTINCT",
			Shape: "CREATE UNIQUE INDEX ON y USING btree (id) NULLS NOT DISTINCT",
			Key:   []string{"id"}, Uses: []state.Reference{{Relation: "y", Column: "id"}},
			Comment: "its key", Unique: true, Valid: true, Concurrent: true, NullsNotDistinct: true,
		}},
	}, y)

	z := s.View("z")
	require.Equal(t, []state.ViewColumn{{Name: "id", Type: "integer"}, {Name: "name", Type: "text", Collation: `"C"`}}, z.Columns)
	require.Equal(t, []state.Reference{
		{Relation: "t", Column: "id"}, {Relation: "t", Column: "mood"}, {Relation: "t", Column: "name"},
	}, withoutTypes(z.Reads))
	require.Contains(t, z.Reads, state.Reference{Type: "mood"})
	require.False(t, z.Populated || z.Materialized)
	require.Nil(t, z.LastRefresh)

	x := s.View("x")
	require.Equal(t, []string{"security_barrier=true", "security_invoker=true"}, x.Options)
	require.Contains(t, x.Reads, state.Reference{Relation: "t", Constraint: "t_pkey"})
	require.Contains(t, x.Reads, state.Reference{Relation: "y", Column: "id"})
	require.Nil(t, x.LastRefresh, "a plain view is never refreshed")
	for _, ref := range x.Reads {
		require.Empty(t, ref.Function, "functions of extensions are left out")
	}

	a := s.View("a")
	require.False(t, a.Populated)
	require.Nil(t, a.LastRefresh)
	require.Contains(t, a.Reads, state.Reference{Function: "shout(text)"})
	require.Contains(t, a.Reads, state.Reference{Relation: "t"}, "count(*) reads no column")
	require.Contains(t, a.Reads, state.Reference{Type: "mood"})
	require.NotContains(t, a.Reads, state.Reference{Relation: "a"})

	require.Equal(t, []state.Reference{{Relation: `other."Table"`, Column: "id"}}, s.View("abroad").Reads)
	require.Nil(t, s.View("none"))
}

func withoutTypes(all []state.Reference) []state.Reference {
	var rest []state.Reference
	for _, ref := range all {
		if ref.Type == "" {
			rest = append(rest, ref)
		}
	}
	return rest
}

func TestGrants(t *testing.T) {
	t.Parallel()
	db := open(t, dbtest.Empty(t))
	run(t, db, `
CREATE TABLE t (id int, name text);
CREATE VIEW v AS SELECT id, name FROM t;
CREATE MATERIALIZED VIEW m AS SELECT id FROM t;
GRANT SELECT ON v TO PUBLIC;
GRANT SELECT, UPDATE ON v TO pg_monitor WITH GRANT OPTION;
GRANT INSERT (name), UPDATE (id) ON v TO pg_read_all_data;
GRANT SELECT ON m TO pg_monitor;
REVOKE INSERT ON v FROM docket;
GRANT SELECT ON v TO pg_read_all_data;
SET ROLE pg_monitor;
GRANT SELECT ON v TO pg_read_all_data WITH GRANT OPTION;
RESET ROLE;`)
	s := inspect(t, db)
	require.Equal(t, []state.Grant{
		{Privilege: "SELECT"},
		{Grantee: "pg_monitor", Privilege: "SELECT", WithGrantOption: true},
		{Grantee: "pg_monitor", Privilege: "UPDATE", WithGrantOption: true},
		{Grantee: "pg_read_all_data", Privilege: "SELECT", WithGrantOption: true}, // of two grantors
		{Grantee: "pg_read_all_data", Column: "id", Privilege: "UPDATE"},
		{Grantee: "pg_read_all_data", Column: "name", Privilege: "INSERT"},
	}, s.View("v").Grants)
	require.Equal(t, []state.Grant{{Grantee: "pg_monitor", Privilege: "SELECT"}}, s.View("m").Grants)
}

// PostgreSQL itself says which index REFRESH CONCURRENTLY can use.
func TestConcurrentIsWhatPostgresAccepts(t *testing.T) {
	t.Parallel()
	db := open(t, dbtest.Empty(t))
	run(t, db, "CREATE TABLE t (id int, name text); INSERT INTO t VALUES (1, 'a')")
	for _, index := range []string{
		"UNIQUE INDEX i ON m (id)", "UNIQUE INDEX i ON m (id, name)", "UNIQUE INDEX i ON m (id) INCLUDE (name)",
		"UNIQUE INDEX i ON m (id) NULLS NOT DISTINCT", "UNIQUE INDEX i ON m (name COLLATE \"C\" DESC)",
		"INDEX i ON m (id)", "UNIQUE INDEX i ON m (id) WHERE id > 0", "UNIQUE INDEX i ON m ((id + 1))",
		"UNIQUE INDEX i ON m (id, lower(name))",
		"UNIQUE INDEX i ON m (name text_pattern_ops)",
	} {
		run(t, db, "CREATE MATERIALIZED VIEW m AS SELECT id, name FROM t; CREATE "+index)
		m := inspect(t, db).View("m")
		_, err := db.ExecContext(t.Context(), "REFRESH MATERIALIZED VIEW CONCURRENTLY m")
		require.Equal(t, err == nil, m.Indexes[0].Concurrent, "%s: %v", index, err)
		require.Equal(t, strings.Contains(index, "UNIQUE"), m.Indexes[0].Unique)
		run(t, db, "DROP MATERIALIZED VIEW m")
	}
}

func TestInvalidIndex(t *testing.T) {
	t.Parallel()
	db := open(t, dbtest.Empty(t))
	run(t, db, "CREATE TABLE t (id int); INSERT INTO t VALUES (1), (1); CREATE MATERIALIZED VIEW m AS SELECT id FROM t")
	for _, on := range []string{"t", "m"} {
		_, err := db.ExecContext(t.Context(), "CREATE UNIQUE INDEX CONCURRENTLY "+on+"_id ON "+on+" (id)")
		require.ErrorContains(t, err, "could not create unique index")
	}
	s := inspect(t, db)
	require.False(t, s.View("m").Indexes[0].Valid)
	require.False(t, s.Table("t").Indexes[0].Valid)
}

// A table of that name may have another purpose, or not exist.
func TestRefreshesFromAnotherTable(t *testing.T) {
	t.Parallel()
	db := open(t, dbtest.Empty(t))
	run(t, db, `
CREATE TABLE refreshes (view_name text, seconds text);
CREATE MATERIALIZED VIEW m AS SELECT 1 AS one`)
	s := inspect(t, db)
	for _, table := range []string{"refreshes", "missing"} {
		require.NoError(t, state.ReadRefreshes(t.Context(), db, s, table))
		require.Nil(t, s.View("m").LastRefresh)
	}
}
