package state_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"docket/internal/dbtest"
	"docket/internal/schema/state"
)

const unmanagedBase = `
CREATE SCHEMA other;
CREATE TYPE mood AS ENUM ('good', 'bad');
CREATE TABLE t (id int NOT NULL, name text, mood mood, span int4range, CONSTRAINT t_pkey PRIMARY KEY (id));
CREATE TABLE u (id int);
CREATE VIEW v AS SELECT id, name FROM t;
CREATE MATERIALIZED VIEW m AS SELECT id, name FROM t;
CREATE FUNCTION trigger_function() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END';
CREATE FUNCTION event_function() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';`

var unmanagedBaseObjects = []string{"function event_function()", "function trigger_function()", "schema other"}

// unmanaged has, for each kind of object that is not managed, a statement that creates one, and the objects listed then.
var unmanaged = []struct {
	make string
	want []string
}{
	{"CREATE FUNCTION f(a mood) RETURNS int LANGUAGE sql AS 'SELECT 1'", []string{"function f(mood)"}},
	{`CREATE FUNCTION "my_public.f (public.x)"(a mood, b mood) RETURNS int LANGUAGE sql AS 'SELECT 1'`,
		[]string{`function "my_public.f (public.x)"(mood,mood)`}},
	{"CREATE PROCEDURE p() LANGUAGE sql AS 'SELECT 1'", []string{"procedure p()"}},
	{"CREATE AGGREGATE a(int) (SFUNC = int4pl, STYPE = int)", []string{"aggregate a(integer)"}},
	{"CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION trigger_function()", []string{"trigger g on t"}},
	{"CREATE CONSTRAINT TRIGGER g AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION trigger_function()", []string{"trigger g on t"}},
	{"CREATE EVENT TRIGGER g ON ddl_command_end EXECUTE FUNCTION event_function()", []string{"event trigger g"}},
	{"CREATE RULE r AS ON DELETE TO t DO INSTEAD NOTHING", []string{"rule r on t"}},
	{"CREATE RULE r AS ON DELETE TO v DO INSTEAD NOTHING", []string{"rule r on v"}},
	{"CREATE POLICY p ON t", []string{"policy p on t"}},
	{"ALTER TABLE t ENABLE ROW LEVEL SECURITY", []string{"row security of t"}},
	{"ALTER TABLE t FORCE ROW LEVEL SECURITY", []string{"row security of t"}},
	{"CREATE DOMAIN d AS int CHECK (value > 0)", []string{"domain d"}},
	{"CREATE TYPE c AS (a int, b text)", []string{"composite type c"}},
	{"CREATE TYPE r AS RANGE (subtype = float8)", []string{"range type r"}},
	{"CREATE TYPE e AS ENUM ()", []string{"enum without values e"}},
	{"CREATE SEQUENCE s", []string{"sequence s"}},
	{"CREATE SEQUENCE s; ALTER TABLE u ALTER id SET DEFAULT nextval('s')", []string{"sequence s"}},
	{"CREATE TABLE p (id int) PARTITION BY RANGE (id)", []string{"partitioned table p"}},
	{"CREATE TABLE p (id int) PARTITION BY RANGE (id); CREATE TABLE p1 PARTITION OF p DEFAULT",
		[]string{"inherited table or partition p1", "partitioned table p"}},
	{"CREATE TABLE c (x int) INHERITS (u)", []string{"inherited table or partition c"}},
	{"CREATE FOREIGN DATA WRAPPER w; CREATE SERVER s FOREIGN DATA WRAPPER w; CREATE FOREIGN TABLE f (id int) SERVER s",
		[]string{"foreign table f"}},
	{`CREATE COLLATION l FROM "C"`, []string{"collation l"}},
	{"CREATE CONVERSION v FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8", []string{"conversion v"}},
	{"CREATE TEXT SEARCH CONFIGURATION c (COPY = simple)", []string{"text search configuration c"}},
	{"CREATE TEXT SEARCH DICTIONARY d (TEMPLATE = simple)", []string{"text search dictionary d"}},
	{"CREATE OPERATOR === (LEFTARG = int, RIGHTARG = int, FUNCTION = int4eq)", []string{"operator ===(integer,integer)"}},
	{"CREATE OPERATOR FAMILY f USING btree", []string{"operator family f USING btree"}},
	{"CREATE OPERATOR CLASS c FOR TYPE int USING btree AS OPERATOR 1 <, FUNCTION 1 btint4cmp(int, int)",
		[]string{"operator class c USING btree", "operator family c USING btree"}},
	{"CREATE CAST (mood AS int) WITH INOUT", []string{"cast (mood AS integer)"}},
	{"CREATE STATISTICS s ON id, name FROM t", []string{"statistics object s"}},
	{"CREATE STATISTICS other.s ON id, name FROM t", []string{"statistics object other.s"}},
	{"CREATE PUBLICATION p FOR TABLE t", []string{"publication relation t in publication p"}},
	{"CREATE PUBLICATION p FOR ALL TABLES", []string{"publication of all tables p"}},
	{"CREATE PUBLICATION p FOR TABLES IN SCHEMA public", []string{"publication namespace public in publication p"}},
	{"ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC", []string{"default acl for role docket on tables"}},
	{"ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO PUBLIC",
		[]string{"default acl for role docket in schema public on tables"}},
	{"CREATE SCHEMA more", []string{"schema more"}},
	{"CREATE VIEW other.w AS SELECT id FROM t", []string{"view outside of public other.w"}},
	{"CREATE TABLE other.x (id int CONSTRAINT x_fkey REFERENCES t)", []string{"table constraint x_fkey on other.x"}},
	{"ALTER TABLE u ADD CONSTRAINT x FOREIGN KEY (id) REFERENCES t; ALTER TABLE t DISABLE TRIGGER ALL",
		[]string{"disabled foreign key x on u"}},
	{"CREATE TYPE c AS (a int); CREATE TABLE x OF c", []string{"composite type c", "table of a type x"}},
	{"ALTER TABLE t REPLICA IDENTITY FULL", []string{"replica identity of t"}},
	{"ALTER TABLE t CLUSTER ON t_pkey", []string{"clustering by t_pkey on t"}},
	{"ALTER TABLE t ALTER name SET STORAGE EXTERNAL", []string{"column storage t.name"}},
	{"ALTER TABLE t ALTER name SET COMPRESSION pglz", []string{"column compression t.name"}},
	{"ALTER TABLE t ALTER name SET STATISTICS 7", []string{"column statistics target t.name"}},
	{"ALTER MATERIALIZED VIEW m ALTER name SET STATISTICS 7", []string{"column statistics target m.name"}},
	{"ALTER TABLE t ALTER name SET (n_distinct = 7)", []string{"column options t.name"}},
	{"CREATE INDEX i ON t ((id + 1)); ALTER INDEX i ALTER 1 SET STATISTICS 7",
		[]string{"index statistics target of column 1 of i on t"}},
	{"ALTER VIEW v ALTER name SET DEFAULT 'x'", []string{"default of a view column v.name"}},
}

