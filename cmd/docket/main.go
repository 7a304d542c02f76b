// Command docket runs the service and everything around it: migrations, imports, sample data, tokens. It only wires:
// flags and environment to configuration, configuration to packages, signals to their end.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

// Exit statuses beside 0.
const (
	exitFailure = 1 // it was tried and did not work out, or a check found something
	exitUsage   = 2 // the command line or the environment asks for something that does not exist
)

func main() {
	// The first signal ends the command in an orderly way, a second one at once.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	context.AfterFunc(ctx, stop)
	// A write to a pipe that nobody reads any more fails, instead of ending the process before it has stopped its database.
	signal.Ignore(syscall.SIGPIPE)

	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run executes one command line and returns the exit status. Logs go to the process's standard error in any case.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	root := rootCommand()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	status := exitFailure
	if exact := (statusError{}); errors.As(err, &exact) {
		status = exact.status
	}
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		fmt.Fprintln(stderr, "docket: interrupted")
		return status
	}
	fmt.Fprintln(stderr, "docket:", err)
	var usage usageError
	if errors.As(err, &usage) {
		return exitUsage
	}
	return status
}

// statusError is an error of a command whose exit statuses mean something of their own.
type statusError struct {
	error
	status int
}

func (e statusError) Unwrap() error { return e.error }

// usageError is a mistake in the command line or the environment.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func rootCommand() *cobra.Command {
	cfg := &config{}
	root := &cobra.Command{
		Use:   "docket",
		Short: "Hand annotators the next URL and keep their answers",
		Long: `Docket hands annotators the next URL worth annotating, with everybody's suggestions beside it, and records
their answers in PostgreSQL. Without --database-url it runs a PostgreSQL server of its own in --data-dir,
from the server programs installed on this machine.

Every flag can be given in the environment too; its help names the variable. A flag wins over its variable.

Exit status: 0 done, 1 failed or, for commands that check, something found, 2 wrong usage.`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			return fromEnvironment(cmd.Flags())
		},
		Version: build(),
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	cfg.addFlags(root.PersistentFlags())
	root.AddCommand(
		serveCommand(cfg),
		dbCommand(cfg),
		importCommand(cfg),
		exportCommand(cfg),
		seedCommand(cfg),
		queueCommand(cfg),
		refreshCommand(cfg),
		tokenCommand(cfg),
		versionCommand(),
	)
	root.AddCommand(schemaCommands(cfg)...)
	makeStrict(root)
	nameVariables(root)
	return root
}

// makeStrict makes wrong positional arguments a usage error, in all commands, and also a group without a subcommand: a script
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
