package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"github.com/spf13/cobra"

	"docket/internal/schema"
	"docket/internal/schema/lint"
)

func migrateLintCommand(cfg *config, flags *migrateFlags) *cobra.Command {
	var (
		files    lintFiles
		bigTable int64
		asJSON   bool
	)
	cmd := &cobra.Command{
		Use:   "lint",
		Short: "Find what is dangerous in migrations before they run; exit status 1 if there is an error",
		Long: `Find what is dangerous in migrations before they run on a database that somebody uses: lost data, locks that hold up
writers, materialized views that cannot be refreshed or are built anew, statements that cannot run, down files that do
not lead back. The files are run on scratch databases, on the server of --dev-url or one that Docket starts.

"-- atlas:nolint" above a statement waives what is found there; at the top of a file, with an empty line after it, for
the whole file. Names of analyzers or codes after it waive only those. With --env, the lint block of atlas.hcl says which
findings are errors, by analyzer, and which files are checked.

With --database-url, or an environment that has a URL, that database is asked how large its tables are, and locks on
small ones go unmentioned. Nothing is changed there.`,
		Example:     "  docket migrate lint\n  docket migrate lint --git-base origin/main --env ci\n  docket migrate lint --all --json",
		Args:        arguments(cobra.NoArgs),
		Annotations: needsNoDatabase,
		RunE: func(cmd *cobra.Command, _ []string) error {
			migrations, err := readableMigrations(cmd, flags.dir)
			if err != nil {
				return err
			}
			opts := lint.Options{Migrations: migrations.fs, Policy: flags.chosen.Lint.Errors, BigTable: bigTable}
			if opts.Selection, err = files.choose(cmd.Context(), flags, migrations.path); err != nil {
				return err
			}
			report, err := cfg.lint(cmd.Context(), flags, opts)
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
	cmd.Flags().Int64Var(&bigTable, "big-table", lint.DefaultBigTable, "from how many `rows` on a lock on a table is worth a word")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the report as JSON")
	return cmd
}

// lintFiles say which files to check; one of them at most.
type lintFiles struct {
	latest  int
	gitBase string
	all     bool
}

// choose turns them into a selection, or what the environment says where they say nothing.
func (f lintFiles) choose(ctx context.Context, flags *migrateFlags, dir string) (lint.Selection, error) {
	given := 0
	for _, is := range []bool{f.latest != 0, f.gitBase != "", f.all} {
		if is {
			given++
		}
	}
	if given > 1 || f.latest < 0 {
		return lint.Selection{}, usageError{errors.New("--latest N from 1 on, --git-base and --all exclude each other")}
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
		return lint.Selection{}, usageError{errors.New("--git-base: the migrations are those that the program carries; " +
			"run this in a checkout, or name its directory with --dir")}
	}
	return lint.NotInCommit(ctx, dir, f.gitBase)
}

// lint checks the files of opts on a scratch server, with the sizes of the database if one was named.
func (c *config) lint(ctx context.Context, flags *migrateFlags, opts lint.Options) (report *lint.Report, err error) {
	err = withWorkbench(c.devURL(&flags.projectFlags, nil), func(bench *schema.Workbench) error {
		major := 0
		if c.databaseURL != "" {
			opts.Live, err = schema.ReadState(ctx, bench, schema.Live(c.databaseURL), flags.chosen.Exclude)
			if err != nil {
				return fmt.Errorf("ask the database how large its tables are: %w", err)
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
		fmt.Fprintf(out, "%s: not checked, since a file before it cannot run\n", filepath.Join(dir, name))
	}
	fmt.Fprintf(out, "checked %s: %s, %s\n",
		count(len(report.Files), "file"), count(report.Errors, "error"), count(report.Warnings, "warning"))
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
