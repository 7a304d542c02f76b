package lint

import (
	"testing"

	"github.com/stretchr/testify/require"

	sqlfiles "docket/sql"
)

// Merged migrations can no longer be changed, so a check that reports an error in one is wrong.
func TestRepositoryHasNoErrors(t *testing.T) {
	t.Parallel()
	report := check(t, Options{Migrations: sqlfiles.Migrations, Policy: Policy{"destructive": true, "incompatible": true}})
	for _, f := range report.Findings {
		t.Logf("%s:%d %s %s %s: %s", f.File, f.Line, f.Code, f.Severity, f.Text, f.Instead)
	}
	require.Zero(t, report.Errors)
	require.Empty(t, report.Unchecked)
	require.NotEmpty(t, report.Files)
}
