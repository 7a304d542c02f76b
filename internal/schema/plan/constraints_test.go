package plan_test

import (
	"database/sql"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"docket/internal/schema/plan"
	"docket/internal/schema/state"
)

// constraintChanges are pairs of schemas that differ in constraints and indexes. The plan from the first to the second contains
// each text of says, and no text of saysNot. The plan back converges too.
var constraintChanges = map[string]struct {
	base, from, rows, to string
	says, saysNot        []string
}{
	"exclusion added": {
		base: "CREATE EXTENSION btree_gist;",
		from: "CREATE TABLE t (room int, during tsrange, note text);",
		rows: "INSERT INTO t VALUES (1, '[2026-01-01,2026-01-02)', 'a')",
		to: `CREATE TABLE t (room int, during tsrange, note text, CONSTRAINT "t ""x" EXCLUDE USING gist
			(room WITH =, during range_ops WITH &&) INCLUDE (note) WHERE (note <> 'room') DEFERRABLE INITIALLY DEFERRED);`,
		says: []string{`t "x is checked for`, "locks out readers: t, while its index is built"}, saysNot: []string{"duplicates", "DROP"},
	},
	"exclusion's storage parameters": {
		from: `CREATE TABLE t (during tsrange,
			CONSTRAINT t_x EXCLUDE USING gist (during WITH &&) WITH (fillfactor = 70) WHERE (during <> 'empty'));`,
		to: `CREATE TABLE t (during tsrange,
			CONSTRAINT t_x EXCLUDE USING gist (during WITH &&) WITH (fillfactor = 80) WHERE (during <> 'empty'));`,
		says: []string{"ALTER INDEX t_x SET (fillfactor = '80')"}, saysNot: []string{"DROP", "ADD"},
	},
	"exclusion on a column that is computed anew": {
		from: `CREATE TABLE t (a int, b int GENERATED ALWAYS AS (a + 1) STORED,
			CONSTRAINT t_x EXCLUDE (a WITH =) WHERE (b > 0));`,
		rows: "INSERT INTO t VALUES (1)",
		to: `CREATE TABLE t (a int, b int GENERATED ALWAYS AS (a + 2) STORED,
			CONSTRAINT t_x EXCLUDE (a WITH =) WHERE (b > 0));`,
		says:    []string{"DROP CONSTRAINT t_x", "ADD CONSTRAINT t_x"},
		saysNot: []string{"drops a rule"},
	},
	"foreign key's timing": {
		base: "CREATE TABLE a (id int PRIMARY KEY);",
		from: `CREATE TABLE b (a int CONSTRAINT b_a REFERENCES a DEFERRABLE, c int CONSTRAINT b_c REFERENCES a,
			d int CONSTRAINT b_d REFERENCES a DEFERRABLE);`,
		rows: "INSERT INTO a VALUES (1); INSERT INTO b VALUES (1, 1, 1)",
		to: `CREATE TABLE b (a int CONSTRAINT b_a REFERENCES a DEFERRABLE INITIALLY DEFERRED,
			c int CONSTRAINT b_c REFERENCES a DEFERRABLE INITIALLY DEFERRED, d int CONSTRAINT b_d REFERENCES a);`,
		says: []string{"ALTER CONSTRAINT b_a DEFERRABLE INITIALLY DEFERRED", "ALTER CONSTRAINT b_c DEFERRABLE INITIALLY DEFERRED",
			"ALTER CONSTRAINT b_d NOT DEFERRABLE"},
		saysNot: []string{"DROP", "ADD", "depends on the rows", "drops a rule"},
	},
	"foreign key renamed, validated and deferred": {
		base:    "CREATE TABLE a (id int PRIMARY KEY);",
		from:    "CREATE TABLE b (a int); ALTER TABLE b ADD CONSTRAINT old FOREIGN KEY (a) REFERENCES a NOT VALID;",
		rows:    "INSERT INTO a VALUES (1); INSERT INTO b VALUES (1)",
		to:      "CREATE TABLE b (a int CONSTRAINT b_a REFERENCES a DEFERRABLE);",
		says:    []string{"RENAME CONSTRAINT old TO b_a", "ALTER CONSTRAINT b_a DEFERRABLE,", "VALIDATE CONSTRAINT b_a"},
		saysNot: []string{"DROP", "ADD"},
	},
	"foreign key not validated, with a key that is replaced": {
		from: `CREATE TABLE a (id int, CONSTRAINT k UNIQUE (id)); CREATE TABLE b (a int);
			ALTER TABLE b ADD CONSTRAINT b_a FOREIGN KEY (a) REFERENCES a (id) NOT VALID;`,
		rows: "INSERT INTO a VALUES (1); INSERT INTO b VALUES (1)",
		to: `CREATE TABLE a (id int, CONSTRAINT k PRIMARY KEY (id));
			CREATE TABLE b (a int CONSTRAINT b_a REFERENCES a (id));`,
		says:    []string{"DROP CONSTRAINT b_a", "ADD CONSTRAINT b_a"},
		saysNot: []string{"VALIDATE"},
	},
	"key of columns that the foreign key does not rely on": {
		from: `CREATE TABLE a (id int, CONSTRAINT a_id UNIQUE (id));
			CREATE TABLE b (a int CONSTRAINT b_a REFERENCES a (id)); CREATE UNIQUE INDEX twice ON a (id);`,
		rows: "INSERT INTO a VALUES (1); INSERT INTO b VALUES (1)",
		to: `CREATE TABLE a (id int, CONSTRAINT a_id UNIQUE (id));
			CREATE TABLE b (a int CONSTRAINT b_a REFERENCES a (id));`,
		says:    []string{"DROP INDEX twice"},
		saysNot: []string{"b_a", "drops a rule"},
	},
	"key of a table that references itself, in another order of columns": {
		from: `CREATE TABLE "t (1)" ("x, y" int, "select" int, "a ""b" int, CONSTRAINT k UNIQUE ("x, y", "select"),
			CONSTRAINT f FOREIGN KEY ("a ""b", "x, y") REFERENCES "t (1)" ("select", "x, y"));`,
		rows: `INSERT INTO "t (1)" VALUES (1, 2, 2)`,
		to: `CREATE TABLE "t (1)" ("x, y" int NOT NULL, "select" int NOT NULL, "a ""b" int, CONSTRAINT k PRIMARY KEY ("x, y", "select"),
			CONSTRAINT f FOREIGN KEY ("a ""b", "x, y") REFERENCES "t (1)" ("select", "x, y"));`,
		says: []string{"DROP CONSTRAINT f", "ADD CONSTRAINT f"}, saysNot: []string{"drops a rule"},
	},
	"nulls that may repeat": {
		from: `CREATE TABLE t (a int, b int NOT NULL, CONSTRAINT k UNIQUE NULLS NOT DISTINCT (a),
			CONSTRAINT l UNIQUE NULLS NOT DISTINCT (b));`,
		rows: "INSERT INTO t VALUES (1, 1)",
		to:   "CREATE TABLE t (a int, b int NOT NULL, CONSTRAINT k UNIQUE (a), CONSTRAINT l UNIQUE (b));",
		says: []string{"drops a rule: k: UNIQUE NULLS NOT DISTINCT (a)"}, saysNot: []string{"drops a rule: l"},
	},
	"nulls that may not repeat": {
		from:    "CREATE TABLE t (a int); CREATE UNIQUE INDEX k ON t (a);",
		rows:    "INSERT INTO t VALUES (1)",
		to:      "CREATE TABLE t (a int); CREATE UNIQUE INDEX k ON t (a) NULLS NOT DISTINCT;",
		says:    []string{"depends on the rows: k allows no duplicates"},
		saysNot: []string{"drops a rule"},
	},
	"deferrable key in place of a plain one": {
		from:    "CREATE TABLE t (a int, CONSTRAINT k UNIQUE (a));",
		rows:    "INSERT INTO t VALUES (1)",
		to:      "CREATE TABLE t (a int, CONSTRAINT k UNIQUE (a) DEFERRABLE INITIALLY DEFERRED);",
		says:    []string{"DROP CONSTRAINT k", "ADD CONSTRAINT k UNIQUE (a) DEFERRABLE INITIALLY DEFERRED"},
		saysNot: []string{"drops a rule"},
	},
	"column named like a word in a constant": {
		from: `CREATE TABLE t (x text, note text, CONSTRAINT c CHECK (x <> 'note'),
			CONSTRAINT x EXCLUDE (x WITH =) WHERE (x <> 'note')); CREATE INDEX i ON t (x) WHERE x <> 'note';`,
		rows: "INSERT INTO t (x) VALUES ('a')",
		to: `CREATE TABLE t (x text, CONSTRAINT c CHECK (x <> 'note'),
			CONSTRAINT x EXCLUDE (x WITH =) WHERE (x <> 'note')); CREATE INDEX i ON t (x) WHERE x <> 'note';`,
		says:    []string{"DROP COLUMN note"},
		saysNot: []string{"INDEX", "CONSTRAINT"},
	},
	"check of the whole row": {
		from: `CREATE TABLE t (a int, b int, CONSTRAINT c CHECK (t IS NOT NULL),
			CONSTRAINT d CHECK (current_user <> 'a'));`,
		rows:    "INSERT INTO t VALUES (1, 1)",
		to:      "CREATE TABLE t (a bigint, CONSTRAINT c CHECK (t IS NOT NULL), CONSTRAINT d CHECK (current_user <> 'a'));",
		saysNot: []string{"CONSTRAINT"},
	},
	"check of a dropped column": {
		from: `CREATE TABLE t (a int, "b(c" int, CONSTRAINT c CHECK (a > 0 AND "b(c" > 0), CONSTRAINT d CHECK ("b(c" > 0));`,
		rows: "INSERT INTO t VALUES (1, 1)",
		to:   "CREATE TABLE t (a int, CONSTRAINT c CHECK (a > 0));",
		says: []string{"DROP CONSTRAINT c", "ADD CONSTRAINT c", "DROP CONSTRAINT d", "drops a rule: d:"},
	},
	"indexes that change": {
		from: `CREATE EXTENSION pg_trgm; CREATE TABLE t (a int, b text, c text);
			CREATE UNIQUE INDEX i ON t (a) INCLUDE (b); CREATE INDEX j ON t USING gin (b gin_trgm_ops) WITH (fastupdate = off);
			CREATE INDEX k ON t (lower(b), upper(c)); CREATE INDEX l ON t (b COLLATE "C" text_pattern_ops DESC NULLS LAST);`,
		to: `CREATE EXTENSION pg_trgm; CREATE TABLE t (a int, b text, c text);
			CREATE UNIQUE INDEX i ON t (a) INCLUDE (c); CREATE INDEX j ON t USING gin (b gin_trgm_ops) WITH (fastupdate = on);
			CREATE INDEX k ON t (lower(b), upper(c)) WITH (fillfactor = 70); CREATE INDEX l ON t (b COLLATE "C" text_pattern_ops DESC);`,
		says:    []string{"DROP INDEX i", "DROP INDEX l", "ALTER INDEX j SET (fastupdate = 'on')", "ALTER INDEX k SET (fillfactor = '70')"},
		saysNot: []string{"DROP INDEX j", "DROP INDEX k", "drops a rule"},
	},
	"replica identity and clustering of a renamed index": {
		from: "CREATE TABLE t (a int NOT NULL, CONSTRAINT k UNIQUE (a)); CREATE INDEX i ON t (a);",
		rows: "ALTER TABLE t REPLICA IDENTITY USING INDEX k; ALTER TABLE t CLUSTER ON i; INSERT INTO t VALUES (1)",
		to: `CREATE TABLE t (a int NOT NULL, CONSTRAINT k2 UNIQUE (a)); CREATE INDEX i2 ON t (a);
			ALTER TABLE t REPLICA IDENTITY USING INDEX k2; ALTER TABLE t CLUSTER ON i2;`,
		says: []string{"ALTER INDEX i RENAME TO i2", "ALTER INDEX k RENAME TO k2"}, saysNot: []string{"loses a setting"},
	},
	"storage parameters of an index of a materialized view": {
		base:    "CREATE TABLE t (a int); CREATE MATERIALIZED VIEW m AS SELECT a FROM t;",
		from:    "CREATE UNIQUE INDEX m_key ON m (a) WITH (fillfactor = 70, deduplicate_items = off);",
		to:      "CREATE UNIQUE INDEX m_a ON m (a) WITH (fillfactor = 80);",
		says:    []string{"ALTER INDEX m_key RENAME TO m_a", "ALTER INDEX m_a SET (fillfactor = '80')", "ALTER INDEX m_a RESET (deduplicate_items)"},
		saysNot: []string{"DROP", "CREATE"},
	},
	"storage parameters that lock out readers, and others": {
		from: `CREATE TABLE t (a int, during tsrange) WITH (fillfactor = 70, autovacuum_enabled = off);
			CREATE INDEX brin ON t USING brin (a); CREATE INDEX gist ON t USING gist (during) WITH (buffering = on);
			CREATE INDEX hash ON t USING hash (a) WITH (fillfactor = 60);`,
		to: `CREATE TABLE t (a int, during tsrange) WITH (fillfactor = 80, toast_tuple_target = 200);
			CREATE INDEX brin ON t USING brin (a) WITH (autosummarize = on, pages_per_range = 16); CREATE INDEX hash ON t USING hash (a);
			CREATE INDEX gist ON t USING gist (during) WITH (fillfactor = 60);`,
		saysNot: []string{"DROP", "CREATE"},
	},
	"only usable index of a materialized view": {
		base: "CREATE TABLE t (a int, b int); CREATE MATERIALIZED VIEW m AS SELECT a, b FROM t;",
		from: "CREATE UNIQUE INDEX k ON m (a);",
		to:   "CREATE UNIQUE INDEX k ON m (a) WHERE b > 0; CREATE UNIQUE INDEX l ON m ((a + 1));",
		says: []string{"breaks concurrent refresh"},
	},
	"usable index of a materialized view, with another one": {
		base:    "CREATE TABLE t (a int, b int); CREATE MATERIALIZED VIEW m AS SELECT a, b FROM t;",
		from:    "CREATE UNIQUE INDEX k ON m (a);",
		to:      "CREATE UNIQUE INDEX k ON m (a) WHERE b > 0; CREATE UNIQUE INDEX l ON m (b, a);",
		saysNot: []string{"breaks concurrent refresh"},
	},
	"view grouped by a key that is replaced": {
		base: "",
		from: `CREATE TABLE "a.b" (id int, n text, CONSTRAINT k PRIMARY KEY (id)); CREATE VIEW v AS SELECT id, n,
			count(*) FROM "a.b" GROUP BY id;`,
		rows: `INSERT INTO "a.b" VALUES (1)`,
		to: `CREATE TABLE "a.b" (id int, n text, CONSTRAINT k PRIMARY KEY (id) INCLUDE (n));
			CREATE VIEW v AS SELECT id, n, count(*) FROM "a.b" GROUP BY id;`,
		says: []string{"DROP VIEW v", "Create view v again."}, saysNot: []string{"drops a rule"},
	},
	"view that reads a new table with a dot in its name": {
		from: `CREATE TABLE t (id int); CREATE VIEW v AS SELECT id FROM t;`,
		to: `CREATE TABLE t (id int); CREATE TABLE "x.y" (id int);
			CREATE VIEW v AS SELECT t.id FROM t JOIN "x.y" AS y ON y.id = t.id;`,
		says: []string{"CREATE OR REPLACE VIEW v"},
	},
	"foreign key that matches fully and sets one column": {
		base: "CREATE TABLE a (x int, y int, PRIMARY KEY (x, y));",
		from: `CREATE TABLE b (x int, y int, CONSTRAINT f FOREIGN KEY (x, y) REFERENCES a ON DELETE SET NULL (x),
			CONSTRAINT g FOREIGN KEY (y, x) REFERENCES a (y, x) MATCH FULL);`,
		rows: "INSERT INTO a VALUES (1, 2); INSERT INTO b VALUES (1, 2)",
		to: `CREATE TABLE b (x int, y int, CONSTRAINT f FOREIGN KEY (x, y) REFERENCES a ON DELETE SET NULL (y),
			CONSTRAINT h FOREIGN KEY (y, x) REFERENCES a (y, x) MATCH FULL);`,
		says:    []string{"DROP CONSTRAINT f", "RENAME CONSTRAINT g TO h"},
		saysNot: []string{"DROP CONSTRAINT g"},
	},
}

