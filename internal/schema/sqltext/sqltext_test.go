package sqltext_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"docket/internal/schema/sqltext"
)

func parse(t *testing.T, sql string) *sqltext.Text {
	t.Helper()
	parsed, err := sqltext.Parse(sql)
	require.NoError(t, err, sql)
	return parsed
}

func TestKeyword(t *testing.T) {
	t.Parallel()
	for sql, want := range map[string]string{
		"TRUNCATE urls":                         "truncate",
		" ;\n-- a\n/* b /* c */ d */ Copy\tt":   "copy",
		"delete/**/from t":                      "delete",
		"":                                      "",
		"-- only a comment":                     "",
		"/* only /* a */ comment":               "",
		"; ;\r\n":                               "",
		"(SELECT 1)":                            "",
		"-- drop\n\"select\"":                   "",
		"/* ü */ alter_table":                   "alter_table",
		"/* the end of this comment */commit;;": "commit",
	} {
		require.Equal(t, want, sqltext.Keyword(sql), sql)
	}
	require.Equal(t, "SELECT 1;", sqltext.SkipBlank("/**/ -- a\n;SELECT 1;"))
}

func TestParseFails(t *testing.T) {
	t.Parallel()
	_, err := sqltext.Parse("CREATE TABLE t (a int,, b int)")
	require.ErrorContains(t, err, `parse "CREATE TABLE t (a int,, b int)": `)
	require.ErrorContains(t, err, "syntax error")
}

func TestConcurrently(t *testing.T) {
	t.Parallel()
	for sql, without := range map[string]string{
		`CREATE UNIQUE INDEX CONCURRENTLY "concurrently x" ON t (a)`:          `CREATE UNIQUE INDEX              "concurrently x" ON t (a)`,
		"CREATE INDEX -- CONCURRENTLY\nconcurrently IF NOT EXISTS ü ON t (a)": "CREATE INDEX -- CONCURRENTLY\n             IF NOT EXISTS ü ON t (a)",
		`DROP INDEX CONCURRENTLY IF EXISTS "ü"."i"`:                           `DROP INDEX              IF EXISTS "ü"."i"`,
		"REINDEX (VERBOSE, CONCURRENTLY) TABLE t":                             "",
		"REINDEX INDEX CONCURRENTLY i":                                        "",
	} {
		parsed := parse(t, sql)
		require.True(t, parsed.Concurrently(), sql)
		got, err := parsed.WithoutConcurrently()
		require.NoError(t, err)
		require.Equal(t, without, got)
	}
	for _, sql := range []string{
		`CREATE INDEX "concurrently" ON t (a)`, "REFRESH MATERIALIZED VIEW CONCURRENTLY m", "REINDEX (CONCURRENTLY off) TABLE t",
		"COMMENT ON INDEX i IS 'CREATE INDEX CONCURRENTLY'", `DROP TABLE "index concurrently"`, "REINDEX TABLE t",
	} {
		require.False(t, parse(t, sql).Concurrently(), sql)
	}
}

func TestOnlyValidates(t *testing.T) {
	t.Parallel()
	require.True(t, parse(t, `alter table "t" validate constraint a, VALIDATE CONSTRAINT "b c"`).OnlyValidates())
	for _, sql := range []string{
		"ALTER TABLE t VALIDATE CONSTRAINT a, ALTER COLUMN b SET NOT NULL", "ALTER TABLE t ADD CONSTRAINT validate CHECK (a > 0)",
		"CREATE TABLE t (a int)", "COMMENT ON TABLE t IS 'ALTER TABLE t VALIDATE CONSTRAINT a'",
	} {
		require.False(t, parse(t, sql).OnlyValidates(), sql)
	}
}

func TestKinds(t *testing.T) {
	t.Parallel()
	require.True(t, parse(t, "/* a */ DROP INDEX i").DropsIndexes())
	require.False(t, parse(t, `DROP TABLE "drop index"`).DropsIndexes())
	require.True(t, parse(t, "ALTER TABLE t ADD COLUMN b int, ADD UNIQUE (a)").AddsKey())
	require.True(t, parse(t, "ALTER TABLE t ADD COLUMN b int PRIMARY KEY").AddsKey())
	require.False(t, parse(t, "ALTER TABLE t ADD CONSTRAINT u UNIQUE USING INDEX i").AddsKey())
	require.False(t, parse(t, "ALTER TABLE t ADD EXCLUDE (a WITH =)").AddsKey())
	require.True(t, parse(t, "ALTER TABLE t ADD EXCLUDE (a WITH =)").AddsExclusion())
	require.False(t, parse(t, `ALTER TABLE t ADD CONSTRAINT "EXCLUDE" UNIQUE (a)`).AddsExclusion())
	for sql, want := range map[string]bool{
		"START TRANSACTION READ ONLY": true, "abort": true, "END": true, "PREPARE TRANSACTION 'x'": true, "ROLLBACK TO x": true,
		"PREPARE transaction AS SELECT 1": false, "SAVEPOINT x": false, "RELEASE x": false,
	} {
		require.Equal(t, want, parse(t, sql).ControlsTransaction(), sql)
	}
	require.True(t, parse(t, `COPY t (a, "b c") FROM STDIN WITH (FORMAT csv)`).CopiesFromClient())
	for _, sql := range []string{"COPY t FROM '/stdin'", "COPY t FROM PROGRAM 'cat stdin'", "COPY t TO STDOUT", "COPY t TO 'stdin'"} {
		require.False(t, parse(t, sql).CopiesFromClient(), sql)
	}
}

