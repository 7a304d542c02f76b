package api

import "time"

// timestampFrom formats a time as the reference does: in UTC, without a zone, with six digits of microseconds, or without a
// fraction when the microseconds are 0.
func timestampFrom(t time.Time) Timestamp {
	t = t.UTC()
	layout := "2006-01-02T15:04:05"
	if t.Nanosecond() >= int(time.Microsecond) {
		layout += ".000000"
	}
	return t.Format(layout)
}

// timestampOrNull formats a time that may be null.
func timestampOrNull(t *time.Time) *Timestamp {
	if t == nil {
		return nil
	}
	wire := timestampFrom(*t)
	return &wire
}
