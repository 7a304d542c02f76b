package agreement_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"docket/internal/agreement"
	"docket/internal/consensus"
	"docket/internal/dbtest"
	"docket/internal/postgres"
	"docket/internal/unknown"
)

func setup(t *testing.T, statements ...string) (*postgres.Pool, *agreement.Service) {
	pool := dbtest.New(t)
	for _, statement := range statements {
		dbtest.Exec(t, pool, statement)
	}
	return pool, agreement.New(pool)
}

func measureAll(t *testing.T, service *agreement.Service, r agreement.Request) map[consensus.Attribute]agreement.AttributeReport {
	report, err := service.Measure(t.Context(), r)
	require.NoError(t, err)
	require.Len(t, report, len(consensus.Attributes))
	byAttribute := map[consensus.Attribute]agreement.AttributeReport{}
	for i, of := range report {
		require.Equal(t, consensus.Attributes[i], of.Attribute)
		byAttribute[of.Attribute] = of
	}
	return byAttribute
}

// The published example, stored as record types by users, has the published coefficients.
func TestMeasurePublishedExample(t *testing.T) {
	t.Parallel()
	pool, service := setup(t, `INSERT INTO urls (id, url, source) SELECT n, n || '.org', 'manual' FROM generate_series(1, 12) AS n`)
	for unit, ratings := range fourRaters {
		for rater, category := range ratings {
			if category != none {
				dbtest.Exec(t, pool, `INSERT INTO annotation__record_type__user (url_id, user_id, record_type)
					VALUES ($1, $2, (enum_range(NULL::record_type))[$3::integer])`, unit+1, -rater, category)
			}
		}
	}
	got := measureAll(t, service, agreement.Request{LeastCommon: 9})[consensus.RecordType]
	requireDigits(t, "0.8181818", *got.Raw.Value)
	requireDigits(t, "0.76117", *got.Fleiss.Value)
	requireDigits(t, "0.74342", *got.Alpha.Value)
	requireDigits(t, "0.77544", *got.AC1.Value)
	require.Equal(t, []int{12, 11, 41, 4, 0, 5}, []int{got.URLs, got.Compared, got.Ratings, got.Users, got.Sessions, got.Values})
	require.Equal(t, []int{9, 5}, []int{got.Pairs.LeastCommon, got.Pairs.Pairs}, "of six pairs, one shares only eight units")
	require.InDelta(t, agreement.DefaultReplicates, got.Alpha.Replicates, 5, "few samples have no variation")
}

// What an annotator says is a set. Sessions count like users, but are in no pair. Answers without a value count nowhere.
func TestMeasureSets(t *testing.T) {
	t.Parallel()
	_, service := setup(t,
		`INSERT INTO urls (id, url, source) SELECT n, n || '.org', 'manual' FROM generate_series(1, 4) AS n`,
		`INSERT INTO agencies (id, name, jurisdiction_type) SELECT n, 'a', 'local' FROM generate_series(1, 12) AS n`,
		`INSERT INTO anonymous_sessions (id) VALUES ('00000000-0000-0000-0000-000000000001')`,
		// The same set in another order; a part of it; a set whose digits are the same; no agency.
		`INSERT INTO annotation__agency__user (url_id, user_id, agency_id) VALUES
			(1, 1, 1), (1, 1, 2), (1, 2, 2), (1, 2, 1), (2, 1, 1), (2, 2, 1), (2, 2, 2), (3, 1, 12), (3, 2, 1), (3, 2, 2)`,
		`INSERT INTO annotation__agency__user (url_id, user_id, is_new) VALUES (3, 3, true), (4, 1, NULL)`,
		`INSERT INTO annotation__agency__anon (url_id, session_id, agency_id) VALUES
			(3, '00000000-0000-0000-0000-000000000001', 2), (3, '00000000-0000-0000-0000-000000000001', 1)`,
		// Names with the same text are the same value on every URL. The long ones differ in the last letter.
		`INSERT INTO annotation__name__suggestions (id, url_id, suggestion) VALUES
			(1, 1, 'Reports of the police, A'), (2, 1, 'Reports of the police, B'), (3, 2, 'Reports of the police, A'), (4, 2, '')`,
		`INSERT INTO annotation__name__user__endorsements (user_id, suggestion_id) VALUES (1, 1), (2, 1), (2, 2), (1, 3), (2, 4)`)
	var pairs []agreement.Pair
	got := measureAll(t, service, agreement.Request{LeastCommon: 1, Pair: func(of consensus.Attribute, p agreement.Pair) {
		if of == consensus.Agency {
			pairs = append(pairs, p)
		}
	}})
	agency := got[consensus.Agency]
	require.Equal(t, []int{3, 3, 7, 2, 1, 3},
		[]int{agency.URLs, agency.Compared, agency.Ratings, agency.Users, agency.Sessions, agency.Values})
	require.InDelta(t, (1+0+1.0/3)/3, *agency.Raw.Value, 1e-12)
	require.Len(t, pairs, 1)
	require.Equal(t, []any{int32(1), int32(2), 3}, []any{pairs[0].First, pairs[0].Second, pairs[0].Common})
	require.InDelta(t, 1.0/3, pairs[0].Raw, 1e-12)
	name := got[consensus.Name]
	require.Equal(t, []int{2, 4, 3}, []int{name.URLs, name.Ratings, name.Values})
	require.InDelta(t, 0, *name.Raw.Value, 1e-12)
	require.Equal(t, "no URL has the answers of two annotators", got[consensus.Location].Alpha.Reason)
}