func TestEmpties(t *testing.T) {
	t.Parallel()
	for sql, want := range map[string]bool{
		`TRUNCATE a, ONLY public."Ü x" RESTART IDENTITY`: true,
		`TRUNCATE other."Ü x"`:                           false,
		`TRUNCATE a -- "Ü x"`:                            false,
		`DELETE FROM ONLY "Ü x" AS d`:                    true,
		`DELETE FROM "Ü x" * RETURNING *`:                true,
		`DELETE FROM "Ü x" WHERE id > 1`:                 false,
		`DELETE FROM "Ü x" USING a`:                      false,
		`DELETE FROM a WHERE b = '"Ü x"'`:                false,
		`WITH old AS (DELETE FROM public."Ü x" RETURNING *) INSERT INTO a SELECT * FROM old`: true,
	} {
		require.Equal(t, want, parse(t, sql).Empties("Ü x"), sql)
	}
}

func TestFills(t *testing.T) {
	t.Parallel()
	for sql, want := range map[string]bool{
		`UPDATE t SET a = 1, "b c" = 'x'`:                     true,
		`UPDATE ONLY public.t AS u SET "b c" = lower(u.name)`: true,
		`UPDATE t SET "b c" = '' WHERE t."b c" IS NULL`:       true,
		`UPDATE t SET (a, "b c") = (1, 2)`:                    true,
		`UPDATE t SET "b c" = '' WHERE a IS NULL`:             false,
		`UPDATE t SET "b c" = '' WHERE "b c" IS NOT NULL`:     false,
		`UPDATE t SET "b c" = '' WHERE "b c" IS NULL AND a`:   false,
		`UPDATE t SET "b c" = NULL`:                           false,
		`UPDATE t SET a = '"b c" = 1'`:                        false,
		`UPDATE other.t SET "b c" = 1`:                        false,
		`UPDATE t SET "b c" = u.a FROM u WHERE u.id = t.id`:   false,
		`INSERT INTO t ("b c") VALUES (1)`:                    false,
	} {
		require.Equal(t, want, parse(t, sql).Fills("t", "b c"), sql)
	}
}

func TestForbidsNull(t *testing.T) {
	t.Parallel()
	for expression, want := range map[string]bool{
		`("b c" IS NOT NULL)`:                             true,
		`((t."b c" IS NOT NULL) AND (length("b c") > 0))`: true,
		`(a > 0 AND ("b c" IS NOT NULL AND a < 9))`:       true,
		`("b c" IS NOT NULL OR a > 0)`:                    false,
		`NOT ("b c" IS NOT NULL)`:                         false,
		`"b c" IS NULL`:                                   false,
		`a = '"b c" IS NOT NULL'`:                         false,
		`("b c" <> '')`:                                   false,
		`not valid sql (`:                                 false,
	} {
		require.Equal(t, want, sqltext.ForbidsNull(expression, "b c"), expression)
	}
}

func TestConstraint(t *testing.T) {
	t.Parallel()
	const statement = `ALTER TABLE "t (" ADD COLUMN d text, -- CHECK (
		ADD CONSTRAINT "check" CHECK /* ( */ (a <> ')' AND (b > ("c)" + 1)) OR b = $$)$$) NOT VALID,
		ADD CONSTRAINT f FOREIGN KEY (a, "b,c") REFERENCES other."U (" (x, "y)") ON DELETE CASCADE,
		ADD CONSTRAINT g FOREIGN KEY (a) REFERENCES v MATCH FULL, ADD CONSTRAINT k UNIQUE (a)`
	parsed := parse(t, statement)
	require.Equal(t, &sqltext.Constraint{Check: `a <> ')' AND (b > ("c)" + 1)) OR b = $$)$$`}, parsed.Constraint("check"))
	require.Equal(t, &sqltext.Constraint{
		Columns: []string{"a", "b,c"}, ReferencedSchema: "other", Referenced: "U (", ReferencedColumns: []string{"x", "y)"},
	}, parsed.Constraint("f"))
	require.Equal(t, &sqltext.Constraint{Columns: []string{"a"}, Referenced: "v", MatchFull: true}, parsed.Constraint("g"))
	require.Nil(t, parsed.Constraint("k"))
	require.Nil(t, parsed.Constraint("unknown"))
	unnamed := parse(t, "ALTER TABLE t ADD CHECK (n > 0), ADD UNIQUE (n)")
	require.Equal(t, &sqltext.Constraint{Check: "n > 0"}, unnamed.Constraint("t_n_check"))
	require.Nil(t, parse(t, "ALTER TABLE t ADD CHECK (n > 0), ADD CHECK (n < 9)").Constraint("t_n_check"))
	require.Nil(t, parse(t, "ALTER TABLE t ADD CONSTRAINT other CHECK (n > 0)").Constraint("t_n_check"))
}

