package export

import (
	"errors"
	"time"
)

var errSince = errors.New("should be a date or a time of UTC, as in 2026-01-31 or 2026-01-31T12:00:00")

// ParseSince parses a date, or a time as in exports, with an optional fraction and an optional Z or offset as in RFC 3339. The
// text of an error is for the user who entered the time.
func ParseSince(text string) (time.Time, error) {
	for _, layout := range []string{time.DateOnly, "2006-01-02T15:04:05", time.RFC3339} {
		if since, err := time.Parse(layout, text); err == nil {
			return since.UTC(), nil
		}
	}
	return time.Time{}, errSince
}
