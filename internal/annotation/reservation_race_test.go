package annotation_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"docket/internal/annotation"
	"docket/internal/db"
	"docket/internal/dbtest"
	"docket/internal/postgres"
	"docket/internal/ranking"
)

// raceSchema has the database itself check each reservation, in the transaction that makes it. All answers of the race say that a
// URL is not relevant, so what it needs is a simple sum. A rule of four votes has URLs need more than one.
//
//   - over_grants gets each reservation that was granted although as many others were live as the URL needed answers. A
//     reservation that is extended, and so not granted again, does not count.
//   - late_answers counts, by URL, what may come late: each reservation that its annotator ends before it answers all the same.
const raceSchema = `
	CREATE OR REPLACE VIEW consensus_rule AS
	SELECT 1 AS version, 4::double precision AS threshold, weight AS anonymous_weight FROM anonymous_weight;

	CREATE TABLE late_answers (url_id integer NOT NULL);
	CREATE TABLE over_grants (url_id integer NOT NULL, annotator text NOT NULL, others bigint NOT NULL, needed bigint NOT NULL);

	CREATE FUNCTION needed_answers(id integer) RETURNS bigint LANGUAGE sql STABLE AS $$
		SELECT greatest(1, ceil(rule.threshold
			- (SELECT count(*) FROM annotation__url_type__user WHERE url_id = id)
			- (SELECT count(*) FROM annotation__url_type__anon WHERE url_id = id) * rule.anonymous_weight))::bigint
		FROM consensus_rule rule
	$$;
	CREATE FUNCTION check_grant() RETURNS trigger LANGUAGE plpgsql AS $$
	DECLARE
		others bigint := (SELECT count(*) FROM url_reservations r
			WHERE r.url_id = NEW.url_id AND r.annotator <> NEW.annotator AND r.expires_at > now());
		needed bigint := needed_answers(NEW.url_id);
	BEGIN
		IF others >= needed THEN
			INSERT INTO over_grants VALUES (NEW.url_id, NEW.annotator, others, needed);
		END IF;
		RETURN NULL;
	END $$;
	CREATE TRIGGER check_grant AFTER INSERT OR UPDATE OF url_id, slot ON url_reservations FOR EACH ROW EXECUTE FUNCTION check_grant();`

// tooMany returns the reservations that were granted although as many others were live as the URL needed answers, and the URLs that
// have more live reservations in one snapshot than they need answers by the votes of the same snapshot. Late answers are no
// exception.
const tooMany = `
	SELECT format('URL %s: granted to %s with %s others, %s needed', url_id, annotator, others, needed) FROM over_grants
	UNION ALL
	SELECT format('URL %s: %s reservations, %s needed', url_id, live, needed_answers(url_id))
	FROM (SELECT url_id, count(*) AS live FROM url_reservations WHERE expires_at > now() GROUP BY url_id) AS held
	WHERE live > needed_answers(url_id)`

var irrelevant = annotation.Answer{URLType: annotation.NotRelevant}

const (
	raceURLs       = 10_000
	raceAnnotators = 200
	raceTurns      = 4
)

// reservationRace is many annotators on one database whose connections are killed.
type reservationRace struct {
	bundle
	services []*annotation.Service
	monitor  *pgx.Conn
	control  *pgx.Conn

	mu       sync.Mutex
	answered []string // annotator and URL of each acknowledged answer
	repeated atomic.Int64
	killed   atomic.Int64
}

func newReservationRace(t *testing.T, rankings []annotation.Ranking, options ...annotation.Option) *reservationRace {
	t.Helper()
	url := dbtest.URL(t)
	r := &reservationRace{monitor: dbtest.Connect(t, url), control: dbtest.Connect(t, url)}
	dbtest.Exec(t, r.monitor, raceSchema)
	dbtest.Exec(t, r.monitor, fmt.Sprintf(`
		INSERT INTO urls (id, url, source) SELECT n, 'example.org/' || n, 'collector' FROM generate_series(1, %d) AS n;
		INSERT INTO annotation_queue (url_id, eligible, followed, manual, user_url_type_count, anon_url_type_count,
			auto_url_type_count, user_agency_count, changed_xid)
		SELECT id, true, false, false, 0, 0, 0, 0, 0 FROM urls`, raceURLs))
	dbtest.Exec(t, r.monitor, "ANALYZE")
	for _, ranked := range rankings {
		pool, err := postgres.Open(t.Context(), postgres.PoolConfig{URL: url, MaxConns: 8})
		require.NoError(t, err)
		t.Cleanup(pool.Close)
		r.services = append(r.services, annotation.New(pool, ranked, options...))
		r.pool = pool
	}
	return r
}

