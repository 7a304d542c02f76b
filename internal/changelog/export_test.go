package changelog

import "time"

// NewWriterAt returns a Writer with a clock of the test's.
func NewWriterAt(now func() time.Time) *Writer {
	w := NewWriter()
	w.now = now
	return w
}

// CheckEvery is how long a Writer relies on what it knows of the triggers.
const CheckEvery = checkEvery
