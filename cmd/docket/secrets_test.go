package main

import (
	"bytes"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"docket/internal/dbtest"
)

// TestSecretsAreNotPrinted runs commands that know secrets, most of which fail, and looks for these in all that they print. Only
// docket db url, docket token and docket serve --print-curl print secrets, which is what they are for.
func TestSecretsAreNotPrinted(t *testing.T) {
	const secret = "5ecret0f32bytes"
	t.Setenv(secretKeyVariable, secret+strings.Repeat("k", 32))
	t.Setenv(dataSourcesTokenVariable, secret)
	run := func(args ...string) (status int, printed string) {
		var out, errs bytes.Buffer
		status = run(t.Context(), append(args, "--log-level", "debug"), &out, &errs)
		printed = out.String() + errs.String()
		require.NotContains(t, printed, secret, "docket %v", args)
		return status, printed
	}
	const refused = "postgres://docket:" + secret + "@127.0.0.1:1/docket" // port 1 has no server
	for _, address := range []string{
		refused, "postgres://docket:" + secret + "@127.0.0.1:port/docket", "postgres://docket:" + secret + "@[::1/docket",
		"postgres://docket:" + secret + "%zz@127.0.0.1:1/docket", "postgres://docket@127.0.0.1:1/docket?password=" + secret,
		"host=127.0.0.1 port=1 user=docket password=" + secret, "host=127.0.0.1 port=x password=" + secret, "mysql://docket:" + secret + "@a/b",
	} {
		t.Setenv("DATABASE_URL", address)
		status, _ := run("migrate", "status")
		require.NotZero(t, status, address)
	}
	t.Setenv("DATABASE_URL", refused)
	for _, command := range []string{
		"serve", "serve --read-url " + refused, "serve --help",
		"serve --jwks-issuer a --jwks-url https://docket:" + secret + "@a.test/keys",
		"work", "doctor", "doctor --json",
		"migrate apply", "migrate status --json", "export annotations", "export facts", "queue verify", "refresh",
		"db binaries", "tasks list", "version", "serve --unknown", "health --addr 127.0.0.1:1", "import follows /dev/null",
	} {
		_, printed := run(strings.Fields(command)...)
		require.NotEmpty(t, printed, command)
	}
	for _, cmd := range allCommands(rootCommand()) {
		run(append(strings.Fields(cmd.CommandPath())[1:], "--help")...)
	}

	// The server accepts any password.
	known, err := url.Parse(dbtest.Empty(t))
	require.NoError(t, err)
	known.User = url.UserPassword(known.User.Username(), secret)
	t.Setenv("DATABASE_URL", known.String())
	for _, command := range []string{"migrate apply", "doctor", "export annotations", "queue verify"} {
		run(strings.Fields(command)...)
	}
}
