package main

import (
	"context"

	"github.com/spf13/cobra"

	sqlfiles "docket/sql"

	"docket/internal/adoption"
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
		RefreshTable: "materialized_view_refreshes",

		AdoptionPage: advice.AdoptionPage, DevelopmentPage: "docs/development.md",

		DatabaseFlag: databaseFlag,
		WithDatabase: func(cmd *cobra.Command, fn func(context.Context, string) error) error {
			return cfg.withDatabase(cmd, func(ctx context.Context, db *database) error { return fn(ctx, db.url) })
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
