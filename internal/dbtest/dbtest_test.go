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

	"docket/internal/schema/scratch/database"
)

// childEnv makes the test binary start the shared server and then end in the manner that the value names.
const childEnv = "DOCKET_TEST_CHILD"

func TestMain(m *testing.M) {
	if ending := os.Getenv(childEnv); ending != "" {
		s, err := sharedServer()
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println(s.url)
		switch ending {
		case "panic":
			panic("a test has failed")
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
			Exec(t, pool, "CREATE TABLE mine ()")
			require.Equal(t, 1, Value[int](t, pool, "SELECT count(*) FROM pg_class WHERE relname = 'mine'"))
			require.Equal(t, int32(maxConns), pool.Config().MaxConns)
		})
	}
}

func TestDatabaseHasTheSchema(t *testing.T) {
	t.Parallel()
	const relations = "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace"
	require.NotZero(t, Value[int](t, Connect(t, URL(t)), relations))
	require.Zero(t, Value[int](t, Connect(t, Empty(t)), relations))
}

func TestDatabaseEndsWithItsTest(t *testing.T) {
	t.Parallel()
	var name string
	t.Run("owner", func(t *testing.T) {
		name = Value[string](t, New(t), "SELECT current_database()::text")
	})
	s, err := sharedServer()
	require.NoError(t, err)
	_, err = pgx.Connect(t.Context(), database.URL(s.url.String(), name))
	require.ErrorContains(t, err, "does not exist")
}

func TestServerEndsWithItsProcess(t *testing.T) {
	t.Parallel()
	for _, ending := range []string{"return", "panic", "wait"} {
		t.Run(ending, func(t *testing.T) {
			t.Parallel()
			exe, err := os.Executable()
			require.NoError(t, err)
			cmd := exec.Command(exe)
			cmd.Env = append(os.Environ(), childEnv+"="+ending, serverEnv+"=")
			out, err := cmd.StdoutPipe()
			require.NoError(t, err)
			require.NoError(t, cmd.Start())
			line, err := bufio.NewReader(out).ReadString('\n')
			require.NoError(t, err)
			if ending == "wait" {
				require.NoError(t, cmd.Process.Kill())
			}
			_ = cmd.Wait() // the status differs: it was killed, panicked or returned
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
	require.Equal(t, "postgres://me:pass%20word@db.example:5433/testdb?sslmode=disable", database.URL(s.url.String(), "testdb"))
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
		return // other processes may use a given server
	}
	s, err := sharedServer()
	require.NoError(t, err)
	Exec(t, Connect(t, s.url.String()), "CREATE DATABASE testdb_tpl_1_inst_2")
	require.NoError(t, dropLeftovers(t.Context(), s))
	_, err = pgx.Connect(t.Context(), database.URL(s.url.String(), "testdb_tpl_1_inst_2"))
	require.ErrorContains(t, err, "does not exist")
}

func BenchmarkNew(b *testing.B) {
	for b.Loop() {
		URL(b)
	}
}
