package changelog_test

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"docket/internal/changelog"
	"docket/internal/db"
	"docket/internal/dbtest"
	"docket/internal/postgres"
)

// A Writer looks for the trigger of a table at its first change, and again after a minute, not at each change.
func TestTriggerIsLookedForOnceAMinute(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t)
	now := time.Unix(0, 0)
	writer := changelog.NewWriterAt(func() time.Time { return now })
	logged := func(table string) int {
		before := dbtest.Count(t, pool, "SELECT count(*) FROM change_log")
		require.NoError(t, postgres.InTx(t.Context(), pool, func(tx pgx.Tx) error {
			return writer.Write(t.Context(), tx, changelog.New(db.OperationTypeINSERT, table).Add(1, nil, []byte(`{}`)))
		}))
		return dbtest.Count(t, pool, "SELECT count(*) FROM change_log") - before
	}
	require.Equal(t, 1, logged(changelog.Agencies))

	dbtest.Exec(t, pool, `
		CREATE FUNCTION log_change() RETURNS trigger LANGUAGE plpgsql AS $$
		BEGIN
			INSERT INTO change_log (operation_type, table_name, affected_id) VALUES (TG_OP::operation_type, TG_TABLE_NAME, NEW.id);
			RETURN NULL;
		END $$;
		CREATE TRIGGER log_agencies AFTER INSERT ON agencies FOR EACH ROW EXECUTE FUNCTION log_change();
		CREATE TRIGGER log_urls AFTER INSERT ON urls FOR EACH ROW EXECUTE FUNCTION log_change()`)
	require.Zero(t, logged(changelog.URLs), "the first change of this table finds its trigger")
	now = now.Add(changelog.CheckEvery - 1)
	require.Equal(t, 1, logged(changelog.Agencies), "the new trigger is not looked for yet")
	now = now.Add(1)
	require.Zero(t, logged(changelog.Agencies))

	dbtest.Exec(t, pool, "DROP TRIGGER log_agencies ON agencies")
	require.Zero(t, logged(changelog.Agencies))
	now = now.Add(changelog.CheckEvery)
	require.Equal(t, 1, logged(changelog.Agencies))
}

// A trigger that does something else does not count, nor does a transaction that was rolled back.
func TestOtherTriggers(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t)
	dbtest.Exec(t, pool, `
		CREATE FUNCTION set_updated_at() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.updated_at = now(); RETURN NEW; END $$;
		CREATE TRIGGER agencies_updated_at BEFORE UPDATE ON agencies FOR EACH ROW EXECUTE FUNCTION set_updated_at()`)
	writer := changelog.NewWriter()
	write := func(then error) error {
		return postgres.InTx(t.Context(), pool, func(tx pgx.Tx) error {
			changes := changelog.New(db.OperationTypeUPDATE, changelog.Agencies).
				Add(1, []byte(`{"name": "a", "id": 1}`), []byte(`{"name": "b", "id": 1}`)).
				Add(2, []byte(`{"name": "a", "id": 2}`), []byte(`{"name": "a", "id": 2}`))
			require.NoError(t, writer.Write(t.Context(), tx, changes))
			return then
		})
	}
	require.ErrorIs(t, write(pgx.ErrTxClosed), pgx.ErrTxClosed)
	require.NoError(t, write(nil))
	require.Equal(t, []string{`agencies 1 {"name": "a"} {"name": "b"}`}, dbtest.List(t, pool,
		"SELECT format('%s %s %s %s', table_name, affected_id, old_data, new_data) FROM change_log"), "only columns that differ")
}
