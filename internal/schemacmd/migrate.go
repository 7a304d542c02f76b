package schemacmd

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"docket/internal/schema"
)

// migrateFlags are shared by the commands below migrate.
type migrateFlags struct {
	projectFlags
	dir string
}

func (c *commands) migrate() *cobra.Command {
	flags := &migrateFlags{}
	cmd := &cobra.Command{
		Use:   "migrate",
		Short: "Bring the database to a version, and maintain the migration files",
		Long: `Bring the database to a version, and maintain the migration files.

The migrations are those of the checkout when the working directory holds ` + c.Migrations.Checkout + `/atlas.sum, else
those built into ` + c.Name + `; --dir names others. Each command prints on standard error which ones it uses.
All other commands of ` + c.Name + ` use only those that are built in.`,
		Args:              cobra.NoArgs,
		PersistentPreRunE: c.prepare(&flags.projectFlags),
	}
	flags.add(cmd.PersistentFlags(), c.Name)
	cmd.PersistentFlags().StringVar(&flags.dir, "dir", "", "`directory` of the migrations, as file://PATH")
	cmd.AddCommand(
		c.migrateApply(flags),
		c.migrateDown(flags),
		c.migrateStatus(flags),
		c.migrateDiff(flags),
		c.migrateNew(&flags.dir),
		c.migrateHash(&flags.dir),
		c.migrateRebase(&flags.dir),
		c.migrateValidate(&flags.dir),
		c.migrateLint(flags),
	)
	return cmd
}

// withMigrator runs a command on the database with the migrations of --dir or of the working directory.
func (c *commands) withMigrator(
	cmd *cobra.Command, flags *migrateFlags, lockWait time.Duration,
	fn func(ctx context.Context, migrator *schema.Migrator, files directory, url string) error,
) error {
	files, err := c.readableMigrations(cmd, flags.dir)
	if err != nil {
		return err
	}
	return c.withDatabase(cmd, &flags.projectFlags, func(ctx context.Context, bench *schema.Workbench, url string) error {
		source := schema.Migrations(files.fs, c.describe(files))
		migrator, err := schema.New(url, files.fs, schema.Options{
			Operator: c.Operator, LockWait: lockWait, Advice: c.advice(),
			VerifyBaseline: schema.VerifyBaseline(bench, source, flags.chosen.Exclude),
		})
		if err != nil {
			return fmt.Errorf("migrations %s: %w", c.describe(files), err)
		}
		return fn(ctx, migrator, files, url)
	})
}

func (c *commands) migrateApply(flags *migrateFlags) *cobra.Command {
	var (
		asJSON, dryRun bool
		to, baseline   string
		lockWait       time.Duration
	)
	cmd := &cobra.Command{
		Use:   "apply",
		Short: "Run the migrations that the database lacks",
		Long: `Run the migrations that the database lacks, each in its own transaction, under Atlas's advisory lock. A database is
refused when it has a migration that is not among the files, when a file was edited after it was applied, or when it holds
tables and no record of migrations.

With --baseline a database that was not built by migrations is adopted. It must have everything that the migrations up to
that version make. None of these is run; the later ones are. See ` + c.AdoptionPage + `.`,
		Example: "  " + c.Name + ` migrate apply --dry-run                 # the SQL that would run
  ` + c.Name + ` migrate apply --to 20261123054300       # no further than this one`,
		Args:        cobra.NoArgs,
		Annotations: changing,
		RunE: func(cmd *cobra.Command, _ []string) error {
			opts := []schema.ApplyOption{schema.To(to), schema.FromBaseline(baseline)}
			apart := c.apart(flags)
			if to != "" {
				apart = nil
			}
			run := func(ctx context.Context, migrator *schema.Migrator, files directory, url string) error {
				if dryRun {
					preview, err := migrator.PreviewApply(ctx, opts...)
					if err != nil {
						return err
					}
					versions, err := apart.pending(ctx, url)
					return errors.Join(err, c.printPreview(cmd.OutOrStdout(), preview, versions, files, asJSON))
				}
				report, err := migrator.Apply(ctx, opts...)
				var versions []string
				if err == nil {
					versions, err = apart.apply(ctx, url)
				}
				return errors.Join(err, c.printApplied(cmd.OutOrStdout(), report, versions, err != nil, asJSON))
			}
			return c.withMigrator(cmd, flags, lockWait, run)
		},
	}
	addRunFlags(cmd.Flags(), &asJSON, &dryRun, &lockWait)
	cmd.Flags().StringVar(&to, "to", "", "last `version` to apply; without it all")
	cmd.Flags().StringVar(&baseline, "baseline", "",
		"`version` that a database without a record of migrations has already, or latest; nothing up to it is run")
	return cmd
}

func (c *commands) migrateStatus(flags *migrateFlags) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Compare the database with the migrations; exit status 1 unless they agree",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			apart := c.apart(flags)
			return c.withMigrator(cmd, flags, 0, func(ctx context.Context, migrator *schema.Migrator, files directory, url string) error {
				status, err := migrator.Status(ctx)
				if err != nil {
					return err
				}
				versions, err := apart.pending(ctx, url)
				if err != nil {
					return err
				}
				if asJSON {
					err = writeJSON(cmd.OutOrStdout(), struct {
						Migrations string `json:"migrations"`
						schema.Status
						Apart []string `json:"apart_pending,omitempty"`
					}{c.describe(files), status, versions})
				} else {
					printStatus(cmd.OutOrStdout(), status)
					for _, version := range versions {
						fmt.Fprintf(cmd.OutOrStdout(), "pending   tables of %s: %s\n", apart.Name, version)
					}
				}
				return errors.Join(err, status.Err(), c.checkApart(versions))
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the status as JSON")
	return cmd
}
