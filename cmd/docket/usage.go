package main

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Exit statuses other than 0.
const (
	exitFailure  = 1 // the command failed, or a check found something
	exitUsage    = 2 // the command line or the environment is wrong
	exitRejected = 3 // an import rejected rows, and stored the others
)

func exitStatus(err error) int {
	var own statusError
	var usage usageError
	switch {
	case errors.As(err, &usage):
		return exitUsage
	case errors.As(err, &own):
		return own.status
	}
	return exitFailure
}

// statusError is an error with an exit status of its own.
type statusError struct {
	error
	status int
}

func (e statusError) Unwrap() error { return e.error }

// usageError is a mistake in the command line or the environment.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// makeStrict makes wrong positional arguments a usage error, in all commands. So is a group without a subcommand: a script
// that left the subcommand out must not take it for done.
func makeStrict(cmd *cobra.Command) {
	if check := cmd.Args; check != nil {
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			if err := check(cmd, args); err != nil {
				return usageError{fmt.Errorf("%w; see %s --help", err, cmd.CommandPath())}
			}
			return nil
		}
	}
	if !cmd.Runnable() {
		cmd.RunE = func(cmd *cobra.Command, _ []string) error {
			return usageError{fmt.Errorf("a subcommand is missing; see %s --help", cmd.CommandPath())}
		}
	}
	for _, sub := range cmd.Commands() {
		makeStrict(sub)
	}
}

// expectedValues says what the flags of a type take. The values of other types explain themselves.
var expectedValues = map[string]string{
	"int": "a whole number", "int32": "a whole number", "int64": "a whole number", "uint64": "a whole number from 0",
	"float64":  "a number",
	"duration": "a duration such as 30s, 5m or 24h",
	"bool":     "true or false",
}

// flagError replaces the error of Go's parsers, which names Go's functions, by what the flag takes.
func flagError(err error) error {
	var invalid *pflag.InvalidValueError
	if !errors.As(err, &invalid) {
		return err
	}
	flag := invalid.GetFlag()
	expected, ok := expectedValues[flag.Value.Type()]
	if !ok {
		return fmt.Errorf("--%s: %q: %w", flag.Name, invalid.GetValue(), errors.Unwrap(err))
	}
	if errors.Is(err, strconv.ErrRange) {
		expected += " in the range of the flag"
	}
	return fmt.Errorf("--%s: %q is not %s", flag.Name, invalid.GetValue(), expected)
}
