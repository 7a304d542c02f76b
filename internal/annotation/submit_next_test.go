package annotation_test

import (
	"context"
	"errors"
	"net"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"docket/internal/annotation"
	"docket/internal/db"
	"docket/internal/faultproxy"
	"docket/internal/idempotency"
	"docket/internal/postgres"
	"docket/internal/ranking"
)

// submitters submit an answer and ask for the next URL, for each kind of annotator.
var submitters = map[string]func(context.Context, *annotation.Service, int32, annotation.Answer) (annotation.Submitted, error){
	"user": func(ctx context.Context, s *annotation.Service, url int32, answer annotation.Answer) (annotation.Submitted, error) {
		return s.SubmitThenNext(ctx, 7, url, answer, annotation.Filter{})
	},
	"session": func(ctx context.Context, s *annotation.Service, url int32, answer annotation.Answer) (annotation.Submitted, error) {
		return s.SubmitAnonymousThenNext(ctx, annotation.Session{7}, url, answer)
	},
}

// fakeRanking chooses by one function for all annotators.
type fakeRanking func(context.Context, db.DBTX) (*ranking.Choice, error)

func (r fakeRanking) NextForUser(ctx context.Context, conn db.DBTX, _ int32, _ ranking.Filter) (*ranking.Choice, error) {
	return r(ctx, conn)
}

func (r fakeRanking) NextForSession(ctx context.Context, conn db.DBTX, _ annotation.Session, _ int32) (*ranking.Choice, error) {
	return r(ctx, conn)
}

// Storing an answer and choosing the next URL take one connection, one time. An answer is stored in one round trip.
func TestSubmitThenNextTakesOneConnection(t *testing.T) {
	t.Parallel()
	for kind, submit := range submitters {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			_, err := b.pool.Exec(t.Context(), "INSERT INTO urls (id, url, source) SELECT n, n || '.org', 'manual' FROM generate_series(4, 9) n")
			require.NoError(t, err)
			require.NoError(t, ranking.Reconcile(t.Context(), b.pool, func(ranking.Difference) {}))
			config := b.pool.Config()
			config.MaxConns = 1
			var sent atomic.Int32
			dial := config.ConnConfig.DialFunc
			config.ConnConfig.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
				conn, err := dial(ctx, network, address)
				return counted{conn, &sent}, err
			}
			pool, err := postgres.NewPool(t.Context(), config)
			require.NoError(t, err)
			t.Cleanup(pool.Close)
			service := annotation.New(pool, ranking.NewQueue())
			for url := int32(1); url <= 9; url++ {
				acquired, before := pool.Stats().Acquires, sent.Load()
				submitted, err := submit(t.Context(), service, url, annotation.Answer{URLType: annotation.MetaURL})
				require.NoError(t, err)
				require.NoError(t, submitted.NextErr)
				require.Equal(t, url == 9, submitted.Offer.Next == nil, "none is left after the last one")
				require.Equal(t, int64(1), pool.Stats().Acquires-acquired)
				if url > 2 && url < 9 { // the statements are prepared
					require.LessOrEqual(t, sent.Load()-before, int32(3), "the answer, the choice, and what is shown of the URL")
				}
			}
			require.Zero(t, pool.Stats().Acquired)

			// With an Idempotency-Key as well, which takes a transaction.
			ctx := idempotency.NewContext(t.Context(), idempotency.Request{Caller: kind, Key: "k"})
			acquired := pool.Stats().Acquires
			submitted, err := submit(ctx, service, 1, annotation.Answer{URLType: annotation.MetaURL})
			require.NoError(t, err)
			require.NoError(t, submitted.NextErr)
			require.Equal(t, int64(1), pool.Stats().Acquires-acquired)

			require.NoError(t, service.Submit(t.Context(), 8, 1, annotation.Answer{URLType: annotation.MetaURL}))
			before := sent.Load()
			require.NoError(t, service.Submit(t.Context(), 8, 2, annotation.Answer{URLType: annotation.MetaURL}))
			require.Equal(t, int32(1), sent.Load()-before)
			session := uuid.New()
			require.NoError(t, service.SubmitAnonymous(t.Context(), session, 1, annotation.Answer{URLType: annotation.MetaURL}))
			before = sent.Load()
			require.NoError(t, service.SubmitAnonymous(t.Context(), session, 2, annotation.Answer{URLType: annotation.MetaURL}))
			require.Equal(t, int32(1), sent.Load()-before)
		})
	}
}

