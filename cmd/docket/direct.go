package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/spf13/pflag"
	"go.uber.org/zap"

	"docket/internal/postgres"
)

const directFlag = "direct-url"

func (c *config) addDirectFlag(flags *pflag.FlagSet) {
	flags.StringVar(&c.directURL, directFlag, "",
		"PostgreSQL database `URL` past the connection pooler that --database-url names, for migrations and all commands but serve and work")
}

// checkDirectFlag refuses a --direct-url without a --database-url.
func (c *config) checkDirectFlag() error {
	if c.directURL != "" && c.databaseURL == "" {
		return usageError{errors.New("--direct-url needs --database-url, the same database through a pooler")}
	}
	return nil
}

// named is the database of --database-url and --direct-url.
func (c *config) named() *database {
	db := newDatabase(c.databaseURL, nil)
	db.direct = cmp.Or(c.directURL, c.databaseURL)
	return db
}

// checkDirect fails unless the direct URL leads to PostgreSQL itself, and to the database of the other URL. An error of a
// connection is left to the work that follows.
func (d *database) checkDirect(ctx context.Context) error {
	pooled, err := postgres.FindPooler(ctx, d.direct)
	switch {
	case err != nil:
		return nil //nolint:nilerr // reported by what connects next, which says more
	case pooled && d.direct == d.url:
		return postgres.ErrPooler
	case pooled:
		return errors.New("--direct-url names a connection pooler: name PostgreSQL itself")
	case d.direct == d.url:
		return nil
	}
	same, err := postgres.SameDatabase(ctx, d.url, d.direct)
	if err == nil && !same {
		return errors.New("--direct-url and --database-url name different databases: name the same one")
	}
	return err
}

// logPooler says how a process works behind a pooler.
func logPooler(pool *postgres.Pool, log *zap.Logger) {
	if pool.IsPooled() {
		log.Info(fmt.Sprintf("a connection pooler is between: settings are sent with each transaction, and migrations go by --%s", directFlag))
	}
}
