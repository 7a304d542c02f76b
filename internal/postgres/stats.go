package postgres

import "time"

// Stats is the state of a pool.
type Stats struct {
	Max, Open, Idle, Acquired int32
	Acquires                  int64         // connections acquired since the start
	EmptyAcquires             int64         // acquires that had to wait
	CanceledAcquires          int64         // acquires canceled while waiting
	AcquireTime               time.Duration // time spent acquiring, summed
	EmptyAcquireWait          time.Duration // the part of it that was spent waiting for another caller or a new connection
}

// Stats returns the state of the pool.
func (p *Pool) Stats() Stats {
	s := p.Stat()
	return Stats{
		Max: s.MaxConns(), Open: s.TotalConns(), Idle: s.IdleConns(), Acquired: s.AcquiredConns(),
		Acquires: s.AcquireCount(), EmptyAcquires: s.EmptyAcquireCount(), CanceledAcquires: s.CanceledAcquireCount(),
		AcquireTime: s.AcquireDuration(), EmptyAcquireWait: s.EmptyAcquireWaitTime(),
	}
}
