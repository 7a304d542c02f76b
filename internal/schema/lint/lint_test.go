package lint

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"ariga.io/atlas/sql/migrate"
	"github.com/stretchr/testify/require"

	"docket/internal/dbtest"
	"docket/internal/schema/scratch"
)

const (
	first  = "20260101000000_first.sql"
	second = "20260102000000_second.sql"
	third  = "20260103000000_third.sql"
)

// directory returns migrations with their checksums. Files whose names begin with down/ have their checksums there.
func directory(t *testing.T, files map[string]string) fstest.MapFS {
	t.Helper()
	dir := fstest.MapFS{}
	sums := map[string]*migrate.MemDir{}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		dir[name] = &fstest.MapFile{Data: []byte(files[name])}
		folder, base := "", name
		if rest, down := strings.CutPrefix(name, "down/"); down {
			folder, base = "down/", rest
		}
		if sums[folder] == nil {
			sums[folder] = &migrate.MemDir{}
		}
		require.NoError(t, sums[folder].WriteFile(base, []byte(files[name])))
	}
	for folder, mem := range sums {
		sum, err := mem.Checksum()
		require.NoError(t, err)
		text, err := sum.MarshalText()
		require.NoError(t, err)
		dir[folder+migrate.HashFileName] = &fstest.MapFile{Data: text}
	}
	return dir
}

