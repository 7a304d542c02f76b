package benchmarks

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

	"docket/benchmarks/measure"
	"docket/internal/annotation"
	"docket/internal/postgres"
	"docket/internal/ranking"
)

const (
	answersGroup = "answers"
	writers      = 32
	labelers     = 2
	labeled      = 200 // URLs in one transaction of a labeler
)

// answerer stores answers of five rows: a type, a record type, two agencies and a location.
type answerer struct {
	pool      *postgres.Pool
	service   *annotation.Service
	without   string // the statement without upkeep of the queue
	urls      []int32
	agencies  []int32
	locations []int64
	user      *atomic.Int32 // the last one who answered: each answers once
}

func newAnswerer(ctx context.Context, pool *postgres.Pool) (*answerer, error) {
	a := &answerer{
		pool: pool, service: annotation.New(pool, ranking.NewQueue()), without: statement("submit_without_queue"),
		user: &atomic.Int32{},
	}
	a.user.Store(strangers + 1_000_000)
	var err error
	if a.urls, err = column[int32](ctx, pool,
		"SELECT url_id FROM annotation_queue WHERE eligible ORDER BY priority, url_id LIMIT 100000"); err != nil {
		return nil, err
	}
	if a.agencies, err = column[int32](ctx, pool, "SELECT id FROM agencies ORDER BY id LIMIT 1000"); err != nil {
		return nil, err
	}
	a.locations, err = column[int64](ctx, pool, "SELECT id FROM locations ORDER BY id LIMIT 1000")
	return a, err
}

func column[T any](ctx context.Context, pool *postgres.Pool, text string) ([]T, error) {
	rows, err := pool.Query(ctx, text)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[T])
}

func (a *answerer) url(hot bool) int32 {
	if hot {
		return a.urls[0]
	}
	return a.urls[rand.IntN(len(a.urls))]
}

func (a *answerer) answer() (agencies []int32, locations []int64) {
	first := rand.IntN(len(a.agencies))
	return []int32{a.agencies[first], a.agencies[(first+1)%len(a.agencies)]}, []int64{a.locations[rand.IntN(len(a.locations))]}
}

var recordType = annotation.RecordType("Annual & Monthly Reports")

// with answers as Docket does.
func (a *answerer) with(ctx context.Context, hot bool) error {
	agencies, locations := a.answer()
	return a.service.Submit(ctx, a.user.Add(1), a.url(hot), annotation.Answer{
		URLType: annotation.DataSource, RecordType: &recordType, AgencyIDs: agencies, LocationIDs: locations,
	})
}

// plain answers without upkeep of the queue.
func (a *answerer) plain(ctx context.Context, hot bool) error {
	agencies, locations := a.answer()
	var stored, before, known, nameUnknown bool
	var unknownAgencies []int32
	var unknownLocations []int64
	return a.pool.QueryRow(ctx, a.without, a.url(hot), agencies, locations, nil, a.user.Add(1),
		false, annotation.DataSource, nil, recordType, false, false).Scan(&stored, &before, &known, &unknownAgencies, &unknownLocations, &nameUnknown)
}

// answers measures POST. The queue is verified after the loads that update it; the last part does not update it.
func (r *run) answers(ctx context.Context) error {
	pool, err := openAsServed(ctx, r.url, writers+labelers)
	if err != nil {
		return err
	}
	defer pool.Close()
	a, err := newAnswerer(ctx, pool)
	if err != nil {
		return fmt.Errorf("look for what to answer: %w", err)
	}
	if err := r.labeledLoads(ctx, a); err != nil {
		return err
	}
	if err := r.verify(ctx, pool, answersGroup); err != nil {
		return err
	}
	if err := r.oneByOne(ctx, a); err != nil {
		return err
	}
	const rounds = 3
	for _, where := range []string{"spread", "one URL"} {
		var with, without []float64
		for range rounds {
			for _, form := range []struct {
				call func(context.Context, bool) error
				into *[]float64
			}{{a.with, &with}, {a.plain, &without}} {
				got, err := measure.Load(ctx, writers, r.Load/rounds, measure.Same(func(ctx context.Context) error {
					return form.call(ctx, where == "one URL")
				}))
				if err != nil {
					return err
				}
				*form.into = append(*form.into, got.PerSecond)
			}
		}
		r.add(
			Figure{Group: answersGroup, Name: "32 writers, " + where + "/upkeep=none", PerSecond: median(without)},
			Figure{
				Group: answersGroup, Name: "32 writers, " + where + "/upkeep=queue", PerSecond: median(with),
				Values: map[string]float64{"share_of_none": median(with) / median(without)},
			},
		)
	}
	return nil
}

