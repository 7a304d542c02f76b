package api

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestTimestamp(t *testing.T) {
	t.Parallel()
	at := func(nanoseconds int) time.Time { return time.Date(2026, 1, 31, 12, 0, 9, nanoseconds, time.UTC) }
	for want, given := range map[string]time.Time{
		"2026-01-31T12:00:09":        at(0),
		"2026-01-31T12:00:09.000001": at(1000),
		"2026-01-31T12:00:09.120000": at(120_000_000),
		"2026-01-31T12:00:09.999999": at(999_999_999), // never rounded into the next second
	} {
		require.Equal(t, want, timestampFrom(given))
	}
	require.Equal(t, "2026-01-31T12:00:09", timestampFrom(at(999)), "nanoseconds alone are no fraction")
	require.Equal(t, "2026-01-31T12:00:09", timestampFrom(at(0).In(time.FixedZone("elsewhere", 7200))))
	require.Nil(t, timestampOrNull(nil))
	now := at(0)
	require.Equal(t, "2026-01-31T12:00:09", *timestampOrNull(&now))
}
