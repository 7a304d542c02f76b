package main

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"docket/internal/auth"
)

// docket token makes tokens of ordinary accounts, and with --admin those of administrators.
func TestTokenKinds(t *testing.T) {
	key := strings.Repeat("k", 32)
	t.Setenv(secretKeyVariable, key)
	verifier, err := auth.NewVerifier([]byte(key), nil, 0, time.Now)
	require.NoError(t, err)
	for flags, want := range map[string][]auth.Permission{
		"":                                     nil,
		"--admin":                              {auth.AccessSourceCollector},
		"--permission robot":                   {auth.Robot},
		"--permission robot --admin":           {auth.AccessSourceCollector, auth.Robot},
		"--permission access_source_collector": {auth.AccessSourceCollector},
		"--admin --permission access_source_collector": {auth.AccessSourceCollector},
		"--ttl 0": nil,
	} {
		args := append([]string{"token", "--user", "7"}, strings.Fields(flags)...)
		user, err := verifier.Verify(strings.TrimSpace(succeed(t, args...)))
		require.NoError(t, err, flags)
		require.Equal(t, auth.User{UserID: 7, Permissions: want}, user, flags)
	}
}

var parserText = regexp.MustCompile(`strconv|parsing|invalid syntax|out of range|time: |pflag`)

// A wrong value of a flag is refused in words of the command line, with what the flag takes, not in those of Go's parsers.
func TestFlagErrorsAreReadable(t *testing.T) {
	for _, test := range []struct{ args, want string }{
		{"token --user x", `--user: "x": the ID of a user is a whole number from 1 to 2147483647`},
		{"token --user 0", `--user: "0": the ID of a user is`},
		{"token --user -7", `--user: "-7": the ID of a user is`},
		{"token --user 1.5", `--user: "1.5": the ID of a user is`},
		{"token --user 2147483648", `--user: "2147483648": the ID of a user is`},
		{"token --user 7 --ttl 5", `--ttl: "5" is not a duration such as 30s, 5m or 24h`},
		{"token --user 7 --admin=maybe", `--admin: "maybe" is not true or false`},
		{"serve --max-conns many", `--max-conns: "many" is not a whole number`},
		{"serve --max-conns 99999999999", `--max-conns: "99999999999" is not a whole number in the range of the flag`},
		{"serve --token-leeway -1s", "--token-leeway: -1s is not from 0s to 5m0s"},
		{"serve --token-leeway 301s", "--token-leeway: 5m1s is not from 0s to 5m0s"},
	} {
		status, stdout, stderr := docket(t, strings.Fields(test.args)...)
		require.Equal(t, exitUsage, status, test.args)
		require.Empty(t, stdout, test.args)
		require.Contains(t, stderr, test.want, test.args)
		require.NotRegexp(t, parserText, stderr, test.args)
	}
	t.Setenv("DOCKET_TOKEN_LEEWAY", "soon")
	status, _, stderr := docket(t, "serve")
	require.Equal(t, exitUsage, status)
	require.Contains(t, stderr, `environment variable DOCKET_TOKEN_LEEWAY: --token-leeway: "soon" is not a duration`)
}