// labeledLoads lets 32 writers answer while two labelers store many suggestions in opposite orders, and counts
// deadlocks.
func (r *run) labeledLoads(ctx context.Context, a *answerer) error {
	for _, where := range []string{"spread", "one URL"} {
		before, err := r.deadlocks(ctx)
		if err != nil {
			return err
		}
		stop := make(chan struct{})
		var group sync.WaitGroup
		var batches atomic.Int64
		failed := make(chan error, labelers)
		for i := range labelers {
			group.Go(func() { failed <- a.label(ctx, i%2 == 1, stop, &batches) })
		}
		begin := time.Now()
		got, err := measure.Load(ctx, writers, r.Load, measure.Same(func(ctx context.Context) error {
			return a.with(ctx, where == "one URL")
		}))
		close(stop)
		group.Wait()
		seconds := time.Since(begin).Seconds()
		for range labelers {
			err = errors.Join(err, <-failed)
		}
		if err != nil {
			return err
		}
		a.pool.Reset() // a connection reports its counts when it ends
		after, err := r.deadlocks(ctx)
		if err != nil {
			return err
		}
		f := figure(answersGroup, "32 writers, "+where+", 2 labelers/upkeep=queue", got.Series, 0)
		f.PerSecond = got.PerSecond
		f.Values = map[string]float64{
			"deadlocks": float64(after - before), "labeled_per_second": float64(labeled*batches.Load()) / seconds,
		}
		r.add(f)
	}
	return nil
}

// label stores a robot's suggestions for some hundred random URLs at a time until stop is closed.
func (a *answerer) label(ctx context.Context, descending bool, stop <-chan struct{}, batches *atomic.Int64) error {
	text := statement("label")
	for {
		select {
		case <-stop:
			return nil
		default:
		}
		ids := make([]int32, min(labeled, len(a.urls)))
		for i, at := range rand.Perm(len(a.urls))[:len(ids)] {
			ids[i] = a.urls[at]
		}
		slices.Sort(ids)
		if descending {
			slices.Reverse(ids)
		}
		err := postgres.InTx(ctx, a.pool, func(tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, text, ids); err != nil {
				return err
			}
			return ranking.Recount(ctx, tx, ids)
		})
		if err != nil {
			return fmt.Errorf("label: %w", err)
		}
		batches.Add(1)
	}
}

// deadlocks returns their number so far. It uses a new connection, because a session sees one state of the statistics.
func (r *run) deadlocks(ctx context.Context) (n int64, err error) {
	time.Sleep(300 * time.Millisecond) // for connections that are just ending
	conn, err := pgx.Connect(ctx, r.url)
	if err != nil {
		return 0, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	err = conn.QueryRow(ctx, "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()").Scan(&n)
	return n, err
}

func (r *run) verify(ctx context.Context, pool *postgres.Pool, group string) error {
	begin, differences := time.Now(), 0
	if err := ranking.Verify(ctx, pool, func(ranking.Difference) { differences++ }); err != nil {
		return fmt.Errorf("verify queue: %w", err)
	}
	r.add(Figure{Group: group, Name: "queue verify afterwards", Values: map[string]float64{
		"differences": float64(differences), "seconds": time.Since(begin).Seconds(),
	}})
	return nil
}

// oneByOne measures one writer with and without upkeep, and the WAL that both write. It does so with every commit on disk,
// and without waiting for the disk, where the time of the upkeep itself is visible.
func (r *run) oneByOne(ctx context.Context, a *answerer) error {
	for _, durable := range []string{"on", "off"} {
		config := a.pool.Config()
		config.MaxConns = 1
		config.ConnConfig.RuntimeParams["synchronous_commit"] = durable
		pool, err := postgres.NewPool(ctx, config)
		if err != nil {
			return err
		}
		one := *a
		one.pool, one.service = pool, annotation.New(pool, ranking.NewQueue())
		probes := []measure.Probe{
			{Name: "upkeep=none", Call: func(ctx context.Context) error { return one.plain(ctx, false) }},
			{Name: "upkeep=queue", Call: func(ctx context.Context) error { return one.with(ctx, false) }},
		}
		found, err := measure.Interleave(ctx, probes, 2*r.Probe)
		if err != nil {
			pool.Close()
			return err
		}
		for i, p := range probes {
			f := figure(answersGroup, "1 writer, synchronous_commit="+durable+"/"+p.Name, found[i], 0)
			f.Values = map[string]float64{"times_none": micros(found[i].Quantile(0.5)) / micros(found[0].Quantile(0.5))}
			if f.Values["wal_bytes"], err = walPerCall(ctx, pool, p.Call); err != nil {
				pool.Close()
				return err
			}
			r.add(f)
		}
		pool.Close()
	}
	return nil
}

// walPerCall is the median, so that a page written whole after a checkpoint does not count.
func walPerCall(ctx context.Context, pool *postgres.Pool, call func(context.Context) error) (float64, error) {
	position := func() (n int64, err error) {
		err = pool.QueryRow(ctx, "SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint").Scan(&n)
		return n, err
	}
	var written []float64
	for range 101 {
		before, err := position()
		if err != nil {
			return 0, err
		}
		if err := call(ctx); err != nil {
			return 0, err
		}
		after, err := position()
		if err != nil {
			return 0, err
		}
		written = append(written, float64(after-before))
	}
	return median(written), nil
}
