package annotation

import "time"

// RememberedFor is how long memory holds.
const RememberedFor = rememberedFor

// SetClock replaces the clock of the memory.
func (s *Service) SetClock(now func() time.Time) { s.memory.now = now }

// Refusals lets a test hold the names in refusals against the schema.
var Refusals = refusals
