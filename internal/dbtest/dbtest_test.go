package dbtest

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// childEnv makes the test binary a process that has the shared server and then does what the value says.
const childEnv = "DOCKET_TEST_CHILD"

func TestMain(m *testing.M) {
	if act := os.Getenv(childEnv); act != "" {
		s, err := sharedServer()
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println(s.url)
		switch act {
		case "panic":
			panic("a test went wrong")
		case "wait":
			<-context.Background().Done()
		}
		return
	}
	m.Run()
}

func TestEachTestHasItsOwnDatabase(t *testing.T) {
	t.Parallel()
	for i := range 4 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			pool := New(t)
			_, err := pool.Exec(t.Context(), "CREATE TABLE mine ()")
			require.NoError(t, err)
			var tables int
			require.NoError(t, pool.QueryRow(t.Context(), "SELECT count(*) FROM pg_class WHERE relname = 'mine'").Scan(&tables))
			require.Equal(t, 1, tables)
			require.Equal(t, int32(maxConns), pool.Config().MaxConns)
		})
	}
}

func TestDatabaseHasTheSchema(t *testing.T) {
	t.Parallel()
	require.NotZero(t, relations(t, URL(t)))
	require.Zero(t, relations(t, Empty(t)))
}

func relations(t *testing.T, url string) (n int) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	defer conn.Close(context.Background())
	require.NoError(t, conn.QueryRow(t.Context(), "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace").Scan(&n))
	return n
}

func TestDatabaseGoesWithItsTest(t *testing.T) {
	t.Parallel()
	var database string
	t.Run("owner", func(t *testing.T) {
		require.NoError(t, New(t).QueryRow(t.Context(), "SELECT current_database()::text").Scan(&database))
	})
	s, err := sharedServer()
	require.NoError(t, err)
	_, err = pgx.Connect(t.Context(), s.database(database))
	require.ErrorContains(t, err, "does not exist")
}

func TestServerGoesWithItsProcess(t *testing.T) {
	t.Parallel()
	for _, act := range []string{"return", "panic", "wait"} {
		t.Run(act, func(t *testing.T) {
			t.Parallel()
			exe, err := os.Executable()
			require.NoError(t, err)
			cmd := exec.Command(exe)
			cmd.Env = append(os.Environ(), childEnv+"="+act, serverEnv+"=")
			out, err := cmd.StdoutPipe()
			require.NoError(t, err)
			require.NoError(t, cmd.Start())
			line, err := bufio.NewReader(out).ReadString('\n')
			require.NoError(t, err)
			if act == "wait" {
				require.NoError(t, cmd.Process.Kill())
			}
			_ = cmd.Wait() // it was killed, or panicked, or has ended well
			url := strings.TrimSpace(line)
			require.Contains(t, url, "postgres://")
			require.Eventually(t, func() bool {
				conn, err := pgx.Connect(context.Background(), url)
				if err != nil {
					return true
				}
				_ = conn.Close(context.Background())
				return false
			}, time.Minute, 5*time.Millisecond)
		})
	}
}

func TestGivenServer(t *testing.T) {
	t.Parallel()
	s, err := parse("postgres://me:pass%20word@db.example:5433/any?sslmode=disable")
	require.NoError(t, err)
	require.Equal(t, "postgres://me:pass%20word@db.example:5433/testdb?sslmode=disable", s.database("testdb"))
	config, err := pgx.ParseConfig(s.config().URL())
	require.NoError(t, err)
	require.Equal(t, []any{"me", "pass word", "db.example", uint16(5433), "any"},
		[]any{config.User, config.Password, config.Host, config.Port, config.Database})
	for _, text := range []string{"postgres://secret:%zz@h/d", "postgres://db.example/any", "postgres://secret@db.example", "host=secret"} {
		_, err := parse(text)
		require.ErrorContains(t, err, "should look like")
		require.NotContains(t, err.Error(), "secret")
	}
}

func TestLeftoversAreDropped(t *testing.T) {
	if os.Getenv(serverEnv) != "" {
		return // a given server is not ours to tidy
	}
	s, err := sharedServer()
	require.NoError(t, err)
	conn, err := pgx.Connect(t.Context(), s.url.String())
	require.NoError(t, err)
	defer conn.Close(context.Background())
	_, err = conn.Exec(t.Context(), "CREATE DATABASE testdb_tpl_1_inst_2")
	require.NoError(t, err)
	require.NoError(t, dropLeftovers(t.Context(), s))
	_, err = pgx.Connect(t.Context(), s.database("testdb_tpl_1_inst_2"))
	require.ErrorContains(t, err, "does not exist")
}

func BenchmarkNew(b *testing.B) {
	for b.Loop() {
		URL(b)
	}
}
