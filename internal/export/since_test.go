package export_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"docket/internal/export"
)

func TestParseSince(t *testing.T) {
	t.Parallel()
	day := time.Date(2026, 1, 31, 0, 0, 0, 0, time.UTC)
	noon := day.Add(12 * time.Hour)
	for text, want := range map[string]time.Time{
		"2026-01-31":                 day,
		"2026-01-31T12:00:00":        noon,
		"2026-01-31T12:00:00.123456": noon.Add(123456 * time.Microsecond), // as exported
		"2026-01-31T12:00:00Z":       noon,
		"2026-01-31T13:30:00+01:30":  noon,
	} {
		got, err := export.ParseSince(text)
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
	}
	for _, text := range []string{
		"", " ", "yesterday", "2026", "2026-1-31", "2026-02-30", "2026-01-31 12:00:00", "2026-01-31T25:00:00", "2026-01-31T12:00",
		"1769860800", "infinity", "2026-01-31T12:00:00\x00", "20260131", "-2026-01-31", "99999-01-31",
	} {
		_, err := export.ParseSince(text)
		require.ErrorContains(t, err, "2026-01-31T12:00:00", text)
	}
}
