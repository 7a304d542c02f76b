package postgres

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"docket/internal/faultproxy"
)

// impatient finds a dead connection at once, and does not misjudge a server that is slow.
var impatient = watchLimits{
	silent: 50 * time.Millisecond, question: 50 * time.Millisecond, pause: time.Millisecond, connect: time.Second, cancel: time.Second,
}

// watchedPool is a pool whose connections pass a proxy.
type watchedPool struct {
	*Pool
	proxy  *faultproxy.Proxy
	deaths chan error
}

func newWatchedPool(t *testing.T, limits watchLimits, conns int32) watchedPool {
	t.Helper()
	pool := watchedPool{proxy: faultproxy.New(t, newDatabase(t)), deaths: make(chan error, 100)}
	var err error
	pool.Pool, err = Open(t.Context(), PoolConfig{
		URL: pool.proxy.URL(), MaxConns: conns, Served: true, OnDeath: func(err error) { pool.deaths <- err }, limits: limits,
	})
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	return pool
}

// requireDead checks the error of a statement on a connection that died for a reason.
func (p watchedPool) requireDead(t *testing.T, err error, reason string) {
	t.Helper()
	require.Error(t, err)
	require.True(t, IsUnavailable(err), err)
	require.NotErrorIs(t, err, context.DeadlineExceeded)
	death := <-p.deaths
	require.True(t, IsUnavailable(death))
	require.ErrorContains(t, death, reason)
}

// One connection is dead, and the server says that it does nothing for it.
func TestDeadConnection(t *testing.T) {
	t.Parallel()
	patient := impatient
	patient.question = time.Minute
	for name, rule := range map[string]faultproxy.Rule{
		"the statement does not arrive": {At: faultproxy.BeforeStatement, Do: faultproxy.Stall(faultproxy.Both)},
		"the answer does not arrive":    {At: faultproxy.BeforeAnswer, Do: faultproxy.Stall(faultproxy.ToClient)},
		"a commit's answer":             {Match: faultproxy.Commit, At: faultproxy.BeforeAnswer, Do: faultproxy.Stall(faultproxy.Both)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pool := newWatchedPool(t, patient, 1)
			rule.Times = 1
			pool.proxy.Set(rule)
			err := InTx(t.Context(), pool.Pool, func(tx pgx.Tx) error {
				_, err := tx.Exec(t.Context(), "SELECT 1")
				return err
			})
			const reason = "the server runs no statement of this session"
			if rule.Match != nil {
				require.NoError(t, err, "InTx asks what became of the transaction")
				require.ErrorContains(t, <-pool.deaths, reason)
			} else {
				pool.requireDead(t, err, reason)
			}
			require.Equal(t, 1, pool.proxy.Faults())
			_, err = pool.Exec(t.Context(), "SELECT 1")
			require.NoError(t, err, "the only connection of the pool was replaced")
		})
	}
}

// A dead connection leaves no transaction that holds locks, and whether it was committed is known.
func TestDeadConnectionHoldsNoLocks(t *testing.T) {
	t.Parallel()
	patient := impatient
	patient.question = time.Minute
	pool := newWatchedPool(t, patient, 2)
	_, err := pool.Exec(t.Context(), "CREATE TABLE fact (n int PRIMARY KEY)")
	require.NoError(t, err)
	insert := func() error {
		return InTx(t.Context(), pool.Pool, func(tx pgx.Tx) error {
			_, err := tx.Exec(t.Context(), "INSERT INTO fact VALUES (1)")
			return err
		})
	}
	pool.proxy.Set(faultproxy.Rule{Match: faultproxy.Commit, At: faultproxy.BeforeStatement, Do: faultproxy.Stall(faultproxy.Both), Times: 1})
	err = insert()
	pool.requireDead(t, err, "the server runs no statement of this session")
	require.NotErrorIs(t, err, ErrOutcomeUnknown)
	require.NoError(t, insert(), "it does not wait for the other transaction")
}

// The server cannot be reached at all, and later it can.
func TestPartition(t *testing.T) {
	t.Parallel()
	pool := newWatchedPool(t, impatient, 4)
	pool.proxy.Set(faultproxy.Rule{At: faultproxy.BeforeStatement, Do: func(*faultproxy.Conn) { pool.proxy.Partition(faultproxy.Both) }, Times: 1})
	_, err := pool.Exec(t.Context(), "SELECT 1")
	pool.requireDead(t, err, "a new connection got none either")
	pool.proxy.Heal()
	_, err = pool.Exec(t.Context(), "SELECT 1")
	require.NoError(t, err)
}

// A statement that takes long is not ended, however often the server is asked.
func TestSlowStatementIsNotDead(t *testing.T) {
	t.Parallel()
	patient := watchLimits{silent: 5 * time.Millisecond, question: time.Minute, connect: time.Minute, cancel: time.Minute}
	pool := newWatchedPool(t, patient, 1)
	questions := make(chan struct{}, 100)
	pool.proxy.Set(faultproxy.Rule{Match: faultproxy.SQL("pg_stat_activity"), At: faultproxy.BeforeStatement, Do: func(*faultproxy.Conn) {
		select {
		case questions <- struct{}{}:
		default:
		}
	}})
	lock := "SELECT pg_advisory_lock(1)"
	holder, err := pgx.Connect(t.Context(), pool.proxy.URL())
	require.NoError(t, err)
	defer holder.Close(context.Background())
	_, err = holder.Exec(t.Context(), lock)
	require.NoError(t, err)
	ended := make(chan error)
	go func() {
		_, err := pool.Exec(t.Context(), lock)
		ended <- err
	}()
	for range 3 {
		select {
		case <-questions:
		case err := <-ended:
			require.NoError(t, err)
			t.Fatal("the statement did not wait")
		}
	}
	require.NoError(t, holder.Close(t.Context()))
	require.NoError(t, <-ended)
}

