package ranking_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"docket/internal/annotation"
	"docket/internal/db"
	"docket/internal/dbtest"
	"docket/internal/postgres"
	"docket/internal/ranking"
)

// world is a database with URLs 1 to n, all eligible, without annotations and batch; agencies 1 to 3, locations 1 to 3,
// batches 1 to 3 and task 1.
type world struct {
	pool *postgres.Pool
}

func newWorld(t testing.TB, n int) world {
	t.Helper()
	pool := dbtest.New(t)
	_, err := pool.Exec(t.Context(), `
		INSERT INTO us_states (state_iso, state_name) VALUES ('PA', 'Pennsylvania'), ('NJ', 'New Jersey'), ('NY', 'New York');
		INSERT INTO locations (type, state_id) SELECT 'State', id FROM us_states ORDER BY id;
		INSERT INTO agencies (id, name, jurisdiction_type) VALUES (1, 'A', 'local'), (2, 'B', 'local'), (3, 'C', 'local');
		INSERT INTO batches (strategy, status) SELECT 'manual', 'ready to label' FROM generate_series(1, 3);
		INSERT INTO tasks (task_type, task_status) VALUES ('Agency Identification', 'complete')`)
	require.NoError(t, err)
	w := world{pool: pool}
	w.restart(t, n)
	return w
}

// restart resets a used database to what newWorld returns.
func (w world) restart(t testing.TB, n int) {
	t.Helper()
	w.exec(t, "TRUNCATE url_reservations, link__locations__user_follows, link_batches__locations, followed_batches")
	w.exec(t, "DELETE FROM urls")
	w.exec(t, "DELETE FROM anonymous_sessions")
	w.exec(t, "DELETE FROM batch_progress")
	w.change(t, span(1, int32(n)), insertURLs)
	w.exec(t, "SELECT setval('urls_id_seq', $1::int + 1, false)", n)
}

// service returns the use case of a new process.
func (w world) service() *annotation.Service { return annotation.New(w.pool, ranking.NewWarmQueue()) }

func (w world) exec(t testing.TB, statement string, args ...any) {
	t.Helper()
	_, err := w.pool.Exec(t.Context(), statement, args...)
	require.NoError(t, err)
}

func scan[T any](t testing.TB, conn db.DBTX, query string, args ...any) (value T) {
	t.Helper()
	require.NoError(t, conn.QueryRow(t.Context(), query, args...).Scan(&value))
	return value
}

// change executes a statement about URLs, its parameter $1, and Recount in the same transaction.
func (w world) change(t testing.TB, urlIDs []int32, statement string) {
	t.Helper()
	require.NoError(t, w.tryChange(t.Context(), urlIDs, statement))
}

func (w world) tryChange(ctx context.Context, urlIDs []int32, statement string) error {
	return postgres.InTx(ctx, w.pool, func(tx pgx.Tx) error { return changeIn(ctx, tx, urlIDs, statement) })
}

func changeIn(ctx context.Context, tx pgx.Tx, urlIDs []int32, statement string) error {
	if _, err := tx.Exec(ctx, "SELECT FROM urls WHERE id = ANY($1::int[]) ORDER BY id FOR KEY SHARE", urlIDs); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, statement, urlIDs); err != nil {
		return err
	}
	return ranking.Recount(ctx, tx, urlIDs)
}

// open begins a transaction that has changed URLs and called Recount. It is rolled back at the end of the test.
func (w world) open(t testing.TB, urlIDs []int32, statement string) pgx.Tx {
	t.Helper()
	tx := w.tx(t)
	require.NoError(t, changeIn(t.Context(), tx, urlIDs, statement))
	return tx
}

// tx begins a transaction that is rolled back at the end of the test.
func (w world) tx(t testing.TB) pgx.Tx {
	t.Helper()
	tx, err := w.pool.Begin(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { _ = tx.Rollback(context.Background()) })
	return tx
}

