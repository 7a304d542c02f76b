package agreement

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"docket/internal/consensus"
	"docket/internal/db"
	"docket/internal/phase"
	"docket/internal/postgres"
	"docket/internal/unknown"
)

// Service measures agreement. It is safe for concurrent use.
type Service struct {
	pool  *postgres.Pool
	slots chan struct{}
}

// New returns a Service on the database of pool, which must be migrated. It reads from the standby of pool, if there is one.
func New(pool *postgres.Pool) *Service {
	return &Service{pool: pool, slots: make(chan struct{}, 1)}
}

var queries = db.New()

// Request says what to measure.
type Request struct {
	BatchID     *int32 // only URLs of this batch
	LeastCommon int    // of Pairs; DefaultLeastCommon when 0
	Options

	// Pair, unless nil, is called with each pair of users and its attribute, attribute by attribute. The raters are ids of users.
	Pair func(consensus.Attribute, Pair)
	// Progress, unless nil, is called with the number of steps done and of all steps.
	Progress func(done, total int64)
}

// Report is the agreement about each attribute, in the order of consensus.Attributes.
type Report []AttributeReport

// AttributeReport is the agreement about one attribute.
type AttributeReport struct {
	Attribute consensus.Attribute
	URLs      int // with a vote
	Compared  int // of these, the ones with votes of two or more annotators
	Ratings   int // pairs of an annotator and a URL: what an annotator voted for is one rating
	Users     int
	Sessions  int
	Values    int // different ratings
	Coefficients
	Pairs  PairSummary
	Robots Sides // of users
	Influence
}

// Measure measures the agreement in one snapshot. It waits while another call of it runs, because it uses all processors. Its
// error is an unknown.Error if the batch does not exist.
func (s *Service) Measure(ctx context.Context, r Request) (Report, error) {
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	case <-ctx.Done():
		return nil, fmt.Errorf("measure agreement: %w", ctx.Err())
	}
	var report Report
	again := func() bool { return r.Pair == nil } // which is called once for each pair
	err := postgres.ReadSnapshot(ctx, s.pool, again, func(tx pgx.Tx) error {
		ctx, end := phase.Start(ctx, phase.Progress)
		defer end()
		var err error
		report, err = measure(ctx, tx, r)
		return err
	})
	if _, missing := errors.AsType[*unknown.Error](err); missing {
		return nil, err
	}
	if err != nil {
		return nil, fmt.Errorf("measure agreement: %w", err)
	}
	return report, nil
}

func measure(ctx context.Context, tx pgx.Tx, r Request) (Report, error) {
	if r.BatchID != nil {
		exists, err := queries.AgreementBatchExists(ctx, tx, *r.BatchID)
		if err != nil {
			return nil, fmt.Errorf("look up batch: %w", err)
		}
		if !exists {
			return nil, unknown.New(unknown.Batch, *r.BatchID)
		}
	}
	step := func(done int) {
		if r.Progress != nil {
			r.Progress(int64(done), int64(len(consensus.Attributes)+1))
		}
	}
	step(0)
	robots, err := readRobots(ctx, tx, r.BatchID)
	if err != nil {
		return nil, fmt.Errorf("compare with robots: %w", err)
	}
	influences, err := r.influences(ctx, tx)
	if err != nil {
		return nil, fmt.Errorf("compare answers with suggestions shown and hidden: %w", err)
	}
	report := make(Report, len(consensus.Attributes))
	for i, attribute := range consensus.Attributes {
		step(i + 1)
		if report[i], err = r.measure(ctx, tx, attribute); err != nil {
			return nil, err
		}
		report[i].Robots, report[i].Influence = robots[attribute], influences[attribute]
	}
	step(len(consensus.Attributes) + 1)
	return report, nil
}

func (r Request) measure(ctx context.Context, tx pgx.Tx, attribute consensus.Attribute) (AttributeReport, error) {
	votes, err := loadVotes(ctx, tx, attribute, r.BatchID)
	if err != nil {
		return AttributeReport{}, err
	}
	report := AttributeReport{
		Attribute: attribute, URLs: votes.table.Units(), Compared: votes.urls, Ratings: votes.table.Ratings(),
		Users: len(votes.users), Sessions: votes.sessions, Values: votes.table.Values(),
	}
	if report.Coefficients, err = Measure(ctx, &votes.table, r.Options); err != nil {
		return report, err
	}
	var yield func(Pair)
	if r.Pair != nil {
		yield = func(p Pair) {
			p.First, p.Second = votes.users[p.First], votes.users[p.Second]
			r.Pair(attribute, p)
		}
	}
	leastCommon := r.LeastCommon
	if leastCommon == 0 {
		leastCommon = DefaultLeastCommon
	}
	report.Pairs, err = Pairs(ctx, &votes.table, leastCommon, r.Options, yield)
	return report, err
}

func readRobots(ctx context.Context, tx pgx.Tx, batchID *int32) (map[consensus.Attribute]Sides, error) {
	rows, err := queries.RobotAgreementList(ctx, tx, batchID)
	robots := map[consensus.Attribute]Sides{}
	for _, row := range rows {
		robots[consensus.Attribute(row.Attribute)] = side{row.Answers, row.Sided}.sides()
	}
	return robots, err
}
