package consensus_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"docket/internal/annotation"
	"docket/internal/consensus"
	"docket/internal/dbtest"
	"docket/internal/postgres"
	"docket/internal/ranking"
	"docket/internal/tasks"
)

// bundle is a database with agencies 1 and 2, locations 1 and 2, and URLs 1 to 5.
type bundle struct {
	pool      *postgres.Pool
	service   *annotation.Service
	validator *consensus.Validator
	woken     *int
}

func setup(t *testing.T) bundle {
	pool := dbtest.New(t)
	dbtest.Exec(t, pool, `
		INSERT INTO us_states (state_iso, state_name) VALUES ('PA', 'Pennsylvania'), ('NJ', 'New Jersey');
		INSERT INTO locations (type, state_id) VALUES ('State', 1), ('State', 2);
		INSERT INTO agencies (id, name, jurisdiction_type) VALUES (1, 'A', 'local'), (2, 'B', 'local');
		INSERT INTO urls (id, url, source) SELECT n, n || '.org', 'collector' FROM generate_series(1, 5) AS n`)
	require.NoError(t, ranking.Reconcile(t.Context(), pool, func(ranking.Difference) {}))
	b := bundle{pool: pool, woken: new(0), validator: consensus.New(pool, consensus.Config{})}
	b.service = annotation.New(pool, ranking.NewQueue(), annotation.OnDue(func() { *b.woken++ }))
	return b
}

// source is an answer that a URL is a data source, which has a row in every table.
func source(name string) annotation.Answer {
	return annotation.Answer{
		URLType: annotation.DataSource, RecordType: new(annotation.RecordType("Stops")),
		AgencyIDs: []int32{1}, LocationIDs: []int64{2}, NewName: &name,
	}
}

func (b bundle) text(t *testing.T, query string, args ...any) (text string) {
	t.Helper()
	require.NoError(t, b.pool.QueryRow(t.Context(), query, args...).Scan(&text))
	return text
}

func (b bundle) submit(t *testing.T, userID, urlID int32, answer annotation.Answer) {
	t.Helper()
	require.NoError(t, b.service.Submit(t.Context(), userID, urlID, answer))
}

// drain decides about all that is due, and returns how many rows that were.
func (b bundle) drain(t *testing.T) (taken int) {
	t.Helper()
	taken, err := b.validator.Drain(t.Context())
	require.NoError(t, err)
	return taken
}

func (b bundle) validateAll(t *testing.T) (taskID int32, result string) {
	t.Helper()
	taskID = b.task(t)
	result, err := consensus.ValidateAll(t.Context(), b.pool, taskID)
	require.NoError(t, err)
	require.NoError(t, tasks.Finish(t.Context(), b.pool, taskID, result))
	return taskID, result
}

func (b bundle) requireExactQueue(t *testing.T) {
	t.Helper()
	require.NoError(t, ranking.Verify(t.Context(), b.pool, func(d ranking.Difference) { t.Errorf("%+v", d) }))
}

// everything is what a validation writes about a URL.
const everything = `SELECT concat_ws('; ',
	(SELECT type || ', ' || (SELECT count(*) FROM flag_url_auto_validated a WHERE a.url_id = f.url_id) FROM flag_url_validated f
		WHERE url_id = $1),
	(SELECT 'record type ' || record_type FROM url_record_type WHERE url_id = $1),
	(SELECT 'agency ' || string_agg(agency_id::text, ',' ORDER BY agency_id) FROM link_agencies__urls WHERE url_id = $1),
	(SELECT 'location ' || string_agg(location_id::text, ',') FROM link_locations__urls WHERE url_id = $1),
	(SELECT 'name ' || name FROM urls WHERE id = $1))`