// Statements that change the URLs of $1 that exist.
const (
	insertURLs = `INSERT INTO urls (id, url, source)
		SELECT n, 'example.org/' || n, 'manual' FROM unnest($1::int[]) AS n ORDER BY n`
	suspend = `INSERT INTO flag_url_suspended (url_id)
		SELECT id FROM urls WHERE id = ANY($1::int[]) ORDER BY id ON CONFLICT DO NOTHING`
	unsuspend = `DELETE FROM flag_url_suspended WHERE url_id = ANY($1::int[])`
	validate  = `INSERT INTO flag_url_validated (url_id, type)
		SELECT id, 'data source' FROM urls WHERE id = ANY($1::int[]) ORDER BY id ON CONFLICT DO NOTHING`
	unvalidate = `DELETE FROM flag_url_validated WHERE url_id = ANY($1::int[])`
	// collected and manual set the source of the URLs.
	collected = `UPDATE urls SET source = 'collector' FROM (SELECT id FROM urls WHERE id = ANY($1::int[])
		ORDER BY id FOR NO KEY UPDATE) AS u
		WHERE urls.id = u.id`
	manual = `UPDATE urls SET source = 'manual' FROM (SELECT id FROM urls WHERE id = ANY($1::int[])
		ORDER BY id FOR NO KEY UPDATE) AS u
		WHERE urls.id = u.id`
	unlink = `DELETE FROM link_batches__urls WHERE url_id = ANY($1::int[])`
	// robots has a robot give each URL a type, unless it has one. unsuggest deletes all annotations by robots.
	robots = `INSERT INTO annotation__url_type__auto (url_id, relevant)
		SELECT id, true FROM urls WHERE id = ANY($1::int[]) ORDER BY id ON CONFLICT DO NOTHING`
	unsuggest = `WITH a AS (DELETE FROM annotation__url_type__auto WHERE url_id = ANY($1::int[]))
		DELETE FROM annotation__agency__auto__subtasks WHERE url_id = ANY($1::int[])`
	// agencies has a robot suggest an agency for each URL, which moves no URL.
	agencies = `INSERT INTO annotation__agency__auto__subtasks (task_id, url_id, type, agencies_found)
		SELECT 1, id, 'homepage_match', true FROM urls WHERE id = ANY($1::int[]) ORDER BY id`
	// vote and voteAnonymously have one more user or session give each URL a type.
	vote = `INSERT INTO annotation__url_type__user (user_id, url_id, type)
		SELECT 1000000 + (SELECT count(*) FROM annotation__url_type__user a WHERE a.url_id = urls.id), id, 'data source'
		FROM urls WHERE id = ANY($1::int[]) ORDER BY id ON CONFLICT DO NOTHING`
	voteAnonymously = `WITH s AS (INSERT INTO anonymous_sessions DEFAULT VALUES RETURNING id)
		INSERT INTO annotation__url_type__anon (session_id, url_id, url_type)
		SELECT s.id, urls.id, 'data source' FROM urls, s WHERE urls.id = ANY($1::int[]) ORDER BY urls.id`
	// unsay deletes all annotations by users and sessions.
	unsay = `WITH a AS (DELETE FROM annotation__url_type__user WHERE url_id = ANY($1::int[])),
		b AS (DELETE FROM annotation__agency__user WHERE url_id = ANY($1::int[])),
		c AS (DELETE FROM annotation__location__user WHERE url_id = ANY($1::int[])),
		d AS (DELETE FROM annotation__record_type__user WHERE url_id = ANY($1::int[])),
		e AS (DELETE FROM annotation__url_type__anon WHERE url_id = ANY($1::int[])),
		f AS (DELETE FROM annotation__agency__anon WHERE url_id = ANY($1::int[])),
		g AS (DELETE FROM annotation__location__anon WHERE url_id = ANY($1::int[]))
		DELETE FROM annotation__record_type__anon WHERE url_id = ANY($1::int[])`
)

// link moves URLs to a batch.
func link(batch int32) string {
	return fmt.Sprintf(`INSERT INTO link_batches__urls (batch_id, url_id)
		SELECT %d, id FROM urls WHERE id = ANY($1::int[]) ORDER BY id
		ON CONFLICT (url_id) DO UPDATE SET batch_id = excluded.batch_id`, batch)
}

// says stores a URL type of a user without the use case.
func says(user int32) string {
	return fmt.Sprintf(`INSERT INTO annotation__url_type__user (user_id, url_id, type)
		SELECT %d, id, 'data source' FROM urls WHERE id = ANY($1::int[]) ORDER BY id ON CONFLICT DO NOTHING`, user)
}

