package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"docket/internal/schema"
)

func migrateCommand(cfg *config) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "migrate",
		Short: "Bring the database to the version of this program",
		Args:  arguments(cobra.NoArgs),
		RunE:  needsSubcommand,
	}
	cmd.AddCommand(migrateApplyCommand(cfg), migrateStatusCommand(cfg), migrateHashCommand())
	return cmd
}

func migrateApplyCommand(cfg *config) *cobra.Command {
	var (
		asJSON   bool
		lockWait time.Duration
	)
	cmd := &cobra.Command{
		Use:   "apply",
		Short: "Run the migrations that the database lacks",
		Long: `Run the migrations that the database lacks, each in a transaction of its own, under Atlas's advisory lock.
A database that is ahead of this program, holds an edited migration or tables of somebody else is left alone.`,
		Args: arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return cfg.withDatabase(cmd, func(ctx context.Context, db *database) error {
				migrator, err := db.migrator(lockWait)
				if err != nil {
					return err
				}
				report, err := migrator.Apply(ctx)
				if asJSON {
					return firstError(err, writeJSON(cmd.OutOrStdout(), report))
				}
				for _, file := range report.Files {
					fmt.Fprintf(cmd.OutOrStdout(), "applied %s %s: %d statements in %s\n",
						file.Version, file.Name, file.Statements, file.Duration.Round(time.Millisecond))
				}
				if err == nil && len(report.Files) == 0 {
					fmt.Fprintf(cmd.OutOrStdout(), "nothing to do: the database is at version %s\n", report.To)
				}
				return err
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the report as JSON")
	cmd.Flags().DurationVar(&lockWait, "lock-timeout", 30*time.Second, "longest wait for another migration or a lock on a table")
	return cmd
}

func migrateStatusCommand(cfg *config) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Compare the database with the migrations; exit status 1 unless they agree",
		Args:  arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return cfg.withDatabase(cmd, func(ctx context.Context, db *database) error {
				migrator, err := db.migrator(0)
				if err != nil {
					return err
				}
				status, err := migrator.Status(ctx)
				if err != nil {
					return err
				}
				if asJSON {
					return firstError(status.Err(), writeJSON(cmd.OutOrStdout(), status))
				}
				printStatus(cmd.OutOrStdout(), status)
				return status.Err()
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the status as JSON")
	return cmd
}

func printStatus(out io.Writer, status schema.Status) {
	fmt.Fprintf(out, "database  %s\nstate     %s\n", status.Database, status.State)
	for _, applied := range status.Applied {
		fmt.Fprintf(out, "%-9s %s %s, %s\n", applied.Kind, applied.Version, applied.Name, applied.At.UTC().Format(time.RFC3339))
	}
	for _, file := range status.Pending {
		fmt.Fprintf(out, "pending   %s\n", file)
	}
}

func migrateHashCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "hash [DIRECTORY]",
		Short: "Write atlas.sum after a migration was written by hand",
		Args:  arguments(cobra.MaximumNArgs(1)),
		RunE: func(_ *cobra.Command, args []string) error {
			dir := "sql/migrations"
			if len(args) > 0 {
				dir = args[0]
			}
			return schema.Hash(dir)
		},
	}
}

func writeJSON(out io.Writer, v any) error {
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	return encoder.Encode(v)
}

// writeJSONLine is for output of unknown length.
func writeJSONLine(out io.Writer, v any) error { return json.NewEncoder(out).Encode(v) }

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
