package benchmarks

import (
	"context"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"docket/benchmarks/measure"
	"docket/internal/annotation"
	"docket/internal/postgres"
	"docket/internal/ranking"
)

const getGroup = "whole GET, database part"

// The typical URL is the 5,001st of the queue, which is the next one of the user who did 5,000; the hottest is the first,
// the next one of each new user.
var urlsByUser = []struct {
	name string
	user int32
}{{"typical", Heavy5000}, {"hottest", NewUser}}

// get measures the use case: connection, main query and, unless the URL's revision has been shown before, suggestions.
func (r *run) get(ctx context.Context) error {
	conn, err := r.pool.Acquire(ctx)
	if err != nil {
		return err
	}
	raw := conn.Conn()
	conn.Release() // the pool has no other

	var askers []*asker
	for _, which := range urlsByUser {
		askers = append(askers,
			&asker{name: "url=" + which.name + "/remembered=no", user: which.user, forget: true},
			&asker{name: "url=" + which.name + "/remembered=yes", user: which.user})
	}
	for _, batch := range []int32{smallBatch, halfBatch} {
		name := "batch=" + batchName(batch) + "/remembered=no"
		askers = append(askers, &asker{name: name, user: Heavy5000, batch: &batch, forget: true})
	}
	probes := []measure.Probe{{Name: "SELECT 1", Call: func(ctx context.Context) error { return selectOne(ctx, raw) }}}
	for _, a := range askers {
		probes = append(probes, measure.Probe{
			Name: a.name, Before: a.before, Call: func(ctx context.Context) error { return a.ask(ctx, r.pool) },
		})
	}
	found, err := measure.Interleave(ctx, probes, r.Probe)
	if err != nil {
		return err
	}
	one := found[0].Quantile(0.5)
	r.add(figure(getGroup, "SELECT 1", found[0], one))
	for i, a := range askers {
		f, err := r.askerFigure(ctx, getGroup, a.name, a, found[i+1], one)
		if err != nil {
			return err
		}
		r.add(f)
	}
	return nil
}

// askerFigure returns the figure of an asker that was measured, with the round trips and the buffers of one more call.
func (r *run) askerFigure(
	ctx context.Context, group, name string, a *asker, found measure.Series, one time.Duration,
) (Figure, error) {
	f := figure(group, name, found, one)
	trips := int64(math.MaxInt64)
	for range 2 { // one of them may count done URLs
		a.before()
		before := r.trips.n.Load()
		if err := a.ask(ctx, r.pool); err != nil {
			return Figure{}, err
		}
		trips = min(trips, r.trips.n.Load()-before)
	}
	f.Values = map[string]float64{"round_trips": float64(trips)}
	if r.explained != nil {
		buffers, err := r.explained.buffers(ctx, func(ctx context.Context) error {
			a.before()
			return a.ask(ctx, r.explained.pool)
		})
		if err != nil {
			return Figure{}, fmt.Errorf("%s: %w", name, err)
		}
		f.Buffers = &buffers
	}
	return f, nil
}

// asker asks the use case for a user's next URL.
type asker struct {
	name    string
	user    int32
	batch   *int32
	options []annotation.Option
	prepare func() // runs before each call; may be nil
	forget  bool   // drops the cached suggestions before each call, but not the cursor
	queue   *ranking.Queue
	service *annotation.Service
	pool    *postgres.Pool // that of the service
}

func (a *asker) before() {
	if a.prepare != nil {
		a.prepare()
	}
	if a.forget {
		a.service = nil
	}
	if a.queue == nil {
		a.queue = ranking.NewQueue()
	}
	if a.service == nil && a.pool != nil {
		a.service = annotation.New(a.pool, a.queue, a.options...)
	}
}

func (a *asker) ask(ctx context.Context, pool *postgres.Pool) error {
	if a.service == nil || a.pool != pool {
		a.pool, a.service = pool, annotation.New(pool, a.queue, a.options...)
	}
	_, err := a.service.Next(ctx, a.user, annotation.Filter{BatchID: a.batch})
	return err
}

// refresh measures readers while the count view is refreshed: one of the view, by key, and one of the queue.
func (r *run) refresh(ctx context.Context) error {
	const view = "url_annotation_count_view"
	for _, while := range []struct{ name, refresh string }{
		{"idle", ""},
		{"refreshing concurrently", "REFRESH MATERIALIZED VIEW CONCURRENTLY " + view},
		{"refreshing plainly", "REFRESH MATERIALIZED VIEW " + view},
	} {
		seconds, view, queue, err := r.readersDuring(ctx, while.refresh)
		if err != nil {
			return fmt.Errorf("%s: %w", while.name, err)
		}
		for _, reader := range []struct {
			name  string
			found measure.Series
		}{{"view", view}, {"queue", queue}} {
			f := figure("readers of the "+reader.name, while.name, reader.found, 0)
			if seconds > 0 {
				f.Values = map[string]float64{"refresh_s": seconds}
			}
			r.add(f)
		}
	}
	return nil
}

// readersDuring reads a hundred times a second until refresh, repeated for a while if it is quick, is over. It returns
// the seconds of one refresh.
func (r *run) readersDuring(ctx context.Context, refresh string) (seconds float64, view, queue measure.Series, err error) {
	stop := make(chan struct{})
	var ready sync.WaitGroup
	ready.Add(2)
	type result struct {
		found measure.Series
		err   error
	}
	read := func(ask func(context.Context, *pgx.Conn) error) <-chan result {
		done := make(chan result, 1)
		go func() {
			found, err := r.readSteadily(ctx, ready.Done, stop, ask)
			done <- result{found, err}
		}()
		return done
	}
	ofView := read(func(ctx context.Context, conn *pgx.Conn) error {
		return askSQL(ctx, conn, "SELECT total_anno_count FROM url_annotation_count_view WHERE url_id = $1", 77)
	})
	ofQueue := read(warmed(Casual, nil).ask)

	ready.Wait()
	begin, refreshes := time.Now(), 0
	if refresh == "" {
		time.Sleep(3 * r.Load) // a p99 takes many reads
	}
	for refresh != "" && err == nil && (refreshes == 0 || time.Since(begin) < r.Load) {
		err = execute(ctx, r.url, refresh)
		refreshes++
	}
	if refreshes > 0 {
		seconds = time.Since(begin).Seconds() / float64(refreshes)
	}
	close(stop)
	v, q := <-ofView, <-ofQueue
	for _, e := range []error{v.err, q.err} {
		if err == nil {
			err = e
		}
	}
	return seconds, v.found, q.found, err
}
