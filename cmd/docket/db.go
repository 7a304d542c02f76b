package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"docket/internal/postgres/embedded"
)

func dbCommand(cfg *config) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "db",
		Short: "Connect to the database with other programs",
		Args:  cobra.NoArgs,
	}
	cmd.AddCommand(&cobra.Command{
		Use:   "url",
		Short: "Print the connection string of the database, for psql and the like",
		Long: `Print the connection string: --database-url, or that of the server running in --data-dir. It is an error when none
runs there.`,
		Example: `  psql "$(docket db url)"`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			url := cfg.databaseURL
			if url == "" {
				running, err := embedded.RunningURL(cfg.dataDir)
				if errors.Is(err, embedded.ErrNotRunning) {
					return fmt.Errorf("%w; start it with docket serve", err)
				}
				if err != nil {
					return err
				}
				url = running
			}
			fmt.Fprintln(cmd.OutOrStdout(), url)
			return nil
		},
	})
	cmd.AddCommand(&cobra.Command{
		Use:   "binaries",
		Short: "Print the directory of the PostgreSQL server programs that Docket would run",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			binaries, err := embedded.FindBinaries()
			if err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), binaries.Dir)
			return nil
		},
	})
	return cmd
}
