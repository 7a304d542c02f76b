package plan_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"docket/internal/schema/plan"
)

// BenchmarkBetween plans on the real schema with nothing to do, and with a column that all views read.
func BenchmarkBetween(b *testing.B) {
	same, wide := inspect(b, build(b, "\\schema\n")), inspect(b, build(b, "\\schema bigint\n"))
	for name, to := range map[string]any{"same": same, "urls.id bigint": wide} {
		_ = to
		b.Run(name, func(b *testing.B) {
			want := same
			if name != "same" {
				want = wide
			}
			for b.Loop() {
				_, err := plan.Between(same, want, plan.Policy{})
				require.NoError(b, err)
			}
		})
	}
}
