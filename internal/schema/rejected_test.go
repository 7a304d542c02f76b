package schema

import (
	"database/sql"
	"errors"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	"github.com/stretchr/testify/require"

	"docket/internal/dbtest"
)

func TestRejectedRows(t *testing.T) {
	t.Parallel()
	db, err := sql.Open("pgx", dbtest.Empty(t))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	_, err = db.ExecContext(t.Context(), `
CREATE TABLE parent (id integer PRIMARY KEY, code text);
CREATE TABLE "Odd child" (day date, n integer, parent_id integer, "a b" text, PRIMARY KEY (day, n));
CREATE TABLE keyless (x integer);
INSERT INTO parent VALUES (1, 'a'), (2, 'b'), (3, 'b');
INSERT INTO "Odd child" SELECT '2026-01-01', n, CASE n WHEN 2 THEN NULL WHEN 3 THEN 9 ELSE 1 END, 'it''s ' || n FROM generate_series(1, 9) AS n;
INSERT INTO keyless VALUES (1), (1), (2);
CREATE TABLE "p, q" ("x)" text, y integer, PRIMARY KEY ("x)", y));
INSERT INTO "p, q" SELECT 'it''s ' || n, CASE n WHEN 3 THEN 9 ELSE 1 END FROM generate_series(1, 9) AS n;
ALTER TABLE parent ADD CONSTRAINT "it's" CHECK (code <> 'a') NOT VALID;
CREATE TABLE ones (one integer PRIMARY KEY);
INSERT INTO ones VALUES (1);
ALTER TABLE keyless ADD CONSTRAINT "k (x)" FOREIGN KEY (x) REFERENCES ones NOT VALID`)
	require.NoError(t, err)

	for name, test := range map[string]struct{ statement, want string }{
		"check": {
			`ALTER TABLE parent ADD CONSTRAINT c1 CHECK (id > 0), ADD CONSTRAINT "c2" CHECK ((code <> 'b)') AND (code <> 'b'))`,
			`rows of parent that break it (2): id 2; id 3; all of them: ` +
				`SELECT * FROM parent WHERE NOT ((code <> 'b)') AND (code <> 'b')) ORDER BY id`,
		},
		"many rows, two key columns": {
			`ALTER TABLE "Odd child" ADD CONSTRAINT c CHECK (n < 0)`,
			`rows of Odd child that break it (the first 5): day 2026-01-01, n 1; day 2026-01-01, n 2; day 2026-01-01, n 3; ` +
				`day 2026-01-01, n 4; day 2026-01-01, n 5; all of them: SELECT * FROM "Odd child" WHERE NOT (n < 0) ORDER BY day, n`,
		},
		"not null": {
			`ALTER TABLE "Odd child" ALTER COLUMN parent_id SET NOT NULL`,
			`rows of Odd child that break it (1): day 2026-01-01, n 2; all of them: ` +
				`SELECT * FROM "Odd child" WHERE parent_id IS NULL ORDER BY day, n`,
		},
		"unique index": {
			`CREATE UNIQUE INDEX i ON parent (code)`,
			`rows of parent that break it (2): id 2; id 3; all of them: ` +
				`SELECT * FROM parent WHERE (code) IN (SELECT code FROM parent GROUP BY code HAVING count(*) > 1) ORDER BY id`,
		},
		"unique constraint without a primary key": {
			`ALTER TABLE keyless ADD CONSTRAINT u UNIQUE (x)`,
			`rows of keyless that break it (2): ctid (0,1); ctid (0,2); all of them: ` +
				`SELECT * FROM keyless WHERE (x) IN (SELECT x FROM keyless GROUP BY x HAVING count(*) > 1) ORDER BY ctid`,
		},
		"foreign key": {
			`ALTER TABLE "Odd child" ADD CONSTRAINT f FOREIGN KEY (parent_id) REFERENCES parent (id)`,
			`Key (parent_id)=(9) is not present in table "parent"; ` +
				`rows of Odd child that break it (1): day 2026-01-01, n 3; all of them: SELECT * FROM "Odd child" ` +
				`WHERE "Odd child".parent_id IS NOT NULL AND NOT EXISTS (SELECT FROM parent AS referenced WHERE referenced.id = "Odd child".parent_id) ORDER BY day, n`,
		},
		"foreign key to the primary key, no name": {
			`/* c */ ALTER TABLE "Odd child" ADD FOREIGN KEY (parent_id) REFERENCES parent ON DELETE CASCADE`,
			`Key (parent_id)=(9) is not present in table "parent"; ` +
				`rows of Odd child that break it (1): day 2026-01-01, n 3; all of them: SELECT * FROM "Odd child" ` +
				`WHERE "Odd child".parent_id IS NOT NULL AND NOT EXISTS (SELECT FROM parent AS referenced WHERE referenced.id = "Odd child".parent_id) ORDER BY day, n`,
		},
		"foreign key with odd names, a part of it null": {
			`ALTER TABLE "Odd child" ADD CONSTRAINT "f (""x"")" FOREIGN KEY ("a b", parent_id) REFERENCES "p, q" ("x)", y) MATCH FULL`,
			`MATCH FULL does not allow mixing of null and nonnull key values; ` +
				`rows of Odd child that break it (1): day 2026-01-01, n 2; all of them: SELECT * FROM "Odd child" ` +
				`WHERE ("Odd child"."a b" IS NOT NULL OR "Odd child".parent_id IS NOT NULL) AND NOT EXISTS (SELECT FROM "p, q" AS referenced ` +
				`WHERE referenced."x)" = "Odd child"."a b" AND referenced.y = "Odd child".parent_id) ORDER BY day, n`,
		},
		"a check that is validated": {
			`ALTER TABLE parent VALIDATE CONSTRAINT "it's"`,
			`rows of parent that break it (1): id 1; all of them: SELECT * FROM parent WHERE NOT ((code <> 'a'::text)) ORDER BY id`,
		},
		"a foreign key that is validated": {
			`ALTER TABLE keyless VALIDATE CONSTRAINT "k (x)"`,
			`Key (x)=(2) is not present in table "ones"; ` +
				`rows of keyless that break it (1): ctid (0,3); all of them: SELECT * FROM keyless ` +
				`WHERE keyless.x IS NOT NULL AND NOT EXISTS (SELECT FROM ones AS referenced WHERE referenced.one = keyless.x) ORDER BY ctid`,
		},
		"what PostgreSQL said, where rows cannot be found again": {
			`ALTER TABLE keyless ADD COLUMN y integer DEFAULT 1, ADD CONSTRAINT u UNIQUE (y)`,
			`Key (y)=(1) is duplicated`,
		},
		"another refusal": {`ALTER TABLE parent ADD COLUMN id integer`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := db.ExecContext(t.Context(), test.statement)
			var refusal *pgconn.PgError
			require.True(t, errors.As(err, &refusal), "%v", err)
			require.Equal(t, test.want, rejectedRows(t.Context(), db, test.statement, refusal))
		})
	}
}
