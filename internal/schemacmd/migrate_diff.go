package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"docket/internal/schema"
	"docket/internal/schema/plan"
)

func migrateDiffCommand(cfg *config, flags *migrateFlags) *cobra.Command {
	var to string
	cmd := &cobra.Command{
		Use:   "diff NAME",
		Short: "Write the migration that leads from the files to the wanted schema",
		Long: `Write the migration that leads from the files to the wanted schema, the one that undoes it, and both atlas.sum. All are
tried out on scratch databases before: what they make must be what sql/schema makes, down to the last thing that the
catalog tells, or nothing is written. No database of yours is looked at.

A change that takes more than one transaction becomes several files. Of the environment's policy only the building of
indexes counts here; what the files lack is dropped, and lint reports it.`,
		Example:     "  docket migrate diff add_urls_language && docket migrate lint && docket migrate apply",
		Args:        arguments(cobra.ExactArgs(1)),
		Annotations: needsNoDatabase,
		RunE: func(cmd *cobra.Command, args []string) error {
			path, err := writableMigrations(flags.dir)
			if err != nil {
				return err
			}
			wanted, err := wantedFiles(cmp.Or(to, flags.chosen.Src))
			if err != nil {
				return err
			}
			return withWorkbench(cfg.devURL(&flags.projectFlags, nil), func(bench *schema.Workbench) error {
				return writeMigration(cmd.Context(), cmd, bench, path, wanted, args[0], flags.policy())
			})
		},
	}
	cmd.Flags().StringVar(&to, "to", "", "`source` to arrive at, file://FOLDER; the wanted schema when left out")
	return cmd
}

func writeMigration(
	ctx context.Context, cmd *cobra.Command, bench *schema.Workbench, path string, wanted schema.Source, name string,
	policy plan.Policy,
) error {
	fmt.Fprintf(cmd.ErrOrStderr(), "from: %s\nto: %s\n", path, wanted)
	policy = plan.Policy{ConcurrentIndexes: policy.ConcurrentIndexes}
	planned, err := schema.PlanMigration(ctx, bench, schema.Migrations(os.DirFS(path), path), wanted, name, policy)
	if err != nil {
		return err
	}
	if len(planned.Drafts) == 0 {
		fmt.Fprintln(cmd.ErrOrStderr(), "nothing to do: the migrations lead to the wanted schema")
		return nil
	}
	files, err := schema.Add(path, time.Now(), planned.Drafts...)
	if err != nil {
		return err
	}
	for _, file := range files {
		fmt.Fprintln(cmd.OutOrStdout(), file)
	}
	if n := len(planned.Drafts); n > 1 {
		fmt.Fprintf(cmd.ErrOrStderr(), "note: it takes %d migrations; docket migrate lint --latest %[1]d checks them all\n", n)
	}
	if len(planned.Lost) > 0 {
		fmt.Fprintln(cmd.ErrOrStderr(), "note: the way back does not restore everything; the comments in the down file say what")
	}
	return nil
}