func TestConstraintChanges(t *testing.T) {
	t.Parallel()
	for name, c := range constraintChanges {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db, want := build(t, c.base+c.from), build(t, c.base+c.to)
			run(t, db, c.rows)
			from, to := inspect(t, db), inspect(t, want)
			facts := catalog(t, db)
			planned, err := plan.Between(from, to, plan.Policy{})
			require.NoError(t, err)
			for _, text := range c.says {
				require.Contains(t, planned.SQL(), text)
			}
			for _, text := range c.saysNot {
				require.NotContains(t, strings.Split(planned.SQL(), "-- Left alone")[0], text)
			}
			converge(t, db, to, plan.Policy{}, catalog(t, want))
			converge(t, db, from, plan.Policy{Online: true}, facts)
		})
	}
}

// converge plans the change of the database to the state, and applies the plan.
func converge(t *testing.T, db *sql.DB, to *state.State, policy plan.Policy, facts []string) {
	t.Helper()
	planned, err := plan.Between(inspect(t, db), to, policy)
	require.NoError(t, err)
	apply(t, db, planned)
	rest, err := plan.Between(inspect(t, db), to, policy)
	require.NoError(t, err)
	require.True(t, rest.Empty(), "after\n%s\nplanning again yields\n%s", planned.SQL(), rest.SQL())
	require.Empty(t, state.Difference(facts, catalog(t, db)), planned.SQL())
	refresh(t, db, inspect(t, db))
}
