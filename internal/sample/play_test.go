package sample

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"docket/internal/annotation"
	"docket/internal/consensus"
	"docket/internal/dbtest"
	"docket/internal/imports"
	"docket/internal/postgres"
	"docket/internal/ranking"
)

// stage is a database with sample data, and a Client of it.
type stage struct {
	pool      *postgres.Pool
	client    UseCases
	validator *consensus.Validator
	options   PlayOptions
}

// setup seeds so many URLs. Nothing validates until validate is called.
func setup(t *testing.T, urls int, options ...annotation.Option) *stage {
	t.Helper()
	s := &stage{pool: dbtest.New(t)}
	s.options = PlayOptions{URLs: urls, Seed: 5, Annotators: 10, Sessions: 0.2, Accuracy: 1, AtOnce: 1, Wait: time.Minute}
	_, err := Seed(t.Context(), s.pool, Options{URLs: urls, Seed: s.options.Seed})
	require.NoError(t, err)
	s.options.Rule, err = consensus.CurrentRule(t.Context(), s.pool)
	require.NoError(t, err)
	s.validator = consensus.New(s.pool, consensus.Config{Report: func(err error) { t.Error(err) }})
	s.client = UseCases{annotation.New(s.pool, ranking.NewQueue(), append(options, annotation.OnDue(s.validator.Wake))...)}
	return s
}

// validate validates URLs until the end of the test.
func (s *stage) validate(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.validator.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		require.NoError(t, <-ended)
	})
}

func TestAnnotatorsWhoStateTheTruthMakeAFactOfEachURL(t *testing.T) {
	t.Parallel()
	s := setup(t, 60)
	s.validate(t)
	s.options.AtOnce = 3
	o, err := Play(t.Context(), s.pool, s.client, s.options)
	require.NoError(t, err)
	require.Empty(t, o.Overdue)
	require.Equal(t, o.Open, o.Facts+o.StillOpen)
	require.Equal(t, o.Undecidable, o.StillOpen, "only broken pages are open")
	require.Greater(t, o.Facts, 40)
	require.Equal(t, dbtest.Count(t, s.pool, "SELECT count(*) FROM consensus_facts"), o.Facts)
	require.Equal(t, dbtest.Count(t, s.pool, `
		SELECT (SELECT count(*) FROM annotation__url_type__user WHERE user_id >= $1)
			+ (SELECT count(*) FROM annotation__url_type__anon a WHERE a.created_at > now() - interval '1 day')`, firstSimulated), o.Answers)

	require.Equal(t, consensus.URLType, o.Attributes[0].Attribute)
	require.Equal(t, o.Facts, o.Attributes[0].Facts, "each fact has a type")
	for _, attribute := range o.Attributes {
		require.NotZero(t, attribute.Facts)
		require.GreaterOrEqual(t, 20*attribute.True, 19*attribute.Facts, "%s: only answers of the sample data are wrong", attribute.Attribute)
	}
	require.GreaterOrEqual(t, 10*o.True, 9*o.Facts)
	require.GreaterOrEqual(t, o.Annotators, 2*o.Facts, "two users, or more with sessions")
	require.GreaterOrEqual(t, o.Needed, o.Facts)
	require.LessOrEqual(t, o.Needed+o.Late, o.Answers)
	require.NotEmpty(t, o.Latencies)
	require.NoError(t, ranking.Verify(t.Context(), s.pool, func(d ranking.Difference) { t.Errorf("queue: %+v", d) }))

	again, err := Play(t.Context(), s.pool, s.client, s.options)
	require.NoError(t, err)
	require.Zero(t, again.Answers, "no URL is left that can become a fact")
}

func TestPlayEndsAfterSoManyFacts(t *testing.T) {
	t.Parallel()
	s := setup(t, 60)
	s.validate(t)
	s.options.Facts = 5
	var most atomic.Int64
	s.options.Progress = func(done, total int64) {
		most.Store(done)
		require.EqualValues(t, 5, total)
	}
	o, err := Play(t.Context(), s.pool, s.client, s.options)
	require.NoError(t, err)
	require.InDelta(t, 5, o.Facts, float64(s.options.AtOnce))
	require.LessOrEqual(t, most.Load(), int64(o.Facts))
}

