package main

import "github.com/spf13/cobra"

func consensusCommand(cfg *config) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "consensus",
		Short: "Explain how votes become facts, and try other rules",
		Args:  cobra.NoArgs,
	}
	cmd.AddCommand(consensusExplainCommand(cfg), consensusSimulateCommand(cfg), agreementCommand(cfg))
	return cmd
}