// Only URLs of the batch count. An unknown batch is an error.
func TestMeasureBatch(t *testing.T) {
	t.Parallel()
	_, service := setup(t,
		`INSERT INTO urls (id, url, source) SELECT n, n || '.org', 'manual' FROM generate_series(1, 4) AS n`,
		`INSERT INTO batches (id, strategy, status) VALUES (1, 'manual', 'ready to label'), (2, 'manual', 'ready to label')`,
		`INSERT INTO link_batches__urls (batch_id, url_id) VALUES (1, 1), (1, 2), (2, 3)`,
		`INSERT INTO annotation__url_type__user (url_id, user_id, type)
			SELECT url_id, user_id, 'data source' FROM generate_series(1, 4) AS url_id, generate_series(1, url_id) AS user_id`,
		`INSERT INTO annotation__url_type__auto (url_id, relevant) VALUES (1, true), (3, false), (4, true)`)
	batch := int32(1)
	got := measureAll(t, service, agreement.Request{BatchID: &batch})[consensus.URLType]
	require.Equal(t, []int{2, 1, 3, 2}, []int{got.URLs, got.Compared, got.Ratings, got.Users})
	require.Equal(t, []int64{1, 1}, []int64{got.Robots.Answers, got.Robots.Sided})
	all := measureAll(t, service, agreement.Request{})[consensus.URLType]
	require.Equal(t, []int{4, 3, 10, 4}, []int{all.URLs, all.Compared, all.Ratings, all.Users})
	require.Equal(t, []int64{8, 5}, []int64{all.Robots.Answers, all.Robots.Sided})

	batch = 3
	_, err := service.Measure(t.Context(), agreement.Request{BatchID: &batch})
	var missing *unknown.Error
	require.ErrorAs(t, err, &missing)
	require.Equal(t, unknown.New(unknown.Batch, batch), missing)
}

