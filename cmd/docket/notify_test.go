package main

import (
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// serviceManager makes the commands of this test report to a socket, and returns a function that waits for the next state.
func serviceManager(t *testing.T) (next func() string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "notify-*") // short: the path of a socket has a limit
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	address := &net.UnixAddr{Name: filepath.Join(dir, "s"), Net: "unixgram"}
	socket, err := net.ListenUnixgram("unixgram", address)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, socket.Close()) })
	t.Setenv("NOTIFY_SOCKET", address.Name)
	return func() string {
		t.Helper()
		state := make([]byte, 100)
		require.NoError(t, socket.SetReadDeadline(time.Now().Add(time.Minute)))
		n, err := socket.Read(state)
		require.NoError(t, err)
		return string(state[:n])
	}
}
