package main

import (
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
	verifier, err := auth.NewVerifier([]byte(key), time.Now)
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
