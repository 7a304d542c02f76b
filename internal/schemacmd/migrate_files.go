package schemacmd

import (
	"fmt"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"docket/internal/schema"
)

// template is the content of a new migration and of its down file. Atlas obeys a directive wherever a comment names one, so
// the comments name none.
func (c *commands) template(name string) schema.Draft {
	return schema.Draft{
		Name: name,
		Up: `-- What this migration changes, and why, in a sentence: replace these lines.
--
-- Its statements run in order in one transaction, with search_path public. CREATE INDEX CONCURRENTLY and the like cannot:
-- put them into a file of their own, see "Change a table" in ` + c.DevelopmentPage + `.
-- Make the same change in ` + c.Schema.Checkout + `. Afterwards: ` + c.Name + ` migrate hash && ` + c.Name + ` migrate lint

`,
		Down: `-- What undoes the migration of this name, without CASCADE, and which data are lost: replace these lines.
--
-- It runs in one transaction. Write SELECT 1 when nothing is to be done. Afterwards: ` + c.Name + ` migrate hash

`,
	}
}

func (c *commands) migrateNew(dir *string) *cobra.Command {
	return &cobra.Command{
		Use:   "new NAME",
		Short: "Begin a migration that is written by hand",
		Long: `Begin a migration that is written by hand: an empty file with a version after the last one, another to undo it, and
their checksums in atlas.sum.`,
		Example:     "  " + c.Name + " migrate new rename_urls_name",
		Args:        cobra.ExactArgs(1),
		Annotations: needsNoDatabase,
		RunE: func(cmd *cobra.Command, args []string) error {
			path, err := c.writableMigrations(*dir)
			if err != nil {
				return err
			}
			files, err := schema.Add(path, c.advice(), time.Now(), c.template(args[0]))
			if err != nil {
				return err
			}
			for _, file := range files {
				fmt.Fprintln(cmd.OutOrStdout(), file)
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "once they are written: \"%s migrate hash\"\n", c.Name)
			return nil
		},
	}
}

func (c *commands) migrateHash(dir *string) *cobra.Command {
	return &cobra.Command{
		Use:         "hash",
		Short:       "Write atlas.sum, and that of down/, after a migration was written by hand",
		Args:        cobra.NoArgs,
		Annotations: needsNoDatabase,
		RunE: func(*cobra.Command, []string) error {
			path, err := c.writableMigrations(*dir)
			if err != nil {
				return err
			}
			return schema.Hash(path, c.advice())
		},
	}
}

func (c *commands) migrateRebase(dir *string) *cobra.Command {
	return &cobra.Command{
		Use:   "rebase VERSION|FILE...",
		Short: "Put migrations that no database has yet after the last one",
		Long: `Put migrations that no database has yet after the last one: they get new versions in the order given, their down files
too, and atlas.sum is written. Use it after merging two branches that both added migrations.`,
		Example:     "  " + c.Name + " migrate rebase 20261201101500_add_urls_language.sql",
		Args:        cobra.MinimumNArgs(1),
		Annotations: needsNoDatabase,
		RunE: func(cmd *cobra.Command, args []string) error {
			path, err := c.writableMigrations(*dir)
			if err != nil {
				return err
			}
			renamed, err := schema.Rebase(path, c.advice(), time.Now(), args...)
			for _, name := range renamed {
				fmt.Fprintln(cmd.OutOrStdout(), filepath.Join(path, name))
			}
			return err
		},
	}
}

func (c *commands) migrateValidate(dir *string) *cobra.Command {
	return &cobra.Command{
		Use:         "validate",
		Short:       "Check the files alone: names, versions, checksums, and that each can be undone",
		Args:        cobra.NoArgs,
		Annotations: needsNoDatabase,
		RunE: func(cmd *cobra.Command, _ []string) error {
			files, err := c.readableMigrations(cmd, *dir)
			if err != nil {
				return err
			}
			return schema.Validate(files.fs, c.advice())
		},
	}
}
