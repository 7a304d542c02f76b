package main

import (
	"fmt"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"docket/internal/schema"
)

// What a new file says to whoever fills it in. Atlas obeys a directive wherever a comment names one, so none is named.
const (
	upTemplate = `-- What this migration changes, and why, in a sentence: replace these lines.
--
-- Its statements run in order in one transaction, with search_path public. CREATE INDEX CONCURRENTLY and the like cannot:
-- they go into a file of their own, see "Change a table" in docs/development.md.
-- sql/schema says the same in its own words. Afterwards: docket migrate hash && docket migrate lint

`
	downTemplate = `-- What undoes the migration of this name, without CASCADE, and which data goes: replace these lines.
--
-- It runs in one transaction. SELECT 1 where nothing is to be done. Afterwards: docket migrate hash

`
)

func migrateNewCommand(dir *string) *cobra.Command {
	return &cobra.Command{
		Use:   "new NAME",
		Short: "Begin a migration that is written by hand",
		Long: `Begin a migration that is written by hand: an empty file with a version after the last one, another to undo it, and
their checksums in atlas.sum.`,
		Example:     "  docket migrate new rename_urls_name",
		Args:        arguments(cobra.ExactArgs(1)),
		Annotations: needsNoDatabase,
		RunE: func(cmd *cobra.Command, args []string) error {
			path, err := writableMigrations(*dir)
			if err != nil {
				return err
			}
			files, err := schema.Add(path, time.Now(), schema.Draft{Name: args[0], Up: upTemplate, Down: downTemplate})
			if err != nil {
				return err
			}
			for _, file := range files {
				fmt.Fprintln(cmd.OutOrStdout(), file)
			}
			fmt.Fprintln(cmd.ErrOrStderr(), `once they are written: "docket migrate hash"`)
			return nil
		},
	}
}

func migrateHashCommand(dir *string) *cobra.Command {
	return &cobra.Command{
		Use:         "hash",
		Short:       "Write atlas.sum, and that of down/, after a migration was written by hand",
		Args:        arguments(cobra.NoArgs),
		Annotations: needsNoDatabase,
		RunE: func(*cobra.Command, []string) error {
			path, err := writableMigrations(*dir)
			if err != nil {
				return err
			}
			return schema.Hash(path)
		},
	}
}

func migrateRebaseCommand(dir *string) *cobra.Command {
	return &cobra.Command{
		Use:   "rebase VERSION|FILE...",
		Short: "Put migrations that no database has yet after the last one",
		Long: `Put migrations that no database has yet after the last one: they get new versions in the order given, their down files
too, and atlas.sum is written. That is the way out when two branches that both brought migrations were merged.`,
		Example:     "  docket migrate rebase 20261201101500_add_urls_language.sql",
		Args:        arguments(cobra.MinimumNArgs(1)),
		Annotations: needsNoDatabase,
		RunE: func(cmd *cobra.Command, args []string) error {
			path, err := writableMigrations(*dir)
			if err != nil {
				return err
			}
			renamed, err := schema.Rebase(path, time.Now(), args...)
			for _, name := range renamed {
				fmt.Fprintln(cmd.OutOrStdout(), filepath.Join(path, name))
			}
			return err
		},
	}
}

func migrateValidateCommand(dir *string) *cobra.Command {
	return &cobra.Command{
		Use:         "validate",
		Short:       "Check the files alone: names, versions, checksums, and that each can be undone",
		Args:        arguments(cobra.NoArgs),
		Annotations: needsNoDatabase,
		RunE: func(cmd *cobra.Command, _ []string) error {
			files, err := readableMigrations(cmd, *dir)
			if err != nil {
				return err
			}
			return schema.Validate(files.fs)
		},
	}
}
