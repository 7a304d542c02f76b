package benchmarks

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

	"docket/benchmarks/measure"
	"docket/internal/annotation"
	"docket/internal/consensus"
	"docket/internal/postgres"
	"docket/internal/ranking"
)

const (
	heldGroup     = "GET with reservations, database part"
	heldHTTPGroup = "GET with reservations, whole request"
	crowdGroup    = "32 annotators"

	// holders is the first id of the users who have reserved a URL and do nothing else, crowd that of the users who answer.
	holders int32 = 100_000_000
	crowd   int32 = 200_000_000
)

// reserving is the option of docket serve by default.
var reserving = annotation.Reserve(annotation.ReservePolicy{For: 10 * time.Minute, WhenAllReserved: annotation.Share})

// heldCounts are how many other annotators have reserved a URL at the head of the queue.
var heldCounts = []int{0, 100, 1000, 10_000}

// reservations measures GET while others have reserved URLs, and annotators who answer as fast as they can, with and without
// reservations. At the end, the queue is verified.
func (r *run) reservations(ctx context.Context) error {
	pool, err := openAsServed(ctx, r.url, writers+4)
	if err != nil {
		return err
	}
	defer pool.Close()
	held := 0
	for _, count := range heldCounts {
		if count > r.size.URLs/10 {
			break
		}
		if err := hold(ctx, pool, held, count); err != nil {
			return fmt.Errorf("reserve for %d annotators: %w", count, err)
		}
		held = count
		if err := r.getHeld(ctx, count); err != nil {
			return fmt.Errorf("%d reservations: %w", count, err)
		}
		if err := r.requestHeld(ctx, pool, count); err != nil {
			return fmt.Errorf("%d reservations, requests: %w", count, err)
		}
	}
	if err := clearReservations(ctx, pool); err != nil {
		return err
	}
	if err := r.crowds(ctx, pool); err != nil {
		return err
	}
	if err := clearReservations(ctx, pool); err != nil {
		return err
	}
	return r.verify(ctx, pool, crowdGroup)
}

// hold has annotators ask for their next URL until so many have one reserved.
func hold(ctx context.Context, pool *postgres.Pool, from, to int) error {
	service := annotation.New(pool, ranking.NewQueue(), reserving)
	var next atomic.Int64
	next.Store(int64(from))
	errs := make(chan error, writers)
	for range writers {
		go func() {
			for {
				n := next.Add(1)
				if n > int64(to) {
					errs <- nil
					return
				}
				if _, err := service.Next(ctx, holders+int32(n), annotation.Filter{}); err != nil {
					errs <- err
					return
				}
			}
		}()
	}
	var err error
	for range writers {
		err = errors.Join(err, <-errs)
	}
	if err != nil {
		return err
	}
	// Autovacuum does this within a minute. Until then, statements that were planned for an empty table read all of it.
	_, err = pool.Exec(ctx, "ANALYZE url_reservations")
	return err
}

func clearReservations(ctx context.Context, pool *postgres.Pool) error {
	if _, err := pool.Exec(ctx, statement("reservations_clear")); err != nil {
		return fmt.Errorf("end reservations: %w", err)
	}
	return nil
}

// freeing ends the reservation of a user before each call, on a connection of its own. If there is a service, it learns that by a
// release of the URL.
func freeing(ctx context.Context, conn *pgx.Conn, user int32, failed *error, service func() *annotation.Service) func() {
	text := statement("reservations_free")
	return func() {
		var url int32
		err := conn.QueryRow(ctx, text, strconv.Itoa(int(user))).Scan(&url)
		if released := service(); err == nil && released != nil {
			err = released.Release(ctx, annotation.User(user), url)
		}
		if !errors.Is(err, pgx.ErrNoRows) {
			*failed = errors.Join(*failed, err)
		}
	}
}

func noService() *annotation.Service { return nil }

// heldCases are the requests that are compared. The first ones reserve nothing.
func heldCases(ctx context.Context, conn *pgx.Conn, failed *error) []*asker {
	var cases []*asker
	for _, user := range []struct {
		name string
		id   int32
	}{{"new", NewUser}, {"heavy-5000", Heavy5000}} {
		for _, remembered := range []struct {
			text   string
			forget bool
		}{{"yes", false}, {"no", true}} {
			end := "/user=" + user.name + "/remembered=" + remembered.text
			first := &asker{
				name: "reserve=10m, first" + end, user: user.id, forget: remembered.forget,
				options: []annotation.Option{reserving},
			}
			first.prepare = freeing(ctx, conn, user.id, failed, func() *annotation.Service { return first.service })
			cases = append(cases,
				&asker{name: "reserve=0" + end, user: user.id, forget: remembered.forget},
				&asker{
					name: "reserve=10m, again" + end, user: user.id, forget: remembered.forget,
					options: []annotation.Option{reserving},
				},
				first)
		}
	}
	return cases
}

