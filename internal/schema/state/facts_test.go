package state_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"docket/internal/dbtest"
	"docket/internal/schema/state"
)

func TestFactOptions(t *testing.T) {
	t.Parallel()
	db := open(t, dbtest.Empty(t))
	run(t, db, `
CREATE EXTENSION pg_trgm;
CREATE TABLE atlas_schema_revisions (version text);
CREATE TABLE t (id serial, CONSTRAINT t_pkey PRIMARY KEY (id));
COMMENT ON CONSTRAINT t_pkey ON t IS 'why';
CREATE VIEW v AS SELECT id FROM t;
CREATE TABLE u (id int);
GRANT SELECT ON u TO PUBLIC`)
	facts := func(options ...state.FactOption) []string {
		lines, err := state.Facts(t.Context(), db, options...)
		require.NoError(t, err)
		require.True(t, slices.IsSorted(lines))
		return lines
	}
	all := facts()
	require.Empty(t, with(all, "atlas_schema_revisions"))
	require.Empty(t, with(all, "last value"))
	require.Equal(t, []string{"+ sequence t_id_seq: last value 1 called f"}, state.Difference(all, facts(state.Positions())))
	require.Contains(t, all, "extension pg_trgm: version 1.6 in public")
	missing := state.Missing(all, facts(state.NoAccess()))
	require.Subset(t, missing, []string{"relation t: owner docket", "relation u: acl {docket=arwdDxt/docket,=r/docket}"})
	require.Empty(t, state.Missing(facts(state.NoAccess()), all))
	require.Empty(t, with(facts(state.NoAccess()), "docket"))
}

func with(lines []string, part string) []string {
	var found []string
	for _, line := range lines {
		if strings.Contains(line, part) {
			found = append(found, line)
		}
	}
	return found
}

// A DBA may add to objects of the schema. The database then still has all facts of the schema.
func TestAdditionsRemoveNoFact(t *testing.T) {
	t.Parallel()
	db := open(t, dbtest.Empty(t))
	db.SetMaxOpenConns(1)
	run(t, db, unmanagedBase)
	before, err := state.Facts(t.Context(), db, state.NoAccess())
	require.NoError(t, err)
	for _, addition := range []string{
		"ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON t",
		"CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION trigger_function()",
		"ALTER TABLE t ADD more int", "CREATE INDEX more ON t (name)", "ALTER TABLE t ADD CONSTRAINT more CHECK (id > 0)",
		"ALTER TABLE t SET (fillfactor = 50)", "ALTER TABLE t ALTER name SET STORAGE EXTERNAL", "ALTER TABLE t CLUSTER ON t_pkey",
		"ALTER TABLE t REPLICA IDENTITY FULL", "CREATE PUBLICATION p FOR TABLE t", "COMMENT ON TABLE t IS 'a comment'",
		"ALTER TYPE mood ADD VALUE 'ugly'", "CREATE STATISTICS s ON id, name FROM t", "CREATE TABLE c () INHERITS (t)",
		"GRANT SELECT ON t TO PUBLIC; ALTER TABLE t OWNER TO pg_monitor", "CREATE VIEW other.w AS SELECT id FROM t",
	} {
		tx, err := db.BeginTx(t.Context(), nil)
		require.NoError(t, err)
		_, err = tx.ExecContext(t.Context(), addition)
		require.NoError(t, err, addition)
		after, err := state.Facts(t.Context(), tx, state.NoAccess())
		require.NoError(t, err)
		require.Empty(t, state.Missing(before, after), addition)
		require.NoError(t, tx.Rollback())
	}
}

func TestDifference(t *testing.T) {
	t.Parallel()
	require.Empty(t, state.Difference([]string{"b", "a"}, []string{"a", "b"}))
	require.Equal(t, []string{"- a: 1", "+ a: 2", "- b", "+ c"},
		state.Difference([]string{"a: 1", "b", "x"}, []string{"c", "x", "a: 2"}))
	require.Equal(t, []string{"- a"}, state.Difference([]string{"a", "a"}, []string{"a"}))
	require.Equal(t, []string{"a", "b"}, state.Missing([]string{"b", "a", "x"}, []string{"x", "y"}))
}