func TestEveryUnmanagedKindIsListed(t *testing.T) {
	t.Parallel()
	db := open(t, dbtest.Empty(t))
	db.SetMaxOpenConns(1)
	run(t, db, unmanagedBase)
	before := inspect(t, db)
	require.Equal(t, unmanagedBaseObjects, names(before.Unmanaged))
	for _, c := range unmanaged {
		tx, err := db.BeginTx(t.Context(), nil)
		require.NoError(t, err)
		_, err = tx.ExecContext(t.Context(), c.make)
		require.NoError(t, err, c.make)
		s, err := state.Inspect(t.Context(), tx, nil)
		require.NoError(t, err, c.make)
		require.ElementsMatch(t, append(c.want, unmanagedBaseObjects...), names(s.Unmanaged), c.make)
		require.NoError(t, tx.Rollback())
	}
}

func names(objects []state.Object) []string {
	all := make([]string, len(objects))
	for i, o := range objects {
		all[i] = fmt.Sprint(o)
	}
	return all
}

// managed has what looks unusual and is an ordinary part of a state.
var managed = []string{
	"CREATE UNLOGGED TABLE x (id serial)",
	"CREATE UNLOGGED SEQUENCE s OWNED BY t.id",
	"CREATE SEQUENCE s OWNED BY t.id",
	"CREATE SEQUENCE s OWNED BY u.id; ALTER TABLE u ALTER id SET DEFAULT nextval('s')",
	"ALTER TABLE u ADD x serial; ALTER TABLE u ALTER x DROP NOT NULL",
	"ALTER TABLE u ADD x serial; ALTER SEQUENCE u_x_seq RENAME TO odd",
	"ALTER TABLE t ADD CONSTRAINT x EXCLUDE USING gist (span WITH &&)",
	"ALTER TABLE t ADD CONSTRAINT x UNIQUE (name) DEFERRABLE",
	"ALTER TABLE u ADD CONSTRAINT x FOREIGN KEY (id) REFERENCES t DEFERRABLE INITIALLY DEFERRED",
	"ALTER TABLE t ADD CONSTRAINT x CHECK (id > 0) NOT VALID",
	"ALTER TABLE u ADD CONSTRAINT x FOREIGN KEY (id) REFERENCES t NOT VALID",
	"ALTER TABLE t ADD CONSTRAINT x CHECK (random() < 2)",
	"ALTER TABLE t ADD CONSTRAINT x CHECK (t IS NOT NULL)",
	"ALTER TABLE u ADD CONSTRAINT x FOREIGN KEY (id) REFERENCES t MATCH FULL",
	"ALTER TABLE u ADD CONSTRAINT x FOREIGN KEY (id) REFERENCES t ON DELETE SET NULL (id)",
	"CREATE INDEX x ON u USING brin (id) WITH (autosummarize = on)",
	`CREATE TABLE "a""b" (id int)`,
	`ALTER TABLE t ADD "a\b" int`,
	`CREATE TYPE "a""b" AS ENUM ('x')`,
}

