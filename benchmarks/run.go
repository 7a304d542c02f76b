package benchmarks

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"docket/benchmarks/measure"
	"docket/internal/annotation"
	"docket/internal/postgres"
	"docket/internal/ranking"
)

// Options bound a run.
type Options struct {
	// Probe is about the time that each query is measured.
	Probe time.Duration
	// Load is the time of each load of requests or answers.
	Load time.Duration
	// Limit is the time after which a statement is cancelled.
	Limit time.Duration
	// Only is the name of the part to run; empty: all.
	Only string
	// Progress is called with the name of each part.
	Progress func(string)
}

// DefaultOptions suit two cores and ten minutes for two sizes.
var DefaultOptions = Options{Probe: time.Second, Load: 2 * time.Second, Limit: 5 * time.Second}

// run measures one prepared database.
type run struct {
	Options
	url       string
	conn      *pgx.Conn      // times statements one by one
	pool      *postgres.Pool // one connection, on which round trips are counted
	trips     *roundTrips
	explained *explained // nil where PostgreSQL has no auto_explain
	size      *Size
}

// measureAll runs everything on a prepared database. The last parts change it.
func measureAll(ctx context.Context, url string, size *Size, opts Options) (err error) {
	r := &run{Options: opts, url: url, size: size, trips: &roundTrips{}}
	config, err := servedConfig(ctx, url)
	if err != nil {
		return err
	}
	config.ConnConfig.DialFunc = r.trips.dial
	config.ConnConfig.RuntimeParams["statement_timeout"] = fmt.Sprint(opts.Limit.Milliseconds())
	if r.pool, err = postgres.NewPool(ctx, config); err != nil {
		return fmt.Errorf("open database: %w", err)
	}
	defer r.pool.Close()
	if r.conn, err = pgx.ConnectConfig(ctx, config.ConnConfig.Copy()); err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer r.conn.Close(context.WithoutCancel(ctx))
	if r.explained, err = openExplained(ctx, url); err != nil {
		return err
	}
	if r.explained != nil {
		defer r.explained.pool.Close()
	}

	for _, part := range []struct {
		name string
		run  func(context.Context) error
	}{
		{"main query", r.mainQuery},
		{"suggestions and whole GET", r.get},
		{"requests", r.requests},
		{"refresh", r.refresh},
		{"reservations", r.reservations},
		{"answers", r.answers},
	} {
		if opts.Only != "" && part.name != opts.Only {
			continue
		}
		opts.Progress(part.name)
		if err := part.run(ctx); err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
	}
	return nil
}

// openAsServed opens a pool as docket serve does. 0 connections mean as many as it takes.
func openAsServed(ctx context.Context, url string, conns int32) (*postgres.Pool, error) {
	return postgres.Open(ctx, postgres.PoolConfig{URL: url, MaxConns: conns, GenericPlans: true})
}

// servedConfig is the configuration of such a pool, to be changed.
func servedConfig(ctx context.Context, url string) (*pgxpool.Config, error) {
	pool, err := openAsServed(ctx, url, 1)
	if err != nil {
		return nil, err
	}
	defer pool.Close()
	return pool.Config(), nil
}

func (r *run) add(figures ...Figure) { r.size.Figures = append(r.size.Figures, figures...) }

// selectOne is the unit: other statements are reported in multiples of its time.
func selectOne(ctx context.Context, conn *pgx.Conn) error {
	var one int32
	return conn.QueryRow(ctx, "SELECT 1").Scan(&one)
}

// query is a form of the statement for the next URL.
type query struct {
	name   string
	before func()
	ask    func(ctx context.Context, conn *pgx.Conn) error
}

const mainQueryGroup = "main query"

// mainQuery measures the forms of the main query for all kinds of annotators.
func (r *run) mainQuery(ctx context.Context) error {
	queries := []query{
		{name: "SELECT 1", ask: selectOne},
		{name: "URL by primary key", ask: func(ctx context.Context, conn *pgx.Conn) error {
			return askSQL(ctx, conn, "SELECT id, url, scheme, trailing_slash FROM urls WHERE id = $1", 77)
		}},
	}
	for _, form := range []struct {
		name  string
		users []int32
	}{
		{"plain", []int32{NewUser}},
		{"plain_mended", []int32{NewUser, Heavy5000}},
		{"seed_change", []int32{NewUser, Heavy5000}},
	} {
		text := statement("next_" + form.name)
		for _, user := range form.users {
			queries = append(queries, query{
				name: "form=" + form.name + "/user=" + userName(user),
				ask:  func(ctx context.Context, conn *pgx.Conn) error { return askSQL(ctx, conn, text, user) },
			})
		}
	}
	for _, user := range users {
		queries = append(queries, rankingQuery("form=matview", ranking.Matview{}, user, nil))
	}
	for _, user := range users {
		queries = append(queries, cold(user, nil), warmed(user, nil))
	}
	for _, session := range []uuid.UUID{NewSession, HeavySession} {
		queries = append(queries, warmedSession(session))
	}
	for _, batch := range []int32{smallBatch, halfBatch} {
		queries = append(queries, rankingQuery("form=matview", ranking.Matview{}, NewUser, &batch))
	}
	for _, batch := range []int32{smallBatch, halfBatch} {
		for _, user := range []int32{NewUser, Heavy5000, Heavy50000} {
			queries = append(queries, cold(user, &batch), warmed(user, &batch))
		}
	}
	return r.ask(ctx, mainQueryGroup, queries)
}

