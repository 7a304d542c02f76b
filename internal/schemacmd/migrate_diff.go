package schemacmd

import (
	"cmp"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"docket/internal/schema"
	"docket/internal/schema/plan"
)

func (c *commands) migrateDiff(flags *migrateFlags) *cobra.Command {
	var to string
	cmd := &cobra.Command{
		Use:   "diff NAME",
		Short: "Write the migration that leads from the files to the target schema",
		Long: `Write the migration that leads from the files to the target schema, the one that undoes it, and both atlas.sum. All are
first run on scratch databases. What they make must equal what ` + c.Schema.Checkout + ` makes, in every fact of the
catalog, or nothing is written. None of your databases is read.

A change that takes more than one transaction becomes several files: NAME_enum_values adds values to existing enums, NAME makes
the other changes, and NAME_online does what only works outside a transaction. Of the environment's policy only the block
concurrent_index applies here. What the target schema lacks is dropped, and lint reports it.`,
		Example: fmt.Sprintf("  %s migrate diff add_urls_language && %[1]s migrate lint && %[1]s migrate apply", c.Name),

		Args:        cobra.ExactArgs(1),
		Annotations: needsNoDatabase,
		RunE: func(cmd *cobra.Command, args []string) error {
			path, err := c.writableMigrations(flags.dir)
			if err != nil {
				return err
			}
			target, err := c.targetFiles(cmp.Or(to, flags.chosen.Src))
			if err != nil {
				return err
			}
			all := c.policy(&flags.projectFlags)
			policy := plan.Policy{Online: all.Online, ByHand: all.ByHand}
			return c.withWorkbench(c.devURL(cmd, &flags.projectFlags, ""), func(bench *schema.Workbench) error {
				return c.writeMigration(cmd, bench, path, target, args[0], policy)
			})
		},
	}
	cmd.Flags().StringVar(&to, "to", "", "target `source`, file://FOLDER; the target schema when left out")
	return cmd
}

func (c *commands) writeMigration(
	cmd *cobra.Command, bench *schema.Workbench, path string, target schema.Source, name string, policy plan.Policy,
) error {
	stderr := cmd.ErrOrStderr()
	fmt.Fprintf(stderr, "from: %s\nto: %s\n", path, target)
	planned, err := schema.PlanMigration(cmd.Context(), bench, schema.Migrations(os.DirFS(path), path), target, name, policy)
	if err != nil {
		return err
	}
	if len(planned.Drafts) == 0 {
		fmt.Fprintln(stderr, "nothing to do: the migrations lead to the target schema")
		return nil
	}
	files, err := schema.Add(path, c.advice(), time.Now(), planned.Drafts...)
	if err != nil {
		return err
	}
	for _, file := range files {
		fmt.Fprintln(cmd.OutOrStdout(), file)
	}
	if n := len(planned.Drafts); n > 1 {
		fmt.Fprintf(stderr, "note: it takes %d migrations; %s migrate lint --latest %[1]d checks them all\n", n, c.Name)
	}
	if len(planned.Lost) > 0 {
		fmt.Fprintln(stderr, "note: the down file does not restore everything; its comments say what is lost")
	}
	return nil
}
