package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	sqlfiles "docket/sql"

	"docket/internal/postgres/embedded"
	"docket/internal/schema"
	"docket/internal/schema/plan"
	"docket/internal/schema/state"
)

// checkoutSchema is where a checkout keeps the wanted schema.
const checkoutSchema = "sql/schema"

func schemaCommand(cfg *config) *cobra.Command {
	project := &projectFlags{}
	cmd := &cobra.Command{
		Use:   "schema",
		Short: "Compare databases with the wanted schema, and bring them there",
		Long: `Compare databases with the wanted schema, and bring them there: tables, enums, indexes, comments, views and
materialized views with their indexes.

The wanted schema is sql/schema when the working directory holds it, else what the program carries. The database is that
of --database-url, --url or --env, else Docket's own. Files are read by loading them into scratch databases, on the server
of --dev-url or one that Docket starts for as long as the command lasts.

What a database holds beyond that (functions, triggers, tables that --env excludes) is left alone and listed.`,
		Args:              arguments(cobra.NoArgs),
		PersistentPreRunE: project.prepare,
		RunE:              needsSubcommand,
	}
	project.add(cmd.PersistentFlags())
	cmd.AddCommand(
		schemaInspectCommand(cfg, project),
		schemaDiffCommand(cfg, project),
		schemaApplyCommand(cfg, project),
	)
	return cmd
}

func schemaInspectCommand(cfg *config, project *projectFlags) *cobra.Command {
	var url, format string
	cmd := &cobra.Command{
		Use:   "inspect",
		Short: "Print what a database holds, as SQL that makes it again",
		Example: `  docket schema inspect
  docket schema inspect --url file://sql/migrations --format json`,
		Args: arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if format != "sql" && format != "json" {
				return usageError{fmt.Errorf("--format: %q is neither sql nor json", format)}
			}
			return cfg.withSource(cmd, project, url, func(ctx context.Context, bench *schema.Workbench, source schema.Source) error {
				found, err := schema.ReadState(ctx, bench, source, project.chosen.Exclude)
				if err != nil {
					return err
				}
				if format == "json" {
					return writeJSON(cmd.OutOrStdout(), found)
				}
				listUnmanaged(cmd, found)
				_, err = fmt.Fprint(cmd.OutOrStdout(), found.SQL())
				return err
			})
		},
	}
	cmd.Flags().StringVar(&url, "url", "", "`source`: postgres://…, or file://FOLDER of a schema or of migrations")
	cmd.Flags().StringVar(&format, "format", "sql", "sql or json")
	return cmd
}

func listUnmanaged(cmd *cobra.Command, found *state.State) {
	for _, object := range found.Unmanaged {
		fmt.Fprintf(cmd.ErrOrStderr(), "not managed, and not printed: %s\n", object)
	}
}

