package schemacmd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"docket/internal/schema"
)

// addRunFlags adds the flags of the commands that run migration files.
func addRunFlags(flags *pflag.FlagSet, asJSON, dryRun *bool, lockWait *time.Duration) {
	flags.BoolVar(asJSON, "json", false, "print the report as JSON")
	flags.BoolVar(dryRun, "dry-run", false, "print the statements that would run, file by file, and change nothing")
	flags.DurationVar(lockWait, "lock-timeout", defaultLockTimeout, lockTimeoutUsage)
}

func (c *commands) migrateDown(flags *migrateFlags) *cobra.Command {
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
record, under Atlas's advisory lock. The data that the files drop are lost; all other data are kept. The command asks
before it starts. The version before the first is called 0.

First stop the programs that need what is undone: ` + c.Server + ` applies it again when it starts.`,
		Example: "  " + c.Name + ` migrate down --dry-run                  # the SQL that would undo the last migration
  ` + c.Name + ` migrate down --to 20261123054300        # undo all after this one`,
		Args:        cobra.NoArgs,
		Annotations: changing,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if to != "" && cmd.Flags().Changed("steps") {
				return c.usagef("--to and --steps exclude each other")
			}
			if steps < 1 {
				return c.usagef("--steps: %d is not 1 or more", steps)
			}
			return c.withMigrator(cmd, flags, lockWait, func(ctx context.Context, migrator *schema.Migrator, files directory, _ string) error {
				preview, err := previewDown(ctx, migrator, to, steps)
				if err != nil {
					return err
				}
				if dryRun {
					return c.printPreview(cmd.OutOrStdout(), preview, nil, files, asJSON)
				}
				if len(preview.Files) > 0 {
					printDown(cmd, preview)
					if err := c.confirm(cmd, "Undo them?", autoApprove); err != nil {
						return err
					}
				}
				report, err := migrator.Down(ctx, preview)
				return errors.Join(err, printReport(cmd.OutOrStdout(), "undone", report, err != nil, asJSON))
			})
		},
	}
	addRunFlags(cmd.Flags(), &asJSON, &dryRun, &lockWait)
	cmd.Flags().BoolVar(&autoApprove, "auto-approve", false, "do not ask")
	cmd.Flags().StringVar(&to, "to", "", "`version` that the database is to be at afterwards; 0 is before the first")
	cmd.Flags().IntVar(&steps, "steps", 1, "`number` of migrations to undo")
	return cmd
}

func previewDown(ctx context.Context, migrator *schema.Migrator, to string, steps int) (schema.Preview, error) {
	if to != "" {
		return migrator.PreviewDownTo(ctx, to)
	}
	return migrator.PreviewDown(ctx, steps)
}

// printDown prints what is about to be undone.
func printDown(cmd *cobra.Command, preview schema.Preview) {
	out := cmd.ErrOrStderr()
	fmt.Fprintf(out, "database %s changes from version %s to %s by\n", preview.Database, preview.From, cmp.Or(preview.To, "none"))
	for _, file := range preview.Files {
		fmt.Fprintf(out, "  %s: %s\n", file.Path, count(len(file.Statements), "statement"))
	}
	fmt.Fprintln(out, "The data that they drop are lost, and applying the migrations again does not restore them; "+
		"--dry-run shows the statements.")
}
