package schemacmd_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"

	"docket/internal/postgres/embedded"
	"docket/internal/schema"
	"docket/internal/schema/state"
	"docket/internal/schemacmd"
)

// databaseFlag is the flag of the program's root command for the database.
const databaseFlag = "database-url"

// statusError is an error with an exit status of its own.
type statusError struct {
	error
	status int
}

func (e statusError) Unwrap() error { return e.error }

// program runs one command line of a program that has only the commands of this package. It reads no environment variable.
func program(t *testing.T, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	root := &cobra.Command{Use: "program", SilenceErrors: true, SilenceUsage: true}
	url := root.PersistentFlags().String(databaseFlag, "", "")
	root.AddCommand(schemacmd.Commands(schemacmd.Program{
		Name: "program", Version: "test", Operator: "test", Server: "program serve", AdoptionPage: "ADOPT", DevelopmentPage: "DEVELOP",
		Schema:        schemacmd.Files{BuiltIn: fstest.MapFS{}, Checkout: "none/schema"},
		Migrations:    schemacmd.Files{BuiltIn: fstest.MapFS{}, Checkout: "none/migrations"},
		DatabaseFlag:  databaseFlag,
		WithDatabase:  func(cmd *cobra.Command, fn func(context.Context, string) error) error { return fn(cmd.Context(), *url) },
		CheckDatabase: func(context.Context, string) error { return nil },
		RunningURL:    func() string { return "" },
		Origin:        func(context.Context, string) (schema.Origin, error) { return schema.Origin{}, nil },
		StartScratch:  embedded.StartScratch,
		Environment:   func(*pflag.FlagSet) error { return nil },
		UsageError:    func(err error) error { return statusError{err, 2} },
		ExitStatus:    func(err error, status int) error { return statusError{err, status} },
		AfterApply:    func(_, _ *state.State) string { return "" },
	})...)
	var out, errs bytes.Buffer
	root.SetArgs(args)
	root.SetIn(strings.NewReader(""))
	root.SetOut(&out)
	root.SetErr(&errs)
	err := root.ExecuteContext(t.Context())
	var withStatus statusError
	switch {
	case errors.As(err, &withStatus):
		status = withStatus.status
	case err != nil:
		status = 1
	}
	if err != nil {
		errs.WriteString("program: " + err.Error() + "\n")
	}
	return status, out.String(), errs.String()
}

func TestProgramReportsUsage(t *testing.T) {
	t.Parallel()
	status, _, stderr := program(t, "schema", "inspect", "--format", "hcl")
	require.Equal(t, 2, status)
	require.Contains(t, stderr, "neither sql nor json")
}
