package postgres

import "context"

// Writes is writes, for tests that need package dbtest, which imports this one.
var Writes = writes

// ChangePositions makes s take what the primary says for something else.
func (s *HotStandby) ChangePositions(timelines int32, systems int64) {
	s.ask.run = func(ctx context.Context) (position, error) {
		p, err := s.askPrimary(ctx)
		p.Timeline += timelines
		p.System += systems
		return p, err
	}
}

// Forgive lets ReadSnapshot use the standby again after a conflict.
func (s *HotStandby) Forgive() { s.spared.Store(0) }

// TracerOf is tracerOf.
var TracerOf = tracerOf
