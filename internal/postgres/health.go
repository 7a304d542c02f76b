package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"docket/internal/postgres/tcp"
)

// lackingFor is how long a server counts as lacking something after it has refused work for it. After that, Check finds out
// by a write: a statement that reads succeeds while the disk is full.
const lackingFor = 2 * time.Second

// smallWrite needs disk space for a moment. It may run in any database, and leaves nothing.
const smallWrite = "CREATE TEMPORARY TABLE docket_readiness ON COMMIT DROP AS SELECT repeat('x', 1000) FROM generate_series(1, 100)"

// Health reports whether a database can serve. It is safe for concurrent use.
type Health struct {
	url    string
	lacked atomic.Pointer[lack]
	spare  spare
}

// lack is a refusal of work because the server lacks disk, memory or connections.
type lack struct {
	at    time.Time
	cause *pgconn.PgError
}

// NewHealth returns the Health of a database. PoolConfig.Health tells it what requests run into.
func NewHealth(url string) *Health { return &Health{url: url} }

func (h *Health) note(err *pgconn.PgError) {
	lacking := slices.Contains([]string{diskFull, outOfMemory, tooManyConnections}, err.Code) || strings.HasPrefix(err.Code, "58")
	if lacking {
		h.lacked.Store(&lack{time.Now(), err})
	}
}

// Check fails while CheckUsable does. After the server has refused work for lack of disk, memory or connections, it fails for
// lackingFor and then until a small write succeeds. It opens connections of its own, so that it does not wait for those of a
// pool, and keeps one of them; Close closes it. See checkUsable.
func (h *Health) Check(ctx context.Context) error {
	if err := h.checkUsable(ctx); err != nil {
		return err
	}
	lacked := h.lacked.Load()
	if lacked == nil {
		return nil
	}
	if age := time.Since(lacked.at); age < lackingFor {
		return fmt.Errorf("the server refused work %s ago: %w", age.Round(time.Millisecond), lacked.cause)
	}
	if err := runOnce(ctx, h.url, smallWrite); IsUnavailable(err) {
		return fmt.Errorf("write a little: %w", err)
	}
	h.lacked.CompareAndSwap(lacked, nil)
	return nil
}

// The errors of CheckUsable, in whose text the way out follows.
var (
	ErrStandby  = errors.New("is a standby, which accepts no writes")
	ErrReadOnly = errors.New("is read-only")
	ErrEncoding = errors.New("does not store UTF-8")
)

const usable = "SELECT pg_is_in_recovery(), current_setting('transaction_read_only')::bool, current_setting('server_encoding')"

// CheckUsable fails unless the database can be reached, accepts writes and stores texts as UTF-8. Another encoding cannot hold
// all texts, and SQL_ASCII checks none.
func CheckUsable(ctx context.Context, url string) error {
	conn, err := connectUsable(ctx, url)
	if err == nil {
		_ = conn.Close(ctx)
	}
	return err
}

// connectUsable returns a connection to a database that is usable.
func connectUsable(ctx context.Context, url string) (*pgx.Conn, error) {
	conn, err := connect(ctx, url)
	if err != nil {
		return nil, err
	}
	if err := checkConn(ctx, conn); err != nil {
		_ = conn.Close(ctx)
		return nil, err
	}
	return conn, nil
}

func checkConn(ctx context.Context, conn *pgx.Conn) error {
	var standby, readOnly bool
	var encoding string
	// Without a prepared statement, it is one round trip.
	err := conn.QueryRow(ctx, usable, pgx.QueryExecModeExec).Scan(&standby, &readOnly, &encoding)
	name := databaseName(conn.Config())
	switch {
	case err != nil:
		return fmt.Errorf("ask %s: %w", name, err)
	case encoding != "UTF8":
		return fmt.Errorf("%s %w: its encoding is %s; create one with createdb --encoding=UTF8 --template=template0 NAME, "+
			"and move the data there with pg_dump and pg_restore", name, ErrEncoding, encoding)
	case standby:
		return fmt.Errorf("%s %w: name the primary server, or promote this one", name, ErrStandby)
	case readOnly:
		return fmt.Errorf("%s %w: its default_transaction_read_only is on; set it to off where it is set: "+
			"for the database, the role, the server or in the database URL", name, ErrReadOnly)
	}
	return nil
}

func databaseName(config *pgx.ConnConfig) string {
	return fmt.Sprintf("database %q on %s", config.Database, config.Host)
}

// runOnce runs one statement on a connection of its own.
func runOnce(ctx context.Context, url, statement string) error {
	conn, err := connect(ctx, url)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	_, err = conn.Exec(ctx, statement, pgx.QueryExecModeExec)
	return err
}

func connect(ctx context.Context, url string) (*pgx.Conn, error) {
	pool, err := pgxpool.ParseConfig(url) // the URL may have settings of a pool
	if err != nil {
		return nil, errURL
	}
	if err := tcp.Configure(&pool.ConnConfig.Config); err != nil {
		return nil, err
	}
	conn, err := pgx.ConnectConfig(ctx, pool.ConnConfig)
	if refusesSettings(err) {
		if _, err := takeSettings(&pool.ConnConfig.Config); err != nil {
			return nil, err
		}
		conn, err = pgx.ConnectConfig(ctx, pool.ConnConfig)
	}
	if err != nil {
		return nil, fmt.Errorf("connect to %s as %q: %w", databaseName(pool.ConnConfig), pool.ConnConfig.User, err)
	}
	return conn, nil
}