// counted counts what is sent over a connection: pgx sends each round trip at once.
type counted struct {
	net.Conn
	sent *atomic.Int32
}

func (c counted) Write(p []byte) (int, error) {
	c.sent.Add(1)
	return c.Conn.Write(p)
}

// However the choice fails, the answer is stored and the result says so.
func TestChoiceFailsAfterTheCommit(t *testing.T) {
	t.Parallel()
	broken := errors.New("the choice fails")
	for name, tt := range map[string]struct {
		choose fakeRanking
		check  func(*testing.T, error)
	}{
		"error": {
			func(context.Context, db.DBTX) (*ranking.Choice, error) { return nil, broken },
			func(t *testing.T, err error) { require.ErrorIs(t, err, broken) },
		},
		"panic": {
			func(context.Context, db.DBTX) (*ranking.Choice, error) { panic("no") },
			func(t *testing.T, err error) {
				crash, ok := errors.AsType[*annotation.PanicError](err)
				require.True(t, ok)
				require.Equal(t, "no", crash.Value)
				require.Contains(t, string(crash.Stack), "submit_next_test.go")
			},
		},
		"runtime panic during a result": {
			func(ctx context.Context, conn db.DBTX) (*ranking.Choice, error) {
				_, err := conn.Query(ctx, "SELECT generate_series(1, 100000)")
				if err == nil {
					var list []*ranking.Choice
					return list[0], nil
				}
				return nil, err
			},
			func(t *testing.T, err error) {
				crash, ok := errors.AsType[*annotation.PanicError](err)
				require.True(t, ok)
				require.Implements(t, (*runtime.Error)(nil), crash.Value)
			},
		},
		"timeout of the statement": {
			func(ctx context.Context, conn db.DBTX) (*ranking.Choice, error) {
				_, err := conn.Exec(ctx, "SELECT set_config('statement_timeout', '1', false)")
				if err == nil {
					_, err = conn.Exec(ctx, "SELECT pg_sleep(60)")
				}
				_, _ = conn.Exec(ctx, "SELECT set_config('statement_timeout', '0', false)")
				return nil, err
			},
			func(t *testing.T, err error) { require.ErrorIs(t, err, context.DeadlineExceeded) },
		},
		"lost connection": {
			func(ctx context.Context, conn db.DBTX) (*ranking.Choice, error) {
				_, err := conn.Exec(ctx, "SELECT pg_terminate_backend(pg_backend_pid())")
				return nil, err
			},
			func(t *testing.T, err error) { require.True(t, postgres.IsUnavailable(err), err) },
		},
	} {
		for kind, submit := range submitters {
			t.Run(name+"/"+kind, func(t *testing.T) {
				t.Parallel()
				b := setup(t)
				service := annotation.New(b.pool, tt.choose)
				submitted, err := submit(t.Context(), service, 1, everything(1))
				require.NoError(t, err)
				require.Nil(t, submitted.Offer.Next)
				require.Error(t, submitted.NextErr)
				tt.check(t, submitted.NextErr)
				require.Equal(t, 5, b.annotations(t))
				require.Zero(t, b.pool.Stats().Acquired)
			})
		}
	}
}

// The deadline of a request passes while the answer is committed. The response says so, and has the next URL.
func TestDeadlineDuringTheCommit(t *testing.T) {
	t.Parallel()
	for kind, submit := range submitters {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			proxy := faultproxy.New(t, b.pool.Config().ConnString())
			pool, err := postgres.Open(t.Context(), postgres.PoolConfig{URL: proxy.URL(), MaxConns: 1, Served: true})
			require.NoError(t, err)
			t.Cleanup(pool.Close)
			service := annotation.New(pool, ranking.NewQueue())
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			deadline := &laterDeadline{Context: ctx, done: make(chan struct{})}
			proxy.Set(faultproxy.Rule{Match: faultproxy.SQL("AnnotationInsert"), At: faultproxy.BeforeAnswer, Times: 1, Do: func(*faultproxy.Conn) {
				deadline.pass()
			}})
			submitted, err := submit(deadline, service, 1, everything(1))
			require.NoError(t, err)
			require.Equal(t, 1, proxy.Faults())
			require.ErrorIs(t, deadline.Err(), context.DeadlineExceeded)
			require.NoError(t, submitted.NextErr)
			require.NotNil(t, submitted.Offer.Next)
			require.Equal(t, 5, b.annotations(t))
		})
	}
}

