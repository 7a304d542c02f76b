package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	sqlfiles "docket/sql"

	"docket/internal/postgres"
	"docket/internal/postgres/embedded"
	"docket/internal/schema"
)

// stopTimeout bounds the orderly end of Docket's own server.
const stopTimeout = 30 * time.Second

// database is the database that a command works on.
type database struct {
	url    string
	server *embedded.Server // nil when it is not ours to stop

	// migrator has the migrations that the program carries. It takes them apart once: readiness is asked for every second.
	migrator func() (*schema.Migrator, error)
}

func newDatabase(url string, server *embedded.Server) *database {
	return &database{url: url, server: server, migrator: sync.OnceValues(func() (*schema.Migrator, error) {
		return schema.New(url, sqlfiles.Migrations, schema.Options{Operator: operator(), Advice: advice})
	})}
}

// Another command may be starting or stopping the server of --data-dir just now: it is waited for.
const (
	inUseWait  = 15 * time.Second
	inUsePause = 100 * time.Millisecond
)

// openDatabase finds the database: the one of --database-url, that of a Docket already running in --data-dir, or that of
// a server which it starts for as long as the command lasts.
func (c *config) openDatabase(ctx context.Context, owner string, log *zap.Logger) (*database, error) {
	if c.databaseURL != "" {
		return newDatabase(c.databaseURL, nil), nil
	}
	for last := time.Now().Add(inUseWait); ; {
		url, err := embedded.RunningURL(c.dataDir)
		if err == nil {
			return newDatabase(url, nil), nil
		}
		if !errors.Is(err, embedded.ErrNotRunning) {
			return nil, err
		}
		db, err := c.startDatabase(ctx, owner, log)
		if !errors.Is(err, embedded.ErrInUse) || time.Now().After(last) {
			return db, err
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(inUsePause):
		}
	}
}

// startDatabase starts Docket's own server.
func (c *config) startDatabase(ctx context.Context, owner string, log *zap.Logger) (*database, error) {
	server, err := embedded.Start(ctx, embedded.Config{DataDir: c.dataDir, Owner: owner, Log: log})
	if err != nil {
		return nil, err
	}
	return newDatabase(server.URL(), server), nil
}

// close stops the server if the command started it. It works after the command was interrupted as well.
func (d *database) close() error {
	if d.server == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	return d.server.Stop(ctx)
}

// migrate applies what is pending.
func (d *database) migrate(ctx context.Context) (schema.Report, error) {
	migrator, err := d.migrator()
	if err != nil {
		return schema.Report{}, err
	}
	return migrator.Apply(ctx)
}

// checkMigrated fails unless the database has exactly the migrations this program knows.
func (d *database) checkMigrated(ctx context.Context) error {
	migrator, err := d.migrator()
	if err != nil {
		return err
	}
	return migrator.Check(ctx)
}

// withDatabase runs a command on the database and closes it afterwards.
func (c *config) withDatabase(cmd *cobra.Command, fn func(context.Context, *database) error) (err error) {
	log, err := c.logger()
	if err != nil {
		return err
	}
	db, err := c.openDatabase(cmd.Context(), cmd.CommandPath(), log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.close()) }()
	return fn(cmd.Context(), db)
}

// withPool runs a command on a migrated database; Docket's own is migrated if need be. Its statements take the time they
// need.
func (c *config) withPool(cmd *cobra.Command, fn func(context.Context, *postgres.Pool) error) error {
	return c.withDatabase(cmd, func(ctx context.Context, db *database) error {
		if c.databaseURL == "" {
			if _, err := db.migrate(ctx); err != nil {
				return err
			}
		} else if err := db.checkMigrated(ctx); err != nil {
			return err
		}
		pool, err := postgres.Open(ctx, postgres.PoolConfig{URL: db.url, MaxConns: c.maxConns})
		if err != nil {
			return err
		}
		defer pool.Close()
		return fn(ctx, pool)
	})
}

func dbCommand(cfg *config) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "db",
		Short: "Reach the database with other programs",
		Args:  cobra.NoArgs,
	}
	cmd.AddCommand(&cobra.Command{
		Use:     "url",
		Short:   "Print the connection string of the database, for psql and the like",
		Long:    "Print the connection string: --database-url, or that of the server running in --data-dir. None running is an error.",
		Example: `  psql "$(docket db url)"`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			url := cfg.databaseURL
			if url == "" {
				running, err := embedded.RunningURL(cfg.dataDir)
				if err != nil {
					return fmt.Errorf("%w; start it with docket serve", err)
				}
				url = running
			}
			fmt.Fprintln(cmd.OutOrStdout(), url)
			return nil
		},
	})
	cmd.AddCommand(&cobra.Command{
		Use:   "binaries",
		Short: "Print the directory of the PostgreSQL server programs that Docket would run",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			binaries, err := embedded.FindBinaries()
			if err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), binaries.Dir)
			return nil
		},
	})
	return cmd
}
