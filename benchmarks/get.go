package benchmarks

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"docket/internal/annotation"
	"docket/internal/ranking"
)

const getGroup = "whole GET, database part"

// The typical URL is the 5,001st of the queue, which is the next one of the user who did 5,000; the hottest is the first,
// the next one of everybody new.
var urlsByUser = []struct {
	name string
	user int32
}{{"typical", Heavy5000}, {"hottest", NewUser}}

// get measures the use case: connection, main query and suggestions.
func (r *run) get(ctx context.Context) error {
	conn, err := r.pool.Acquire(ctx)
	if err != nil {
		return err
	}
	raw := conn.Conn()
	conn.Release() // the pool has no other

	names := []string{"SELECT 1"}
	probes := []probe{{name: names[0], call: func(ctx context.Context) error { return selectOne(ctx, raw) }}}
	var asks []func(context.Context, *pgxpool.Pool) error
	for _, which := range urlsByUser {
		ask := r.nextAsker(which.user, nil)
		asks = append(asks, ask)
		names = append(names, "url="+which.name)
		probes = append(probes, probe{
			name: "url=" + which.name,
			call: func(ctx context.Context) error { return ask(ctx, r.pool) },
		})
	}
	for _, batch := range []int32{smallBatch, halfBatch} {
		ask := r.nextAsker(Heavy5000, &batch)
		asks = append(asks, ask)
		names = append(names, "batch="+batchName(batch))
		probes = append(probes, probe{
			name: names[len(names)-1],
			call: func(ctx context.Context) error { return ask(ctx, r.pool) },
		})
	}
	found, err := interleave(ctx, probes, r.Probe)
	if err != nil {
		return err
	}
	for i, name := range names {
		f := figure(getGroup, name, found[i], found[0].quantile(0.5))
		if i > 0 {
			before := r.trips.n.Load()
			if err := asks[i-1](ctx, r.pool); err != nil {
				return err
			}
			f.Values = map[string]float64{"round_trips": float64(r.trips.n.Load() - before)}
			if r.explained != nil {
				buffers, err := r.explained.buffers(ctx, func(ctx context.Context) error { return asks[i-1](ctx, r.explained.pool) })
				if err != nil {
					return fmt.Errorf("%s: %w", name, err)
				}
				f.Buffers = &buffers
			}
		}
		r.add(f)
	}
	return nil
}

// nextAsker asks the use case for a user's next URL, on whatever pool. There must be one.
func (r *run) nextAsker(user int32, batch *int32) func(context.Context, *pgxpool.Pool) error {
	services := make(map[*pgxpool.Pool]*annotation.Service)
	return func(ctx context.Context, pool *pgxpool.Pool) error {
		service := services[pool]
		if service == nil {
			service = annotation.New(pool, ranking.NewQueue())
			services[pool] = service
		}
		_, err := service.Next(ctx, user, annotation.Filter{BatchID: batch})
		return err
	}
}

// refresh measures readers beside a refresh of the count view: one of the view, by key, and one of the queue.
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
			found series
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
func (r *run) readersDuring(ctx context.Context, refresh string) (seconds float64, view, queue series, err error) {
	stop := make(chan struct{})
	type result struct {
		found series
		err   error
	}
	read := func(ask func(context.Context, *pgx.Conn) error) <-chan result {
		done := make(chan result, 1)
		go func() {
			found, err := r.readSteadily(ctx, stop, ask)
			done <- result{found, err}
		}()
		return done
	}
	ofView := read(func(ctx context.Context, conn *pgx.Conn) error {
		return askSQL(ctx, conn, "SELECT total_anno_count FROM url_annotation_count_view WHERE url_id = $1", 77)
	})
	ofQueue := read(warmed(Casual, nil).ask)

	begin, refreshes := time.Now(), 0
	if refresh == "" {
		time.Sleep(r.Load)
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
