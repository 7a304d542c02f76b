package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// variable names the environment variable of a flag.
func variable(flag string) string {
	if flag == "database-url" {
		return "DATABASE_URL"
	}
	return "DOCKET_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// nameVariables adds the variables to the help of the flags.
func nameVariables(cmd *cobra.Command) {
	name := func(flag *pflag.Flag) { flag.Usage += " [$" + variable(flag.Name) + "]" }
	cmd.PersistentFlags().VisitAll(name)
	cmd.Flags().VisitAll(func(flag *pflag.Flag) {
		if cmd.PersistentFlags().Lookup(flag.Name) == nil {
			name(flag)
		}
	})
	for _, sub := range cmd.Commands() {
		nameVariables(sub)
	}
}

// fromEnvironment sets the flags that the command line does not set.
func fromEnvironment(flags *pflag.FlagSet) error {
	var errs []error
	flags.VisitAll(func(flag *pflag.Flag) {
		value, ok := os.LookupEnv(variable(flag.Name))
		if flag.Changed || !ok || value == "" || flag.Name == "help" {
			return
		}
		if err := flags.Set(flag.Name, value); err != nil {
			errs = append(errs, fmt.Errorf("environment variable %s: %w", variable(flag.Name), flagError(err)))
		}
	})
	if len(errs) > 0 {
		return usageError{errors.Join(errs...)}
	}
	return nil
}