// putOff has a user skip URLs. comeBack ends all skips of them.
func putOff(user int32) string {
	return fmt.Sprintf(`INSERT INTO url_skips (url_id, user_id, reason)
		SELECT id, %d, 'not sure' FROM urls WHERE id = ANY($1::int[]) ORDER BY id
		ON CONFLICT (user_id, url_id) DO UPDATE SET active = true`, user)
}

const comeBack = "UPDATE url_skips SET active = false WHERE url_id = ANY($1::int[]) AND active"

// reserve has a new annotator work on each of the URLs that is eligible, and offers it to no other. It writes what the claim of a
// reservation writes: no recount, only the changed_xid.
func (w world) reserve(ctx context.Context, urlIDs []int32) error {
	return w.tryReserving(ctx, urlIDs,
		`INSERT INTO url_reservations (annotator, url_id, slot, suggestions_hidden, expires_at)
			SELECT gen_random_uuid()::text, url_id, 1, false, now() + interval '1 hour'
			FROM annotation_queue WHERE url_id = ANY($1::int[]) AND eligible
			ON CONFLICT DO NOTHING`,
		`UPDATE annotation_queue SET reserved = true, changed_xid = pg_current_xact_id()::text::bigint
			WHERE url_id = ANY($1::int[]) AND eligible AND NOT reserved`)
}

// free ends the reservations of URLs, as the sweep does.
func (w world) free(ctx context.Context, urlIDs []int32) error {
	return w.tryReserving(ctx, urlIDs, "DELETE FROM url_reservations WHERE url_id = ANY($1::int[])",
		`UPDATE annotation_queue SET reserved = false, changed_xid = pg_current_xact_id()::text::bigint
			WHERE url_id = ANY($1::int[]) AND reserved`)
}

// tryReserving locks the rows of URLs in the queue and executes statements about the URLs.
func (w world) tryReserving(ctx context.Context, urlIDs []int32, statements ...string) error {
	const lock = "SELECT FROM annotation_queue WHERE url_id = ANY($1::int[]) ORDER BY url_id FOR NO KEY UPDATE"
	return postgres.InTx(ctx, w.pool, func(tx pgx.Tx) error {
		for _, statement := range append([]string{lock}, statements...) {
			if _, err := tx.Exec(ctx, statement, urlIDs); err != nil {
				return err
			}
		}
		return nil
	})
}

// remove deletes URLs as every transaction that deletes some must.
func (w world) remove(ctx context.Context, urlIDs []int32) error {
	return postgres.InTx(ctx, w.pool, func(tx pgx.Tx) error {
		if err := ranking.Forget(ctx, tx, urlIDs); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, "DELETE FROM urls WHERE id = ANY($1::int[])", urlIDs)
		return err
	})
}

// annotator is a user with a filter, or a session.
type annotator struct {
	user    int32
	session uuid.UUID // not zero: an anonymous session, which has no filter but Skip
	filter  ranking.Filter
}

func (a annotator) String() string {
	text := fmt.Sprint("user ", a.user)
	if a.session != uuid.Nil {
		text = fmt.Sprint("session ", a.session)
	}
	if a.filter.BatchID != nil {
		text += fmt.Sprint(", batch ", *a.filter.BatchID)
	}
	if a.filter.URLID != nil {
		text += fmt.Sprint(", URL ", *a.filter.URLID)
	}
	if a.filter.Skip != 0 {
		text += fmt.Sprint(", skip ", a.filter.Skip)
	}
	return text
}

// ask returns the id of the next URL of a queue; 0 when none is left.
func ask(ctx context.Context, conn db.DBTX, queue *ranking.Queue, by annotator) (int32, error) {
	next := func() (*ranking.Choice, error) { return queue.NextForUser(ctx, conn, by.user, by.filter) }
	if by.session != uuid.Nil {
		next = func() (*ranking.Choice, error) { return queue.NextForSession(ctx, conn, by.session, by.filter.Skip) }
	}
	choice, err := next()
	if err != nil || choice == nil {
		return 0, err
	}
	return choice.URLID, nil
}

