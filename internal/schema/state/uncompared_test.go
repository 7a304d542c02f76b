package state_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"docket/internal/dbtest"
	"docket/internal/schema/state"
)

func TestUncompared(t *testing.T) {
	t.Parallel()
	db := open(t, dbtest.Empty(t))
	db.SetMaxOpenConns(1)
	run(t, db, `
CREATE EXTENSION pg_trgm;
CREATE TYPE mood AS ENUM ('good');
CREATE TABLE t (id serial, n bigint GENERATED ALWAYS AS IDENTITY (START WITH 7), mood mood);
CREATE VIEW v AS SELECT id FROM t;
CREATE MATERIALIZED VIEW m AS SELECT 1 AS a`)
	for _, c := range []struct {
		make string
		want []string
	}{
		{"SELECT 1", []string{}},
		{"ALTER SEQUENCE t_id_seq RESTART WITH 1000", []string{"position of sequence t_id_seq"}},
		{"GRANT SELECT ON t TO PUBLIC", []string{"privileges on t"}},
		{"GRANT SELECT (id) ON v TO PUBLIC", []string{"privileges on v"}},
		{"GRANT SELECT ON m TO PUBLIC", []string{"privileges on m"}},
		{"GRANT USAGE ON SEQUENCE t_id_seq TO PUBLIC", []string{"privileges on t_id_seq"}},
		{"REVOKE USAGE ON TYPE mood FROM PUBLIC", []string{"privileges on type mood"}},
		{"REVOKE USAGE ON SCHEMA public FROM PUBLIC", []string{"privileges on schema public"}},
		{"ALTER VIEW v OWNER TO pg_monitor", []string{"owner of v"}},
		{"ALTER TYPE mood OWNER TO pg_monitor", []string{"owner of type mood"}},
		// A rollback does not undo what these do to a sequence.
		{"SELECT setval('t_n_seq', 7)", []string{"position of sequence t_n_seq"}},
		{"INSERT INTO t DEFAULT VALUES", []string{"position of sequence t_id_seq", "position of sequence t_n_seq", "rows of t"}},
	} {
		tx, err := db.BeginTx(t.Context(), nil)
		require.NoError(t, err)
		_, err = tx.ExecContext(t.Context(), c.make)
		require.NoError(t, err, c.make)
		found, err := state.Uncompared(t.Context(), tx)
		require.NoError(t, err, c.make)
		require.Equal(t, c.want, names(found), c.make)
		require.NoError(t, tx.Rollback())
	}
}
