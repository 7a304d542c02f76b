package dbtest

import (
	"context"
	"os"
	"testing"

	"docket/internal/postgres/embedded"
)

// Replicated is a server with an empty database, and its hot standby.
type Replicated struct {
	Primary, Standby *embedded.Server
}

// NewReplicated starts both servers, which end with the test. That takes two seconds of a processor.
func NewReplicated(t testing.TB) Replicated {
	t.Helper()
	primary := NewServer(t)
	standby := startServer(t, func(dir string) (*embedded.Server, error) { return primary.StartStandby(t.Context(), dir) })
	return Replicated{primary, standby}
}

// NewServer starts a server with an empty database, which ends with the test. It is for tests of what concerns a whole server.
func NewServer(t testing.TB) *embedded.Server {
	t.Helper()
	return startServer(t, func(dir string) (*embedded.Server, error) {
		return embedded.Start(t.Context(), embedded.Config{DataDir: dir, Ephemeral: true, Owner: t.Name()})
	})
}

func startServer(t testing.TB, start func(dir string) (*embedded.Server, error)) *embedded.Server {
	t.Helper()
	dir, err := os.MkdirTemp("", "docket-server-")
	if err != nil {
		t.Fatalf("directory of a server: %v", err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	server, err := start(dir)
	if err != nil {
		t.Fatalf("start a server: %v", err)
	}
	t.Cleanup(func() { _ = server.Stop(context.Background()) })
	return server
}
