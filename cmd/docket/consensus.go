package main

import "github.com/spf13/cobra"

func consensusCommand(_ *config) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "consensus",
		Short: "Explain how votes become facts, and try other rules",
		Args:  cobra.NoArgs,
	}
	return cmd
}
