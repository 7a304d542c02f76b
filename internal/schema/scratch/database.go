package scratch

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"docket/internal/schema/scratch/database"
)

// Database is created empty, in UTF-8. Only the caller uses it until it is dropped.
type Database struct {
	Name string
	URL  string
	DB   *sql.DB // sessions as Settle makes them

	server *Server
	config *pgx.ConnConfig
	drop   func() error
}

// createTimeout bounds CREATE DATABASE, which copies about 8 MB.
const createTimeout = time.Minute

// Create makes a database. The caller drops it.
func (s *Server) Create(ctx context.Context) (*Database, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	// An interrupted CREATE DATABASE may or may not have made one. It therefore runs to its end, and a database that is no
	// longer needed is dropped.
	making, cancel := context.WithTimeout(context.WithoutCancel(ctx), createTimeout)
	defer cancel()
	name, err := s.create(making)
	if err != nil {
		return nil, err
	}
	d := &Database{Name: name, URL: database.URL(s.config.ConnString(), name), server: s, config: s.config.Copy()}
	d.config.Database = name
	// Its content need not survive a crash of the server.
	d.config.RuntimeParams["synchronous_commit"] = "off"
	d.DB = stdlib.OpenDB(*d.config)
	d.drop = sync.OnceValue(d.destroy)
	s.mu.Lock()
	s.open[d] = struct{}{}
	s.mu.Unlock()
	// The session stays open in the pool, which shows other processes that the database is in use.
	if err := d.DB.PingContext(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("connect to scratch database %s: %w", name, err), d.Drop())
	}
	return d, nil
}

// With calls fn with a new database and then drops it.
func (s *Server) With(ctx context.Context, fn func(*Database) error) (err error) {
	d, err := s.Create(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Drop()) }()
	return fn(d)
}

func (s *Server) create(ctx context.Context) (name string, err error) {
	conn, err := s.connect(ctx)
	if err != nil {
		return "", err
	}
	defer disconnect(conn)
	random := make([]byte, 6)
	_, _ = rand.Read(random) // never fails
	err = conn.QueryRow(ctx, "SELECT $1 || to_char(now() AT TIME ZONE 'UTC', 'YYYYMMDDHH24MISS') || '_' || $2",
		prefix, hex.EncodeToString(random)).Scan(&name)
	if err != nil {
		return "", fmt.Errorf("name a scratch database: %w", err)
	}
	// Locale C exists everywhere and allows every encoding.
	if err := database.Create(ctx, conn, name, "TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'"); err != nil {
		return "", errors.Join(err, database.Drop(ctx, conn, name, "WITH (FORCE)"))
	}
	return name, nil
}

// Drop ends the sessions of the database and drops it, even after the caller was interrupted. The second call does nothing.
func (d *Database) Drop() error { return d.drop() }

func (d *Database) destroy() error {
	d.server.mu.Lock()
	delete(d.server.open, d)
	d.server.mu.Unlock()
	closed := d.DB.Close()
	ctx, cancel := context.WithTimeout(context.Background(), cleanupTimeout)
	defer cancel()
	conn, err := d.server.connect(ctx)
	if err != nil {
		return fmt.Errorf("drop scratch database %s: %w", d.Name, err)
	}
	defer disconnect(conn)
	return errors.Join(closed, database.Drop(ctx, conn, d.Name, "WITH (FORCE)"))
}
