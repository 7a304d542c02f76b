package annotation

import (
	"context"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"docket/internal/db"
)

// SetClock replaces the clock of the cache.
func (s *Service) SetClock(now func() time.Time) { s.cache.now = now }

// Refusals lets a test compare the names in refusals with the schema.
var Refusals = refusals

// EndSkips is what a Sweeper does about skips.
func (s *Service) EndSkips(ctx context.Context) (int, error) { return endSkips(ctx, s.pool) }

// SetTime replaces the clock of the database in reservations.
func (s *Service) SetTime(now func() time.Time) { s.time = func() *time.Time { return new(now()) } }

// Sweep sweeps at a time.
func Sweep(ctx context.Context, on db.DBTX, now *time.Time) (freed int, err error) {
	return sweep(ctx, on, now, true)
}

// EmptyReason is why a choice has found no URL.
func (s *Service) EmptyReason(ctx context.Context, by Annotator, filter Filter) (Reason, error) {
	return s.emptyReason(ctx, s.pool, s.ranking, by, filter)
}

// ChangeClaims replaces a text of the statement of claims, which the statement must contain.
func ChangeClaims(old, changed string) Option {
	statement := strings.Replace(db.ReservationClaim, old, changed, 1)
	if statement == db.ReservationClaim {
		panic("the statement of claims has no " + old)
	}
	return func(s *Service) { s.claims = func(on db.DBTX) db.DBTX { return changedClaims{on, statement} } }
}

type changedClaims struct {
	db.DBTX
	statement string
}

func (c changedClaims) QueryRow(ctx context.Context, _ string, args ...any) pgx.Row {
	return c.DBTX.QueryRow(ctx, c.statement, args...)
}