// slow is the definition of the next URL, without tables that writers must update, except for what is reserved. A URL that is asked
// for by its id may be reserved or put off. rules_test.go checks the views that it reads.
const slow = `
	SELECT coalesce((
		SELECT e.url_id
		FROM eligible_urls e
		JOIN urls ON urls.id = e.url_id
		LEFT JOIN link_batches__urls l ON l.url_id = e.url_id
		WHERE NOT EXISTS (SELECT FROM user_url_annotations a WHERE a.url_id = e.url_id AND a.user_id = $1)
			AND NOT EXISTS (SELECT FROM anonymous_url_annotations a WHERE a.url_id = e.url_id AND a.session_id = $2)
			AND ($4::int IS NOT NULL OR NOT EXISTS (SELECT FROM annotation_queue q WHERE q.url_id = e.url_id AND q.reserved)
				AND NOT EXISTS (SELECT FROM url_skips s WHERE s.url_id = e.url_id AND s.active AND (s.user_id = $1 OR s.session_id = $2)))
			AND ($3::int IS NULL OR l.batch_id = $3)
			AND ($4::int IS NULL OR e.url_id = $4)
		ORDER BY
			EXISTS (SELECT FROM link_batches__locations b JOIN link__locations__user_follows f USING (location_id)
				WHERE b.batch_id = l.batch_id AND f.user_id = $1) DESC,
			EXISTS (SELECT FROM link_batches__locations b JOIN link__locations__user_follows f USING (location_id)
				WHERE b.batch_id = l.batch_id) DESC,
			urls.source = 'manual' DESC,
			(SELECT count(*) FROM annotation__url_type__user a WHERE a.url_id = e.url_id) DESC,
			(SELECT count(*) FROM annotation__url_type__anon a WHERE a.url_id = e.url_id) DESC,
			(SELECT count(*) FROM annotation__url_type__auto a WHERE a.url_id = e.url_id) DESC,
			e.url_id
		OFFSET $5::int LIMIT 1
	), 0)`

// noUser is an id that no user has.
const noUser = -1

func nextByDefinition(ctx context.Context, conn db.DBTX, by annotator) (id int32, err error) {
	user := by.user
	if by.session != uuid.Nil {
		user = noUser
	}
	err = conn.QueryRow(ctx, slow, user, by.session, by.filter.BatchID, by.filter.URLID, by.filter.Skip).Scan(&id)
	return id, err
}

// askAndCheck asks a queue and fails unless the slow definition returns the same in the same snapshot. The queue is asked first,
// so that the snapshot is not older than the cursor.
func (w world) askAndCheck(ctx context.Context, queue *ranking.Queue, by annotator) (id int32, err error) {
	err = pgx.BeginTxFunc(ctx, w.pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		if id, err = ask(ctx, tx, queue, by); err != nil {
			return err
		}
		want, err := nextByDefinition(ctx, tx, by)
		if err == nil && id != want {
			err = fmt.Errorf("%v is offered URL %d instead of %d", by, id, want)
		}
		return err
	})
	return id, err
}

// requireNext checks the next URL of a queue, and that of the slow definition.
func (w world) requireNext(t testing.TB, queue *ranking.Queue, by annotator, want int32) {
	t.Helper()
	got, err := w.askAndCheck(t.Context(), queue, by)
	require.NoError(t, err)
	require.Equal(t, want, got)
}

// differences is what Verify reports. It does not wait for a sweep: no server runs.
func (w world) differences(t testing.TB) []ranking.Difference {
	t.Helper()
	var found []ranking.Difference
	require.NoError(t, ranking.VerifyAtOnce(t.Context(), w.pool, func(d ranking.Difference) { found = append(found, d) }))
	return found
}

func (w world) session(t testing.TB) uuid.UUID {
	t.Helper()
	return scan[uuid.UUID](t, w.pool, "INSERT INTO anonymous_sessions DEFAULT VALUES RETURNING id")
}

// span returns the ids from first to last.
func span(first, last int32) []int32 {
	var ids []int32
	for id := first; id <= last; id++ {
		ids = append(ids, id)
	}
	return ids
}

func ids(ids ...int32) []int32 { return ids }

func inBatch(batch int32) ranking.Filter { return ranking.Filter{BatchID: &batch} }