func schemaDiffCommand(cfg *config, project *projectFlags) *cobra.Command {
	var from, to string
	var asJSON, exitCode bool
	cmd := &cobra.Command{
		Use:   "diff",
		Short: "Print the SQL that leads from one schema to another",
		Long: `Print the SQL that leads from one schema to another, in order, with what each statement costs those who use the
database meanwhile. Nothing is changed.

Exit status: 0 done or, with --exit-code, no differences; 1 differences, with --exit-code only; 2 it did not work out.`,
		Example: `  docket schema diff                                            # what this database lacks
  docket schema diff --from file://sql/migrations --exit-code   # whether a migration is missing
  docket schema diff --from postgres://staging/docket --to postgres://prod/docket`,
		Args: arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			p, err := diff(cfg, cmd, project, from, to)
			if err != nil {
				return statusError{err, exitUsage}
			}
			if asJSON {
				p.Phases, p.LeftAlone = append([]plan.Phase{}, p.Phases...), append([]string{}, p.LeftAlone...) // [] in place of null
				err = writeJSON(cmd.OutOrStdout(), p)
			} else {
				err = printPlan(cmd, p)
			}
			switch {
			case err != nil:
				return statusError{err, exitUsage}
			case exitCode && !p.Empty():
				return statusError{errors.New("the schemas differ"), exitFailure}
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&from, "from", "", "`source` to begin at: postgres://… or file://FOLDER; the database when left out")
	cmd.Flags().StringVar(&to, "to", "", "`source` to arrive at; the wanted schema when left out")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the plan as JSON")
	cmd.Flags().BoolVar(&exitCode, "exit-code", false, "exit with status 1 when there are differences")
	return cmd
}

func diff(cfg *config, cmd *cobra.Command, project *projectFlags, from, to string) (p *plan.Plan, err error) {
	wanted, err := wantedSchema(cmp.Or(to, project.chosen.Src))
	if err != nil {
		return nil, err
	}
	err = cfg.withSource(cmd, project, from, func(ctx context.Context, bench *schema.Workbench, source schema.Source) error {
		fmt.Fprintf(cmd.ErrOrStderr(), "from: %s\nto: %s\n", source, wanted)
		have, want, err := schema.ReadStates(ctx, bench, source, wanted, project.chosen.Exclude)
		if err != nil {
			return err
		}
		p, err = plan.Between(have, want, project.policy())
		return err
	})
	return p, err
}

// printPlan writes the plan as SQL, of which everything else is a comment.
func printPlan(cmd *cobra.Command, p *plan.Plan) error {
	if p.Empty() {
		fmt.Fprintln(cmd.OutOrStdout(), "-- Nothing has to be done.")
	}
	_, err := fmt.Fprint(cmd.OutOrStdout(), p.SQL())
	return err
}

// wantedSchema is the source that was asked for, else the schema of the checkout which is the working directory, else what
// the program carries.
func wantedSchema(asked string) (schema.Source, error) {
	if asked != "" {
		return parseSource(asked)
	}
	_, err := os.Stat(checkoutSchema)
	if errors.Is(err, fs.ErrNotExist) {
		return schema.Folder(sqlfiles.Schema, "sql/schema of docket "+build()), nil
	}
	if err != nil {
		return schema.Source{}, err
	}
	return schema.Folder(os.DirFS(checkoutSchema), checkoutSchema), nil
}

// wantedFiles is wantedSchema for commands that change something: what files hold is managed whole, a database need not be.
func wantedFiles(asked string) (schema.Source, error) {
	source, err := wantedSchema(asked)
	if err == nil && source.IsLive() {
		err = usageError{errors.New("--to: what is wanted has to be files here, file://FOLDER; " +
			"docket schema inspect writes those of a database")}
	}
	return source, err
}

func parseSource(text string) (schema.Source, error) {
	source, err := schema.ParseSource(text)
	if err != nil {
		return source, usageError{err}
	}
	return source, nil
}

// withSource runs a command on a source: the one that was asked for, else the database.
func (c *config) withSource(
	cmd *cobra.Command, project *projectFlags, asked string, fn func(context.Context, *schema.Workbench, schema.Source) error,
) error {
	if asked == "" {
		return c.withDatabase(cmd, func(ctx context.Context, db *database) error {
			return withWorkbench(c.devURL(project, db), func(bench *schema.Workbench) error {
				return fn(ctx, bench, schema.Live(db.url))
			})
		})
	}
	source, err := parseSource(asked)
	if err != nil {
		return err
	}
	return withWorkbench(c.devURL(project, nil), func(bench *schema.Workbench) error { return fn(cmd.Context(), bench, source) })
}

// devURL is where scratch databases are made: beside Docket's own database if nothing else was said and one runs. Empty
// means a server to be started.
func (c *config) devURL(project *projectFlags, db *database) string {
	if project.devURL != "" || c.databaseURL != "" {
		return project.devURL
	}
	if db != nil {
		return db.url
	}
	url, err := embedded.RunningURL(c.dataDir)
	if err != nil {
		return ""
	}
	return url
}

func withWorkbench(devURL string, fn func(*schema.Workbench) error) (err error) {
	bench := &schema.Workbench{DevURL: devURL}
	defer func() { err = errors.Join(err, bench.Close()) }()
	return fn(bench)
}