func TestPlayReportsURLsThatAreNotValidated(t *testing.T) {
	t.Parallel()
	s := setup(t, 12)
	s.options.Wait = 0
	o, err := Play(t.Context(), s.pool, s.client, s.options)
	require.NoError(t, err)
	require.Zero(t, o.Facts)
	require.Equal(t, o.Open-o.Undecidable, len(o.Overdue), "every annotator has answered every URL")
	require.Equal(t, o.Open*s.options.Annotators, o.Answers)

	require.Empty(t, o.Latencies)
	require.Zero(t, o.Latency(50))
	for {
		taken, err := s.validator.Drain(t.Context())
		require.NoError(t, err)
		if taken == 0 {
			break
		}
	}
	require.Equal(t, dbtest.Count(t, s.pool, "SELECT count(*) FROM consensus_facts"), len(o.Overdue), "validated after all")
}

// failing is a Client whose answers fail.
type failing struct{ UseCases }

var errFailing = errors.New("it fails")

func (failing) Submit(context.Context, Annotator, int32, annotation.Answer) error { return errFailing }

func TestPlayFails(t *testing.T) {
	t.Parallel()
	s := setup(t, 12)
	_, err := Play(t.Context(), s.pool, failing{s.client}, s.options)
	require.ErrorIs(t, err, errFailing)
	require.ErrorContains(t, err, "answer about URL")

	other := s.options
	other.Seed++
	_, err = Play(t.Context(), s.pool, s.client, other)
	require.ErrorIs(t, err, ErrOtherData)
	require.Zero(t, dbtest.Count(t, s.pool, "SELECT count(*) FROM annotation__url_type__user WHERE user_id >= $1", firstSimulated))

	for _, change := range []func(*PlayOptions){
		func(o *PlayOptions) { o.URLs = 0 },
		func(o *PlayOptions) { o.Annotators = 0 },
		func(o *PlayOptions) { o.Sessions = 1.1 },
		func(o *PlayOptions) { o.Accuracy = -0.1 },
		func(o *PlayOptions) { o.AtOnce = 0 },
		func(o *PlayOptions) { o.AtOnce, o.Thinking = 2, true },
		func(o *PlayOptions) { o.Facts = -1 },
		func(o *PlayOptions) { o.Wait = -1 },
	} {
		bad := s.options
		change(&bad)
		_, err := Play(t.Context(), s.pool, s.client, bad)
		require.ErrorContains(t, err, "must")
	}
}

// think is a play of annotators who all work at the same time, in an order that depends on the seed alone.
func (s *stage) think(t *testing.T, annotators int) Outcome {
	t.Helper()
	s.options.Annotators, s.options.Accuracy, s.options.Thinking = annotators, 0.9, true
	s.options.Validate = func(ctx context.Context) error {
		_, err := s.validator.Drain(ctx)
		return err
	}
	o, err := Play(t.Context(), s.pool, s.client, s.options)
	require.NoError(t, err)
	require.Equal(t, o.Undecidable, o.StillOpen, "only broken pages are open")
	require.NoError(t, ranking.Verify(t.Context(), s.pool, func(d ranking.Difference) { t.Errorf("queue: %+v", d) }))
	return o
}

// TestReservationsSaveAnswers lets twenty annotators make facts of the same URLs in the same simulated time, without reservations
// and with them.
func TestReservationsSaveAnswers(t *testing.T) {
	t.Parallel()
	const annotators = 20
	without := setup(t, 60).think(t, annotators)
	s := setup(t, 60, annotation.Reserve(annotation.ReservePolicy{For: time.Hour}))
	with := s.think(t, annotators)
	t.Logf("answers about %d URLs: %d without reservations, %d with them; "+
		"of these, %d and %d after a consensus; %d and %d offers too many",
		with.Facts, without.Decidable, with.Decidable, without.Late, with.Late, without.Surplus, with.Surplus)
	require.Equal(t, without.Facts, with.Facts)
	require.LessOrEqual(t, 10*with.Decidable, 7*without.Decidable, "at least 30 %% fewer")
	require.LessOrEqual(t, 10*with.Answers, 7*without.Answers, "also with those about broken pages")
	require.Equal(t, with.Answers, s.takeAllBack(t))
}

