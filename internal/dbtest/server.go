package dbtest

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"docket/internal/postgres/embedded"
	"docket/internal/schema/scratch/database"
)

const (
	serverEnv = "DOCKET_TEST_DATABASE_URL"

	// slots is how many test processes of one user can run at a time: each needs a directory.
	slots = 64

	// keep is how many templates of earlier processes stay on a server. A process with the same schema reuses one.
	keep = 8

	startTimeout = 2 * time.Minute
)

// sharedServer finds or starts the server, once per process. No test stops it. On Linux the kernel does when the process
// ends, even by a crash; on other systems the next process that uses the directory does.
var sharedServer = sync.OnceValues(func() (server, error) {
	if given := os.Getenv(serverEnv); given != "" {
		s, err := parse(given)
		if err != nil {
			return server{}, fmt.Errorf("%s: %w", serverEnv, err)
		}
		return s, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	running, err := startInSlot(ctx)
	if err != nil {
		return server{}, fmt.Errorf("start a server for tests: %w", err)
	}
	s, err := parse(running.URL())
	if err != nil {
		return server{}, err
	}
	return s, dropLeftovers(ctx, s)
})

func parse(text string) (server, error) {
	u, err := url.Parse(text)
	if err != nil || u.User.Username() == "" || len(u.Path) < 2 {
		// The reason may contain the password.
		return server{}, errors.New("it should look like postgres://user:password@host:5432/database")
	}
	return server{url: u, user: u.User.Username()}, nil
}

// startInSlot starts a server in the first directory that no other process uses. The directories are kept for later
// processes: initdb takes longer than most tests.
func startInSlot(ctx context.Context) (*embedded.Server, error) {
	base := filepath.Join(os.TempDir(), "docket-test-"+strconv.Itoa(os.Geteuid()))
	for slot := range slots {
		dir := filepath.Join(base, strconv.Itoa(slot))
		running, err := embedded.Start(ctx, embedded.Config{
			DataDir: dir, Ephemeral: true, Owner: "the tests of " + filepath.Base(os.Args[0]),
		})
		if !errors.Is(err, embedded.ErrInUse) {
			return running, err
		}
	}
	return nil, fmt.Errorf("all %d directories in %s are in use", slots, base)
}

// dropLeftovers drops the databases of failed tests, and all templates when there are more than keep. It must not run on a
// server that DOCKET_TEST_DATABASE_URL names: other processes may be testing there.
func dropLeftovers(ctx context.Context, s server) error {
	conn, err := pgx.Connect(ctx, s.url.String())
	if err != nil {
		return fmt.Errorf("look for old test databases: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	names, err := database.Names(ctx, conn, `datname LIKE 'testdb\_tpl\_%'`)
	if err != nil {
		return err
	}
	isTemplate := func(name string) bool { return !strings.Contains(name, "_inst_") }
	old := slices.DeleteFunc(slices.Clone(names), isTemplate)
	if len(names)-len(old) > keep {
		old = names
	}
	for _, name := range old {
		if _, err := conn.Exec(ctx, "UPDATE pg_database SET datistemplate = false WHERE datname = $1", name); err != nil {
			return fmt.Errorf("drop old test database: %w", err)
		}
		if err := database.Drop(ctx, conn, name, ""); err != nil {
			return err
		}
	}
	return nil
}