// At a deadline a server that responds cancels the statement, and the connection is kept.
func TestDeadlineOnALivingServer(t *testing.T) {
	t.Parallel()
	pool := newWatchedPool(t, watchLimits{silent: time.Hour, connect: time.Minute, cancel: time.Minute}, 1)
	before := pool.Stat().NewConnsCount()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	err := InTx(t.Context(), pool.Pool, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, "SELECT pg_sleep(3600)")
		return err
	})
	require.ErrorContains(t, err, "57014")
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.False(t, IsUnavailable(err))
	_, err = pool.Exec(t.Context(), "SELECT 1")
	require.NoError(t, err)
	require.Equal(t, before, pool.Stat().NewConnsCount())
}

// At a deadline a server that does not confirm the cancellation is dead.
func TestDeadlineOnADeadServer(t *testing.T) {
	t.Parallel()
	pool := newWatchedPool(t, watchLimits{silent: time.Hour, connect: time.Minute, cancel: 50 * time.Millisecond}, 1)
	pool.proxy.Partition(faultproxy.Both)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := pool.Exec(ctx, "SELECT 1")
	pool.requireDead(t, err, "a request to cancel its statement was not answered within 50ms")
	pool.proxy.Heal()
}

// A client that leaves does not wait for the server.
func TestCancelledStatement(t *testing.T) {
	t.Parallel()
	pool := newWatchedPool(t, watchLimits{silent: time.Hour, connect: time.Minute, cancel: time.Hour}, 1)
	ctx, cancel := context.WithCancel(t.Context())
	pool.proxy.Set(faultproxy.Rule{Match: faultproxy.SQL("left"), At: faultproxy.BeforeStatement, Do: func(c *faultproxy.Conn) {
		faultproxy.Stall(faultproxy.Both)(c)
		cancel()
	}})
	_, err := pool.Exec(ctx, "SELECT 'left'")
	require.ErrorIs(t, err, context.Canceled)
	require.False(t, IsUnavailable(err))
	pool.proxy.Heal()
}

// Idle connections that died are not tried one after the other.
func TestDeadIdleConnections(t *testing.T) {
	t.Parallel()
	const conns = 8
	pool := newWatchedPool(t, watchLimits{silent: time.Hour, connect: time.Minute, cancel: 50 * time.Millisecond}, conns)
	var held []*Conn
	for range conns {
		conn, err := pool.Acquire(t.Context())
		require.NoError(t, err)
		held = append(held, conn)
	}
	for _, conn := range held {
		conn.Release()
	}
	require.Eventually(t, func() bool { return pool.Stat().IdleConns() == conns }, time.Minute, time.Millisecond)
	pool.proxy.Each(faultproxy.Stall(faultproxy.Both))
	time.Sleep(1100 * time.Millisecond) // pgxpool pings connections that were idle for a second
	_, err := pool.Exec(t.Context(), "SELECT 1")
	require.NoError(t, err)
	require.Len(t, pool.deaths, 1, "one was tried, and the others were closed")
	require.Eventually(t, func() bool { return pool.Stat().TotalConns() == 1 }, time.Minute, time.Millisecond)
}

func TestDoubt(t *testing.T) {
	t.Parallel()
	url := newDatabase(t)
	pool, err := Open(t.Context(), PoolConfig{URL: url, MaxConns: 1, Served: true})
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	conn, err := pool.Acquire(t.Context())
	require.NoError(t, err)
	defer conn.Release()
	s := socketOf(conn.Conn().PgConn().Conn())
	own, address := conn.Conn().PgConn().PID(), s.RemoteAddr().String()
	require.Equal(t, own, s.session.Load())

	for name, test := range map[string]struct {
		answer answer
		want   string
	}{
		"a session without a statement": {answer{address: address, working: []uint32{own + 1}}, "no statement"},
		"no session with a statement":   {answer{address: address, working: []uint32{}}, "no statement"},
		"a session with a statement":    {answer{address: address, working: []uint32{own + 1, own}}, ""},
		"another server":                {answer{address: "elsewhere", working: []uint32{}}, ""},
		"a pooler, or a refusal":        {answer{address: address}, ""},
		"no server":                     {answer{err: errors.New("no route to host")}, "a new connection got none either: no route"},
	} {
		t.Run(name, func(t *testing.T) {
			s := &socket{Conn: s.Conn, watch: &watch{last: test.answer}}
			s.session.Store(own)
			s.watch.last.asked = time.Now().Add(time.Hour)
			if doubt := s.doubt(); test.want == "" {
				require.Empty(t, doubt)
			} else {
				require.Contains(t, doubt, test.want)
			}
		})
	}

	given := s.watch.question()
	require.NoError(t, given.err)
	require.Equal(t, address, given.address)
	require.NotNil(t, given.working)
	require.NotContains(t, given.working, own, "it is idle")
	execute(t, shared.server.URL(), fmt.Sprintf("ALTER DATABASE %s CONNECTION LIMIT 0", s.watch.config.Database))
	role := fmt.Sprintf("%s_role", s.watch.config.Database) // a limit does not hold for superusers
	execute(t, shared.server.URL(), "CREATE ROLE "+role+" LOGIN")
	s.watch.config.User = role
	given = s.watch.question()
	require.NoError(t, given.err, "a server that refuses a connection responds")
	require.Nil(t, given.working)
}
