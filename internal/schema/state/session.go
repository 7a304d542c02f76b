package state

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"
)

// Conn is a database, a connection or a transaction.
type Conn interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// fixedSettings sets the settings that change how PostgreSQL prints constants and names, because the texts of two databases
// can only be compared when they were printed with the same settings. It also sets a lock_timeout of 30 seconds when there is
// none, because reading the definition of a view or the size of a table waits for a migration that has locked it.
const fixedSettings = `
SELECT name, current_setting(name), set_config(name, value, false)
FROM (VALUES ('DateStyle', 'ISO, MDY'), ('IntervalStyle', 'postgres'), ('TimeZone', 'UTC'), ('extra_float_digits', '1'),
    ('bytea_output', 'hex'), ('quote_all_identifiers', 'off'), ('standard_conforming_strings', 'on'),
    ('lock_timeout', coalesce(nullif(current_setting('lock_timeout'), '0'), '30s'))) AS s (name, value)`

// openSession returns one connection with fixedSettings, and a function that restores the settings, releases the connection
// and sets the error unless it is set. When db is a *sql.DB, the connection is from its pool.
func openSession(ctx context.Context, db Conn) (Conn, func(*error), error) {
	release := func() error { return nil }
	if pool, ok := db.(*sql.DB); ok {
		conn, err := pool.Conn(ctx)
		if err != nil {
			return nil, nil, fmt.Errorf("connect: %w", err)
		}
		db, release = conn, conn.Close
	}
	restore, err := fixSettings(ctx, db)
	if err != nil {
		return nil, nil, errors.Join(err, release())
	}
	return db, func(err *error) {
		// In a transaction that an error has aborted, restoring fails as well, and its error adds nothing.
		if closeErr := errors.Join(restore(), release()); *err == nil {
			*err = closeErr
		}
	}, nil
}

// fixSettings applies fixedSettings and returns a function that restores the settings before.
func fixSettings(ctx context.Context, db Conn) (func() error, error) {
	type setting struct{ name, value string }
	rows, err := db.QueryContext(ctx, fixedSettings)
	if err != nil {
		return nil, fmt.Errorf("fix how definitions are printed: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var before []setting
	for rows.Next() {
		var s setting
		var now string
		if err := rows.Scan(&s.name, &s.value, &now); err != nil {
			return nil, fmt.Errorf("fix how definitions are printed: %w", err)
		}
		before = append(before, s)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("fix how definitions are printed: %w", err)
	}
	return func() error {
		for _, s := range before {
			if _, err := db.ExecContext(ctx, "SELECT set_config($1, $2, false)", s.name, s.value); err != nil {
				return fmt.Errorf("restore setting %s: %w", s.name, err)
			}
		}
		return nil
	}, nil
}

// adviseOnLock adds to the error of a lock timeout what to do about it.
func adviseOnLock(database string, err error) error {
	var pgErr *pgconn.PgError
	if errors.As(err, &pgErr) && pgErr.Code == "55P03" {
		return fmt.Errorf("read database %s: another transaction, perhaps a migration, holds a lock on a table and did not release "+
			"it in time: find it in pg_stat_activity, then run the command again: %w", database, err)
	}
	return err
}

// query decodes each row of a query into a T, whose JSON names are the names of the columns. Errors begin with the step.
func query[T any](ctx context.Context, db Conn, step, text string, args ...any) ([]T, error) {
	rows, err := db.QueryContext(ctx, "SELECT to_json(q)::text FROM (\n"+text+"\n) AS q", args...)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", step, err)
	}
	defer func() { _ = rows.Close() }()
	var all []T
	for rows.Next() {
		var line []byte
		if err := rows.Scan(&line); err != nil {
			return nil, fmt.Errorf("%s: %w", step, err)
		}
		var item T
		if err := json.Unmarshal(line, &item); err != nil {
			return nil, fmt.Errorf("%s: %w", step, err)
		}
		all = append(all, item)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", step, err)
	}
	return all, nil
}
