package postgres

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// ErrPooler means that work needs a session of its own, and that a pooler is between, which shares sessions among clients.
var ErrPooler = errors.New("a connection pooler is between, and this needs a session of PostgreSQL: name the server itself with " +
	"--direct-url or DOCKET_DIRECT_URL")

// errFoundPooler ends an attempt to open a Pool as one without a pooler.
var errFoundPooler = errors.New("a connection pooler is between")

// passedOn are the startup parameters that PgBouncer keeps for each client. It refuses all others, or drops them.
var passedOn = []string{"application_name", "client_encoding", "datestyle", "standard_conforming_strings", "timezone"}

// pooler is how a Pool works through a pooler in transaction mode. Each transaction may run in another session, therefore:
//
//   - Settings are not parameters of the session. They are sent at the head of each transaction, and of each statement outside one, in
//     the same round trip, and apply until its end.
//   - No prepared statement has a name. Their descriptions, which are the same in all sessions, are kept here.
//
// A nil pooler means that PostgreSQL itself is at the other end.
type pooler struct {
	settings string // a statement that applies the settings to a transaction; empty: there are none
	args     []any

	mu           sync.Mutex
	descriptions map[string]*pgconn.StatementDescription // of the statements of pipelines, by their text
}

// behindPooler changes a configuration of connections to PostgreSQL into one that a pooler accepts.
func behindPooler(config *pgxpool.Config) (*pooler, error) {
	conn := config.ConnConfig
	settings, err := takeSettings(&conn.Config)
	if err != nil {
		return nil, err
	}
	p := &pooler{descriptions: map[string]*pgconn.StatementDescription{}}
	var calls []string
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		if strings.HasPrefix(name, "tcp_") {
			continue // they would apply to the connection between server and pooler
		}
		calls = append(calls, fmt.Sprintf("set_config($%d, $%d, true)", len(p.args)+1, len(p.args)+2))
		p.args = append(p.args, name, settings[name])
	}
	if len(calls) > 0 {
		p.settings = "SELECT " + strings.Join(calls, ", ")
	}
	conn.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
	conn.DescriptionCacheCapacity = max(conn.DescriptionCacheCapacity, leastDescriptions)
	return p, nil
}

// leastDescriptions is more than the number of statements of a request.
const leastDescriptions = 512

// takeSettings removes from a configuration the startup parameters that a pooler does not pass on, and returns them.
func takeSettings(config *pgconn.Config) (map[string]string, error) {
	settings := map[string]string{}
	for name, value := range config.RuntimeParams {
		switch {
		case slices.Contains(passedOn, strings.ToLower(name)):
			continue
		case name == "options":
			return nil, fmt.Errorf("the database URL has options=%q, which a connection pooler does not pass on: "+
				"name each setting by itself, such as search_path=public", value)
		}
		settings[strings.ToLower(name)] = value
		delete(config.RuntimeParams, name)
	}
	return settings, nil
}

// checkExecMode refuses what a URL must not say about how statements are executed.
func checkExecMode(url string, pooled bool) error {
	config, err := pgconn.ParseConfig(url)
	if err != nil {
		return errURL
	}
	switch mode := config.RuntimeParams["default_query_exec_mode"]; {
	case mode == "describe_exec":
		return errors.New("the database URL has default_query_exec_mode=describe_exec, with which a connection pooler returns the rows " +
			"of other clients: remove it")
	case pooled && mode != "" && mode != "cache_describe":
		return fmt.Errorf("the database URL has default_query_exec_mode=%s, and a connection pooler is between: remove it, "+
			"so that Docket uses cache_describe", mode)
	}
	return nil
}

// refusesSettings reports whether a pooler has refused a startup parameter.
func refusesSettings(err error) bool {
	pgErr, ok := errors.AsType[*pgconn.PgError](err)
	return ok && pgErr.Code == protocolViolation && strings.Contains(pgErr.Message, "startup parameter")
}

const backendPID = "SELECT pg_backend_pid()"

// connectFirst opens the first connection of a Pool. It returns errFoundPooler if a pooler answers and the Pool does not expect
// one. A pooler invents process ids, because it does not know which process will run a statement.
func (p *Pool) connectFirst(ctx context.Context) error {
	conn, err := p.Pool.Acquire(ctx)
	if err != nil {
		if p.pooler == nil && refusesSettings(err) {
			return errFoundPooler
		}
		return err
	}
	defer conn.Release()
	var pid uint32
	err = conn.QueryRow(ctx, backendPID, pgx.QueryExecModeExec).Scan(&pid)
	if pgErr, ok := errors.AsType[*pgconn.PgError](err); ok && pgErr.Code == queryCanceled {
		return nil // by a statement_timeout of a millisecond, which no pooler has passed on
	}
	if err != nil {
		return err
	}
	if p.pooler == nil && pid != conn.Conn().PgConn().PID() {
		return errFoundPooler
	}
	return nil
}

