package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	sqlfiles "docket/sql"

	"docket/internal/schema"
	"docket/internal/schema/plan"
	"docket/internal/schema/state"
)

type applyFlags struct {
	url, to                        string
	dryRun, autoApprove, allowLoss bool
	lockWait                       time.Duration
}

func schemaApplyCommand(cfg *config, project *projectFlags) *cobra.Command {
	var flags applyFlags
	cmd := &cobra.Command{
		Use:   "apply",
		Short: "Bring a database to the wanted schema",
		Long: `Bring a database to the wanted schema: shows the plan as docket schema diff does, asks, and runs it in one transaction
under Atlas's advisory lock. Before that transaction is committed the result is compared with the wanted schema again.
New values of enums are committed first when the plan itself uses them; where the environment wants indexes built
concurrently they are built last, outside of the transaction.

Statements that drop data are refused without --allow-destructive, and so are files older than the database's record of
migrations. The change is not recorded as a migration: a database
that is kept by migrations is changed by docket migrate diff and docket migrate apply.`,
		Example: `  docket schema apply --dry-run
  docket schema apply --env prod`,
		Args: arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if flags.url != "" {
				source, err := parseSource(flags.url)
				if err != nil {
					return err
				}
				if !source.IsLive() {
					return usageError{errors.New("--url: what is changed is a database, postgres://…")}
				}
				cfg.databaseURL = flags.url
			}
			wanted, err := wantedFiles(cmp.Or(flags.to, project.chosen.Src))
			if err != nil {
				return err
			}
			return cfg.withDatabase(cmd, func(ctx context.Context, db *database) error {
				return withWorkbench(cfg.devURL(project, db), func(bench *schema.Workbench) error {
					return applySchema(ctx, cmd, bench, db.url, wanted, project, flags)
				})
			})
		},
	}
	cmd.Flags().StringVar(&flags.url, "url", "", "database `URL`, as --database-url")
	cmd.Flags().StringVar(&flags.to, "to", "", "`source` to arrive at, file://FOLDER; the wanted schema when left out")
	cmd.Flags().BoolVar(&flags.dryRun, "dry-run", false, "print the plan and change nothing")
	cmd.Flags().BoolVar(&flags.autoApprove, "auto-approve", false, "do not ask")
	cmd.Flags().BoolVar(&flags.allowLoss, "allow-destructive", false, "run statements that drop data as well")
	cmd.Flags().DurationVar(&flags.lockWait, "lock-timeout", defaultLockTimeout, lockTimeoutUsage)
	return cmd
}

func applySchema(
	ctx context.Context, cmd *cobra.Command, bench *schema.Workbench, url string, wanted schema.Source,
	project *projectFlags, flags applyFlags,
) error {
	target, err := schema.NewTarget(url, schema.TargetOptions{
		LockWait: flags.lockWait, Exclude: project.chosen.Exclude, Policy: project.policy(),
	})
	if err != nil {
		return err
	}
	live := schema.Live(url)
	fmt.Fprintf(cmd.ErrOrStderr(), "from: %s\nto: %s\n", live, wanted)
	have, want, err := schema.ReadStates(ctx, bench, live, wanted, project.chosen.Exclude)
	if err != nil {
		return err
	}
	p, err := plan.Between(have, want, project.policy())
	if err != nil {
		return err
	}
	if err := printPlan(cmd, p); err != nil || p.Empty() {
		return err
	}
	version, err := target.Version(ctx)
	if err != nil {
		return err
	}
	migrations, err := findMigrations(project.chosen.MigrationDir)
	if err != nil { // they are not what this works with: those of the program tell as well how old it is
		migrations = migrationFiles{fs: sqlfiles.Migrations}
	}
	refusal := cmp.Or(refuseLoss(p, flags), refuseOlder(version, migrations, flags))
	if flags.dryRun {
		if refusal != nil {
			fmt.Fprintln(cmd.ErrOrStderr(), "this would be refused:", refusal)
		}
		return nil
	}
	if refusal != nil {
		return refusal
	}
	if version != "" {
		fmt.Fprintf(cmd.ErrOrStderr(), "note: the database has a record of migrations, up to %s, and this change will not be in it: "+
			"a migration that brings the same to other databases, docket migrate diff NAME, will fail on this one\n", version)
	}
	if err := confirm(cmd, fmt.Sprintf("Run this on %s?", live), flags.autoApprove); err != nil {
		return err
	}
	report, err := target.Apply(ctx, want, p)
	if err != nil {
		return err
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "applied %s in %s: %s is as wanted\n",
		count(report.Statements, "statement"), report.Duration.Round(time.Millisecond), live)
	if version == "" {
		fmt.Fprintln(cmd.ErrOrStderr(), "note: the database has no record of migrations, and docket serve wants one: "+
			"docket migrate apply --baseline latest makes it")
	}
	noteQueue(cmd, have, want)
	return nil
}

// refuseLoss is nil for a plan that drops no data, or may.
func refuseLoss(p *plan.Plan, flags applyFlags) error {
	dropped := schema.Dropped(p)
	if len(dropped) == 0 || flags.allowLoss {
		return nil
	}
	return fmt.Errorf("the plan drops data: %s. Run it with --allow-destructive if that is meant; "+
		"diff { skip { … } } in the project file keeps tables, columns or views for good", strings.Join(dropped, "; "))
}

// refuseOlder is nil unless the files are likely to be older than the database: then the plan takes back what later migrations
// have made, rules and views among it, which drop no data.
func refuseOlder(version string, migrations migrationFiles, flags applyFlags) error {
	newest := newestMigration(migrations.fs)
	if version <= newest || flags.allowLoss {
		return nil
	}
	return fmt.Errorf("the database has migration %s, and those here (%s) end at %s: the plan would take back what later ones made. "+
		"Take the files that belong to the database, or run it with --allow-destructive if that is meant", version, migrations, newest)
}

// noteQueue tells what is left to be done where URLs were there before the queue.
func noteQueue(cmd *cobra.Command, have, want *state.State) {
	const queue, urls = "annotation_queue", "urls"
	if have.Table(queue) == nil && want.Table(queue) != nil && have.Table(urls) != nil {
		fmt.Fprintf(cmd.ErrOrStderr(), "note: %s is new and empty, so no URL is handed out yet: run docket queue reconcile\n", queue)
	}
}
