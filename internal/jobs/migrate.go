package jobs

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/riverqueue/river/rivermigrate"
	"go.uber.org/zap"

	"docket/internal/postgres"
)

// Migration is a version of River's tables.
type Migration struct {
	Version int    `json:"version"`
	Name    string `json:"name"`
}

// ErrNotMigrated means that the database lacks versions of River's tables.
var ErrNotMigrated = errors.New("the tables of River are missing or of an older version; run docket migrate apply")

// migrateLock is held while River's tables are changed: River itself takes no lock.
const migrateLock = "River migrations"

// Pending returns the versions of River's tables that the database lacks, oldest first.
func Pending(ctx context.Context, pool *postgres.Pool) ([]Migration, error) {
	migrator, err := newMigrator(pool)
	if err != nil {
		return nil, err
	}
	existing, err := migrator.ExistingVersions(ctx)
	if err != nil {
		if !postgres.IsDenied(err) && !postgres.IsUnavailable(err) {
			err = fmt.Errorf("%w; tables that a newer Docket has migrated need that Docket", err)
		}
		return nil, fmt.Errorf("read the version of River's tables: %w", err)
	}
	pending := []Migration{}
	for _, m := range migrator.AllVersions() {
		if !slices.ContainsFunc(existing, func(e rivermigrate.Migration) bool { return e.Version == m.Version }) {
			pending = append(pending, Migration{m.Version, m.Name})
		}
	}
	return pending, nil
}

// Check returns ErrNotMigrated unless the database has all versions of River's tables that this program knows. It fails if the
// database has a later one.
func Check(ctx context.Context, pool *postgres.Pool) error {
	pending, err := Pending(ctx, pool)
	if err == nil && len(pending) > 0 {
		err = ErrNotMigrated
	}
	return err
}

// Migrate brings River's tables to the newest version, each version in a transaction of its own, and returns the versions that it
// applied. Concurrent calls wait for each other. It needs two connections of the pool.
func Migrate(ctx context.Context, pool *postgres.Pool) (applied []Migration, err error) {
	err = postgres.Hold(ctx, pool, migrateLock, func(ctx context.Context) error {
		pending, err := Pending(ctx, pool)
		if err != nil || len(pending) == 0 {
			return err
		}
		if err := postgres.CreateSchema(ctx, pool, Schema); err != nil {
			return err
		}
		migrator, err := newMigrator(pool)
		if err != nil {
			return err
		}
		result, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, nil)
		if err != nil {
			return fmt.Errorf("migrate River's tables: %w", err)
		}
		for _, m := range result.Versions {
			applied = append(applied, Migration{m.Version, m.Name})
		}
		return nil
	})
	if postgres.IsDenied(err) {
		err = fmt.Errorf("%w. The role needs CREATE on the database, and to own what is in the schema %s: "+
			"let the owner of the tables run docket migrate apply first", err, Schema)
	}
	return applied, err
}

func newMigrator(pool *postgres.Pool) (*rivermigrate.Migrator[pgxTx], error) {
	migrator, err := rivermigrate.New(riverDriver(pool), &rivermigrate.Config{Schema: Schema, Logger: riverLog(zap.NewNop())})
	if err != nil {
		return nil, fmt.Errorf("configure River's migrations: %w", err)
	}
	return migrator, nil
}
