package postgres_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"docket/internal/dbtest"
	"docket/internal/postgres"
)

// standbyTest is a primary with its standby, both with a table of numbers.
type standbyTest struct {
	servers dbtest.Replicated
	hot     *postgres.HotStandby
	pool    *postgres.Pool // of the primary, with the standby

	mu      sync.Mutex
	changes []string // the reasons that were reported
}

const patience, look = 30 * time.Second, 20 * time.Millisecond

func openStandbyTest(t *testing.T, servers dbtest.Replicated, options string) *standbyTest {
	t.Helper()
	s := &standbyTest{servers: servers}
	primary := postgres.PoolConfig{URL: servers.Primary.URL() + options, MaxConns: 4}
	var err error
	s.pool, err = postgres.Open(t.Context(), primary)
	require.NoError(t, err)
	t.Cleanup(s.pool.Close)
	s.hot, err = postgres.OpenHotStandby(t.Context(), primary, postgres.PoolConfig{URL: servers.Standby.URL(), MaxConns: 2},
		func(reason string, _ error) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.changes = append(s.changes, reason)
		})
	require.NoError(t, err)
	s.pool = s.pool.WithStandby(s.hot)
	ctx, stop := context.WithCancel(t.Context())
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		s.hot.Watch(ctx)
	}()
	t.Cleanup(func() {
		stop()
		<-stopped
		s.hot.Close()
	})
	return s
}

// read reports whether the standby was read, and how many numbers it found.
func (s *standbyTest) read(t *testing.T) (onStandby bool, numbers int) {
	t.Helper()
	onStandby, err := postgres.Read(t.Context(), s.pool, func(ctx context.Context, conn *postgres.Conn) (recovering bool, err error) {
		err = conn.QueryRow(ctx, "SELECT pg_is_in_recovery(), count(*) FROM numbers").Scan(&recovering, &numbers)
		return recovering, err
	})
	require.NoError(t, err)
	return onStandby, numbers
}

// returns waits until reads go to the standby.
func (s *standbyTest) returns(t *testing.T) {
	t.Helper()
	require.Eventually(t, func() bool {
		onStandby, _ := s.read(t)
		return onStandby
	}, patience, look, "stats: %+v", s.hot.Stats())
}

func (s *standbyTest) reported() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.changes...)
}

