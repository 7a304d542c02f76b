package annotation

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"time"

	"github.com/jackc/pgx/v5"

	"docket/internal/consensus"
	"docket/internal/db"
	"docket/internal/postgres"
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

// ChangeClaims replaces what matches regular expressions in the statements of claims, each of which must contain it one time.
func ChangeClaims(changes map[string]string) Option {
	statements := map[string]string{}
	for _, statement := range []string{db.ReservationClaim, db.ReservationClaimFirst} {
		changed := statement
		for old, replacement := range changes {
			pattern := regexp.MustCompile(old)
			if found := len(pattern.FindAllString(statement, -1)); found != 1 {
				panic(fmt.Sprintf("a statement of claims has %s %d times", old, found))
			}
			changed = pattern.ReplaceAllString(changed, replacement)
		}
		statements[statement] = changed
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

// VotesShown returns the votes that were read with what is shown of a URL.
func (s *Service) VotesShown(ctx context.Context, urlID int32) (consensus.Votes, error) {
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Release()
	about := description{next: &Next{URLID: urlID}, votes: consensus.Votes{}}
	return about.votes, postgres.Pipeline(ctx, conn, about.steps())
}

// VotesCounted returns the votes of annotation_votes.
func (s *Service) VotesCounted(ctx context.Context, urlID int32) (consensus.Votes, error) {
	rows, err := queries.ReservationVoteList(ctx, s.pool, urlID)
	return votesOf(rows), err
}

// Seekers numbers requests.
type Seekers = seekers

// Join is that of a request for a URL of a batch, or of any if it is nil.
func (s *Seekers) Join(batchID *int32) (number int32, leave func()) {
	return s.join(Filter{BatchID: batchID})
}
