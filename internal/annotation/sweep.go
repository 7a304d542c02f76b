package annotation

import (
	"context"
	"fmt"
	"time"

	"docket/internal/db"
	"docket/internal/postgres"
)

// Sweeper has URLs offered again whose reservations have expired, and those put off whose time is over. Each process that reserves
// URLs runs one; they do not disturb each other.
type Sweeper struct {
	pool   *postgres.Pool
	report func(error)
}

// NewSweeper returns a Sweeper that does nothing until Run is called. It reports errors, one time until a sweep succeeds.
func NewSweeper(pool *postgres.Pool, report func(error)) *Sweeper { return &Sweeper{pool, report} }

const (
	sweepEvery = time.Second
	// sweepsForLost is after how many sweeps one also looks for URLs whose reservations were lost in a crash of the server.
	sweepsForLost = 10
	// sweptTogether bounds how long the rows of the queue are locked.
	sweptTogether = 500
)

// Run sweeps until ctx ends, and then returns nil.
func (s *Sweeper) Run(ctx context.Context) error {
	timer := time.NewTicker(sweepEvery)
	defer timer.Stop()
	failing := false
	for i := 0; ; i++ {
		_, err := sweep(ctx, s.pool, nil, i%sweepsForLost == 0)
		if err == nil {
			_, err = endSkips(ctx, s.pool)
		}
		if postgres.IsReadOnly(err) {
			err = nil // nothing is reserved or skipped meanwhile
		}
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil && !failing:
			s.report(err)
		}
		failing = err != nil
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		}
	}
}

// sweep ends the reservations that have expired. With lost, it also looks for URLs that are reserved only according to the queue.
// It returns how many URLs are offered again. now replaces the clock of the database.
func sweep(ctx context.Context, on db.DBTX, now *time.Time, lost bool) (freed int, err error) {
	for {
		row, err := queries.ReservationSweep(ctx, on, db.ReservationSweepParams{Now: now, Most: sweptTogether})
		if err != nil {
			return 0, fmt.Errorf("end expired reservations: %w", err)
		}
		freed += int(row.Freed)
		if row.Deleted < sweptTogether {
			break
		}
	}
	for lost {
		found, err := queries.ReservationSweepLost(ctx, on, sweptTogether)
		if err != nil {
			return 0, fmt.Errorf("look for lost reservations: %w", err)
		}
		freed += int(found)
		lost = found == sweptTogether
	}
	return freed, nil
}
