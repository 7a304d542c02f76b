package schemacmd

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"path/filepath"

	"github.com/spf13/cobra"

	"docket/internal/schema"
	"docket/internal/schema/lint"
)

func (c *commands) migrateLint(flags *migrateFlags) *cobra.Command {
	var (
		files    lintFiles
		bigTable int64
		asJSON   bool
	)
	cmd := &cobra.Command{
		Use:   "lint",
		Short: "Find what is dangerous in migrations before they run; exit status 1 if there is an error",
		Long: `Find what is dangerous in migrations before they run on a database in use: lost data, locks that block writers,
materialized views that cannot be refreshed or are rebuilt, statements that cannot run, down files that do not restore
what was there before. The files are run on scratch databases, on the server of --dev-url or on one that is started.

"-- atlas:nolint" above a statement waives what is found there; at the top of a file, with an empty line after it, for
the whole file. Names of analyzers or codes after it waive only those. With --env, the lint block of the project file says
which findings are errors, by analyzer, and which files are checked.

With --` + c.DatabaseFlag + `, or an environment that has a URL, the sizes of the tables of that database
are read, and locks on small ones are not reported. Nothing is changed there.`,
		Example: "  " + c.Name + ` migrate lint
  ` + c.Name + ` migrate lint --git-base origin/main --env ci
  ` + c.Name + ` migrate lint --all --json`,
		Args:        cobra.NoArgs,
		Annotations: needsNoDatabase,
		RunE: func(cmd *cobra.Command, _ []string) error {
			migrations, err := c.readableMigrations(cmd, flags.dir)
			if err != nil {
				return err
			}
			opts := lint.Options{
				Migrations: migrations.fs, Policy: flags.chosen.Lint.Errors, BigTable: bigTable, Advice: c.advice(),
			}
			if opts.Selection, err = c.selectFiles(cmd.Context(), files, flags, migrations.path); err != nil {
				return err
			}
			report, err := c.lint(cmd, flags, opts)
			if err != nil {
				return err
			}
			if asJSON {
				err = writeJSON(cmd.OutOrStdout(), report)
			} else {
				printLint(cmd.OutOrStdout(), migrations.path, report)
			}
			if err == nil && report.Errors > 0 {
				return fmt.Errorf("%s in the migrations", count(report.Errors, "error"))
			}
			return err
		},
	}
	cmd.Flags().IntVar(&files.latest, "latest", 0, "check the last `N` files; without --latest, --git-base and --all: 1")
	cmd.Flags().StringVar(&files.gitBase, "git-base", "", "check the files that this `commit` or branch does not have")
	cmd.Flags().BoolVar(&files.all, "all", false, "check all files")
	cmd.Flags().Int64Var(&bigTable, "big-table", lint.DefaultBigTable, "least number of `rows` of a table whose locks are reported")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the report as JSON")
	return cmd
}

// lintFiles are the flags that select the files to check. They exclude each other.
type lintFiles struct {
	latest  int
	gitBase string
	all     bool
}

// selectFiles makes a selection of the flags. Without any of them, the environment decides.
func (c *commands) selectFiles(ctx context.Context, f lintFiles, flags *migrateFlags, dir string) (lint.Selection, error) {
	given := 0
	for _, set := range []bool{f.latest != 0, f.gitBase != "", f.all} {
		if set {
			given++
		}
	}
	if given > 1 || f.latest < 0 {
		return lint.Selection{}, c.usagef("--latest N from 1 on, --git-base and --all exclude each other")
	}
	if given == 0 {
		f.latest, f.gitBase = flags.chosen.Lint.Latest, flags.chosen.Lint.GitBase
	}
	switch {
	case f.all:
		return lint.Selection{}, nil
	case f.gitBase == "":
		return lint.Latest(cmp.Or(f.latest, 1)), nil
	case dir == "":
		return lint.Selection{}, c.usagef("--git-base: the migrations are those built into the program; " +
			"run this in a checkout, or name its directory with --dir")
	}
	selection, err := lint.NotInCommit(ctx, dir, f.gitBase)
	if err != nil {
		err = fmt.Errorf("--git-base: %w", err)
	}
	return selection, err
}

// lint checks the files of opts on a scratch server, with the table sizes of the database if one is named.
func (c *commands) lint(cmd *cobra.Command, flags *migrateFlags, opts lint.Options) (report *lint.Report, err error) {
	ctx := cmd.Context()
	err = c.withWorkbench(c.devURL(cmd, &flags.projectFlags, ""), func(bench *schema.Workbench) error {
		major := 0
		if url := c.databaseURL(cmd); url != "" {
			opts.Live, err = schema.ReadState(ctx, bench, schema.Live(url), flags.chosen.Exclude)
			if err != nil {
				return fmt.Errorf("read the sizes of the tables: %w", err)
			}
			major = opts.Live.Major
		}
		if opts.Server, err = bench.Server(ctx, major); err != nil {
			return err
		}
		report, err = lint.Run(ctx, opts)
		return err
	})
	return report, err
}

func printLint(out io.Writer, dir string, report *lint.Report) {
	for _, f := range report.Findings {
		fmt.Fprintf(out, "%s:%d: %s %s (%s): %s\n    instead: %s\n",
			filepath.Join(dir, f.File), f.Line, f.Severity, f.Code, f.Analyzer, f.Text, f.Instead)
	}
	for _, name := range report.Unchecked {
		fmt.Fprintf(out, "%s: not checked, because a file before it cannot run\n", filepath.Join(dir, name))
	}
	fmt.Fprintf(out, "checked %s: %s, %s\n",
		count(len(report.Files), "file"), count(report.Errors, "error"), count(report.Warnings, "warning"))
}
