package schema_test

import (
	"errors"
	"io/fs"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	sqlfiles "docket/sql"
)

// leads is a condition: some index of the whole table starts with the column.
const leads = `EXISTS (SELECT FROM pg_index i
    WHERE i.indrelid = c.oid AND i.indpred IS NULL AND i.indkey[0] = a.attnum)`

const rareDelete = "agencies and locations are seldom deleted; every annotation would pay for the index"

// rules are checks of sql/schema that a reviewer would otherwise do by hand. Each query lists violations; the breach shows
// that the query finds them.
var rules = map[string]struct {
	breaches string
	except   map[string]string // violation: why it is allowed
	breach   string
}{
	"a constraint is named after its table": {
		breaches: `
SELECT format('%s of %s', conname, conrelid::regclass) FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
WHERE k.connamespace = 'public'::regnamespace AND NOT starts_with(k.conname, c.relname || '_') ORDER BY 1`,
		breach: `CREATE TABLE x (id int, CONSTRAINT wrong CHECK (id > 0))`,
	},
	"an index is named after its table": {
		breaches: `
SELECT format('%s of %s', n.relname, c.relname)
FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_class n ON n.oid = i.indexrelid
WHERE c.relnamespace = 'public'::regnamespace AND NOT starts_with(n.relname, c.relname || '_') ORDER BY 1`,
		breach: `CREATE TABLE x (id int); CREATE INDEX wrong ON x (id)`,
	},
	"a table with url_id can be read by it": {
		breaches: `
SELECT c.relname::text FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'url_id'
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'm') AND NOT ` + leads + ` ORDER BY 1`,
		breach: `CREATE TABLE x (id int, url_id int, PRIMARY KEY (id, url_id))`,
		except: map[string]string{"consensus_due": "it is read by id only, and holds few rows; an index would slow down answers"},
	},
	"a table with user_id can be read by it": {
		breaches: `
SELECT c.relname::text FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'user_id'
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'm') AND NOT ` + leads + ` ORDER BY 1`,
		except: map[string]string{"url_history": "it is read by URL, and each answer adds a row: an index would slow down answers"},
		breach: `CREATE TABLE x (user_id int); CREATE INDEX x_user_id_idx ON x (user_id) WHERE user_id > 0`,
	},
	"a batch's URLs can be read by batch": {
		breaches: `
SELECT c.relname::text FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'batch_id'
WHERE c.oid = 'public.link_batches__urls'::regclass AND NOT ` + leads,
		breach: `DO $$ DECLARE name text; BEGIN
    FOR name IN SELECT indexrelid::regclass FROM pg_index
        WHERE indrelid = 'link_batches__urls'::regclass AND NOT indisunique LOOP EXECUTE 'DROP INDEX ' || name; END LOOP;
END $$`,
	},
	// DELETE searches the rows that refer to the deleted one: without an index, a sequential scan per row and foreign key.
	"a foreign key's columns are indexed": {
		breaches: `
SELECT format('%s(%s)', c.relname, (
    SELECT string_agg(a.attname, ', ' ORDER BY u.n) FROM unnest(k.conkey) WITH ORDINALITY AS u(attnum, n)
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = u.attnum))
FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
WHERE k.contype = 'f' AND k.connamespace = 'public'::regnamespace
    AND NOT EXISTS (
        SELECT FROM pg_index i
        WHERE i.indrelid = k.conrelid AND i.indpred IS NULL
            AND (i.indkey::smallint[])[0:cardinality(k.conkey) - 1] @> k.conkey
    )
ORDER BY 1`,
		except: map[string]string{
			"counties(state_id)":                      "states are never deleted while they have counties, and there are fifty of them",
			"annotation__agency__anon(agency_id)":     rareDelete,
			"annotation__location__anon(location_id)": rareDelete,
			"annotation__location__user(location_id)": rareDelete,
		},
		breach: `CREATE TABLE x (id int, url_id int REFERENCES urls (id), PRIMARY KEY (id, url_id))`,
	},
	// Atlas plans such an index without its collation and then reports no difference.
	"an index on an expression has no collation of its own": {
		breaches: `
SELECT n.relname::text FROM pg_index i JOIN pg_class n ON n.oid = i.indexrelid
CROSS JOIN LATERAL generate_series(0, i.indnkeyatts - 1) AS column_number
WHERE n.relnamespace = 'public'::regnamespace AND i.indkey[column_number] = 0
    AND i.indcollation[column_number] NOT IN (0, 'pg_catalog."default"'::regcollation) ORDER BY 1`,
		breach: `CREATE TABLE x (name text); CREATE INDEX x_name_idx ON x (lower(name) COLLATE "C")`,
	},
	"a materialized view can be refreshed concurrently": {
		breaches: `
SELECT c.relname::text FROM pg_class c
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'm' AND NOT EXISTS (
    SELECT FROM pg_index i
    WHERE i.indrelid = c.oid AND i.indisunique AND i.indpred IS NULL AND i.indexprs IS NULL)`,
		breach: `CREATE MATERIALIZED VIEW x AS SELECT 1 AS id; CREATE UNIQUE INDEX x_id_key ON x ((id + 1))`,
	},
}

