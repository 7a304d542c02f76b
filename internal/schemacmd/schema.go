package schemacmd

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"docket/internal/schema"
	"docket/internal/schema/plan"
	"docket/internal/schema/state"
)

func (c *commands) schema() *cobra.Command {
	flags := &projectFlags{}
	cmd := &cobra.Command{
		Use:   "schema",
		Short: "Compare databases with the target schema, and change them to match",
		Long: `Compare databases with the target schema, and change them to match: tables, enums, indexes, comments, views and
materialized views with their indexes.

The target schema is ` + c.Schema.Checkout + ` when the working directory has that folder, else the one built into
` + c.Name + `. The database is that of --` + c.DatabaseFlag + `, --url or --env, else the program's own. Files are read
by loading them into scratch databases, on the server of --dev-url or on one that is started for the duration of the
command.

Other objects of a database (functions, triggers, tables that --env excludes) are listed and left alone.`,
		Args:              cobra.NoArgs,
		PersistentPreRunE: c.prepare(flags),
	}
	flags.add(cmd.PersistentFlags(), c.Name)
	cmd.AddCommand(c.schemaInspect(flags), c.schemaDiff(flags), c.schemaApply(flags))
	return cmd
}

func (c *commands) schemaInspect(flags *projectFlags) *cobra.Command {
	var url, format string
	cmd := &cobra.Command{
		Use:   "inspect",
		Short: "Print the schema of a database, as SQL that creates it",
		Example: "  " + c.Name + ` schema inspect
  ` + c.Name + ` schema inspect --url file://sql/migrations --format json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if format != "sql" && format != "json" {
				return c.usagef("--format: %q is neither sql nor json", format)
			}
			return c.withSource(cmd, flags, url, func(ctx context.Context, bench *schema.Workbench, source schema.Source) error {
				found, err := schema.ReadState(ctx, bench, source, flags.chosen.Exclude)
				if err != nil {
					return err
				}
				if format == "json" {
					return writeJSON(cmd.OutOrStdout(), found)
				}
				for _, object := range found.Unmanaged {
					fmt.Fprintf(cmd.ErrOrStderr(), "not managed, and not printed: %s\n", object)
				}
				_, err = fmt.Fprint(cmd.OutOrStdout(), found.SQL())
				return err
			})
		},
	}
	cmd.Flags().StringVar(&url, "url", "", "`source`: postgres://…, or file://FOLDER of a schema or of migrations")
	cmd.Flags().StringVar(&format, "format", "sql", "sql or json")
	return cmd
}

// Exit statuses of schema diff.
const (
	exitDiffers = 1
	exitFailed  = 2
)

func (c *commands) schemaDiff(flags *projectFlags) *cobra.Command {
	var from, to string
	var asJSON, exitCode bool
	cmd := &cobra.Command{
		Use:   "diff",
		Short: "Print the SQL that leads from one schema to another",
		Long: `Print the SQL that leads from one schema to another, in order, and how each statement affects other sessions while it
runs. Nothing is changed.

Exit status: 0 done or, with --exit-code, no differences; 1 differences, with --exit-code only; 2 failed.`,
		Example: "  " + c.Name + ` schema diff                                            # what this database lacks
  ` + c.Name + ` schema diff --from file://sql/migrations --exit-code   # whether a migration is missing
  ` + c.Name + ` schema diff --from postgres://staging/docket --to postgres://prod/docket`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			p, err := c.diff(cmd, flags, from, to)
			if err != nil {
				return c.ExitStatus(err, exitFailed)
			}
			if asJSON {
				p.Phases, p.LeftAlone = append([]plan.Phase{}, p.Phases...), append([]string{}, p.LeftAlone...) // [] in place of null
				err = writeJSON(cmd.OutOrStdout(), p)
			} else {
				err = printPlan(cmd.OutOrStdout(), p)
			}
			switch {
			case err != nil:
				return c.ExitStatus(err, exitFailed)
			case exitCode && !p.Empty():
				return c.ExitStatus(errors.New("the schemas differ"), exitDiffers)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&from, "from", "", "`source` to begin at: postgres://… or file://FOLDER; the database when left out")
	cmd.Flags().StringVar(&to, "to", "", "target `source`; the target schema when left out")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the plan as JSON")
	cmd.Flags().BoolVar(&exitCode, "exit-code", false, "exit with status 1 when there are differences")
	return cmd
}

func (c *commands) diff(cmd *cobra.Command, flags *projectFlags, from, to string) (p *plan.Plan, err error) {
	target, err := c.targetSchema(cmp.Or(to, flags.chosen.Src))
	if err != nil {
		return nil, err
	}
	err = c.withSource(cmd, flags, from, func(ctx context.Context, bench *schema.Workbench, source schema.Source) error {
		before, goal, err := c.readGoal(ctx, cmd, bench, source, target, flags)
		if err != nil {
			return err
		}
		p, err = goal.Plan(before)
		return err
	})
	return p, err
}

// readGoal reads a source and what it is to become, and prints both names.
func (c *commands) readGoal(
	ctx context.Context, cmd *cobra.Command, bench *schema.Workbench, from, to schema.Source, flags *projectFlags,
) (before *state.State, goal schema.Goal, err error) {
	var origin schema.Origin
	name := from.String()
	if from.IsLive() && !to.IsLive() {
		if origin, err = c.Origin(ctx, from.URL()); err != nil {
			return nil, goal, fmt.Errorf("%s: %w; see %s", from, err, c.AdoptionPage)
		}
		if origin.Name != "" {
			name += ", " + origin.Name
		}
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "from: %s\nto: %s\n", name, to)
	return schema.ReadGoal(ctx, bench, from, to, flags.chosen.Exclude, c.policy(flags), origin)
}