func server(t *testing.T) *scratch.Server {
	t.Helper()
	s, err := scratch.Open(t.Context(), dbtest.Empty(t))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// check runs the checks, on a scratch server of the test unless the options name one.
func check(t *testing.T, opts Options) *Report {
	t.Helper()
	opts.Server = cmp.Or(opts.Server, server(t))
	report, err := Run(t.Context(), opts)
	require.NoError(t, err)
	return report
}

// brief returns findings as "file:line code severity", without the finding that the down file is missing: few tests have one.
func brief(report *Report) []string {
	lines := []string{}
	for _, f := range report.Findings {
		if f.Code != codeNoDown {
			lines = append(lines, fmt.Sprintf("%s:%d %s %s", f.File, f.Line, f.Code, f.Severity))
		}
	}
	return lines
}

// inFile returns the findings "line code severity, …" with the file before each.
func inFile(file, findings string) []string {
	lines := []string{}
	for finding := range strings.SplitSeq(findings, ", ") {
		if finding != "" {
			lines = append(lines, file+":"+finding)
		}
	}
	return lines
}

const before = `CREATE TYPE mood AS ENUM ('good', 'bad');
CREATE TABLE parent (id int, CONSTRAINT parent_pkey PRIMARY KEY (id));
CREATE TABLE child (
    id int, parent_id int, name varchar(10), note text NOT NULL, mood mood,
    CONSTRAINT child_pkey PRIMARY KEY (id),
    CONSTRAINT child_parent_id_fkey FOREIGN KEY (parent_id) REFERENCES parent (id),
    CONSTRAINT child_mood_check CHECK (mood IS NOT NULL)
);
CREATE INDEX child_name_idx ON child (name);
CREATE VIEW names AS SELECT id, name FROM child;
CREATE MATERIALIZED VIEW families AS SELECT parent_id, count(*) AS n FROM child GROUP BY parent_id;
CREATE UNIQUE INDEX families_parent_id_key ON families (parent_id);
`

// Each case is a migration that follows the one above.
func TestChecks(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		sql  string
		want string // "line code severity, …"
		text string // part of the first finding
		hint string // part of its suggestion
	}{
		// Tables, as Atlas's analyzers see them.
		{name: "no finding", sql: "ALTER TABLE child ADD COLUMN more int;\nCOMMENT ON TABLE child IS 'x';"},
		{name: "drop table", sql: "-- Why not.\n\nDROP MATERIALIZED VIEW families;\nDROP VIEW names;\nDROP TABLE child;",
			want: "3 DK205 warning, 4 DK205 warning, 5 DS102 error", text: `Dropping materialized view "families"`},
		{name: "drop column", sql: "SELECT 1;\n-- A comment\n-- of two lines.\nALTER TABLE child\n    DROP COLUMN note;",
			want: "4 DS103 error", text: `"note"`, hint: "atlas:nolint destructive"},
		{name: "drop column and add it again", sql: "ALTER TABLE child DROP COLUMN note, ADD COLUMN note text;", want: "1 DS103 error"},
		{name: "drop column and compute it", want: "1 DK303 warning, 1 DS103 error", text: "Rewriting",
			sql: "ALTER TABLE child DROP COLUMN note, ADD COLUMN note text GENERATED ALWAYS AS (name || 'x') STORED;"},
		{name: "compute a column otherwise",
			sql: "ALTER TABLE child ADD COLUMN n int GENERATED ALWAYS AS (id + 1) STORED;\n" +
				"ALTER TABLE child DROP COLUMN n, ADD COLUMN n int GENERATED ALWAYS AS (id + 2) STORED;\nALTER TABLE child DROP COLUMN n;",
			want: "1 DK303 warning, 2 DK303 warning"},
		{name: "drop table and make it again", sql: "DO $$ BEGIN DROP MATERIALIZED VIEW families; DROP VIEW names; DROP TABLE child; " +
			"CREATE TABLE child (id int, parent_id int, name text, note text, mood mood); END $$;",
			want: "1 DK205 warning, 1 DK205 warning, 1 DS102 error"},
		{name: "drop what the file made",
			sql: "CREATE TABLE t (id int);\nALTER TABLE t ADD COLUMN a int;\nALTER TABLE t DROP COLUMN a;\nDROP TABLE t;"},
		{name: "empty a table", sql: "SELECT 1;\nTRUNCATE child;", want: "2 DK304 error", text: `Emptying table "child"`},
		{name: "empty a table row by row", sql: "DELETE FROM ONLY public.child AS c;\nDELETE FROM parent WHERE id = 1;\n" +
			"CREATE TABLE t (id int);\nDELETE FROM t;", want: "1 DK304 error", text: `Emptying table "child"`},
		{name: "empty a table that was written anew", sql: "ALTER TABLE child ADD x int DEFAULT random();\nTRUNCATE child;",
			want: "1 DK303 warning, 2 DK304 error"},
		{name: "rename column", sql: "ALTER TABLE child RENAME COLUMN note TO remark;",
			want: "1 BC102 warning", text: `"note" to "remark"`},
		{name: "rename an indexed column", sql: "ALTER TABLE child RENAME name TO title;",
			want: "1 BC102 warning", text: `"name" to "title"`},
		{name: "rename a column and drop another",
			sql:  "ALTER TABLE child RENAME note TO remark;\nALTER TABLE child DROP COLUMN mood;",
			want: "1 BC102 warning, 2 DS103 error"},
		{name: "rename table", sql: "ALTER TABLE child RENAME TO kid;", want: "1 BC101 warning", text: `"child" to "kid"`},
		{name: "rename table with a view in its place",
			sql: "ALTER TABLE child RENAME TO kid;\nCREATE VIEW child AS SELECT * FROM kid;"},
		{name: "rename a foreign key", sql: "ALTER TABLE child RENAME CONSTRAINT child_parent_id_fkey TO child_parent_fkey;"},
		{name: "drop a foreign key", sql: "ALTER TABLE child DROP CONSTRAINT child_parent_id_fkey;", want: "1 CD101 warning"},
		{name: "unique on old columns", sql: "CREATE UNIQUE INDEX child_note_key ON child (note);",
			want: "1 DK301 warning, 1 MF101 warning", hint: "CREATE INDEX CONCURRENTLY"},
		{name: "not null without default", sql: "ALTER TABLE child ADD COLUMN more int NOT NULL;", want: "1 MF103 warning"},
		{name: "not null but filled", sql: "ALTER TABLE child ADD a int NOT NULL DEFAULT 1;\n" +
			"ALTER TABLE child ADD b int NOT NULL GENERATED ALWAYS AS (id + 1) STORED;\nALTER TABLE child ADD c serial;\n" +
			"ALTER TABLE child ADD d int GENERATED ALWAYS AS IDENTITY;", want: "2 DK303 warning, 3 DK303 warning, 4 DK303 warning"},
		{name: "nulls out", sql: "ALTER TABLE child ALTER COLUMN name SET NOT NULL;", want: "1 MF104 warning", hint: "UPDATE"},
		{name: "nulls out after filling them",
			sql: "UPDATE child SET name = '' WHERE name IS NULL;\nALTER TABLE child ALTER COLUMN name SET NOT NULL;"},
		{name: "nulls out after filling some",
			sql:  "UPDATE child SET name = '' WHERE id = 1;\nALTER TABLE child ALTER COLUMN name SET NOT NULL;",
			want: "2 MF104 warning"},
		{name: "nulls out after filling something else",
			sql:  "UPDATE child SET note = '' WHERE name IS NULL;\nALTER TABLE child ALTER COLUMN name SET NOT NULL;",
			want: "2 MF104 warning"},
		{name: "nulls that a check has kept out", sql: "ALTER TABLE child ALTER COLUMN mood SET NOT NULL;"},

		// Views.
		{name: "materialized view without index",
			sql:  "SELECT 1;\nCREATE MATERIALIZED VIEW m AS SELECT id FROM child;\nCREATE INDEX m_idx ON m (id);",
			want: "2 DK201 error", text: `materialized view "m"`, hint: "unique index"},
		{name: "with a partial one",
			sql:  "CREATE MATERIALIZED VIEW m AS SELECT id FROM child;\nCREATE UNIQUE INDEX m_key ON m (id) WHERE id > 0;",
			want: "1 DK201 error"},
		{name: "with one of an expression",
			sql:  "CREATE MATERIALIZED VIEW m AS SELECT id FROM child;\nCREATE UNIQUE INDEX m_key ON m ((id + 1));",
			want: "1 DK201 error"},
		{name: "with a good one", sql: "CREATE MATERIALIZED VIEW m AS SELECT id FROM child;\nCREATE UNIQUE INDEX m_key ON m (id);"},
		{name: "index dropped", sql: "SELECT 1;\nDROP INDEX families_parent_id_key;\nSELECT 2;",
			want: "2 DK201 error", text: `"families"`},
		{name: "index replaced", sql: "CREATE UNIQUE INDEX new ON families (n, parent_id);\nDROP INDEX families_parent_id_key;\n" +
			"ALTER INDEX new RENAME TO families_parent_id_key;"},
		{name: "rebuilt",
			sql: "DROP MATERIALIZED VIEW families;\nCREATE MATERIALIZED VIEW families AS SELECT parent_id FROM child;\n" +
				"CREATE UNIQUE INDEX families_key ON families (parent_id);",
			want: "1 DK202 warning, 1 DK204 warning", text: "wait from here"},
		{name: "rebuilt outside a transaction", sql: "-- atlas:txmode none\n\nSELECT 1;\nDROP MATERIALIZED VIEW families;\n" +
			"CREATE MATERIALIZED VIEW families AS SELECT parent_id FROM child;\nCREATE UNIQUE INDEX families_key ON families (parent_id);",
			want: "4 DK202 warning, 4 DK204 warning", text: "fails from here"},
		{name: "left empty",
			sql:  "CREATE MATERIALIZED VIEW m AS SELECT id FROM child WITH NO DATA;\nCREATE UNIQUE INDEX m_key ON m (id);",
			want: "1 DK203 warning", text: "unfilled"},
		{name: "emptied", sql: "SELECT 1;\nREFRESH MATERIALIZED VIEW families WITH NO DATA;\nSELECT 2;", want: "2 DK203 warning"},
		{name: "filled at last",
			sql: "CREATE MATERIALIZED VIEW m AS SELECT id FROM child WITH NO DATA;\nCREATE UNIQUE INDEX m_key ON m (id);\n" +
				"REFRESH MATERIALIZED VIEW m;\nREFRESH MATERIALIZED VIEW CONCURRENTLY m;"},
		{name: "view replaced", sql: "CREATE OR REPLACE VIEW names AS SELECT id, name, note FROM child;"},
		{name: "view dropped and created", sql: "DROP VIEW names;\nCREATE VIEW names AS SELECT name FROM child;",
			want: "1 DK204 warning", text: "loses the grants", hint: "relacl"},
		{name: "with grants saved",
			sql: saveGrants + "DROP VIEW names;\nCREATE VIEW names AS SELECT name FROM child;\n" + restoreGrants},
		{name: "view becomes materialized", sql: "DROP VIEW names;\nCREATE MATERIALIZED VIEW names AS SELECT id FROM child;\n" +
			"CREATE UNIQUE INDEX names_key ON names (id);", want: "1 DK202 warning, 1 DK204 warning"},
		{name: "view renamed", sql: "SELECT 1;\nALTER VIEW names RENAME TO titles;",
			want: "2 DK205 warning", text: `"names" to "titles"`},

		// Locks.
		{name: "index", sql: "SELECT 1;\n\nCREATE INDEX child_note_idx ON child (note);",
			want: "3 DK301 warning", text: `table "child"`},
		{name: "odd names and comments", sql: "-- drop index\n/* delete */ DELETE FROM \"public\".\"child\";\n" +
			"/* x */ CREATE INDEX /* concurrently */ \"concurrently\" ON child (note);\nDROP /* */ INDEX \"concurrently\";\n" +
			"COMMENT ON TABLE child IS 'TRUNCATE child';\nWITH x AS (DELETE FROM parent RETURNING id) SELECT * FROM x;\n" +
			"ALTER TABLE child ADD CONSTRAINT \"drop index\" CHECK (note <> 'x') NOT VALID;",
			want: "2 DK304 error, 3 DK301 warning, 6 DK304 error"},
		{name: "index of a new table", sql: "CREATE TABLE t (id int);\nCREATE INDEX t_idx ON t (id);\nDROP INDEX t_idx;"},
		{name: "concurrently", sql: "-- atlas:txmode none\n\nCREATE INDEX CONCURRENTLY child_note_idx ON child (note);\n" +
			"DROP INDEX CONCURRENTLY child_name_idx;"},
		{name: "concurrently in a transaction", sql: "SELECT 1;\nCREATE INDEX CONCURRENTLY child_note_idx ON child (note);\n" +
			"drop index\n  concurrently child_name_idx;\nALTER TABLE child DROP COLUMN note;",
			want: "2 DK102 error, 3 DK102 error, 5 DS103 error", hint: "txmode none"},
		{name: "drop index", sql: "DROP INDEX child_name_idx;", want: "1 DK302 warning", hint: "DROP INDEX CONCURRENTLY"},
		{name: "index created and dropped", sql: "CREATE INDEX x ON child (note);\nDROP INDEX x;", want: "1 DK301 warning"},
		{name: "unique constraint", sql: "ALTER TABLE child ADD CONSTRAINT child_note_key UNIQUE (note);",
			want: "1 DK301 warning, 1 MF101 warning", hint: "USING INDEX"},
		{name: "drop a constraint's index", sql: "ALTER TABLE child DROP CONSTRAINT child_pkey;"},
		{name: "rewritten", sql: "SELECT 1;\nALTER TABLE parent ALTER COLUMN id TYPE bigint;",
			want: "2 DK303 warning", text: `"parent"`},
		{name: "unlogged",
			sql:  "SELECT 1;\nCREATE UNLOGGED TABLE t (id serial);\nALTER TABLE child SET UNLOGGED;\nALTER TABLE t SET LOGGED;",
			want: "3 DK303 warning, 3 DK306 warning", text: `table "child"`},
		{name: "logged again", sql: "ALTER TABLE child SET UNLOGGED;\nALTER TABLE child SET LOGGED;",
			want: "1 DK303 warning, 1 DK306 warning, 2 DK303 warning"},
		{name: "rewritten with a new index", sql: "ALTER TABLE child ADD COLUMN number serial UNIQUE;", want: "1 DK303 warning"},
		{name: "type that needs no rewriting", sql: "DROP VIEW names;\nALTER TABLE child ALTER COLUMN name TYPE text;",
			want: "1 DK205 warning"},

		{name: "foreign key", sql: "ALTER TABLE child ADD CONSTRAINT x FOREIGN KEY (id) REFERENCES parent;",
			want: "1 DK305 warning", text: `writers of tables "child" and "parent"`, hint: "NOT VALID"},
		{name: "foreign key of a new column", sql: "ALTER TABLE child ADD COLUMN aunt int REFERENCES parent;"},
		{name: "check", sql: "ALTER TABLE child ADD CONSTRAINT x CHECK (id > 0);", want: "1 DK305 warning",
			text: `readers and writers of table "child"`},
		{name: "check of a new column", sql: "ALTER TABLE child ADD COLUMN age int CHECK (age > 0);", want: "1 DK305 warning"},
		{name: "constraints that block no session", sql: "-- atlas:txmode none\n\n" +
			"ALTER TABLE child ADD CONSTRAINT x CHECK (id > 0) NOT VALID;\nALTER TABLE child VALIDATE CONSTRAINT x;\nALTER TABLE child RENAME CONSTRAINT x TO y;\n" +
			"CREATE TABLE t (id int CHECK (id > 0) REFERENCES parent);"},
		{name: "constraint validated under its own lock", sql: "ALTER TABLE child ADD CONSTRAINT x CHECK (id > 0) NOT VALID;\n" +
			"ALTER TABLE child VALIDATE CONSTRAINT x;", want: "2 DK305 warning"},
		{name: "constraint made again for a type", sql: "ALTER TABLE parent ADD COLUMN x varchar(3) CHECK (x <> '');\n" +
			"ALTER TABLE parent ALTER COLUMN x TYPE varchar(4);", want: "1 DK305 warning"},
		{name: "exclusion constraint", sql: "ALTER TABLE child ADD CONSTRAINT x EXCLUDE (id WITH =);", want: "1 DK301 warning",
			hint: "when readers and writers can wait"},
		{name: "exclusion constraint dropped", sql: "CREATE TABLE t (id int, EXCLUDE (id WITH =));\n" +
			"ALTER TABLE child ADD COLUMN x int;\nALTER TABLE t DROP CONSTRAINT t_id_excl;"},
		{name: "storage parameter that Atlas cannot read", sql: "-- atlas:txmode none\n\n" +
			"CREATE INDEX CONCURRENTLY x ON child USING brin (id) WITH (autosummarize = ON);\n" +
			"ALTER TABLE child ADD COLUMN x int;"},

		// Statements that fail.
		{name: "syntax", sql: "SELECT 1;\nCREATE TABLE t (\n    id int,\n    name strange\n);",
			want: "4 DK101 error", text: `"strange" does not exist`},
		{name: "enum value used at once", sql: "ALTER TYPE mood ADD VALUE 'ugly';\nUPDATE child SET mood = 'ugly';",
			want: "2 DK101 error", text: "55P04", hint: "file of its own"},
		{name: "enum value used at once, in comments and names", sql: "/* a */ ALTER TYPE mood ADD VALUE 'ugly';\n" +
			"COMMENT ON TYPE mood IS 'ugly::mood'; ALTER TABLE child RENAME note TO mood_ugly;", want: "2 BC102 warning"},
		{name: "enum value in rows", sql: "ALTER TYPE mood ADD VALUE 'ugly';\nALTER TABLE child ALTER COLUMN note TYPE mood USING note::mood;",
			want: "2 DK103 error, 2 DK303 warning", text: `adds 'ugly' to enum "mood"`, hint: "file of its own"},
		{name: "enum value in rows, by hand", sql: "ALTER TYPE mood ADD VALUE 'ug''ly';\nUPDATE child SET mood = note::public.mood;\n" +
			"INSERT INTO child (id, mood) SELECT id, CAST(name AS mood) FROM child;\n" +
			"DO $$ BEGIN IF EXISTS (SELECT FROM child) THEN UPDATE child SET mood = 'ug''ly'; END IF; END $$;\nUPDATE child SET mood = 'good';",
			want: "2 DK103 error, 3 DK103 error, 4 DK103 error", text: "'ug''ly'"},
		{name: "enum value in rows, checked", sql: "ALTER TYPE mood ADD VALUE 'ugly';\n" +
			"ALTER TABLE child ADD CONSTRAINT x CHECK (note::mood <> 'good');", want: "2 DK103 error, 2 DK305 warning"},
		{name: "enum value in rows of views", sql: "CREATE VIEW moods AS SELECT id, note::mood AS mood FROM child;\n" +
			"CREATE VIEW more AS SELECT * FROM moods;\nALTER TYPE mood ADD VALUE 'ugly' BEFORE 'good';\n" +
			"CREATE MATERIALIZED VIEW m AS SELECT id, mood FROM more;\nCREATE UNIQUE INDEX m_key ON m (id);\n" +
			"REFRESH MATERIALIZED VIEW m;\nSELECT mood FROM m;\nREFRESH MATERIALIZED VIEW m WITH NO DATA;\nCREATE VIEW w AS SELECT * FROM more",
			want: "4 DK103 error, 6 DK103 error, 8 DK203 warning"},
		{name: "enum value committed first", sql: "-- atlas:txmode none\n\nALTER TYPE mood ADD VALUE 'ugly';\n" +
			"UPDATE child SET mood = note::mood;"},
		{name: "enum value renamed", sql: "ALTER TYPE mood RENAME VALUE 'bad' TO 'ugly';\nUPDATE child SET mood = note::mood;"},
		{name: "enum value of a new enum", sql: "CREATE TYPE size AS ENUM ('s', 'm');\n" +
			"ALTER TABLE child ALTER COLUMN note TYPE size USING note::size;", want: "2 DK303 warning"},
		{name: "not in a transaction", sql: "VACUUM child;", want: "1 DK101 error", text: "25001", hint: "txmode none"},
		{name: "dependents", sql: "DROP TABLE parent;", want: "1 DK101 error", text: "child_parent_id_fkey", hint: "by name"},
		{name: "deferred until the end",
			sql: "ALTER TABLE child ALTER CONSTRAINT child_parent_id_fkey DEFERRABLE INITIALLY DEFERRED;\n" +
				"INSERT INTO child VALUES (1, 1, '', '', 'bad');", want: "1 DK101 error", text: "child_parent_id_fkey"},
	}
	shared := server(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			report := check(t, Options{Server: shared, Migrations: directory(t, map[string]string{first: before, second: tt.sql}),
				Selection: Latest(1)})
			require.Equal(t, inFile(second, tt.want), brief(report))
			if tt.want == "" {
				return
			}
			top := report.Findings[slices.IndexFunc(report.Findings, func(f Finding) bool { return f.Code != codeNoDown })]
			require.Contains(t, top.Text, tt.text)
			require.Contains(t, top.Instead, tt.hint)
			for _, f := range report.Findings {
				require.NotEmpty(t, f.Text)
				require.NotEmpty(t, f.Instead)
				require.NotEmpty(t, f.Analyzer)
			}
		})
	}
}

const saveGrants = `CREATE TEMPORARY TABLE grants ON COMMIT DROP AS
SELECT a.privilege_type AS privilege, CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END AS grantee
FROM pg_class c, aclexplode(c.relacl) a WHERE c.oid = 'names'::regclass;
`

const restoreGrants = `DO $$
DECLARE g record;
BEGIN
    FOR g IN SELECT * FROM grants LOOP
        EXECUTE format('GRANT %s ON names TO %s', g.privilege, g.grantee);
    END LOOP;
END
$$;`