// laterDeadline is a context whose deadline comes when the test says so.
type laterDeadline struct {
	context.Context
	done   chan struct{}
	passed atomic.Bool
}

func (d *laterDeadline) pass() {
	d.passed.Store(true)
	close(d.done)
}

func (d *laterDeadline) Deadline() (time.Time, bool) { return time.Now(), true }
func (d *laterDeadline) Done() <-chan struct{}       { return d.done }

func (d *laterDeadline) Err() error {
	if d.passed.Load() {
		return context.DeadlineExceeded
	}
	return nil
}

// The connection breaks at each statement that stores an answer, before, while or after the server executes it. Each answer is
// stored one time, and reported as stored.
func TestConnectionBreaksWhileStoring(t *testing.T) {
	t.Parallel()
	points := map[string]faultproxy.Point{
		"before": faultproxy.BeforeStatement, "while": faultproxy.AfterSend, "after": faultproxy.BeforeAnswer,
	}
	for name, at := range points {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			_, err := b.pool.Exec(t.Context(), "INSERT INTO urls (id, url, source) SELECT n, n || '.org', 'manual' FROM generate_series(4, 50) n")
			require.NoError(t, err)
			require.NoError(t, ranking.Reconcile(t.Context(), b.pool, func(ranking.Difference) {}))
			proxy := faultproxy.New(t, b.pool.Config().ConnString())
			pool, err := postgres.Open(t.Context(), postgres.PoolConfig{URL: proxy.URL(), MaxConns: 2, Served: true})
			require.NoError(t, err)
			t.Cleanup(pool.Close)
			service := annotation.New(pool, ranking.NewQueue())
			const urls = 25
			for url := int32(1); url <= urls; url++ {
				for _, submit := range submitters {
					proxy.Set(faultproxy.Rule{Match: faultproxy.SQL("AnnotationInsert"), At: at, Do: faultproxy.Cut, Times: 1})
					submitted, err := submit(t.Context(), service, url, annotation.Answer{URLType: annotation.MetaURL})
					require.NoError(t, err)
					require.NoError(t, submitted.NextErr)
					require.NotNil(t, submitted.Offer.Next)
				}
			}
			require.Equal(t, urls*len(submitters), proxy.Faults())
			require.Equal(t, urls*len(submitters), b.annotations(t))
			b.requireExactQueue(t)
		})
	}
}

// The connection breaks after an answer was stored on it. The next URL is chosen on another one.
func TestConnectionBreaksAfterStoring(t *testing.T) {
	t.Parallel()
	for kind, submit := range submitters {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			proxy := faultproxy.New(t, b.pool.Config().ConnString())
			pool, err := postgres.Open(t.Context(), postgres.PoolConfig{URL: proxy.URL(), MaxConns: 2, Served: true})
			require.NoError(t, err)
			t.Cleanup(pool.Close)
			proxy.Set(faultproxy.Rule{Match: faultproxy.SQL("QueueNext"), At: faultproxy.BeforeStatement, Do: faultproxy.Cut, Times: 1})
			submitted, err := submit(t.Context(), annotation.New(pool, ranking.NewQueue()), 1, everything(1))
			require.NoError(t, err)
			require.NoError(t, submitted.NextErr)
			require.NotNil(t, submitted.Offer.Next)
			require.Equal(t, 1, proxy.Faults())
			require.Equal(t, 5, b.annotations(t))
		})
	}
}

// An answer that cannot be stored because a lock is held is refused in time, with nothing stored, and stored later.
func TestLockedQueueRow(t *testing.T) {
	t.Parallel()
	for kind, submit := range submitters {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			pool, err := postgres.Open(t.Context(), postgres.PoolConfig{
				URL: b.pool.Config().ConnString(), MaxConns: 2, LockTimeout: 20 * time.Millisecond, Served: true,
			})
			require.NoError(t, err)
			t.Cleanup(pool.Close)
			service := annotation.New(pool, ranking.NewQueue())
			held := b.begin(t, "SELECT FROM annotation_queue WHERE url_id = 1 FOR UPDATE")
			_, err = submit(t.Context(), service, 1, everything(1))
			require.True(t, postgres.IsUnavailable(err), err)
			require.NotErrorIs(t, err, context.DeadlineExceeded)
			require.Zero(t, b.annotations(t))
			require.NoError(t, held.Rollback(t.Context()))
			_, err = submit(t.Context(), service, 1, everything(1))
			require.NoError(t, err)
			require.Equal(t, 5, b.annotations(t))
		})
	}
}