// takeAllBack has each annotator list, change and take back all its answers, and returns their number. A validated URL is reopened
// first.
func (s *stage) takeAllBack(t *testing.T) (answers int) {
	t.Helper()
	reopener := consensus.NewReopener(s.pool)
	for _, a := range newWorld(s.options.URLs, s.options.Seed, imports.States).simulate(s.options) {
		for after := (*annotation.Position)(nil); ; {
			list, next, err := s.given(t.Context(), a.Annotator, after)
			require.NoError(t, err)
			for _, given := range list {
				answers++
				if err := s.change(t.Context(), a.Annotator, given.URLID); given.Validated {
					require.ErrorIs(t, err, annotation.ErrValidated)
					require.NoError(t, reopener.Reopen(t.Context(), 1, given.URLID, "wrong"))
					require.NoError(t, s.change(t.Context(), a.Annotator, given.URLID))
				} else {
					require.NoError(t, err)
				}
				if a.UserID == 0 {
					require.NoError(t, s.client.TakeBackAnonymous(t.Context(), a.Session, given.URLID))
				} else {
					require.NoError(t, s.client.TakeBack(t.Context(), a.UserID, given.URLID))
				}
			}
			if after = next; next == nil {
				break
			}
		}
		left, _, err := s.given(t.Context(), a.Annotator, nil)
		require.NoError(t, err)
		require.Empty(t, left)
	}
	require.NoError(t, ranking.Verify(t.Context(), s.pool, func(d ranking.Difference) { t.Errorf("queue: %+v", d) }))
	return answers
}

func (s *stage) given(
	ctx context.Context, a Annotator, after *annotation.Position,
) ([]annotation.GivenAnswer, *annotation.Position, error) {
	if a.UserID == 0 {
		return s.client.GivenAnonymous(ctx, a.Session, nil, after)
	}
	return s.client.Given(ctx, a.UserID, nil, after)
}

// change replaces an answer by one that no annotator of a play gives about a URL with a record type and no name.
func (s *stage) change(ctx context.Context, a Annotator, urlID int32) error {
	stops := annotation.RecordType("Stops")
	other := annotation.Answer{URLType: annotation.DataSource, RecordType: &stops, NewName: new("Changed")}
	if a.UserID == 0 {
		return s.client.ReplaceAnonymous(ctx, a.Session, urlID, other)
	}
	return s.client.Replace(ctx, a.UserID, urlID, other)
}

// forgetful is a Client that offers nothing to annotators who have answered once.
type forgetful struct {
	UseCases
	answered map[Annotator]bool
}

func (c forgetful) Next(ctx context.Context, a Annotator) (*annotation.Next, error) {
	if c.answered[a] {
		return nil, nil
	}
	c.answered[a] = true
	return c.UseCases.Next(ctx, a)
}

func TestPlayNoticesThatNothingIsOffered(t *testing.T) {
	t.Parallel()
	s := setup(t, 12)
	_, err := Play(t.Context(), s.pool, forgetful{s.client, map[Annotator]bool{}}, s.options)
	require.ErrorIs(t, err, ErrNothingOffered)
}

func TestLatencyIsAPercentileByTheNearestRank(t *testing.T) {
	t.Parallel()
	var o Outcome
	for i := range 200 {
		o.Latencies = append(o.Latencies, time.Duration(i+1))
	}
	require.EqualValues(t, 100, o.Latency(50))
	require.EqualValues(t, 198, o.Latency(99))
	require.EqualValues(t, 200, o.Latency(100))
	o.Latencies = o.Latencies[:1]
	require.EqualValues(t, 1, o.Latency(50))
	require.EqualValues(t, 1, o.Latency(99))
}