func TestSchemaKeepsTheRules(t *testing.T) {
	t.Parallel()
	b := setup(t)
	loadSchema(t, b)
	for name, rule := range rules {
		var unexpected []string
		found := b.strings(t, rule.breaches)
		for _, breach := range found {
			if rule.except[breach] == "" {
				unexpected = append(unexpected, breach)
			}
		}
		require.Empty(t, unexpected, name)
		for exception := range rule.except {
			require.Contains(t, found, exception, "%s: the exception is no longer one", name)
		}
		b.exec(t, "BEGIN")
		b.exec(t, rule.breach)
		require.Greater(t, len(b.strings(t, rule.breaches)), len(found), "%s: the query misses a breach", name)
		b.exec(t, "ROLLBACK")
	}
}

// A name that PostgreSQL generates depends on the statement that created the object.
func TestEveryConstraintIsNamedInTheSource(t *testing.T) {
	t.Parallel()
	b := setup(t)
	loadSchema(t, b)
	var source strings.Builder
	names, err := fs.Glob(sqlfiles.Schema, "*.sql")
	require.NoError(t, err)
	for _, name := range names {
		content, err := fs.ReadFile(sqlfiles.Schema, name)
		require.NoError(t, err)
		source.Write(content)
	}
	words := strings.Join(strings.Fields(source.String()), " ")
	constraints := b.strings(t, `SELECT conname::text FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND contype <> 'n'`)
	require.NotEmpty(t, constraints)
	for _, name := range constraints {
		require.Contains(t, words, "CONSTRAINT "+name+" ")
	}
}