// Users side with a robot by its best suggestion for the URL. Sessions are not asked.
func TestRobots(t *testing.T) {
	t.Parallel()
	_, service := setup(t,
		`INSERT INTO urls (id, url, source) SELECT n, n || '.org', 'manual' FROM generate_series(1, 3) AS n`,
		`INSERT INTO agencies (id, name, jurisdiction_type) SELECT n, 'a', 'local' FROM generate_series(1, 9) AS n`,
		`INSERT INTO locations (id, type) OVERRIDING SYSTEM VALUE SELECT n, 'National' FROM generate_series(1, 9) AS n`,
		`INSERT INTO tasks (id, task_type, task_status) VALUES (1, 'Agency Identification', 'complete')`,
		`INSERT INTO anonymous_sessions (id) VALUES ('00000000-0000-0000-0000-000000000001')`,

		`INSERT INTO annotation__url_type__auto (url_id, relevant) VALUES (1, true), (2, false)`,
		`INSERT INTO annotation__url_type__user (url_id, user_id, type) VALUES
			(1, 1, 'data source'), (1, 2, 'individual record'), (1, 3, 'not relevant'), (1, 4, 'broken page'), (1, 5, 'not found'),
			(2, 1, 'not relevant'), (2, 2, 'meta url'), (3, 1, 'meta url')`,
		`INSERT INTO annotation__url_type__anon (url_id, session_id, url_type)
			VALUES (1, '00000000-0000-0000-0000-000000000001', 'data source')`,

		`INSERT INTO annotation__record_type__auto (url_id, record_type) VALUES (1, 'Stops'), (2, 'Other')`,
		`INSERT INTO annotation__record_type__user (url_id, user_id, record_type) VALUES
			(1, 1, 'Stops'), (1, 2, 'Other'), (3, 1, 'Other')`,

		// Agency 4 of URL 1, from the second of two robots. The robot of URL 3 found none, and one without confidence says nothing.
		`INSERT INTO annotation__agency__auto__subtasks (id, task_id, url_id, type, agencies_found) VALUES
			(1, 1, 1, 'homepage_match', true), (2, 1, 1, 'ckan_match', true), (3, 1, 2, 'ckan_match', true), (4, 1, 3, 'ckan_match', false)`,
		`INSERT INTO annotation__agency__auto__suggestions (subtask_id, agency_id, confidence) VALUES
			(1, 3, 60), (1, 5, 80), (2, 4, 80), (2, 6, 79), (3, 1, 0)`,
		`INSERT INTO annotation__agency__user (url_id, user_id, agency_id) VALUES
			(1, 1, 4), (1, 1, 5), (1, 2, 5), (1, 3, 4), (2, 1, 1), (3, 1, 1)`,
		`INSERT INTO annotation__agency__user (url_id, user_id, is_new) VALUES (1, 4, true)`,

		`INSERT INTO annotation__location__auto__subtasks (id, task_id, url_id, type, locations_found) VALUES
			(1, 1, 1, 'nlp_location_frequency', true), (2, 1, 2, 'batch_link', true)`,
		`INSERT INTO annotation__location__auto__suggestions (subtask_id, location_id, confidence) VALUES
			(1, 1, 20), (1, 2, 30.5), (2, 3, 1)`,
		`INSERT INTO annotation__location__user (url_id, user_id, location_id) VALUES
			(1, 1, 2), (1, 2, 1), (1, 3, 1), (1, 3, 2), (2, 1, 3)`,

		`INSERT INTO annotation__name__suggestions (id, url_id, suggestion, source) VALUES
			(1, 1, 'Title', 'HTML Metadata Title'), (2, 1, 'Other', 'User'), (3, 2, 'Title', 'User'), (4, 3, 'A', 'HTML Metadata Title')`,
		`INSERT INTO annotation__name__user__endorsements (user_id, suggestion_id) VALUES (1, 1), (2, 2), (3, 1), (3, 2), (1, 3)`)
	got := measureAll(t, service, agreement.Request{})
	for attribute, want := range map[consensus.Attribute][2]int64{
		consensus.URLType: {5, 3}, consensus.RecordType: {2, 1}, consensus.Agency: {3, 2}, consensus.Location: {4, 3},
		consensus.Name: {3, 2},
	} {
		robots := got[attribute].Robots
		require.Equal(t, want, [2]int64{robots.Answers, robots.Sided}, attribute)
		require.InDelta(t, float64(want[1])/float64(want[0]), *robots.Share, 1e-12)
	}
}

// An empty database has no numbers and no error. The order in which rows are stored changes nothing, to the last bit.
func TestMeasureIsRepeatable(t *testing.T) {
	t.Parallel()
	_, empty := setup(t)
	for _, of := range measureAll(t, empty, agreement.Request{}) {
		require.Nil(t, of.Raw.Value)
		require.Nil(t, of.Robots.Share)
		require.Nil(t, of.Pairs.Min)
	}
	var reports []agreement.Report
	for _, order := range []string{"n", "-n", "n % 7, n"} {
		_, service := setup(t,
			`INSERT INTO urls (id, url, source) SELECT n, n || '.org', 'manual' FROM generate_series(1, 40) AS n`,
			`INSERT INTO locations (id, type) OVERRIDING SYSTEM VALUE SELECT n, 'National' FROM generate_series(1, 9) AS n`,
			`INSERT INTO annotation__location__user (url_id, user_id, location_id)
				SELECT 1 + n % 40, 1 + n / 40 % 5, 1 + n * n % 3 + 3 * (n / 200) FROM generate_series(0, 399) AS n ORDER BY `+order)
		report, err := service.Measure(t.Context(), agreement.Request{})
		require.NoError(t, err)
		require.NotNil(t, report[2].Pairs.Mean.Low)
		reports = append(reports, report)
	}
	require.Equal(t, reports[0], reports[1])
	require.Equal(t, reports[0], reports[2])
}

// A call ends when its caller has gone, also while it waits for another.
func TestMeasureStops(t *testing.T) {
	t.Parallel()
	_, service := setup(t, `INSERT INTO urls (id, url, source) VALUES (1, 'a.org', 'manual')`,
		`INSERT INTO annotation__url_type__user (url_id, user_id, type) VALUES (1, 1, 'meta url'), (1, 2, 'meta url')`)
	ctx, cancel := context.WithCancel(t.Context())
	_, err := service.Measure(ctx, agreement.Request{LeastCommon: 1, Pair: func(consensus.Attribute, agreement.Pair) {
		waiting, stop := context.WithCancel(t.Context())
		stop()
		_, err := service.Measure(waiting, agreement.Request{})
		require.ErrorIs(t, err, context.Canceled)
		cancel()
	}})
	require.True(t, errors.Is(err, context.Canceled), err)
}
