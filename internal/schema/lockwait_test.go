package schema

import (
	"testing"

	"github.com/stretchr/testify/require"

	"docket/internal/schema/sqltext"
)

// What waitsFreely recognises by words must be what the parser recognises.
func TestStatementsThatWaitFreely(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"-- concurrently\nCREATE INDEX CONCURRENTLY i ON t (a);": true,
		"create unique\n\tindex concurrently ON t (a)":           true,
		"CREATE INDEX /* now */ CONCURRENTLY i ON t (a)":         true,
		"DROP INDEX CONCURRENTLY IF EXISTS i":                    true,
		"REINDEX TABLE CONCURRENTLY t":                           true,
		"REINDEX (CONCURRENTLY off) TABLE t":                     false,
		"ALTER TABLE t VALIDATE CONSTRAINT c":                    true,
		"ALTER TABLE t VALIDATE CONSTRAINT c, ADD COLUMN a int":  false,
		"-- concurrently\nCREATE INDEX i ON t (a)":               false,
		`CREATE INDEX "concurrently" ON t (a)`:                   false,
		"DROP INDEX i":                                           false,
		"ALTER TABLE t ADD COLUMN validate int":                  false,
		"SELECT 'CREATE INDEX CONCURRENTLY i ON t (a)'":          false,
	} {
		require.Equal(t, want, waitsFreely(text), text)
		parsed, err := sqltext.Parse(text)
		require.NoError(t, err)
		require.Equal(t, want, parsed.Concurrently() || parsed.OnlyValidates(), text)
	}
}
