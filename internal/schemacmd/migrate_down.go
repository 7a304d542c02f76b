package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"docket/internal/schema"
)

func migrateDownCommand(cfg *config, flags *migrateFlags) *cobra.Command {
	var (
		asJSON, dryRun, autoApprove bool
		to                          string
		steps                       int
		lockWait                    time.Duration
	)
	cmd := &cobra.Command{
		Use:   "down",
		Short: "Undo the last migration, or several, by their down files",
		Long: `Undo the last migration, or several, newest first, by the files in down/: each in one transaction, together with its
record, under Atlas's advisory lock. What the files drop is gone with its data; what they leave is kept. It asks before
it starts. The version before the first is called 0.

Programs that need what is undone must not run: docket serve applies it again when it starts.`,
		Example: `  docket migrate down --dry-run                  # the SQL that would undo the last migration
  docket migrate down --to 20261123054300        # undo all after this one`,
		Args: arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if to != "" && cmd.Flags().Changed("steps") {
				return usageError{errors.New("--to and --steps exclude each other")}
			}
			if steps < 1 {
				return usageError{fmt.Errorf("--steps: %d is not 1 or more", steps)}
			}
			return cfg.withMigrator(cmd, flags, schema.Options{LockWait: lockWait},
				func(ctx context.Context, migrator *schema.Migrator, files migrationFiles) error {
					var preview schema.Preview
					var err error
					if to != "" {
						preview, err = migrator.PreviewDownTo(ctx, to)
					} else {
						preview, err = migrator.PreviewDown(ctx, steps)
					}
					if err != nil {
						return err
					}
					if dryRun {
						return printPreview(cmd.OutOrStdout(), preview, files, asJSON)
					}
					if len(preview.Files) > 0 {
						printWayDown(cmd, preview)
						if err := confirm(cmd, "Undo them?", autoApprove); err != nil {
							return err
						}
					}
					report, err := migrator.Down(ctx, preview)
					if asJSON {
						return firstError(err, writeJSON(cmd.OutOrStdout(), report))
					}
					printFiles(cmd.OutOrStdout(), "undone", report)
					if err == nil && len(report.Files) == 0 {
						fmt.Fprintf(cmd.OutOrStdout(), "nothing to do: the database is at version %s\n", report.To)
					}
					return err
				})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the report as JSON")
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "print the statements that would run, file by file, and change nothing")
	cmd.Flags().BoolVar(&autoApprove, "auto-approve", false, "do not ask")
	cmd.Flags().StringVar(&to, "to", "", "`version` that the database is to be at afterwards; 0 is before the first")
	cmd.Flags().IntVar(&steps, "steps", 1, "`number` of migrations to undo")
	cmd.Flags().DurationVar(&lockWait, "lock-timeout", 30*time.Second, lockTimeoutUsage)
	return cmd
}

// printWayDown shows what is about to go.
func printWayDown(cmd *cobra.Command, preview schema.Preview) {
	out := cmd.ErrOrStderr()
	fmt.Fprintf(out, "database %s goes from version %s to %s by\n", preview.Database, preview.From, orNone(preview.To))
	for _, file := range preview.Files {
		fmt.Fprintf(out, "  %s: %d statements\n", file.Path, len(file.Statements))
	}
	fmt.Fprintln(out, "What they drop is gone with its data, and applying the migrations again does not bring that back; "+
		"--dry-run shows the statements.")
}

func orNone(version string) string {
	if version == "" {
		return "none"
	}
	return version
}
