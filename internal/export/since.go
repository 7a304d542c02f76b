package export

import (
	"errors"
	"time"
)

var errSince = errors.New("should be a date or a time of UTC, as in 2026-01-31 or 2026-01-31T12:00:00")

// ParseSince reads a date, or a time as exports have them; a fraction and the Z or offset of RFC 3339 may follow. The text of an
// error is fit for whoever wrote the time.
func ParseSince(text string) (time.Time, error) {
	for _, layout := range []string{time.DateOnly, "2006-01-02T15:04:05", time.RFC3339} {
		if since, err := time.Parse(layout, text); err == nil {
			return since.UTC(), nil
		}
	}
	return time.Time{}, errSince
}