// IsPooled reports whether a pooler is between the Pool and PostgreSQL.
func (p *Pool) IsPooled() bool { return p.pooler != nil }

// FindPooler reports whether a pooler is between this process and the database of the URL.
func FindPooler(ctx context.Context, url string) (bool, error) {
	conn, err := connect(ctx, url)
	if err != nil {
		return false, err
	}
	defer func() { _ = conn.Close(ctx) }()
	var pid uint32
	if err := conn.QueryRow(ctx, backendPID, pgx.QueryExecModeExec).Scan(&pid); err != nil {
		return false, fmt.Errorf("ask %s: %w", databaseName(conn.Config()), err)
	}
	return pid != conn.PgConn().PID(), nil
}

// SameDatabase reports whether two URLs lead to the same database of the same cluster, of which one may be a standby.
func SameDatabase(ctx context.Context, first, second string) (bool, error) {
	const identity = `
SELECT s.system_identifier::text || ' ' || d.oid FROM pg_control_system() s, pg_database d WHERE d.datname = current_database()`
	var found [2]string
	for i, url := range []string{first, second} {
		conn, err := connect(ctx, url)
		if err != nil {
			return false, err
		}
		err = conn.QueryRow(ctx, identity, pgx.QueryExecModeExec).Scan(&found[i])
		_ = conn.Close(ctx)
		if err != nil {
			return false, fmt.Errorf("ask %s for its identity: %w", databaseName(conn.Config()), err)
		}
	}
	return found[0] == found[1], nil
}

// queue adds the statement that applies the settings to the end of a batch.
func (p *pooler) queue(batch *pgx.Batch) {
	if p != nil && p.settings != "" {
		batch.Queue(p.settings, p.args...)
	}
}

// send adds the statement that applies the settings to a pipeline, and reports whether there is one.
func (p *pooler) send(pipeline *pgconn.Pipeline) bool {
	if p == nil || p.settings == "" {
		return false
	}
	values := make([][]byte, len(p.args))
	for i, arg := range p.args {
		values[i] = []byte(arg.(string))
	}
	pipeline.SendQueryParams(p.settings, values, nil, nil, nil)
	return true
}

// sendBatch sends a batch, behind a pooler after the settings.
func (c *Conn) sendBatch(ctx context.Context, batch *pgx.Batch) pgx.BatchResults {
	p := c.pool.pooler
	if p == nil || p.settings == "" || len(batch.QueuedQueries) == 0 {
		return c.poolConn.SendBatch(ctx, batch)
	}
	var settled pgx.Batch
	p.queue(&settled)
	settled.QueuedQueries = append(settled.QueuedQueries, batch.QueuedQueries...)
	results := c.poolConn.SendBatch(ctx, &settled)
	// Its error is that of the results after it, too.
	_, _ = results.Exec()
	return results
}

// exec, query and queryRow run a statement, behind a pooler in one implicit transaction with the settings.
func (c *Conn) exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	if settled, ok := c.settled(); ok {
		return settled.Exec(ctx, sql, args...)
	}
	return c.poolConn.Exec(ctx, sql, args...)
}

func (c *Conn) query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	if settled, ok := c.settled(); ok {
		return settled.Query(ctx, sql, args...)
	}
	return c.poolConn.Query(ctx, sql, args...)
}

func (c *Conn) queryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	if settled, ok := c.settled(); ok {
		return settled.QueryRow(ctx, sql, args...)
	}
	return c.poolConn.QueryRow(ctx, sql, args...)
}

func (c *Conn) settled() (setup, bool) {
	p := c.pool.pooler
	if p == nil || p.settings == "" {
		return setup{}, false
	}
	return setup{conn: c.poolConn, first: p.settings, args: p.args}, true
}

// describe returns the types of a statement's arguments and results.
func (p *pooler) describe(ctx context.Context, conn *pgx.Conn, sql string) (*pgconn.StatementDescription, error) {
	p.mu.Lock()
	known := p.descriptions[sql]
	p.mu.Unlock()
	if known != nil {
		return known, nil
	}
	described, err := conn.Prepare(ctx, "", sql)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.descriptions[sql] = described
	return described, nil
}

// forget makes the next Pipeline describe these statements again. A migration may have changed their types.
func (p *pooler) forget(steps []Step) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, step := range steps {
		delete(p.descriptions, step.SQL)
	}
}
