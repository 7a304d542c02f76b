package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	sqlfiles "docket/sql"

	"docket/internal/adoption"
	"docket/internal/jobs"
	"docket/internal/postgres"
	"docket/internal/postgres/embedded"
	"docket/internal/schema"
	"docket/internal/schema/state"
	"docket/internal/schemacmd"
)

// advice is the part of messages about migrations that is specific to Docket.
var advice = schema.Advice{Program: "docket", AdoptionPage: "docs/operations.md"}

// operator is recorded in the database with each migration that Docket applies.
func operator() string { return "Docket " + build() }

// schemaCommands are docket schema and docket migrate.
func schemaCommands(cfg *config) []*cobra.Command {
	return schemacmd.Commands(schemacmd.Program{
		Name: advice.Program, Version: build(), Operator: operator(), Server: "docket serve",

		Schema:       schemacmd.Files{BuiltIn: sqlfiles.Schema, Checkout: "sql/schema"},
		Migrations:   schemacmd.Files{BuiltIn: sqlfiles.Migrations, Checkout: "sql/migrations"},
		Apart:        &schemacmd.Apart{Name: "River", Pending: pendingRiver, Apply: applyRiver},
		RefreshTable: "materialized_view_refreshes",

		AdoptionPage: advice.AdoptionPage, DevelopmentPage: "docs/development.md",

		DatabaseFlag: databaseFlag,
		WithDatabase: func(cmd *cobra.Command, fn func(context.Context, string) error) error {
			return cfg.withDatabase(cmd, func(ctx context.Context, db *database) error { return fn(ctx, db.direct) })
		},
		CheckDatabase: postgres.CheckUsable,
		RunningURL: func() string {
			url, _ := embedded.RunningURL(cfg.dataDir) // none without a running server
			return url
		},
		Origin:       adoption.Find,
		StartScratch: embedded.StartScratch,

		Environment: fromEnvironment,
		UsageError:  func(err error) error { return usageError{err} },
		ExitStatus:  func(err error, status int) error { return statusError{err, status} },
		AfterApply:  afterApply,
	})
}

// afterApply says what to do when the queue was created on a database that has URLs, and on one of the reference.
func afterApply(before, after *state.State) string {
	const queue, urls, reference = "annotation_queue", "urls", "alembic_version"
	if before.Table(queue) != nil || after.Table(queue) == nil || before.Table(urls) == nil {
		return ""
	}
	note := queue + " is new and empty, so no URL is given to annotators yet: run docket queue reconcile"
	if before.Table(reference) != nil {
		note += ". Restart the reference if it is to continue: its connections may have prepared statements for the schema before"
	}
	return note
}

// pendingRiver returns the versions of River's tables that a database lacks.
func pendingRiver(ctx context.Context, url string) (versions []string, err error) {
	err = withJobsPool(ctx, url, func(pool *postgres.Pool) error {
		pending, err := jobs.Pending(ctx, pool)
		versions = riverVersions(pending)
		return err
	})
	return versions, err
}

// applyRiver brings River's tables up to date.
func applyRiver(ctx context.Context, url string) (versions []string, err error) {
	err = withJobsPool(ctx, url, func(pool *postgres.Pool) error {
		applied, err := jobs.Migrate(ctx, pool)
		versions = riverVersions(applied)
		return err
	})
	return versions, err
}

func riverVersions(migrations []jobs.Migration) (versions []string) {
	for _, m := range migrations {
		versions = append(versions, fmt.Sprintf("%d %s", m.Version, m.Name))
	}
	return versions
}

// withJobsPool calls fn with a pool for River's migrations, which need a connection while another one holds their lock.
func withJobsPool(ctx context.Context, url string, fn func(*postgres.Pool) error) error {
	pool, err := postgres.Open(ctx, postgres.PoolConfig{URL: url, MaxConns: 2})
	if err != nil {
		return err
	}
	defer pool.Close()
	return fn(pool)
}
