// Package schemacmd is the command line of package schema: the groups "schema" and "migrate" for a program built with cobra.
//
// It owns flags, messages and output. What belongs to the program, such as its name, its files and how it reaches its
// database, is in Program.
package schemacmd

import (
	"context"
	"fmt"
	"io/fs"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"docket/internal/schema"
	"docket/internal/schema/scratch"
	"docket/internal/schema/state"
)

// Program is what these commands need to know of the program that they are part of.
type Program struct {
	Name    string // on the command line
	Version string
	// Operator is recorded with each migration: the program and its version.
	Operator string
	// Server is the command that applies pending migrations when it starts, and refuses a database without a record of them.
	Server string

	// Schema is the target schema, Migrations are the files that lead to it.
	Schema, Migrations Files
	// Apart are tables of a library, which migrate apply brings up to date as well. May be nil.
	Apart *Apart
	// RefreshTable is where the database keeps how long the refresh of each materialized view took, see schema.Workbench.
	RefreshTable string

	AdoptionPage    string // explains how to adopt a database
	DevelopmentPage string // explains how to write a migration

	// DatabaseFlag is a flag of the root command: the URL of the database. When it is empty, the program has a server of
	// its own.
	DatabaseFlag string
	// WithDatabase calls fn with the URL of the database, which the program's own server serves for as long if need be.
	WithDatabase func(cmd *cobra.Command, fn func(ctx context.Context, url string) error) error
	// CheckDatabase fails for a database that must not be changed: one that is read-only, or that cannot hold the program's data.
	CheckDatabase func(ctx context.Context, url string) error
	// RunningURL is the URL of the program's own server. It is empty when that server does not run.
	RunningURL func() string
	// Origin returns what the program knows of a database that another one made. Its error ends the command before anything is
	// planned.
	Origin func(ctx context.Context, url string) (schema.Origin, error)
	// StartScratch starts a server for scratch databases.
	StartScratch scratch.StartFunc

	// Environment sets the flags that the command line does not set from environment variables.
	Environment func(*pflag.FlagSet) error
	// UsageError makes an error a mistake in the command line.
	UsageError func(error) error
	// ExitStatus gives an error an exit status of its own.
	ExitStatus func(err error, status int) error
	// AfterApply returns what remains to be done after the schema of a database was changed; empty: nothing.
	AfterApply func(before, after *state.State) string
}

// Files are a folder of SQL files.
type Files struct {
	BuiltIn  fs.FS  // in the program
	Checkout string // path in a checkout, which is preferred when it is found in the working directory
}

// Commands returns the two groups of commands. The program makes a failed check of their positional arguments, and a
// group without a subcommand, a usage error.
func Commands(p Program) []*cobra.Command {
	c := &commands{p}
	return []*cobra.Command{c.schema(), c.migrate()}
}

type commands struct{ Program }

// advice is what messages of package schema say of the program.
func (c *commands) advice() schema.Advice {
	return schema.Advice{Program: c.Name, AdoptionPage: c.AdoptionPage, DevURLFlag: "--" + devURLFlag}
}

func (c *commands) usagef(format string, args ...any) error {
	return c.UsageError(fmt.Errorf(format, args...))
}

// databaseURL is the value of the database flag.
func (c *commands) databaseURL(cmd *cobra.Command) string {
	return cmd.Flags().Lookup(c.DatabaseFlag).Value.String()
}

// withDatabase runs a command on the database and with a workbench.
func (c *commands) withDatabase(
	cmd *cobra.Command, flags *projectFlags, fn func(ctx context.Context, bench *schema.Workbench, url string) error,
) error {
	return c.WithDatabase(cmd, func(ctx context.Context, url string) error {
		if changesDatabase(cmd) {
			if err := c.CheckDatabase(ctx, url); err != nil {
				return err
			}
		}
		return c.withWorkbench(c.devURL(cmd, flags, url), func(bench *schema.Workbench) error { return fn(ctx, bench, url) })
	})
}
