package schemacmd

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"docket/internal/schema"
	"docket/internal/schema/plan"
)

type applyFlags struct {
	*projectFlags
	url, to                        string
	dryRun, autoApprove, allowLoss bool
	lockWait                       time.Duration
}

func (c *commands) schemaApply(shared *projectFlags) *cobra.Command {
	flags := applyFlags{projectFlags: shared}
	cmd := &cobra.Command{
		Use:   "apply",
		Short: "Change a database to match the target schema",
		Long: `Change a database to match the target schema: shows the plan as ` + c.Name + ` schema diff does, asks, and runs it in one
transaction under Atlas's advisory lock. Before the commit the result is compared with the target schema again. New values
of existing enums are committed first, in a transaction of their own. When the environment has a concurrent_index
block, indexes are built and constraints validated afterwards, outside the transaction, while readers and writers continue. What converts a database that another program made is the last transaction.

Statements that drop data are refused without --allow-destructive, and so are files older than the database's record of
migrations. The change is not recorded as a migration. To change a database that has such a record, use
` + c.Name + ` migrate diff and ` + c.Name + ` migrate apply.`,
		Example: "  " + c.Name + ` schema apply --dry-run
  ` + c.Name + ` schema apply --env prod`,
		Args:        cobra.NoArgs,
		Annotations: changing,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if flags.url != "" {
				source, err := c.parseSource(flags.url)
				if err != nil {
					return err
				}
				if !source.IsLive() {
					return c.usagef("--url: only a database can be changed, postgres://…")
				}
				if err := cmd.Flags().Set(c.DatabaseFlag, flags.url); err != nil {
					return c.UsageError(err)
				}
			}
			target, err := c.targetFiles(cmp.Or(flags.to, flags.chosen.Src))
			if err != nil {
				return err
			}
			return c.withDatabase(cmd, shared, func(ctx context.Context, bench *schema.Workbench, url string) error {
				return c.applySchema(ctx, cmd, bench, url, target, flags)
			})
		},
	}
	cmd.Flags().StringVar(&flags.url, "url", "", "database `URL`, as --"+c.DatabaseFlag)
	cmd.Flags().StringVar(&flags.to, "to", "", "target `source`, file://FOLDER; the target schema when left out")
	cmd.Flags().BoolVar(&flags.dryRun, "dry-run", false, "print the plan and change nothing")
	cmd.Flags().BoolVar(&flags.autoApprove, "auto-approve", false, "do not ask")
	cmd.Flags().BoolVar(&flags.allowLoss, "allow-destructive", false, "run statements that drop data as well")
	cmd.Flags().DurationVar(&flags.lockWait, "lock-timeout", defaultLockTimeout, lockTimeoutUsage)
	return cmd
}

func (c *commands) applySchema(
	ctx context.Context, cmd *cobra.Command, bench *schema.Workbench, url string, target schema.Source, flags applyFlags,
) error {
	stderr := cmd.ErrOrStderr()
	database, err := schema.NewTarget(url, schema.TargetOptions{
		LockWait: flags.lockWait, Exclude: flags.chosen.Exclude, Advice: c.advice(),
	})
	if err != nil {
		return err
	}
	live := schema.Live(url)
	before, goal, err := c.readGoal(ctx, cmd, bench, live, target, flags.projectFlags)
	if err != nil {
		return err
	}
	p, err := goal.Plan(before)
	if err != nil {
		return err
	}
	if err := printPlan(cmd.OutOrStdout(), p); err != nil || p.Empty() {
		return err
	}
	version, err := database.Version(ctx)
	if err != nil {
		return err
	}
	refusal := cmp.Or(c.refuseVersion(version, flags), refuseLoss(p, flags), database.CheckOwner(ctx, goal))
	if flags.dryRun {
		if refusal != nil {
			fmt.Fprintln(stderr, "this would be refused:", refusal)
		}
		return nil
	}
	if refusal != nil {
		return refusal
	}
	if version != "" {
		fmt.Fprintf(stderr, "note: the database has a record of migrations, up to %s, and this change will not be in it: "+
			"a migration that makes the same change elsewhere, %s migrate diff NAME, will fail on this database\n", version, c.Name)
	}
	if err := c.confirm(cmd, fmt.Sprintf("Run this on %s?", live), flags.autoApprove); err != nil {
		return err
	}
	report, err := database.Apply(ctx, goal, p)
	if err != nil {
		return err
	}
	fmt.Fprintf(stderr, "applied %s in %s: %s matches the target schema\n",
		count(report.Statements, "statement"), report.Duration.Round(time.Millisecond), live)
	if version == "" {
		fmt.Fprintf(stderr, "note: the database has no record of migrations, and %s requires one: "+
			"%s migrate apply --baseline latest makes it\n", c.Server, c.Name)
	}
	if note := c.AfterApply(before, goal.Target); note != "" {
		fmt.Fprintln(stderr, "note:", note)
	}
	return nil
}

// refuseLoss is nil unless the plan drops data without permission.
func refuseLoss(p *plan.Plan, flags applyFlags) error {
	dropped := schema.Dropped(p)
	if len(dropped) == 0 || flags.allowLoss {
		return nil
	}
	return fmt.Errorf("the plan drops data: %s. Run it with --allow-destructive if that is meant; "+
		"diff { skip { … } } in the project file keeps what only the database has permanently", strings.Join(dropped, "; "))
}

// refuseVersion is nil unless the last migration of the database, version, is not the last one of the files. If the files have
// later ones, these lead to the target, and can move data, which a plan cannot. If the database has a later one, the files are
// likely to be older, and the plan would undo what later migrations made, including rules and views, whose loss is not a loss of
// data.
func (c *commands) refuseVersion(version string, flags applyFlags) error {
	migrations, err := c.findMigrations(flags.chosen.MigrationDir)
	if err != nil { // the migrations built into the program show its age as well
		migrations = directory{fs: c.Migrations.BuiltIn}
	}
	newest := newestMigration(migrations.fs)
	switch {
	case version == newest || version == "" || flags.allowLoss:
		return nil
	case version < newest:
		return fmt.Errorf("the database has a record of migrations, up to %s, and those here (%s) go up to %s: run %s migrate apply, "+
			"which may also move data. To change the schema only, run it with --allow-destructive",
			version, c.describe(migrations), newest, c.Name)
	}
	return fmt.Errorf("the database has migration %s, and those here (%s) end at %s: the plan would undo what later ones made. "+
		"Use the files that belong to the database, or run it with --allow-destructive if that is meant",
		version, c.describe(migrations), newest)
}
