package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

	"docket/internal/phase"
)

// Why a read ran on the primary although its Pool has a standby. The empty reason is that of a read on the standby.
const (
	StandbyUnreachable   = "unreachable"    // no connection, or it broke
	StandbyBehind        = "behind"         // it has not replayed in time what was committed before the read
	StandbyPromoted      = "promoted"       // it is not in recovery: it is a primary
	StandbyOtherTimeline = "other timeline" // it has not followed the primary through a failover yet
	StandbyForeign       = "foreign"        // it belongs to another cluster
	StandbyBusy          = "busy"           // all its connections are in use
	StandbyConflict      = "conflict"       // recovery cancelled the read, or recovery does not allow it
	PrimaryUnasked       = "primary"        // the primary did not say in time what it has committed
)

const (
	// replayWait is how long a read waits for the standby, together with the question to the primary. On a standby that keeps up it
	// takes less than a millisecond.
	replayWait = 250 * time.Millisecond

	// replayPause is the first pause between two looks at the standby. Each is twice as long as the one before.
	replayPause, longestReplayPause = 200 * time.Microsecond, 10 * time.Millisecond

	// standbyProbe is the time between two probes, which measure the lag and find out whether a standby can be used again.
	standbyProbe = time.Second

	// sparedFor is how long ReadSnapshot leaves a standby alone on which recovery has cancelled one.
	sparedFor = 10 * time.Minute
)

// ErrForeignStandby refuses a standby that is none of the primary.
var ErrForeignStandby = errors.New("is not a standby of the primary: their system identifiers differ")

// HotStandby is a standby from which Read and ReadSnapshot serve what the primary had committed when the read began. It asks the
// primary for its position in the write-ahead log, on a connection of its own, and lets the read begin when the standby has
// replayed it. So a caller sees its own writes, whichever process acknowledged them (docs/decisions/reads-from-a-standby.md).
// While the standby cannot be used, reads run on the primary. It is safe for concurrent use.
type HotStandby struct {
	primary  *Pool // of one connection, for positions
	standby  *Pool
	ask      together[position]
	onChange func(reason string, err error)

	away   atomic.Pointer[string] // why no read tries the standby; nil while they do
	spared atomic.Int64           // until when ReadSnapshot does not, in Unix nanoseconds

	mu    sync.Mutex
	reads map[string]int64 // by reason
	lag   *StandbyLag
}

// StandbyLag is how far a standby is behind the primary.
type StandbyLag struct {
	Bytes int64         // of write-ahead log that are not replayed
	Age   time.Duration // of the last transaction that is replayed, by the clocks of both servers; 0 when nothing is missing
}

// StandbyStats is the state of a HotStandby.
type StandbyStats struct {
	Away  string           // why reads go to the primary; empty while they go to the standby
	Reads map[string]int64 // by reason; those on the standby have the empty one
	Lag   *StandbyLag      // of the last probe; nil when the standby could not be asked
}

// OpenHotStandby returns a HotStandby. A standby that cannot be used at the moment is not an error. onChange is called whenever
// reads begin to go to the standby, with an empty reason, and when they go to the primary, with the reason and perhaps an error;
// also for the state at the start. Error: ErrForeignStandby. The caller must call Watch and Close.
func OpenHotStandby(
	ctx context.Context, primary, standby PoolConfig, onChange func(reason string, err error),
) (*HotStandby, error) {
	s := &HotStandby{onChange: onChange, reads: map[string]int64{}}
	primary.MaxConns = 1
	err := checkExecMode(standby.URL, false)
	if err != nil {
		return nil, err
	}
	if s.primary, err = openLater(ctx, primary, false); err != nil {
		return nil, err
	}
	if s.standby, err = openLater(ctx, standby, false); err != nil {
		s.primary.Close()
		return nil, err
	}
	s.ask.run = s.askPrimary
	s.away.Store(new(StandbyUnreachable)) // until the first probe
	reason, err := s.probe(ctx)
	if reason == StandbyForeign {
		s.Close()
		return nil, fmt.Errorf("%s %w", databaseName(s.standby.Config().ConnConfig), ErrForeignStandby)
	}
	if reason != "" {
		s.away.Store(&reason)
		onChange(reason, err)
	}
	return s, nil
}

// Close closes all connections. It waits for reads in progress.
func (s *HotStandby) Close() {
	s.standby.Close()
	s.primary.Close()
}

// Watch probes the standby until ctx ends.
func (s *HotStandby) Watch(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(standbyProbe):
		}
		reason, err := s.probe(ctx)
		switch {
		case reason == "" || ctx.Err() != nil:
		case reason == PrimaryUnasked: // each read would wait in vain
			s.goAway(reason, err)
		default:
			s.leave(reason, err)
		}
	}
}

// Stats returns the state.
func (s *HotStandby) Stats() StandbyStats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return StandbyStats{Away: s.whyAway(), Reads: maps.Clone(s.reads), Lag: s.lag}
}

func (s *HotStandby) whyAway() string {
	if away := s.away.Load(); away != nil {
		return *away
	}
	return ""
}