// ask measures queries in turns on one connection. The others are reported in multiples of the first.
func (r *run) ask(ctx context.Context, group string, queries []query) error {
	probes := make([]measure.Probe, len(queries))
	for i, q := range queries {
		probes[i] = measure.Probe{Name: q.name, Before: q.before, Call: func(ctx context.Context) error { return q.ask(ctx, r.conn) }}
	}
	found, err := measure.Interleave(ctx, probes, r.Probe)
	if err != nil {
		return err
	}
	for i, q := range queries {
		f := figure(group, q.name, found[i], found[0].Quantile(0.5))
		if found[i].TimedOut {
			f.Over = r.Limit.Seconds()
		} else if r.explained != nil {
			buffers, err := r.explained.buffers(ctx, func(ctx context.Context) error {
				return r.explained.pool.AcquireFunc(ctx, func(conn *pgxpool.Conn) error {
					if q.before != nil {
						q.before()
					}
					return q.ask(ctx, conn.Conn())
				})
			})
			if err == nil {
				f.Buffers = &buffers
			} else if !measure.IsTimeout(err) {
				return fmt.Errorf("%s: %w", q.name, err)
			}
		}
		r.add(f)
	}
	return nil
}

func askSQL(ctx context.Context, conn *pgx.Conn, text string, arg int32) error {
	rows, err := conn.Query(ctx, text, arg)
	if err != nil {
		return err
	}
	rows.Close()
	return rows.Err()
}

func rankingQuery(name string, ranked annotation.Ranking, user int32, batch *int32) query {
	name += "/user=" + userName(user)
	if batch != nil {
		name += "/batch=" + batchName(*batch)
	}
	return query{name: name, ask: func(ctx context.Context, conn *pgx.Conn) error {
		_, err := ranked.NextForUser(ctx, conn, user, ranking.Filter{BatchID: batch})
		return err
	}}
}

// cold asks a queue that has not seen the annotator.
func cold(user int32, batch *int32) query {
	var queue *ranking.Queue
	q := rankingQuery("form=queue/cursor=cold", ranking.NewQueue(), user, batch)
	q.before = func() { queue = ranking.NewQueue() }
	q.ask = func(ctx context.Context, conn *pgx.Conn) error {
		_, err := queue.NextForUser(ctx, conn, user, ranking.Filter{BatchID: batch})
		return err
	}
	return q
}

// warmed asks a queue that has seen the annotator. It has a cursor only for an annotator with many done URLs.
func warmed(user int32, batch *int32) query {
	return rankingQuery("form=queue/cursor=warm", ranking.NewQueue(), user, batch)
}

// warmedSession is warmed for an anonymous session.
func warmedSession(session uuid.UUID) query {
	queue := ranking.NewQueue()
	return query{name: warmName(sessionName(session)), ask: func(ctx context.Context, conn *pgx.Conn) error {
		_, err := queue.NextForSession(ctx, conn, session, 0)
		return err
	}}
}

// users are those of the main query without a batch.
var users = []int32{
	NewUser, Casual, Heavy5000, Heavy50000, DoneAll, Follows3, Follows50, Follows50Mid, Follows50End,
}

func userName(user int32) string {
	return map[int32]string{
		Follows3: "follows-3", Follows50: "follows-50", Follows50Mid: "follows-50/heavy-5000", Follows50End: "follows-50/done",
		NewUser: "new", Casual: "casual-66", Heavy5000: "heavy-5000", Heavy50000: "heavy-50000", DoneAll: "none-left",
	}[user]
}

func sessionName(session uuid.UUID) string {
	return map[uuid.UUID]string{NewSession: "session-new", HeavySession: "session-heavy-5000"}[session]
}

func batchName(batch int32) string {
	return map[int32]string{smallBatch: "50", halfBatch: "half"}[batch]
}