// headOnly passes over no URL, so that all annotators compete for the first one.
type headOnly struct{ *ranking.Queue }

func (h headOnly) NextForUser(
	ctx context.Context, on db.DBTX, user int32, filter ranking.Filter,
) (*ranking.Choice, error) {
	filter.Skip = 0
	return h.Queue.NextForUser(ctx, on, user, filter)
}

func (h headOnly) NextForSession(ctx context.Context, on db.DBTX, session annotation.Session, _ int32) (*ranking.Choice, error) {
	return h.Queue.NextForSession(ctx, on, session, 0)
}

// patiently calls do until the database is available, as a client repeats a request.
func (r *reservationRace) patiently(ctx context.Context, do func() error) error {
	for {
		err := do()
		if !postgres.IsUnavailable(err) || ctx.Err() != nil {
			return err
		}
		r.repeated.Add(1)
	}
}

// play is one annotator: it asks, and then answers, perhaps after it has asked again, lets the reservation expire or releases it.
func (r *reservationRace) play(ctx context.Context, number int) error {
	random := rand.New(rand.NewPCG(1, uint64(number)))
	a := annotator{user: int32(number + 1)}
	if number%4 == 0 {
		a = annotator{session: uuid.New()}
	}
	for range raceTurns {
		service := r.services[random.IntN(len(r.services))]
		offer, err := r.ask(ctx, service, a)
		if err != nil {
			return err
		}
		url := offer.Next.URLID
		switch random.IntN(6) {
		case 0: // extend
			again, err := r.ask(ctx, r.services[random.IntN(len(r.services))], a)
			if err != nil {
				return err
			}
			if url = again.Next.URLID; url != offer.Next.URLID {
				if err := r.requireLate(ctx, offer.Next.URLID); err != nil {
					return fmt.Errorf("%s is offered URL %d: %w", a, url, err)
				}
			}
		case 1: // come late
			if err := r.expire(ctx, a, url); err != nil {
				return err
			}
			if _, err := r.ask(ctx, service, a); err != nil { // it may hold another URL then
				return err
			}
		case 2: // leave
			if err := r.patiently(ctx, func() error { return service.Release(ctx, a.id(), url) }); err != nil {
				return err
			}
			continue
		}
		if err := r.patiently(ctx, func() error { return a.submit(ctx, service, url, irrelevant) }); err != nil {
			return err
		}
		r.mu.Lock()
		r.answered = append(r.answered, fmt.Sprint(a, " ", url))
		r.mu.Unlock()
	}
	return nil
}

func (r *reservationRace) ask(ctx context.Context, service *annotation.Service, a annotator) (offer annotation.Offer, err error) {
	err = r.patiently(ctx, func() (err error) {
		offer, err = a.ask(ctx, service)
		return err
	})
	switch {
	case err != nil:
		return offer, err
	case offer.Next == nil:
		return offer, fmt.Errorf("%s is offered nothing: %s", a, offer.Reason)
	case offer.Reason != annotation.NextInOrder && offer.Reason != annotation.ReservedByYou:
		return offer, fmt.Errorf("%s is offered URL %d: %s", a, offer.Next.URLID, offer.Reason)
	case offer.ReservedUntil.IsZero():
		return offer, fmt.Errorf("%s is offered URL %d without a reservation", a, offer.Next.URLID)
	}
	return offer, nil
}

// requireLate returns an error unless an annotator answered the URL late. Only then others may keep an annotator from a URL that it
// has reserved: it needs fewer answers than before.
func (r *reservationRace) requireLate(ctx context.Context, url int32) error {
	return r.patiently(ctx, func() (err error) {
		var late bool
		err = r.pool.QueryRow(ctx, "SELECT EXISTS (SELECT FROM late_answers WHERE url_id = $1)", url).Scan(&late)
		if err == nil && !late {
			err = fmt.Errorf("it had URL %d", url)
		}
		return err
	})
}