// TestReadsFromAStandby uses one pair of servers for all parts, the last of which ends the standby.
func TestReadsFromAStandby(t *testing.T) {
	t.Parallel()
	servers := dbtest.NewReplicated(t)
	dbtest.Exec(t, dbtest.Connect(t, servers.Primary.URL()), "CREATE TABLE numbers (n integer)")
	// The servers of tests do not wait for the disk, so that it is the flushed position that must be asked for.
	s := openStandbyTest(t, servers, "&synchronous_commit=on")
	standby := dbtest.Connect(t, servers.Standby.URL())
	written := 0
	write := func(t *testing.T, pool *postgres.Pool) {
		t.Helper()
		dbtest.Exec(t, pool, "INSERT INTO numbers VALUES (1)")
		written++
	}

	for name, own := range map[string]*standbyTest{
		"commits that wait for the disk": s, "commits that do not": openStandbyTest(t, servers, "&synchronous_commit=off"),
	} {
		t.Run("own writes/"+name, func(t *testing.T) {
			own.returns(t)
			before := own.hot.Stats().Reads[""]
			for range 20 {
				write(t, own.pool)
				_, found := own.read(t)
				require.Equal(t, written, found)
			}
			own.returns(t)
			require.Greater(t, own.hot.Stats().Reads[""], before+1)
		})
	}

	t.Run("replay paused", func(t *testing.T) {
		s.returns(t)
		reported := len(s.reported())
		dbtest.Exec(t, standby, "SELECT pg_wal_replay_pause()")
		require.Eventually(t, func() bool {
			return dbtest.Value[string](t, standby, "SELECT pg_get_wal_replay_pause_state()") == "paused"
		}, patience, look)
		for range 3 {
			write(t, s.pool)
			onStandby, found := s.read(t)
			require.False(t, onStandby)
			require.Equal(t, written, found)
		}
		require.Equal(t, postgres.StandbyBehind, s.hot.Stats().Away)
		require.Equal(t, []string{postgres.StandbyBehind}, s.reported()[reported:], "one report for all reads")
		require.Eventually(t, func() bool {
			lag := s.hot.Stats().Lag
			return lag != nil && lag.Bytes > 0 && lag.Age > 0
		}, patience, look)
		dbtest.Exec(t, standby, "SELECT pg_wal_replay_resume()")
		s.returns(t)
		require.Equal(t, []string{postgres.StandbyBehind, ""}, s.reported()[reported:])
		_, found := s.read(t)
		require.Equal(t, written, found)
	})

	t.Run("another timeline or cluster", func(t *testing.T) {
		for want, changed := range map[string]func(){
			postgres.StandbyOtherTimeline: func() { s.hot.ChangePositions(1, 0) },
			postgres.StandbyForeign:       func() { s.hot.ChangePositions(0, 1) },
		} {
			s.returns(t)
			changed()
			onStandby, found := s.read(t)
			require.False(t, onStandby)
			require.Equal(t, written, found)
			require.Equal(t, want, s.hot.Stats().Away)
			s.hot.ChangePositions(0, 0)
		}
		_, err := postgres.OpenHotStandby(t.Context(), postgres.PoolConfig{URL: servers.Primary.URL()},
			postgres.PoolConfig{URL: dbtest.Empty(t)}, func(string, error) {})
		require.ErrorIs(t, err, postgres.ErrForeignStandby)
	})

	t.Run("recovery conflict", func(t *testing.T) {
		dbtest.Exec(t, standby, "ALTER SYSTEM SET max_standby_streaming_delay = 0")
		dbtest.Exec(t, standby, "SELECT pg_reload_conf()")
		for _, again := range []bool{true, false} {
			s.hot.Forgive()
			s.returns(t)
			var runs []bool
			err := postgres.ReadSnapshot(t.Context(), s.pool, func() bool { return again }, func(tx pgx.Tx) error {
				var onStandby bool
				var numbers int
				err := tx.QueryRow(t.Context(), "SELECT pg_is_in_recovery(), count(*) FROM numbers").Scan(&onStandby, &numbers)
				runs = append(runs, onStandby)
				if err != nil || !onStandby {
					return err
				}
				dbtest.Exec(t, s.pool, "DELETE FROM numbers WHERE ctid = (SELECT ctid FROM numbers LIMIT 1)")
				written--
				dbtest.Exec(t, s.pool, "VACUUM numbers")
				_, err = tx.Exec(t.Context(), "SELECT pg_sleep(60)")
				return err
			})
			if again {
				require.NoError(t, err)
				require.Equal(t, []bool{true, false}, runs)
			} else {
				require.True(t, postgres.IsUnavailable(err), "%v", err)
				require.Equal(t, []bool{true}, runs)
			}
			require.Positive(t, s.hot.Stats().Reads[postgres.StandbyConflict])
			require.NoError(t, postgres.ReadSnapshot(t.Context(), s.pool, func() bool { return false }, func(tx pgx.Tx) error {
				require.False(t, dbtest.Value[bool](t, tx, "SELECT pg_is_in_recovery()"), "soon after a conflict")
				return nil
			}))
		}
		s.returns(t)
	})

	t.Run("no standby", func(t *testing.T) {
		var reason string
		promoted, err := postgres.OpenHotStandby(t.Context(), postgres.PoolConfig{URL: servers.Primary.URL()},
			postgres.PoolConfig{URL: servers.Primary.URL()}, func(why string, _ error) { reason = why })
		require.NoError(t, err)
		defer promoted.Close()
		require.Equal(t, postgres.StandbyPromoted, reason)
	})

	t.Run("killed", func(t *testing.T) {
		s.returns(t)
		var runs []bool
		_, err := postgres.Read(t.Context(), s.pool, func(ctx context.Context, conn *postgres.Conn) (onStandby bool, err error) {
			if err := conn.QueryRow(ctx, "SELECT pg_is_in_recovery()").Scan(&onStandby); err != nil {
				return false, err
			}
			if runs = append(runs, onStandby); onStandby {
				if err := servers.Standby.Stop(ctx); err != nil {
					return false, err
				}
			}
			_, err = conn.Exec(ctx, "SELECT")
			return onStandby, err
		})
		require.NoError(t, err)
		require.Equal(t, []bool{true, false}, runs)
		onStandby, _ := s.read(t)
		require.False(t, onStandby)
		require.Equal(t, postgres.StandbyUnreachable, s.hot.Stats().Away)

		refused := errors.New("a rule of the use case")
		_, err = postgres.Read(t.Context(), s.pool, func(context.Context, *postgres.Conn) (bool, error) { return false, refused })
		require.ErrorIs(t, err, refused)

		var reason string
		later, err := postgres.OpenHotStandby(t.Context(), postgres.PoolConfig{URL: servers.Primary.URL()},
			postgres.PoolConfig{URL: servers.Standby.URL()}, func(why string, _ error) { reason = why })
		require.NoError(t, err, "a standby may be started later")
		defer later.Close()
		require.Equal(t, postgres.StandbyUnreachable, reason)
	})
}