// For each CHECK there is at least one row that only this CHECK refuses.
var refused = map[string][]string{
	"localities_name_check": {
		`INSERT INTO localities (name, county_id) VALUES ('Dover, Kent', 1)`,
	},
	"locations_type_check": {
		`INSERT INTO locations (type, state_id) VALUES ('National', 1)`,
		`INSERT INTO locations (type, county_id) VALUES ('National', 1)`,
		`INSERT INTO locations (type, locality_id) VALUES ('National', 1)`,
		`INSERT INTO locations (type, state_id, county_id) VALUES ('State', 1, 1)`,
		`INSERT INTO locations (type, state_id, locality_id) VALUES ('State', 1, 1)`,
		`INSERT INTO locations (type, state_id) VALUES ('County', 1)`,
		`INSERT INTO locations (type, state_id, county_id, locality_id) VALUES ('County', 1, 1, 1)`,
		`INSERT INTO locations (type, state_id, locality_id) VALUES ('Locality', 1, 1)`,
		`INSERT INTO locations (type, state_id, county_id) VALUES ('Locality', 1, 1)`,
	},
	"proposal__agencies_promoted_agency_id_check": {
		`INSERT INTO proposal__agencies (name, agency_type, jurisdiction_type, proposal_status, promoted_agency_id)
			VALUES ('a', 'court', 'local', 'pending', 1)`,
		`INSERT INTO proposal__agencies (name, agency_type, jurisdiction_type, proposal_status, promoted_agency_id)
			VALUES ('a', 'court', 'local', 'rejected', 1)`,
	},
	"urls_url_no_scheme_check": {
		`INSERT INTO urls (url, source) VALUES ('https://example.com', 'manual')`,
		`INSERT INTO urls (url, source) VALUES ('HTTP://example.com', 'manual')`,
		`INSERT INTO urls (url, source) VALUES ('view-source+x.1://example.com', 'manual')`,
	},
	"urls_url_no_trailing_slash_check": {
		`INSERT INTO urls (url, source) VALUES ('example.com/', 'manual')`,
	},
	"urls_url_no_fragment_check": {
		`INSERT INTO urls (url, source) VALUES ('example.com/a#b', 'manual')`,
	},
	"urls_url_no_nbsp_check": {
		`INSERT INTO urls (url, source) VALUES (E'example.com/\u00a0a', 'manual')`,
	},
	"url_former_status_status_check": {
		`INSERT INTO url_former_status (url_id, status) VALUES (1, 'ok')`,
	},
	"url_web_metadata_status_code_check": {
		`INSERT INTO url_web_metadata (url_id, accessed, status_code) VALUES (1, true, 99)`,
		`INSERT INTO url_web_metadata (url_id, accessed, status_code) VALUES (1, true, 1000)`,
	},
	"url_reservations_slot_check": {
		`INSERT INTO url_reservations (annotator, url_id, slot, suggestions_hidden, expires_at) VALUES ('7', 1, 0, false, now())`,
	},
	"anonymous_answer_addresses_address_hash_check": {
		`INSERT INTO anonymous_answer_addresses (url_id, session_id, address_hash) VALUES (1, gen_random_uuid(), '\x00')`,
	},
	"url_skips_annotator_check": {
		`INSERT INTO url_skips (url_id, reason) VALUES (1, 'other')`,
		`INSERT INTO url_skips (url_id, user_id, session_id, reason) VALUES (1, 7, gen_random_uuid(), 'other')`,
	},
	"url_skips_note_check": {
		`INSERT INTO url_skips (url_id, user_id, reason, note) VALUES (1, 7, 'other', repeat('x', 501))`,
	},
	"annotation__agency__user_is_new_check": {
		`INSERT INTO annotation__agency__user (url_id, user_id, agency_id, is_new) VALUES (1, 1, 1, true)`,
	},
	"annotation__agency__auto__suggestions_confidence_check": {
		`INSERT INTO annotation__agency__auto__suggestions (subtask_id, agency_id, confidence) VALUES (1, 1, -1)`,
		`INSERT INTO annotation__agency__auto__suggestions (subtask_id, agency_id, confidence) VALUES (1, 1, 101)`,
	},
	"annotation__url_type__auto_confidence_check": {
		`INSERT INTO annotation__url_type__auto (url_id, relevant, confidence) VALUES (1, true, -0.01)`,
		`INSERT INTO annotation__url_type__auto (url_id, relevant, confidence) VALUES (1, true, 1.01)`,
	},
	"idempotency_keys_request_check": {
		`INSERT INTO idempotency_keys (caller, key, request, expires_at) VALUES ('c', 'k', 'short', now())`,
	},
}

func TestEveryCheckFires(t *testing.T) {
	t.Parallel()
	b := setup(t)
	loadSchema(t, b)
	checks := b.strings(t, `SELECT conname::text FROM pg_constraint
WHERE connamespace = 'public'::regnamespace AND contype = 'c' ORDER BY 1`)
	for _, check := range checks {
		require.NotEmpty(t, refused[check], "no row shows that %s fires", check)
	}
	for check, rows := range refused {
		require.Contains(t, checks, check, "there is no such check any more")
		for _, row := range rows {
			_, err := b.conn.Exec(t.Context(), row)
			var pgErr *pgconn.PgError
			require.True(t, errors.As(err, &pgErr), "%s was accepted: %v", row, err)
			require.Equal(t, check, pgErr.ConstraintName, row)
			require.Equal(t, "23514", pgErr.Code, row)
		}
	}
}
