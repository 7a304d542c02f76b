package main

import (
	"cmp"
	"fmt"
	"runtime"

	"github.com/spf13/cobra"
)

// version is set when a release is linked.
var version string

// build names this build of Docket.
func build() string { return cmp.Or(version, "development") }

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version of Docket",
		Args:  cobra.NoArgs,
		Run: func(cmd *cobra.Command, _ []string) {
			fmt.Fprintf(cmd.OutOrStdout(), "docket %s, %s %s/%s\n", build(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
		},
	}
}