// heldName is the name of a figure with so many reservations of others.
func heldName(held int, name string) string { return fmt.Sprintf("held=%d/%s", held, name) }

// getHeld measures the use case while others have reserved URLs at the head: without reserving, asking again for the own reserved
// URL, and asking without having one.
func (r *run) getHeld(ctx context.Context, held int) (err error) {
	admin, err := pgx.Connect(ctx, r.url)
	if err != nil {
		return err
	}
	defer admin.Close(context.WithoutCancel(ctx))
	conn, err := r.pool.Acquire(ctx)
	if err != nil {
		return err
	}
	raw := conn.Conn()
	conn.Release() // the pool has no other
	cases := heldCases(ctx, admin, &err)
	probes := []measure.Probe{{Name: "SELECT 1", Call: func(ctx context.Context) error { return selectOne(ctx, raw) }}}
	for _, a := range cases {
		probes = append(probes, measure.Probe{
			Name: a.name, Before: a.before, Call: func(ctx context.Context) error { return a.ask(ctx, r.pool) },
		})
	}
	found, measureErr := measure.Interleave(ctx, probes, r.Probe)
	if err = errors.Join(err, measureErr); err != nil {
		return err
	}
	one, plain := found[0].Quantile(0.5), time.Duration(0)
	for i, a := range cases {
		f, err := r.askerFigure(ctx, heldGroup, heldName(held, a.name), a, found[i+1], one)
		if err != nil {
			return err
		}
		if len(a.options) == 0 {
			plain = found[i+1].Quantile(0.5)
		} else {
			f.Values["times_reserve_0"] = micros(found[i+1].Quantile(0.5)) / micros(plain)
		}
		r.add(f)
	}
	for _, user := range []int32{NewUser, Heavy5000} {
		freeing(ctx, admin, user, &err, noService)()
	}
	return err
}

// requestHeld is getHeld for whole requests of a new user over loopback.
func (r *run) requestHeld(ctx context.Context, pool *postgres.Pool, held int) (err error) {
	admin, err := pgx.Connect(ctx, r.url)
	if err != nil {
		return err
	}
	defer admin.Close(context.WithoutCancel(ctx))
	var failed error
	var probes []measure.Probe
	for _, form := range []struct {
		name    string
		options []annotation.Option
		frees   bool
	}{
		{"reserve=0", nil, false},
		{"reserve=10m, again", []annotation.Option{reserving}, false},
		{"reserve=10m, first", []annotation.Option{reserving}, true},
	} {
		service := annotation.New(pool, ranking.NewQueue(), form.options...)
		var before func()
		if form.frees {
			before = freeing(ctx, admin, NewUser, &failed, func() *annotation.Service { return service })
		}
		handler, err := handlerOf(service)
		if err != nil {
			return err
		}
		address, stop, err := serveOnLoopback(handler)
		if err != nil {
			return err
		}
		defer stop()
		client, err := getAs(address, "/annotate/all", NewUser, nil)
		if err != nil {
			return err
		}
		defer client.Close()
		probes = append(probes, measure.Probe{Name: form.name, Before: before, Call: client.Call})
	}
	found, err := measure.Interleave(ctx, probes, r.Probe)
	freeing(ctx, admin, NewUser, &failed, noService)()
	if err = errors.Join(err, failed); err != nil {
		return err
	}
	for i, probe := range probes {
		f := figure(heldHTTPGroup, heldName(held, probe.Name+"/user=new"), found[i], 0)
		if i > 0 {
			f.Values = map[string]float64{"times_reserve_0": micros(found[i].Quantile(0.5)) / micros(found[0].Quantile(0.5))}
		}
		r.add(f)
	}
	return nil
}

// crowds has 32 annotators repeat POST, which stores an answer and returns the next URL, as fast as they can: each in a batch of
// its own, and all at the head of the queue. They agree, so two answers about a URL make a fact, which is validated at the same time,
// as docket serve does.
func (r *run) crowds(ctx context.Context, pool *postgres.Pool) error {
	batches, err := column[int32](ctx, pool, `
		SELECT batch_id FROM annotation_queue WHERE eligible AND batch_id > 1000000
		GROUP BY batch_id ORDER BY count(*) DESC, batch_id LIMIT 32`)
	if err != nil {
		return err
	}
	var agency int32
	var location int64
	err = pool.QueryRow(ctx, "SELECT (SELECT min(id) FROM agencies), (SELECT min(id) FROM locations)").Scan(&agency, &location)
	if err != nil {
		return fmt.Errorf("look for what to answer: %w", err)
	}
	const rounds = 3
	name := "Use of force"
	users := crowd
	for _, where := range []string{"spread", "shared head"} {
		var perSecond [2][]float64
		var beyond, looks int
		for range rounds {
			for i, options := range [][]annotation.Option{nil, {reserving}} {
				load := crowdLoad{pool: pool, options: options, first: users, lasting: r.Load / rounds, answer: annotation.Answer{
					URLType: annotation.MetaURL, AgencyIDs: []int32{agency}, LocationIDs: []int64{location}, NewName: &name,
				}}
				if where == "spread" {
					load.batches = batches
				}
				users += writers
				if err := load.run(ctx); err != nil {
					return fmt.Errorf("%s: %w", where, err)
				}
				perSecond[i] = append(perSecond[i], load.perSecond)
				beyond += load.beyond
				looks += load.looks
				if err := clearReservations(ctx, pool); err != nil {
					return err
				}
			}
		}
		r.add(
			Figure{Group: crowdGroup, Name: where + "/reserve=0", PerSecond: median(perSecond[0])},
			Figure{Group: crowdGroup, Name: where + "/reserve=10m", PerSecond: median(perSecond[1]), Values: map[string]float64{
				"share_of_reserve_0": median(perSecond[1]) / median(perSecond[0]),
				"held_beyond_need":   float64(beyond), "looks": float64(looks),
			}},
		)
	}
	return nil
}

