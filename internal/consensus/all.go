package consensus

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"docket/internal/changelog"
	"docket/internal/convert"
	"docket/internal/db"
	"docket/internal/postgres"
	"docket/internal/ranking"
)

const (
	// readTogether is how many URLs are looked at by one statement. It bounds the memory used.
	readTogether = 5000
	// drainTogether is how many due rows one transaction of ValidateAll takes.
	drainTogether = 100
)

// ValidateAll decides about all URLs that are not validated, and validates those whose votes make a fact, as a Validator does. It
// is for votes that no process has noticed, such as those of other programs. First it decides about what is due. Then it reads
// all URLs in ranges of ids, and stores facts in parts, for each of which answers wait for some tenths of a second at most. The
// memory used does not grow with the number of URLs. After an error, what it has stored remains. Nothing is validated twice if
// two run at a time.
//
// The task is linked to the URLs. Its errors are the URLs that cannot be validated, and why. A URL that fails is tried again by
// the next run, and no error of this one.
func ValidateAll(ctx context.Context, pool *postgres.Pool, taskID int32) (result string, err error) {
	decider := decider{changelog.NewWriter()}
	var sum counts
	for taken := drainTogether; taken == drainTogether; {
		done, err := decider.drain(ctx, pool, db.ConsensusDueDeleteManyParams{Most: drainTogether},
			func(ctx context.Context, tx pgx.Tx, done outcome) error { return done.report(ctx, tx, taskID, true) })
		if err != nil {
			return "", err
		}
		taken = done.taken
		sum.validated += len(done.validated) // the others are among all URLs
	}

	rule, err := CurrentRule(ctx, pool)
	if err != nil {
		return "", err
	}
	err = inParts(ctx, pool, func(after, upto int32) ([]int32, error) {
		return candidates(ctx, pool, rule, after, upto)
	}, func(tx pgx.Tx, urlIDs []int32) (func(), error) {
		rule, err := CurrentRule(ctx, tx) // again: a migration may have replaced it since the run began
		if err != nil {
			return nil, err
		}
		done, err := decider.validateEach(ctx, tx, rule, urlIDs)
		if err != nil {
			return nil, err
		}
		// A URL that fails is left to the next run: each run would make it due once more.
		if err := (outcome{locked: done.locked}).postpone(ctx, tx, nil); err != nil {
			return nil, err
		}
		return func() { sum = sum.and(done.counts()) }, done.report(ctx, tx, taskID, true)
	})
	if err != nil {
		return "", fmt.Errorf("validate URLs: %w", err)
	}
	return sum.String(), nil
}

// candidates returns the URLs of a range of ids that are not validated and about which the votes make a fact, and those that an
// earlier run has reported. It locks nothing.
func candidates(ctx context.Context, pool *postgres.Pool, rule Rule, after, upto int32) (urlIDs []int32, err error) {
	rows, err := queries.ConsensusCandidateList(ctx, pool, db.ConsensusCandidateListParams{After: after, Upto: upto})
	if err != nil {
		return nil, err
	}
	listed := convert.Each(rows, func(row db.ConsensusCandidateListRow) int32 { return row.URLID })
	votes, err := LoadVotes(ctx, pool, listed)
	if err != nil {
		return nil, err
	}
	reopened, err := reopenedOf(ctx, pool, listed)
	if err != nil {
		return nil, err
	}
	for _, row := range rows {
		if _, decided := rule.Decide(votes[row.URLID]); decided && !reopened.contain(row.URLID) || row.Reported {
			urlIDs = append(urlIDs, row.URLID)
		}
	}
	return urlIDs, nil
}

// inParts calls list for ranges of the ids of all URLs, and store with the URLs that it returns, in transactions that others wait
// for only shortly. The function that store returns is called after the commit.
func inParts(
	ctx context.Context, pool *postgres.Pool,
	list func(after, upto int32) ([]int32, error), store func(tx pgx.Tx, urlIDs []int32) (stored func(), err error),
) error {
	return postgres.Parts[int32]{
		Next: ranking.OfURLs(ctx, pool, readTogether, list),
		Store: func(tx pgx.Tx, urlIDs []int32) (func() error, error) {
			stored, err := store(tx, urlIDs)
			return func() error { stored(); return nil }, err
		},
	}.Run(ctx, func(ctx context.Context, fn func(pgx.Tx) error) error { return postgres.InTx(ctx, pool, fn) })
}