func TestSecondAnswerValidates(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.submit(t, 1, 1, source("Stops"))
	require.Zero(t, *b.woken, "a first answer cannot complete a consensus")
	require.Zero(t, b.drain(t))
	b.submit(t, 2, 1, source("Stops"))
	require.Equal(t, 1, *b.woken)
	require.Equal(t, 1, b.drain(t))

	require.Equal(t, "data source, 1; record type Stops; agency 1; location 2; name Stops", b.text(t, everything, 1))
	require.Equal(t, `1 2 0.5 data source Stops 1 2 Stops 2 0 {"name": {"Stops": {"users": 2, "sessions": 0}}, `+
		`"agency": {"1": {"users": 2, "sessions": 0}}, "location": {"2": {"users": 2, "sessions": 0}}, `+
		`"url_type": {"data source": {"users": 2, "sessions": 0}}, "record_type": {"Stops": {"users": 2, "sessions": 0}}}`,
		b.text(t, `SELECT concat_ws(' ', rule_version, threshold, anonymous_weight, url_type, record_type, agency_id, location_id, name,
			users, sessions, votes) FROM consensus_facts`))
	require.Equal(t, "Auto Validate complete auto_validate 1 URL validated 1", b.text(t, `
		SELECT concat_ws(' ', task_type, task_status, job, result, url_id) FROM tasks
		JOIN task_runs ON task_id = id JOIN link_tasks__urls USING (task_id)`))
	require.Equal(t, "INSERT link_agencies__urls UPDATE urls", b.text(t,
		"SELECT string_agg(operation_type || ' ' || table_name, ' ' ORDER BY id) FROM change_log"))
	b.requireExactQueue(t)
	require.Zero(t, b.drain(t))
}

func TestValidateAllDecidesLikeTheValidator(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.submit(t, 1, 1, source("Stops"))
	b.submit(t, 2, 1, source("Stops"))
	b.submit(t, 1, 2, source("Stops"))
	b.submit(t, 2, 2, source("Other"))
	dbtest.Exec(t, b.pool, "DELETE FROM consensus_due")
	_, result := b.validateAll(t)
	require.Equal(t, "1 URL validated", result)
	require.Equal(t, "data source, 1; record type Stops; agency 1; location 2; name Stops", b.text(t, everything, 1))
	require.Empty(t, b.text(t, everything, 2))
	b.requireExactQueue(t)
}

func (b bundle) suspend(t *testing.T) (result string) {
	t.Helper()
	result, err := consensus.Suspend(t.Context(), b.pool, b.task(t))
	require.NoError(t, err)
	return result
}

func (b bundle) reconcile(t *testing.T) {
	t.Helper()
	require.NoError(t, ranking.Reconcile(t.Context(), b.pool, func(ranking.Difference) {}))
}

func (b bundle) task(t *testing.T) int32 {
	t.Helper()
	taskID, err := tasks.Begin(t.Context(), b.pool, tasks.AutoValidate, consensus.JobName, nil)
	require.NoError(t, err)
	return taskID
}

// TestTaskOfAMinute shows that what a Validator does within a minute is one task, and that it begins another one if the task is gone.
func TestTaskOfAMinute(t *testing.T) {
	t.Parallel()
	b := setup(t)
	validate := func(urlID int32) {
		b.submit(t, 1, urlID, annotation.Answer{URLType: annotation.NotRelevant})
		b.submit(t, 2, urlID, annotation.Answer{URLType: annotation.NotRelevant})
		b.drain(t)
	}
	const history = `SELECT coalesce(string_agg(concat_ws(' ', task_status, result, 'linked:', (
		SELECT string_agg(l.url_id::text, ',' ORDER BY l.url_id) FROM link_tasks__urls l WHERE l.task_id = id)), '; ' ORDER BY id), '')
		FROM tasks JOIN task_runs ON task_id = id`
	validate(1)
	validate(2)
	require.Equal(t, "complete 2 URLs validated linked: 1,2", b.text(t, history))
	dbtest.Exec(t, b.pool, "DELETE FROM tasks")
	validate(3)
	require.Equal(t, "complete 1 URL validated linked: 3", b.text(t, history))
}
