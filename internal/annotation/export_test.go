package annotation

import (
	"cmp"
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

// ChangeClaims replaces a text of the statements of claims, which at least one of them must contain.
func ChangeClaims(old, changed string) Option {
	statements := map[string]string{}
	for _, statement := range []string{db.ReservationClaim, db.ReservationClaimFirst} {
		if replaced := strings.Replace(statement, old, changed, 1); replaced != statement {
			statements[statement] = replaced
		}
	}
	if len(statements) == 0 {
		panic("no statement of claims has " + old)
	}
	return func(s *Service) { s.claims = func(on db.DBTX) db.DBTX { return changedClaims{on, statements} } }
}

type changedClaims struct {
	db.DBTX
	statements map[string]string
}

func (c changedClaims) QueryRow(ctx context.Context, statement string, args ...any) pgx.Row {
	return c.DBTX.QueryRow(ctx, cmp.Or(c.statements[statement], statement), args...)
}