// leave makes reads go to the primary until a probe succeeds, unless the reason concerns one read only.
func (s *HotStandby) leave(reason string, err error) {
	if reason == StandbyBusy || reason == StandbyConflict || reason == PrimaryUnasked {
		return
	}
	s.goAway(reason, err)
}

// goAway makes reads go to the primary until a probe succeeds.
func (s *HotStandby) goAway(reason string, err error) {
	if before := s.away.Swap(&reason); before == nil || *before != reason {
		s.onChange(reason, err)
	}
}

// probe does what a read does first, measures the lag, and lets reads use the standby if they can.
func (s *HotStandby) probe(ctx context.Context) (reason string, err error) {
	conn, seen, reason, err := s.acquire(ctx, standbyProbe)
	var lag *StandbyLag
	if seen.Recovering {
		lag = &StandbyLag{seen.Behind, time.Duration(seen.Age * float64(time.Second))}
	}
	s.mu.Lock()
	s.lag = lag
	s.mu.Unlock()
	if reason != "" {
		return reason, err
	}
	conn.Release()
	if s.away.Swap(nil) != nil {
		s.onChange("", nil)
	}
	return "", nil
}

// position is a place in the write-ahead log of the primary.
type position struct {
	LSN, BlockSize, SegmentSize int64
	Timeline                    int32
	System                      int64 // identifies the cluster
	Inserted                    bool  // LSN is where the next record begins, not where the last one ended
}

// currentPosition is after all commits that were acknowledged: those have been flushed, or only inserted if the setting says that
// commits do not wait.
const currentPosition = `
SELECT pg_wal_lsn_diff(CASE WHEN inserted THEN pg_current_wal_insert_lsn() ELSE pg_current_wal_flush_lsn() END, '0/0')::bigint,
    current_setting('wal_block_size')::bigint, pg_size_bytes(current_setting('wal_segment_size')),
    ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::integer, system_identifier, inserted
FROM pg_control_system(), (SELECT current_setting('synchronous_commit') = 'off' AS inserted) AS setting`

func (s *HotStandby) askPrimary(ctx context.Context) (p position, err error) {
	err = s.primary.QueryRow(ctx, currentPosition).Scan(&p.LSN, &p.BlockSize, &p.SegmentSize, &p.Timeline, &p.System, &p.Inserted)
	return p, err
}

// The sizes of the headers of a page of the write-ahead log, and of the first page of a segment.
const shortHeader, longHeader = 24, 40

// end returns where the last record ended. When it ended with its page, the next record begins after the header of the next page. A
// standby reports the end, and would be waited for until there is a next record.
func (p position) end() int64 {
	header := int64(shortHeader)
	if p.LSN%p.SegmentSize < p.BlockSize {
		header = longHeader
	}
	if p.Inserted && p.LSN%p.BlockSize == header {
		return p.LSN - header
	}
	return p.LSN
}

// seen is what a standby says about itself.
type seen struct {
	Recovering bool
	System     int64
	Timeline   int32   // at least the one that is replayed
	Behind     int64   // in bytes
	Age        float64 // of the last replayed transaction, in seconds; 0 when nothing is missing
}

// replayed describes the server, and how far it is behind a position. The receiver of changes, which only some roles may see, knows
// about a new timeline at once, the checkpoint minutes later.
const replayed = `
SELECT pg_is_in_recovery(), system_identifier,
    greatest((SELECT timeline_id FROM pg_control_checkpoint()), (SELECT received_tli FROM pg_stat_wal_receiver)),
    greatest(0, behind), CASE WHEN behind > 0
        THEN coalesce(greatest(0, extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp())), 0) ELSE 0 END::float8
FROM pg_control_system(),
    (SELECT $1::bigint - coalesce(pg_wal_lsn_diff(pg_last_wal_replay_lsn(), '0/0')::bigint, 0) AS behind) AS lag`

// acquire returns a connection to the standby on which the next snapshot contains all that is committed now. Otherwise it returns
// the reason, and perhaps an error. The caller must release the connection.
func (s *HotStandby) acquire(ctx context.Context, most time.Duration) (_ *Conn, found seen, reason string, err error) {
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	_, stop := phase.Start(ctx, phase.Acquire)
	now, err := s.ask.get(ctx)
	stop()
	if err != nil {
		return nil, found, PrimaryUnasked, err
	}
	conn, err := s.standby.Acquire(ctx)
	if err != nil {
		// A server that does not respond and one whose connections are in use both let the time pass.
		if stat := s.standby.Stat(); stat.AcquiredConns() == stat.MaxConns() {
			return nil, found, StandbyBusy, err
		}
		return nil, found, StandbyUnreachable, err
	}
	ctx, end := phase.Start(ctx, phase.Acquire)
	defer end()
	if found, reason, err = await(ctx, conn, now); reason != "" {
		conn.Release()
		return nil, found, reason, err
	}
	return conn, found, "", nil
}