func TestUnusualPartsAreManaged(t *testing.T) {
	t.Parallel()
	db := open(t, dbtest.Empty(t))
	db.SetMaxOpenConns(1)
	run(t, db, unmanagedBase)
	for _, text := range managed {
		tx, err := db.BeginTx(t.Context(), nil)
		require.NoError(t, err)
		_, err = tx.ExecContext(t.Context(), text)
		require.NoError(t, err, text)
		s, err := state.Inspect(t.Context(), tx, nil)
		require.NoError(t, err, text)
		require.Equal(t, unmanagedBaseObjects, names(s.Unmanaged), text)
		require.NoError(t, tx.Rollback())
	}
}

func TestTablespacesAreListed(t *testing.T) {
	t.Parallel()
	db := open(t, dbtest.Empty(t))
	db.SetMaxOpenConns(1)
	var space string // tablespaces are shared by the databases of a server
	require.NoError(t, db.QueryRowContext(t.Context(),
		"SELECT 'space_' || oid FROM pg_database WHERE datname = current_database()").Scan(&space))
	run(t, db, "SET allow_in_place_tablespaces = on")
	run(t, db, "CREATE TABLESPACE "+space+" LOCATION ''")
	defer func() {
		run(t, db, "DROP TABLE IF EXISTS t")
		run(t, db, "DROP TABLESPACE "+space)
	}()
	run(t, db, "CREATE TABLE t (id int) TABLESPACE "+space)
	run(t, db, "CREATE INDEX i ON t (id) TABLESPACE "+space)
	require.Equal(t, []string{"tablespace " + space + " of i on t", "tablespace " + space + " of t"},
		names(inspect(t, db).Unmanaged))
}

func TestUnsupportedNamesEachObjectAndWhatToDo(t *testing.T) {
	t.Parallel()
	db := open(t, dbtest.Empty(t))
	require.NoError(t, inspect(t, db).Unsupported())
	require.Error(t, inspect(t, db).Unsupported(state.Object{Kind: "rows", Name: "of t"}))
	run(t, db, unmanagedBase)
	err := inspect(t, db).Unsupported(state.Object{Kind: "rows", Name: "of t"})
	for _, object := range append([]string{"by hand", "rows of t"}, unmanagedBaseObjects...) {
		require.ErrorContains(t, err, object)
	}
}

