package main

import "github.com/spf13/cobra"

func importCommand(cfg *config) *cobra.Command { return &cobra.Command{Use: "import"} }
func seedCommand(cfg *config) *cobra.Command   { return &cobra.Command{Use: "seed"} }
