package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// Server is what a server says about itself, about the current database and about the settings of a session.
type Server struct {
	Version, Encoding, Collation, CollationVersion, CollationActualVersion string
	VersionNumber                                                          int32
	Database, Role                                                         string
	Standby, ReadOnly                                                      bool
	PlanCacheMode, StatementTimeout, TimeZone                              string // the timeout in milliseconds
	Fsync, FullPageWrites                                                  bool
	SynchronousCommit, SynchronousStandbyNames                             string
	Autovacuum                                                             bool
	FreezeMaxAge, FrozenAge                                                int64 // in transactions
}

// ReadServer describes the server.
func ReadServer(ctx context.Context, pool *Pool) (Server, error) {
	found, err := collect(ctx, pool, pgx.RowToStructByName[Server], `
SELECT current_setting('server_version') AS version, current_setting('server_version_num')::integer AS version_number,
    current_setting('server_encoding') AS encoding, coalesce(d.datcollate, '') AS collation,
    coalesce(d.datcollversion, '') AS collation_version,
    coalesce(pg_database_collation_actual_version(d.oid), '') AS collation_actual_version,
    current_database()::text AS database, current_user::text AS role,
    pg_is_in_recovery() AS standby, current_setting('default_transaction_read_only')::boolean AS read_only,
    current_setting('plan_cache_mode') AS plan_cache_mode,
    (SELECT setting FROM pg_settings WHERE name = 'statement_timeout') AS statement_timeout,
    current_setting('TimeZone') AS time_zone,
    current_setting('fsync')::boolean AS fsync, current_setting('full_page_writes')::boolean AS full_page_writes,
    current_setting('synchronous_commit') AS synchronous_commit,
    current_setting('synchronous_standby_names') AS synchronous_standby_names,
    current_setting('autovacuum')::boolean AS autovacuum,
    current_setting('autovacuum_freeze_max_age')::bigint AS freeze_max_age, age(d.datfrozenxid)::bigint AS frozen_age
FROM pg_database d
WHERE d.datname = current_database()`)
	if err != nil || len(found) == 0 {
		return Server{}, err
	}
	return found[0], nil
}

// ReadClock returns the time by the clock of the server.
func ReadClock(ctx context.Context, pool *Pool) (now time.Time, err error) {
	err = pool.QueryRow(ctx, "SELECT clock_timestamp()").Scan(&now)
	return now, err
}

// Session is what is known of one connection from both of its ends.
type Session struct {
	TLS bool // as the server sees it
	// HandshakePID is the process id that was sent when the connection was opened, BackendPID that of the process that runs its
	// statements. A pooler sends ids of its own.
	HandshakePID, BackendPID uint32
}

// ReadSession describes a connection of the pool.
func ReadSession(ctx context.Context, pool *Pool) (session Session, err error) {
	conn, err := pool.Acquire(ctx)
	if err != nil {
		return Session{}, err
	}
	defer conn.Release()
	session.HandshakePID = conn.Conn().PgConn().PID()
	err = conn.QueryRow(ctx, `
SELECT pg_backend_pid(), coalesce((SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), false)`,
	).Scan(&session.BackendPID, &session.TLS)
	return session, err
}

// MissingExtensions returns those of the extensions that the database lacks, sorted.
func MissingExtensions(ctx context.Context, pool *Pool, names []string) ([]string, error) {
	return collect[string](ctx, pool, pgx.RowTo[string], `
SELECT name FROM unnest($1::text[]) AS name WHERE NOT EXISTS (SELECT FROM pg_extension WHERE extname = name) ORDER BY name`, names)
}

// TableRows is how many row versions a table has, as the server estimates them.
type TableRows struct {
	Name       string
	Live, Dead int64
	VacuumedAt *time.Time // nil: not since the statistics were reset
}

// ReadTableRows returns the estimates for those of the tables that exist in the schema public, by name.
func ReadTableRows(ctx context.Context, pool *Pool, names []string) ([]TableRows, error) {
	return collect(ctx, pool, pgx.RowToStructByPos[TableRows], `
SELECT relname::text, n_live_tup, n_dead_tup, greatest(last_vacuum, last_autovacuum)
FROM pg_stat_user_tables
WHERE schemaname = 'public' AND relname = ANY ($1::text[])
ORDER BY relname`, names)
}

// Standby is a standby that receives changes from the server.
type Standby struct {
	Name  string
	State string // streaming, or another one while it catches up; empty when the role may not see it
	Sync  string // async, sync, quorum or potential
	Lag   time.Duration
}

// ReadStandbys returns the standbys that are connected to the server, by name.
func ReadStandbys(ctx context.Context, pool *Pool) ([]Standby, error) {
	return collect(ctx, pool, pgx.RowToStructByPos[Standby], `
SELECT coalesce(application_name, ''), coalesce(state, ''), coalesce(sync_state, ''), coalesce(replay_lag, '0 s'::interval)
FROM pg_stat_replication
ORDER BY application_name, pid`)
}

func collect[T any](ctx context.Context, pool *Pool, row pgx.RowToFunc[T], query string, args ...any) ([]T, error) {
	rows, err := pool.Query(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, row)
}
