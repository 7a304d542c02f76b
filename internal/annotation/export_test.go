package annotation

import (
	"context"
	"time"
)

// SetClock replaces the clock of the cache.
func (s *Service) SetClock(now func() time.Time) { s.cache.now = now }

// Refusals lets a test compare the names in refusals with the schema.
var Refusals = refusals

// EndSkips is what a Sweeper does about skips.
func (s *Service) EndSkips(ctx context.Context) (int, error) { return endSkips(ctx, s.pool) }
