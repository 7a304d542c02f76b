package main

import (
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

// manualCommand is hidden: packages contain its pages.
func manualCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "manual DIRECTORY",
		Short: "Write the manual pages of all commands",
		Long: `Write a manual page of section 1 for each command into a directory, which is created if it is missing. The pages depend on this
program alone: their date is that of its commit.`,
		Args:   cobra.ExactArgs(1),
		Hidden: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := os.MkdirAll(args[0], 0o755); err != nil {
				return fmt.Errorf("make the directory of the manual: %w", err)
			}
			return writeManual(cmd.Root(), thisBuild(), args[0])
		},
	}
}

func writeManual(root *cobra.Command, found buildInfo, dir string) error {
	root.DisableAutoGenTag = true
	// The default depends on the working directory, as the help of the flag does not.
	root.PersistentFlags().Lookup("data-dir").DefValue = localDataDir
	date, err := time.Parse(time.RFC3339, found.Date)
	if err != nil {
		date = time.Unix(0, 0).UTC() // a build without a commit
	}
	header := &doc.GenManHeader{Section: "1", Date: &date, Source: "Docket " + found.Version, Manual: "Docket Manual"}
	if err := doc.GenManTree(root, header, dir); err != nil {
		return fmt.Errorf("write manual pages: %w", err)
	}
	return nil
}
