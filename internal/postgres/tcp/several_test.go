package tcp

import (
	"context"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// One attempt waits for a server that accepts connections and does not respond; others leave it out until it responds.
func TestSilentServersAreLeftOut(t *testing.T) {
	t.Parallel()
	server, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer server.Close()
	var responds atomic.Bool
	go func() {
		for {
			conn, err := server.Accept()
			if err != nil {
				return
			}
			defer conn.Close()
			if responds.Load() {
				_, _ = conn.Write([]byte("N"))
			}
		}
	}()
	const pause = time.Hour
	servers := &silent{least: time.Hour, pause: pause}
	dialer := &net.Dialer{}
	dial := servers.dial(dialer.DialContext)
	attempt := func(limit time.Duration) (dialed bool, err error) {
		conn, err := dial(context.Background(), "tcp", server.Addr().String())
		if err != nil {
			return false, err
		}
		defer conn.Close()
		require.NoError(t, conn.SetReadDeadline(time.Now().Add(limit)))
		_, err = conn.Read(make([]byte, 1))
		return true, err
	}

	dialed, err := attempt(time.Nanosecond)
	require.True(t, dialed)
	require.Error(t, err, "too short to say that the server is silent")
	servers.least = 0
	dialed, err = attempt(time.Nanosecond)
	require.True(t, dialed)
	require.Error(t, err)
	dialed, err = attempt(time.Minute)
	require.False(t, dialed)
	require.ErrorContains(t, err, "has just been silent")

	responds.Store(true)
	dialed, _ = attempt(time.Minute)
	require.False(t, dialed)
	servers.pause = 0
	dialed, err = attempt(time.Minute)
	require.True(t, dialed)
	require.NoError(t, err)
	servers.pause = pause
	dialed, err = attempt(time.Minute)
	require.True(t, dialed, "it responds")
	require.NoError(t, err)

	begin := time.Now()
	servers.tried["a"] = begin
	require.True(t, servers.leaveOut("a", begin.Add(pause-1)))
	require.False(t, servers.leaveOut("a", begin.Add(pause)), "one attempt waits")
	require.True(t, servers.leaveOut("a", begin.Add(pause)), "the next one does not")
}

// A server does not respond to a request to cancel a statement, and that says nothing about it.
func TestCancelRequestsAreNotJudged(t *testing.T) {
	t.Parallel()
	for request, judged := range map[string]bool{
		"\x00\x00\x00\x10\x04\xd2\x16\x2e\x00\x00\x00\x01\x00\x00\x00\x02": false, // CancelRequest
		"\x00\x00\x00\x08\x04\xd2\x16\x2f":                                 true,  // SSLRequest
	} {
		client, server := net.Pipe()
		defer server.Close()
		go func() { _, _ = server.Read(make([]byte, 16)) }()
		servers := &silent{pause: time.Hour}
		conn := &listener{Conn: client, servers: servers, address: "a server"}
		_, err := conn.Write([]byte(request))
		require.NoError(t, err)
		require.NoError(t, conn.SetReadDeadline(time.Now()))
		_, err = conn.Read(make([]byte, 1))
		require.Error(t, err)
		require.Equal(t, judged, servers.leaveOut("a server", time.Now()))
	}
}