func TestCastsRows(t *testing.T) {
	t.Parallel()
	for sql, want := range map[string]bool{
		`ALTER TABLE t ALTER COLUMN s TYPE "St ep" USING s::text::"St ep"`:              true,
		`ALTER TABLE t ALTER COLUMN s TYPE public."St ep"[] USING s::text[]::"St ep"[]`: true,
		`ALTER TABLE t ALTER COLUMN s TYPE text USING s::text`:                          false,
		`ALTER TABLE t ADD CONSTRAINT c CHECK (s::"St ep" <> 'one')`:                    true,
		`ALTER TABLE t ADD CONSTRAINT c CHECK (s::"St ep" <> 'one') NOT VALID`:          false,
		`ALTER TABLE t ADD CONSTRAINT c CHECK (s = ANY ('{one}'::"St ep"[]))`:           false,
		`ALTER TABLE t ALTER COLUMN s SET DEFAULT current_setting('a.b')::"St ep"`:      false,
		`ALTER TABLE t ADD COLUMN u "St ep" DEFAULT 'one'`:                              false,
		`ALTER TABLE t ADD COLUMN u "St ep" DEFAULT current_setting('a.b')::"St ep"`:    true,
		`UPDATE t SET s = kind::"St ep"`:                                                true,
		`UPDATE t SET s = 'one'::text::"St ep"`:                                         true,
		`UPDATE t SET s = ARRAY['one', 'two']::"St ep"[]`:                               false,
		`UPDATE t SET s = ARRAY['one', kind]::"St ep"[]`:                                true,
		`UPDATE t SET s = kind::other."St ep"`:                                          false,
		`UPDATE t SET s = kind::"st ep"`:                                                false,
		`INSERT INTO t (s) SELECT CAST(kind AS "St ep") FROM u`:                         true,
		`INSERT INTO t (s) VALUES ('one'), (NULL)`:                                      false,
		`WITH a AS (SELECT kind::"St ep" FROM u) SELECT * FROM a`:                       true,
		`CREATE MATERIALIZED VIEW m AS SELECT kind::"St ep" FROM u`:                     true,
		`CREATE MATERIALIZED VIEW m AS SELECT kind::"St ep" FROM u WITH NO DATA`:        false,
		`CREATE TABLE m AS SELECT kind::"St ep" FROM u`:                                 true,
		`CREATE VIEW m AS SELECT kind::"St ep" FROM u`:                                  false,
		`CREATE TABLE v (s "St ep" DEFAULT current_setting('a.b')::"St ep")`:            false,
		`DO $$ BEGIN UPDATE t SET s = 'it''s new' WHERE kind = 'x'; END $$`:             true,
		`DO $$ BEGIN UPDATE t SET s = kind::"St ep"; END $$`:                            true,
		`DO $$ BEGIN UPDATE t SET s = 'other' /* it's new */; END $$`:                   false,
		`COMMENT ON TYPE "St ep" IS 'it''s new'`:                                        false,
	} {
		require.Equal(t, want, parse(t, sql).CastsRows("St ep", "it's new"), sql)
	}
}

func TestReads(t *testing.T) {
	t.Parallel()
	for sql, want := range map[string][]string{
		`INSERT INTO a SELECT * FROM public.b JOIN "V w" USING (id) WHERE id IN (SELECT id FROM c, other.d)`: {"V w", "a", "b", "c"},
		"REFRESH MATERIALIZED VIEW CONCURRENTLY m":                                                           {"m"},
		"REFRESH MATERIALIZED VIEW m WITH NO DATA":                                                           nil,
		"CREATE MATERIALIZED VIEW m AS SELECT 1 FROM v":                                                      {"m", "v"},
		"CREATE VIEW m AS SELECT 1 FROM v":                                                                   nil,
		"GRANT SELECT ON v TO PUBLIC":                                                                        nil,
		"DELETE FROM a USING v WHERE v.id = a.id; SELECT FROM b":                                             {"a", "b", "v"},
	} {
		require.Equal(t, want, parse(t, sql).Reads(), sql)
	}
}
