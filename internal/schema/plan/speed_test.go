package plan_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"docket/internal/schema/plan"
	"docket/internal/schema/state"
)

// BenchmarkBetween plans on the schema of this project, without a difference and with a change of a column that all views read.
func BenchmarkBetween(b *testing.B) {
	from := inspect(b, build(b, "\\schema\n"))
	for name, to := range map[string]*state.State{"same": from, "urls.id": inspect(b, build(b, "\\schema bigint\n"))} {
		b.Run("changed="+name, func(b *testing.B) {
			for b.Loop() {
				_, err := plan.Between(from, to, plan.Policy{})
				require.NoError(b, err)
			}
		})
	}
}
