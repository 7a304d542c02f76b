// Package database creates, lists and drops the databases of a PostgreSQL server. It decides nothing: its callers own the names.
package database

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"github.com/jackc/pgx/v5"
)

// Create makes a database. The options are those of CREATE DATABASE.
func Create(ctx context.Context, conn *pgx.Conn, name, options string) error {
	if _, err := conn.Exec(ctx, "CREATE DATABASE "+pgx.Identifier{name}.Sanitize()+" "+options); err != nil {
		return fmt.Errorf("create database %s: %w", name, err)
	}
	return nil
}

// Names lists the databases for which the condition on pg_database d holds, sorted.
func Names(ctx context.Context, conn *pgx.Conn, condition string, args ...any) ([]string, error) {
	rows, _ := conn.Query(ctx, "SELECT datname::text FROM pg_database d WHERE "+condition+" ORDER BY datname", args...)
	names, err := pgx.CollectRows(rows, pgx.RowTo[string]) // also the error of Query
	if err != nil {
		return nil, fmt.Errorf("list databases: %w", err)
	}
	return names, nil
}

// Drop drops a database if it exists. The option is "" or WITH (FORCE), which ends the sessions of the database.
func Drop(ctx context.Context, conn *pgx.Conn, name, option string) error {
	if _, err := conn.Exec(ctx, "DROP DATABASE IF EXISTS "+pgx.Identifier{name}.Sanitize()+" "+option); err != nil {
		return fmt.Errorf("drop database %s: %w", name, err)
	}
	return nil
}

// URL returns the connection string for another database of the server.
func URL(connString, name string) string {
	if !strings.HasPrefix(connString, "postgres://") && !strings.HasPrefix(connString, "postgresql://") {
		return connString + " dbname=" + name // in key=value form the last one is used
	}
	u, err := url.Parse(connString)
	if err != nil {
		return "" // pgx has parsed it already
	}
	u.Path = "/" + name
	query := u.Query()
	query.Del("dbname")
	query.Del("database")
	u.RawQuery = strings.ReplaceAll(query.Encode(), "+", "%20") // PostgreSQL's URLs take + literally
	return u.String()
}
