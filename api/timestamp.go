package api

import "time"

// timestampFrom writes a time as the reference does: in UTC, without a zone, and with all six digits of the microseconds or,
// when there are none, without a fraction.
func timestampFrom(t time.Time) Timestamp {
	t = t.UTC()
	layout := "2006-01-02T15:04:05"
	if t.Nanosecond() >= int(time.Microsecond) {
		layout += ".000000"
	}
	return t.Format(layout)
}

// timestampOrNull is null where no time is known.
func timestampOrNull(t *time.Time) *Timestamp {
	if t == nil {
		return nil
	}
	wire := timestampFrom(*t)
	return &wire
}
