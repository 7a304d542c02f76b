package dbtest

import (
	"context"
	"os"
	"testing"

	"docket/internal/postgres/embedded"
	sqlfiles "docket/sql"
)

// Replicated is a server with an empty database of the whole schema, and its hot standby. Both end with the test.
type Replicated struct {
	Primary, Standby *embedded.Server
}

// NewReplicated starts both servers, which takes two seconds of a processor: tests of one package share them.
func NewReplicated(t testing.TB) Replicated {
	t.Helper()
	start := func(start func(dir string) (*embedded.Server, error)) *embedded.Server {
		dir, err := os.MkdirTemp("", "docket-replicated-")
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
	primary := start(func(dir string) (*embedded.Server, error) {
		return embedded.Start(t.Context(), embedded.Config{DataDir: dir, Ephemeral: true, Owner: t.Name()})
	})
	conn := Connect(t, primary.URL())
	err := fromFiles{sqlfiles.Schema}.each(func(_ string, text []byte) error {
		_, err := conn.Exec(t.Context(), string(text))
		return err
	})
	if err != nil {
		t.Fatalf("create the schema: %v", err)
	}
	standby := start(func(dir string) (*embedded.Server, error) { return primary.StartStandby(t.Context(), dir) })
	return Replicated{primary, standby}
}
