package lint

import (
	"testing"

	"github.com/stretchr/testify/require"

	sqlfiles "docket/sql"
)

// What has landed can no longer be changed, so a check that takes it for an error is wrong.
func TestRepositoryHasNoErrors(t *testing.T) {
	t.Parallel()
	report := judge(t, Options{Migrations: sqlfiles.Migrations, Policy: Policy{"destructive": true, "incompatible": true}})
	for _, f := range report.Findings {
		t.Logf("%s:%d %s %s %s: %s", f.File, f.Line, f.Code, f.Severity, f.Text, f.Instead)
	}
	require.Zero(t, report.Errors)
	require.Empty(t, report.Unchecked)
	require.NotEmpty(t, report.Files)
}
