package state

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	atlas "ariga.io/atlas/sql/schema"
	"github.com/jackc/pgx/v5/pgconn"
)

// pinned are the settings that change how PostgreSQL writes down constants and names. Two databases can only be compared
// in texts that were written under the same ones. A session that would wait for ever waits for 30 seconds: definitions of
// views and sizes of tables cannot be read while a migration has them.
const pinned = `
SELECT name, current_setting(name), set_config(name, value, false)
FROM (VALUES ('DateStyle', 'ISO, MDY'), ('IntervalStyle', 'postgres'), ('TimeZone', 'UTC'), ('extra_float_digits', '1'),
    ('bytea_output', 'hex'), ('quote_all_identifiers', 'off'), ('standard_conforming_strings', 'on'),
    ('lock_timeout', coalesce(nullif(current_setting('lock_timeout'), '0'), '30s'))) AS s (name, value)`

// session gives one connection for several queries, with the pinned settings, and what undoes both. A *sql.DB lends one of
// its connections.
func session(ctx context.Context, db atlas.ExecQuerier) (atlas.ExecQuerier, func() error, error) {
	release := func() error { return nil }
	if pool, ok := db.(*sql.DB); ok {
		conn, err := pool.Conn(ctx)
		if err != nil {
			return nil, nil, fmt.Errorf("connect: %w", err)
		}
		db, release = conn, conn.Close
	}
	restore, err := pin(ctx, db)
	if err != nil {
		return nil, nil, errors.Join(err, release())
	}
	return db, func() error { return errors.Join(restore(), release()) }, nil
}

func pin(ctx context.Context, db atlas.ExecQuerier) (func() error, error) {
	type setting struct{ name, value string }
	rows, err := db.QueryContext(ctx, pinned)
	if err != nil {
		return nil, fmt.Errorf("set how definitions are written: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var before []setting
	for rows.Next() {
		var s setting
		var now string
		if err := rows.Scan(&s.name, &s.value, &now); err != nil {
			return nil, fmt.Errorf("set how definitions are written: %w", err)
		}
		before = append(before, s)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("set how definitions are written: %w", err)
	}
	return func() error {
		for _, s := range before {
			if _, err := db.ExecContext(ctx, "SELECT set_config($1, $2, false)", s.name, s.value); err != nil {
				return fmt.Errorf("put back setting %s: %w", s.name, err)
			}
		}
		return nil
	}, nil
}

// waited says what to do about a lock that did not come free.
func waited(database string, err error) error {
	var refusal *pgconn.PgError
	if errors.As(err, &refusal) && refusal.Code == "55P03" {
		return fmt.Errorf("read database %s: another transaction, perhaps a migration, holds a lock on a table and did not give it "+
			"back in time: find it in pg_stat_activity, then run the command again: %w", database, err)
	}
	return err
}

// query decodes each row of a query into a T, by the names of the columns as in JSON. act says what the query is for.
func query[T any](ctx context.Context, db atlas.ExecQuerier, act, text string, args ...any) ([]T, error) {
	rows, err := db.QueryContext(ctx, "SELECT to_json(q)::text FROM (\n"+text+"\n) AS q", args...)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", act, err)
	}
	defer func() { _ = rows.Close() }()
	var all []T
	for rows.Next() {
		var line []byte
		if err := rows.Scan(&line); err != nil {
			return nil, fmt.Errorf("%s: %w", act, err)
		}
		var item T
		if err := json.Unmarshal(line, &item); err != nil {
			return nil, fmt.Errorf("%s: %w", act, err)
		}
		all = append(all, item)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", act, err)
	}
	return all, nil
}
