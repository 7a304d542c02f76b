package doctor

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"docket/internal/postgres"
)

func TestReplication(t *testing.T) {
	t.Parallel()
	inTime := postgres.Standby{Name: "a", State: "streaming", Sync: "sync", Lag: time.Second}
	late := postgres.Standby{Name: "b", State: "streaming", Sync: "async", Lag: time.Hour}
	catchesUp := postgres.Standby{Name: "c", State: "catchup", Sync: "async"}
	for _, c := range []struct {
		standbys    []postgres.Standby
		synchronous string
		state       State
		found       string
	}{
		{nil, "", OK, "0 standbys"},
		{[]postgres.Standby{inTime}, "a", OK, "1 standbys"},
		{[]postgres.Standby{inTime, late}, "a", Warning, "b is 1h0m0s behind"},
		{[]postgres.Standby{catchesUp}, "", Warning, "c is in state catchup"},
		{[]postgres.Standby{late}, "a", Problem, "commits wait"},
		{[]postgres.Standby{{Name: "a"}}, "a", Note, "may not see"},
	} {
		finding := replicated(c.standbys, c.synchronous)
		require.Equal(t, c.state, finding.State, c.found)
		require.Contains(t, finding.Found, c.found)
	}
}
