package annotation

import "time"

// SetClock replaces the clock of the cache.
func (s *Service) SetClock(now func() time.Time) { s.cache.now = now }

// Refusals lets a test compare the names in refusals with the schema.
var Refusals = refusals