// crowdLoad is one round of a crowd.
type crowdLoad struct {
	pool    *postgres.Pool
	options []annotation.Option
	batches []int32 // of the annotators; empty: all among all URLs
	first   int32   // the first id of the users
	lasting time.Duration
	answer  annotation.Answer // to all URLs, so that annotators agree

	perSecond float64
	beyond    int // URLs that more annotators had reserved than needed, in all looks
	looks     int
}

func (c *crowdLoad) run(ctx context.Context) error {
	running, stop := context.WithCancel(ctx)
	defer stop()
	var failed error
	validator := consensus.New(c.pool, consensus.Config{Report: func(err error) { failed = errors.Join(failed, err) }})
	service := annotation.New(c.pool, ranking.NewQueue(), append(slices.Clone(c.options), annotation.OnDue(validator.Wake))...)
	var group sync.WaitGroup
	group.Go(func() { _ = validator.Run(running) })
	var lookErr error
	group.Go(func() {
		for running.Err() == nil && lookErr == nil {
			var found int
			if found, lookErr = heldBeyondNeed(ctx, c.pool); lookErr == nil {
				c.beyond += found
				c.looks++
			}
			select {
			case <-running.Done():
			case <-time.After(100 * time.Millisecond):
			}
		}
	})
	got, err := measure.Load(ctx, writers, c.lasting, func(client int) (measure.Client, error) {
		return c.annotator(ctx, service, client)
	})
	stop()
	group.Wait()
	c.perSecond = got.PerSecond
	return errors.Join(err, lookErr, failed)
}

// annotator returns a client whose call answers the URL that it was offered last.
func (c *crowdLoad) annotator(ctx context.Context, service *annotation.Service, client int) (measure.Client, error) {
	user := c.first + int32(client)
	var filter annotation.Filter
	if len(c.batches) > 0 {
		filter.BatchID = &c.batches[client%len(c.batches)]
	}
	offer, err := service.Next(ctx, user, filter)
	if err != nil {
		return measure.Client{}, err
	}
	return measure.Client{Close: func() {}, Call: func(ctx context.Context) error {
		if offer.Next == nil && filter.BatchID != nil { // a small batch has come to its end
			filter.BatchID = nil
			if offer, err = service.Next(ctx, user, filter); err != nil {
				return err
			}
		}
		if offer.Next == nil {
			return fmt.Errorf("nothing is left for user %d: %s", user, offer.Reason)
		}
		done, err := service.SubmitThenNext(ctx, user, offer.Next.URLID, c.answer, filter)
		offer = done.Offer
		return errors.Join(err, done.NextErr)
	}}, nil
}

// heldBeyondNeed counts the URLs that more annotators have reserved than the URL needs answers.
func heldBeyondNeed(ctx context.Context, pool *postgres.Pool) (beyond int, err error) {
	rows, err := pool.Query(ctx, statement("reservations_held"))
	if err != nil {
		return 0, fmt.Errorf("look for reservations: %w", err)
	}
	live, votes := map[int32]int{}, map[int32]consensus.Votes{}
	var rule consensus.Rule
	for rows.Next() {
		var url int32
		var held int
		var attribute, value string
		var count consensus.Count
		err := rows.Scan(&url, &held, &rule.Threshold, &rule.AnonymousWeight, &attribute, &value, &count.Users, &count.Sessions)
		if err != nil {
			return 0, fmt.Errorf("look for reservations: %w", err)
		}
		if votes[url] == nil {
			votes[url] = consensus.Votes{}
		}
		live[url] = held
		if attribute != "" {
			votes[url].Add(consensus.Attribute(attribute), value, count)
		}
	}
	if err := rows.Err(); err != nil {
		return 0, fmt.Errorf("look for reservations: %w", err)
	}
	for url, held := range live {
		if held > rule.Needed(votes[url]) {
			beyond++
		}
	}
	return beyond, nil
}
