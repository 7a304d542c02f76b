// Command docket runs the service and its tools: migrations, imports, sample data, tokens. It only wires: flags
// and environment variables become configuration, configuration becomes packages, signals end them.
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

func main() {
	// After the first signal the command finishes its cleanup. A second one ends the process immediately.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	context.AfterFunc(ctx, stop)
	// Without this, a write to a pipe without a reader would end the process before it has stopped its database.
	signal.Ignore(syscall.SIGPIPE)

	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run executes one command line and returns the exit status. Logs are always written to the standard error of the process.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	root := rootCommand()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	status := exitStatus(err)
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		err = errors.New("interrupted")
	}
	fmt.Fprintln(stderr, "docket:", err)
	return status
}

func rootCommand() *cobra.Command {
	cfg := &config{}
	root := &cobra.Command{
		Use:   "docket",
		Short: "Give annotators the next URL and record their answers",
		Long: `Docket gives each annotator the next URL to annotate, with all suggestions for it, and records the answers in
PostgreSQL. Without --database-url it runs a PostgreSQL server of its own in --data-dir, from the server programs installed
on this machine.

Every flag can also be set by an environment variable, which its help names. A flag overrides its variable.

Exit status: 0 done, 1 failed or, for commands that check, something found, 2 wrong usage, 3 rows of an import were rejected
and the others stored.`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			return fromEnvironment(cmd.Flags())
		},
		Version: build(),
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{flagError(err)} })
	cfg.addFlags(root.PersistentFlags())
	root.AddCommand(
		serveCommand(cfg),
		workCommand(cfg),
		dbCommand(cfg),
		importCommand(cfg),
		exportCommand(cfg),
		seedCommand(cfg),
		doctorCommand(cfg),
		healthCommand(),
		queueCommand(cfg),
		tasksCommand(cfg),
		consensusCommand(cfg),
		explainCommand(cfg),
		urlsCommand(cfg),
		refreshCommand(cfg),
		tokenCommand(cfg),
		versionCommand(),
		manualCommand(),
	)
	root.AddCommand(schemaCommands(cfg)...)
	makeStrict(root)
	nameVariables(root)
	return root
}
