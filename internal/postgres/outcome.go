package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// ErrOutcomeUnknown means that the connection broke while a transaction was committed, and that the server could not be asked in
// time whether it is.
var ErrOutcomeUnknown = errors.New("the connection broke during the commit, and its outcome is not known")

const (
	lookUpTimeout = 5 * time.Second
	lookUpPause   = 20 * time.Millisecond
	endAfter      = time.Second // how long the server has to notice by itself that a connection broke
)

// outcomeUnknown reports whether a statement or a commit that failed may have taken effect all the same: the server did not
// report the failure, or it ended the session. pgconn.SafeToRetry does not help: when the connection breaks while the answer to a
// commit is awaited, pgx 5.12 returns "conn closed" and calls that safe (MultiResultReader.NextResult drops the first error).
func outcomeUnknown(err error) bool {
	if pgErr, ok := errors.AsType[*pgconn.PgError](err); ok {
		return pgErr.SeverityUnlocalized != "ERROR"
	}
	return !errors.Is(err, pgx.ErrTxCommitRollback)
}

// txID identifies a transaction. A server that crashes gives the ids of transactions that it loses to other transactions. So does a
// standby that is promoted, with those that it has not received.
type txID struct{ xid, server string }

// currentServer is the time of the statistics, which are reset by each recovery from a crash, and the timeline, which a promotion
// changes. It fails on a standby, which may not have received yet what became of a transaction.
const currentServer = "stats_reset::text || ' ' || left(pg_walfile_name(pg_current_wal_lsn()), 8)"

// currentTxID returns the parts of a txID.
const currentTxID = "SELECT pg_current_xact_id()::text, " + currentServer + " FROM pg_stat_bgwriter"

// statusOfTx returns the status, and whether the server is another one or has crashed since. The status comes last: a standby
// says of the id of a transaction that it has not received that it is of the future.
const statusOfTx = "SELECT " + currentServer + " <> $2, pg_xact_status($1::text::xid8) FROM pg_stat_bgwriter"

// lookUp asks the server, on another connection, what became of a transaction whose commit failed with err. It returns nil for a
// committed one, err for one that was rolled back, and ErrOutcomeUnknown when there is no answer in time, or when the server has
// crashed, or a standby has taken over, and the id is that of a committed transaction, perhaps another one. It also asks when the
// context of the request has ended. Without an id it returns err.
func (p *Pool) lookUp(ctx context.Context, id txID, err error) error {
	if id == (txID{}) {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookUpTimeout)
	defer cancel()
	for begin := time.Now(); ; {
		var status *string // NULL: so old that the server has forgotten it
		var crashed bool
		asked := p.Pool.QueryRow(ctx, statusOfTx, id.xid, id.server).Scan(&crashed, &status)
		if pgErr, ok := errors.AsType[*pgconn.PgError](asked); ok && pgErr.Code == invalidParameterValue {
			return err // an id of the future: the server has lost the transaction
		}
		if asked == nil && status != nil {
			switch {
			case *status == "aborted":
				return err
			case *status == "committed" && crashed:
				return fmt.Errorf("%w, because the server has crashed or another has taken over: %w", ErrOutcomeUnknown, err)
			case *status == "committed":
				return nil
			case time.Since(begin) > endAfter && !crashed: // after a crash it may be the id of another transaction
				asked = p.end(ctx, id)
			}
		}
		select { // the server has not noticed yet that the connection broke, or it is starting again
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", ErrOutcomeUnknown, errors.Join(err, asked))
		case <-time.After(lookUpPause):
		}
	}
}

// end ends the process of a transaction whose connection broke. The server may not notice that for minutes, and until then the
// transaction holds its locks. One that waits for its synchronous standby is left alone: its end would show a commit that is lost
// if the standby takes over.
func (p *Pool) end(ctx context.Context, id txID) error {
	_, err := p.Pool.Exec(ctx, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
		WHERE backend_xid = $1::text::xid8::xid AND wait_event IS DISTINCT FROM 'SyncRep'`, id.xid)
	return err
}