// expire ends the reservation of an annotator who then answers late.
func (r *reservationRace) expire(ctx context.Context, a annotator, url int32) error {
	return r.patiently(ctx, func() error {
		_, err := r.pool.Exec(ctx, "INSERT INTO late_answers VALUES ($1)", url)
		if err == nil {
			_, err = r.pool.Exec(ctx,
				"UPDATE url_reservations SET expires_at = now() - interval '1 second' WHERE annotator = $1", a.String())
		}
		return err
	})
}

// run lets all annotators work while connections are killed, until the end or until a URL has too many reservations, which it
// returns.
func (r *reservationRace) run(t *testing.T) (over []string) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var watchers errgroup.Group
	watchers.Go(func() error {
		defer stop()
		for ended := false; !ended && len(over) == 0; {
			ended = ctx.Err() != nil // and once more
			rows, err := r.monitor.Query(t.Context(), tooMany)
			if err != nil {
				return err
			}
			if over, err = pgx.CollectRows(rows, pgx.RowTo[string]); err != nil {
				return err
			}
		}
		return nil
	})
	watchers.Go(func() error {
		for ctx.Err() == nil {
			tag, err := r.control.Exec(t.Context(), `SELECT pg_terminate_backend(pid) FROM (
				SELECT pid FROM pg_stat_activity
				WHERE datname = current_database() AND application_name = 'docket' AND state = 'active'
				ORDER BY random() LIMIT 1) AS victim`)
			if err != nil {
				return err
			}
			r.killed.Add(tag.RowsAffected())
			time.Sleep(50 * time.Millisecond)
		}
		return nil
	})
	watchers.Go(func() error {
		for ctx.Err() == nil {
			if _, err := annotation.Sweep(t.Context(), r.pool, nil); err != nil && !postgres.IsUnavailable(err) {
				return err
			}
			time.Sleep(20 * time.Millisecond)
		}
		return nil
	})
	played := dbtest.Together(raceAnnotators, func(i int) error {
		if err := r.play(ctx, i); ctx.Err() == nil {
			return err
		}
		return nil
	})
	stop()
	require.NoError(t, errors.Join(played, watchers.Wait()))
	return over
}

// TestNoURLIsReservedForMoreThanItNeeds has 200 annotators work on 10,000 URLs through two processes whose connections are killed.
func TestNoURLIsReservedForMoreThanItNeeds(t *testing.T) {
	t.Parallel()
	r := newReservationRace(t, []annotation.Ranking{ranking.NewQueue(), headOnly{ranking.NewQueue()}},
		annotation.Reserve(annotation.ReservePolicy{For: time.Hour}))
	require.Empty(t, r.run(t))

	// Each answer that was acknowledged is stored, once. One that was not acknowledged may be stored: its annotator then continues.
	stored := dbtest.List(t, r.monitor, `
		SELECT user_id || ' ' || url_id FROM annotation__url_type__user
		UNION ALL SELECT session_id || ' ' || url_id FROM annotation__url_type__anon`)
	slices.Sort(stored)
	slices.Sort(r.answered)
	require.Equal(t, r.answered, stored)
	require.NoError(t, ranking.Verify(t.Context(), r.pool, func(d ranking.Difference) { t.Errorf("queue: %+v", d) }))
	require.Positive(t, r.killed.Load())
	urls := dbtest.Count(t, r.monitor, "SELECT count(DISTINCT url_id) FROM (SELECT url_id FROM annotation__url_type__user) AS voted")
	t.Logf("%d answers about %d URLs; %d connections were killed, %d requests repeated",
		len(stored), urls, r.killed.Load(), r.repeated.Load())
}

// TestRaceNoticesClaimsWithoutTheirGuard runs the same race with claims that neither count the others nor look whether the URL has
// changed since it was chosen.
func TestRaceNoticesClaimsWithoutTheirGuard(t *testing.T) {
	t.Parallel()
	r := newReservationRace(t, []annotation.Ranking{headOnly{ranking.NewQueue()}, headOnly{ranking.NewQueue()}},
		annotation.Reserve(annotation.ReservePolicy{For: time.Hour}),
		annotation.ChangeClaims(map[string]string{
			`< (\$\d+::integer)`:            "< $1 + 1000",
			`changed_xid = (\$\d+::bigint)`: "changed_xid <> -1 - $1",
		}))
	over := r.run(t)
	require.NotEmpty(t, over)
	t.Log(over[0])
}