// Objects that match a pattern, and what depends on them, are listed as excluded and not as unmanaged.
func TestExclude(t *testing.T) {
	t.Parallel()
	db := open(t, dbtest.Empty(t))
	run(t, db, unmanagedBase+`
CREATE TABLE atlas_schema_revisions (version text PRIMARY KEY);
CREATE TABLE foreign_writer (id serial PRIMARY KEY, mood mood);
CREATE TRIGGER g BEFORE INSERT ON foreign_writer FOR EACH ROW EXECUTE FUNCTION trigger_function();
CREATE TABLE mixed (id int, note text);
CREATE VIEW foreign_view AS SELECT id FROM t;
CREATE TYPE foreign_enum AS ENUM ('x');`)
	s := inspect(t, db, "foreign_*", "other", "mixed.note", "v[type=table]", "m[type=table|materialized]", "*_function")
	require.Equal(t, []string{
		"column mixed.note", "enum foreign_enum", "function event_function()", "function trigger_function()", "materialized view m",
		"schema other",
		"table foreign_writer", "view foreign_view",
	}, names(s.Excluded))
	require.Empty(t, s.Unmanaged)
	require.Empty(t, s.Sequences)
	var tables, views []string
	for _, table := range s.Details {
		tables = append(tables, table.Name)
	}
	for _, view := range s.Views {
		views = append(views, view.Name)
	}
	require.Equal(t, []string{"mixed", "t", "u"}, tables)
	require.Equal(t, []string{"v"}, views)
	require.Len(t, s.Table("mixed").Columns, 1)
	require.Len(t, s.Enums, 1)

	for _, bad := range []string{"[bad", "t.[bad", "public.t.id", ""} {
		_, err := state.Inspect(t.Context(), db, []string{bad})
		require.ErrorContains(t, err, fmt.Sprintf("pattern %q of exclude", bad))
	}
}

// Patterns for parts of tables work as in Atlas: a column is excluded with its constraints and indexes, and a selector limits
// a pattern to a kind of parts.
func TestExcludeParts(t *testing.T) {
	t.Parallel()
	db := open(t, dbtest.Empty(t))
	run(t, db, `
CREATE TABLE t (id int PRIMARY KEY, other int UNIQUE, note text, x serial, CONSTRAINT c CHECK (other > 0));
ALTER TABLE t ADD CONSTRAINT note_or CHECK (note <> '' OR id > 0), ADD CONSTRAINT f FOREIGN KEY (other) REFERENCES t;
CREATE INDEX note_expr ON t (lower(note));
CREATE INDEX plain ON t (id) WHERE id > 7;
CREATE TABLE "a.b" (id int, note text);`)
	for pattern, want := range map[string][]string{
		"t.note":             {"column t.note", "constraint note_or on t", "index note_expr on t"},
		"*.note":             {`column "a.b".note`, "column t.note", "constraint note_or on t", "index note_expr on t"},
		`"a.b".note`:         {`column "a.b".note`},
		`"a.b"`:              {"table a.b"},
		"t.*[type=index]":    {"constraint t_other_key on t", "index note_expr on t", "index plain on t"},
		"t.*[type=fk|check]": {"constraint c on t", "constraint f on t", "constraint note_or on t"},
		"t[type=view].note":  {},
		"t[type=table].f":    {"constraint f on t"},
		"t.x":                {"column t.x"},
		"t.id": {"column t.id", "constraint f on t", "constraint note_or on t", "constraint t_pkey on t",
			"index plain on t"},
		"t.note[type=index|check]": {},
		"t.t_pkey":                 {},
	} {
		s := inspect(t, db, pattern)
		require.Equal(t, want, names(s.Excluded), pattern)
		require.Equal(t, pattern != "t.x", s.Sequence("t", "x") != nil, pattern)
	}
}
