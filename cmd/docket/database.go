package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	sqlfiles "docket/sql"

	"docket/internal/jobs"
	"docket/internal/postgres"
	"docket/internal/postgres/embedded"
	"docket/internal/schema"
)

// stopTimeout bounds the orderly stop of Docket's own server.
const stopTimeout = 30 * time.Second

// database is the database that a command works on.
type database struct {
	url    string
	direct string           // past a pooler that url may name; otherwise url
	server *embedded.Server // nil when this process did not start it
	health *postgres.Health

	// migrator has the migrations built into the program. It parses them one time: readiness is checked every second.
	migrator func() (*schema.Migrator, error)
}

func newDatabase(url string, server *embedded.Server) *database {
	d := &database{url: url, direct: url, server: server, health: postgres.NewHealth(url)}
	d.migrator = sync.OnceValues(func() (*schema.Migrator, error) {
		return schema.New(d.direct, sqlfiles.Migrations, schema.Options{Operator: operator(), Advice: advice})
	})
	return d
}

// openDatabase finds the database: the one of --database-url, else that of a Docket already running in --data-dir, else that
// of a server that it starts for the duration of the command.
func (c *config) openDatabase(ctx context.Context, owner string, log *zap.Logger) (*database, error) {
	if c.databaseURL != "" {
		return c.named(), nil
	}
	url, server, err := embedded.Attach(ctx, embedded.Config{DataDir: c.dataDir, Owner: owner, Log: log})
	if err != nil {
		return nil, err
	}
	return newDatabase(url, server), nil
}

// close stops the server if this process started it, even when the command was interrupted.
func (d *database) close() error {
	d.health.Close()
	if d.server == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	return d.server.Stop(ctx)
}

// applyMigrations applies the pending migrations.
func (d *database) applyMigrations(ctx context.Context) (schema.Report, error) {
	migrator, err := d.migrator()
	if err != nil {
		return schema.Report{}, err
	}
	return migrator.Apply(ctx)
}

// checkGrants fails with the missing statements unless the role may read and write what Docket's schema has.
func (d *database) checkGrants(ctx context.Context) error {
	migrator, err := d.migrator()
	if err != nil {
		return err
	}
	names, err := relations()
	if err != nil {
		return err
	}
	return migrator.CheckGrants(ctx, names)
}

// checkJobsGrants is checkGrants for the tables of River.
func (d *database) checkJobsGrants(ctx context.Context) error {
	migrator, err := d.migrator()
	if err != nil {
		return err
	}
	return migrator.CheckSchemaGrants(ctx, jobs.Schema)
}

var createRelation = regexp.MustCompile(`(?m)^CREATE (?:TABLE|VIEW|MATERIALIZED VIEW) (\w+)`)

// relations are the tables and views of the schema that is built in.
func relations() ([]string, error) {
	files, err := fs.Glob(sqlfiles.Schema, "*.sql")
	if err != nil {
		return nil, err
	}
	var names []string
	for _, file := range files {
		text, err := fs.ReadFile(sqlfiles.Schema, file)
		if err != nil {
			return nil, err
		}
		for _, match := range createRelation.FindAllSubmatch(text, -1) {
			names = append(names, string(match[1]))
		}
	}
	return names, nil
}

// checkMigrated fails unless the database has exactly the migrations built into this program.
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
	if err := db.checkDirect(cmd.Context()); err != nil {
		return err
	}
	return c.explain(db, fn(cmd.Context(), db))
}

// explain adds to an error why Docket's own server does not respond. What was committed before is stored.
func (c *config) explain(db *database, err error) error {
	switch {
	case c.databaseURL != "" || !postgres.IsUnavailable(err):
		return err
	case db.server == nil:
		return fmt.Errorf("%w; the PostgreSQL of the Docket that runs in %s has exited or is being restarted: "+
			"run the command again in some seconds", err, c.dataDir)
	case db.server.Err() != nil:
		return fmt.Errorf("%w; %w", err, db.server.Err())
	}
	return err
}

// withPool runs a command that writes on a migrated database. Docket's own database is migrated first. Statements have no time
// limit.
func (c *config) withPool(cmd *cobra.Command, fn func(context.Context, *postgres.Pool) error) error {
	return c.withPoolOn(cmd, true, fn)
}

// withPoolToRead is withPool for a command that only reads, which can run on a standby.
func (c *config) withPoolToRead(cmd *cobra.Command, fn func(context.Context, *postgres.Pool) error) error {
	return c.withPoolOn(cmd, false, fn)
}

func (c *config) withPoolOn(cmd *cobra.Command, writes bool, fn func(context.Context, *postgres.Pool) error) error {
	return c.withDatabase(cmd, func(ctx context.Context, db *database) error {
		if writes {
			if err := postgres.CheckUsable(ctx, db.direct); err != nil {
				return err
			}
		}
		if c.databaseURL == "" {
			if _, err := db.applyMigrations(ctx); err != nil {
				return err
			}
		} else if err := db.checkGrants(ctx); err != nil {
			return err
		} else if err := db.checkMigrated(ctx); err != nil {
			return err
		}
		pool, err := postgres.Open(ctx, postgres.PoolConfig{URL: db.direct, MaxConns: c.maxConns, Primary: writes})
		if err != nil {
			return err
		}
		defer pool.Close()
		return fn(ctx, pool)
	})
}
