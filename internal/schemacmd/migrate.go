package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"docket/internal/schema"
)

// migrateFlags are shared by the commands below migrate.
type migrateFlags struct {
	projectFlags
	dir string
}

func migrateCommand(cfg *config) *cobra.Command {
	flags := &migrateFlags{}
	cmd := &cobra.Command{
		Use:   "migrate",
		Short: "Bring the database to a version, and keep the files that lead there",
		Long: `Bring the database to a version, and keep the files that lead there.

The migrations are those of the checkout when the working directory holds sql/migrations/atlas.sum, else those that the
program carries; --dir names others. Each command tells on standard error which they are. docket serve, import and seed
only ever use those that the program carries.`,
		Args:              arguments(cobra.NoArgs),
		PersistentPreRunE: flags.prepare,
		RunE:              needsSubcommand,
	}
	flags.add(cmd.PersistentFlags())
	cmd.PersistentFlags().StringVar(&flags.dir, "dir", "", "`directory` of the migrations, as file://PATH")
	cmd.AddCommand(
		migrateApplyCommand(cfg, flags),
		migrateDownCommand(cfg, flags),
		migrateStatusCommand(cfg, flags),
		migrateDiffCommand(cfg, flags),
		migrateNewCommand(&flags.dir),
		migrateHashCommand(&flags.dir),
		migrateRebaseCommand(&flags.dir),
		migrateValidateCommand(&flags.dir),
		migrateLintCommand(cfg, flags),
	)
	return cmd
}

// withMigrator runs a command on the database with the migrations that --dir or the working directory names.
func (c *config) withMigrator(
	cmd *cobra.Command, flags *migrateFlags, opts schema.Options, fn func(context.Context, *schema.Migrator, migrationFiles) error,
) error {
	files, err := readableMigrations(cmd, flags.dir)
	if err != nil {
		return err
	}
	return c.withDatabase(cmd, func(ctx context.Context, db *database) error {
		return withWorkbench(c.devURL(&flags.projectFlags, db), func(bench *schema.Workbench) error {
			opts.VerifyBaseline = schema.VerifyBaseline(bench, schema.Migrations(files.fs, files.String()), flags.chosen.Exclude)
			migrator, err := db.migratorOf(files, opts)
			if err != nil {
				return err
			}
			return fn(ctx, migrator, files)
		})
	})
}

const lockTimeoutUsage = "longest wait for another migration or a lock on a table"

func migrateApplyCommand(cfg *config, flags *migrateFlags) *cobra.Command {
	var (
		asJSON, dryRun bool
		to, baseline   string
		lockWait       time.Duration
	)
	cmd := &cobra.Command{
		Use:   "apply",
		Short: "Run the migrations that the database lacks",
		Long: `Run the migrations that the database lacks, each in a transaction of its own, under Atlas's advisory lock.
A database that is ahead of the migrations, holds an edited one or tables of somebody else is left alone.

With --baseline a database that was not built by migrations is taken over: it has what they make up to that version, none
of those is run, and the later ones are. See docs/operations.md.`,
		Example: `  docket migrate apply --dry-run                 # the SQL that would run
  docket migrate apply --to 20261123054300       # no further than this one`,
		Args: arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			opts := []schema.ApplyOption{schema.To(to), schema.FromBaseline(baseline)}
			return cfg.withMigrator(cmd, flags, schema.Options{LockWait: lockWait},
				func(ctx context.Context, migrator *schema.Migrator, files migrationFiles) error {
					if dryRun {
						preview, err := migrator.PreviewApply(ctx, opts...)
						if err != nil {
							return err
						}
						return printPreview(cmd.OutOrStdout(), preview, files, asJSON)
					}
					report, err := migrator.Apply(ctx, opts...)
					if asJSON {
						return firstError(err, writeJSON(cmd.OutOrStdout(), report))
					}
					if report.Baseline != "" {
						fmt.Fprintf(cmd.OutOrStdout(), "baseline %s: recorded, nothing up to it was run\n", report.Baseline)
					}
					printFiles(cmd.OutOrStdout(), "applied", report)
					if err == nil && len(report.Files) == 0 {
						fmt.Fprintf(cmd.OutOrStdout(), "nothing to do: the database is at version %s\n", report.To)
					}
					return err
				})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the report as JSON")
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "print the statements that would run, file by file, and change nothing")
	cmd.Flags().StringVar(&to, "to", "", "last `version` to apply; without it all")
	cmd.Flags().StringVar(&baseline, "baseline", "",
		"`version` that a database without a record of migrations has already, or latest; nothing up to it is run")
	cmd.Flags().DurationVar(&lockWait, "lock-timeout", 30*time.Second, lockTimeoutUsage)
	return cmd
}

func printFiles(out io.Writer, done string, report schema.Report) {
	for _, file := range report.Files {
		fmt.Fprintf(out, "%s %s %s: %d statements in %s\n",
			done, file.Version, file.Name, file.Statements, file.Duration.Round(time.Millisecond))
	}
}

// printPreview writes what would run as SQL: everything that is not a statement is a comment.
func printPreview(out io.Writer, preview schema.Preview, files migrationFiles, asJSON bool) error {
	if asJSON {
		return writeJSON(out, preview)
	}
	if preview.Baseline != "" {
		fmt.Fprintf(out, "-- baseline %s: would be recorded, nothing up to it would be run\n", preview.Baseline)
	}
	for _, file := range preview.Files {
		how := "in one transaction"
		if !file.Transactional {
			how = "outside a transaction"
		}
		if file.Done > 0 {
			how += fmt.Sprintf(", after the %d that have run", file.Done)
		}
		path := file.Path
		if files.path != "" {
			path = files.path + "/" + path
		}
		fmt.Fprintf(out, "-- %s: %d statements, %s\n\n%s\n\n", path, len(file.Statements), how, strings.Join(file.Statements, "\n\n"))
	}
	if len(preview.Files) == 0 && preview.Baseline == "" {
		fmt.Fprintf(out, "-- nothing to do: the database is at version %s\n", preview.From)
	}
	return nil
}

func migrateStatusCommand(cfg *config, flags *migrateFlags) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Compare the database with the migrations; exit status 1 unless they agree",
		Args:  arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return cfg.withMigrator(cmd, flags, schema.Options{},
				func(ctx context.Context, migrator *schema.Migrator, files migrationFiles) error {
					status, err := migrator.Status(ctx)
					if err != nil {
						return err
					}
					if asJSON {
						return firstError(writeJSON(cmd.OutOrStdout(), struct {
							Migrations string `json:"migrations"`
							schema.Status
						}{files.String(), status}), status.Err())
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
	fmt.Fprintf(out, "database  %s\nstate     %s\nlatest    %s\n", status.Database, status.State, status.Latest)
	for _, applied := range status.Applied {
		fmt.Fprintf(out, "%-9s %s %s, %s", applied.Kind, applied.Version, applied.Name, applied.At.UTC().Format(time.RFC3339))
		if applied.Total > applied.Statements {
			fmt.Fprintf(out, ", %d of %d statements", applied.Statements, applied.Total)
		}
		fmt.Fprintln(out)
	}
	for _, file := range status.Pending {
		fmt.Fprintf(out, "pending   %s\n", file)
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