// await waits until the server of conn has replayed what the primary had committed. It asks in a statement of its own: a snapshot
// that is taken in the same statement, or in a transaction that has one already, is older than the answer.
func await(ctx context.Context, conn *Conn, now position) (found seen, reason string, err error) {
	for pause := replayPause; ; pause = min(2*pause, longestReplayPause) {
		err := conn.QueryRow(ctx, replayed, now.end()).
			Scan(&found.Recovering, &found.System, &found.Timeline, &found.Behind, &found.Age)
		switch {
		case err != nil && ctx.Err() != nil && found.Recovering: // an earlier look has succeeded
			return found, StandbyBehind, nil
		case err != nil:
			return found, StandbyUnreachable, err
		case found.System != now.System:
			return found, StandbyForeign, nil
		case !found.Recovering:
			return found, StandbyPromoted, nil
		case found.Timeline != now.Timeline:
			return found, StandbyOtherTimeline, nil
		case found.Behind == 0:
			return found, "", nil
		}
		select {
		case <-ctx.Done():
			return found, StandbyBehind, nil
		case <-time.After(pause):
		}
	}
}

// take is acquire for a read.
func (s *HotStandby) take(ctx context.Context) (conn *Conn, reason string) {
	if reason := s.whyAway(); reason != "" {
		return nil, reason
	}
	// A statement on a frozen server is not given up at its deadline, but when a request to cancel it has failed too.
	result := make(chan taken, 1)
	go func() {
		conn, _, reason, err := s.acquire(ctx, replayWait)
		result <- taken{conn, reason, err}
	}()
	var got taken
	select {
	case got = <-result:
	case <-time.After(replayWait + frozenAfter):
		go func() {
			if late := <-result; late.conn != nil {
				late.conn.Release()
			}
		}()
		got = taken{nil, StandbyUnreachable, context.DeadlineExceeded}
	}
	if got.reason != "" && ctx.Err() == nil {
		s.leave(got.reason, got.err)
	}
	return got.conn, got.reason
}

// taken is the result of acquire for a read.
type taken struct {
	conn   *Conn
	reason string
	err    error
}

// frozenAfter is how much longer than its limit acquire takes only when the standby does not respond.
const frozenAfter = 50 * time.Millisecond

// blame returns the reason to repeat on the primary a read that failed on the standby; empty when it would fail there as well.
func (s *HotStandby) blame(ctx context.Context, conn *Conn, err error) string {
	switch {
	case err == nil, ctx.Err() != nil, !IsUnavailable(err) && !IsReadOnly(err):
		return ""
	case isConflict(err), IsReadOnly(err):
		return StandbyConflict
	case conn.Conn().IsClosed():
		s.leave(StandbyUnreachable, err)
	}
	return StandbyUnreachable
}

func (s *HotStandby) count(reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reads[reason]++
}

// WithStandby returns a Pool with the same connections whose Read and ReadSnapshot use the standby, unless it is nil.
func (p *Pool) WithStandby(s *HotStandby) *Pool {
	with := *p
	with.standby = s
	return &with
}

// Read returns the result of fn, which only reads, with a connection to the standby of the Pool, or to its own server when there is
// none or it cannot be used. When the standby fails, fn runs again on the Pool's own server. What fn reads is never older than what
// was committed when Read was called.
func Read[Result any](
	ctx context.Context, pool *Pool, fn func(context.Context, *Conn) (Result, error),
) (result Result, err error) {
	err = read(ctx, pool, func() bool { return true }, func(ctx context.Context, conn *Conn) error {
		result, err = fn(ctx, conn)
		return err
	})
	return result, err
}

// ReadSnapshot is InSnapshot with the connections of Read. After a failure of the standby fn runs again only if again returns true.
// When recovery has cancelled a snapshot, later ones run on the primary for some minutes: they would be cancelled too.
func ReadSnapshot(ctx context.Context, pool *Pool, again func() bool, fn func(pgx.Tx) error) error {
	within := func(ctx context.Context, conn *Conn) error {
		_, err := conn.runTx(ctx, snapshot, unhurried(ctx, fn))
		return err
	}
	if s := pool.standby; s != nil {
		if time.Now().UnixNano() < s.spared.Load() {
			s.count(StandbyConflict)
			pool = pool.WithStandby(nil)
		} else {
			onStandby := within
			within = func(ctx context.Context, conn *Conn) error {
				err := onStandby(ctx, conn)
				if isConflict(err) {
					s.spared.Store(time.Now().Add(sparedFor).UnixNano())
				}
				return err
			}
		}
	}
	return pool.rules.translate(read(ctx, pool, again, within))
}

func read(ctx context.Context, pool *Pool, again func() bool, fn func(context.Context, *Conn) error) error {
	if s := pool.standby; s != nil {
		conn, reason := s.take(ctx)
		if reason == "" {
			err := func() error {
				defer conn.Release()
				ofStandby := *conn
				ofStandby.pool = s.standby.WithRules(pool.rules...)
				err := fn(ctx, &ofStandby)
				reason = s.blame(ctx, conn, err)
				return err
			}()
			if reason == "" || !again() {
				s.count("")
				return err
			}
		}
		s.count(cmp.Or(reason, PrimaryUnasked))
	}
	conn, err := pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	return fn(ctx, conn)
}
