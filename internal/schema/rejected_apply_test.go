package schema_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestApplyNamesRowsThatBreakARule(t *testing.T) {
	t.Parallel()
	b := setup(t)
	dir := hashed(t, map[string]string{
		fileA: "CREATE TABLE a (id int PRIMARY KEY, n int);\nINSERT INTO a SELECT g, g % 3 FROM generate_series(1, 4) AS g;",
		fileB: "ALTER TABLE a ADD CONSTRAINT a_n_check CHECK (n > 0);",
	})
	_, err := b.migrator(t, dir).Apply(t.Context())
	require.ErrorContains(t, err, "SQLSTATE 23514")
	require.ErrorContains(t, err, `rows of a that break it (1): id 3; all of them: SELECT * FROM a WHERE NOT (n > 0) ORDER BY id; fix the cause`)

	b.exec(t, "UPDATE a SET n = 3 WHERE id = 3")
	_, err = b.migrator(t, dir).Apply(t.Context())
	require.NoError(t, err)
}
