package faultproxy

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"docket/internal/dbtest"
)

// bench is a table of notes, a proxy, and a connection through it.
type bench struct {
	*Proxy
	direct *pgx.Conn
	client *pgx.Conn
}

func setup(t *testing.T) *bench {
	t.Helper()
	url := dbtest.Empty(t)
	b := &bench{Proxy: New(t, url), direct: dbtest.Connect(t, url)}
	dbtest.Exec(t, b.direct, "CREATE TABLE note (n int)")
	b.client = dbtest.Connect(t, b.URL())
	return b
}

func (b *bench) stored(t *testing.T) int {
	return dbtest.Value[int](t, b.direct, "SELECT count(*)::int FROM note")
}

// sessions is how many connections the server has, other than direct.
func (b *bench) sessions(t *testing.T) int {
	return dbtest.Value[int](t, b.direct,
		"SELECT count(*)::int FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()")
}

// insert stores a note in a transaction block, or by one statement.
func (b *bench) insert(ctx context.Context, block bool) error {
	const insert = "INSERT INTO note SELECT $1::int"
	if !block {
		_, err := b.client.Exec(ctx, insert, 1)
		return err
	}
	return pgx.BeginFunc(ctx, b.client, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, insert, 1)
		return err
	})
}

var insertOrCommit = map[bool]func(Statement) bool{true: Commit, false: SQL("^INSERT")}

// noCancel cuts the new connection on which pgx asks the server to cancel the statement of a broken one.
var noCancel = Rule{At: Connect, Do: Cut}

// Each kind of message passes unchanged.
func TestPassesAll(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeCacheStatement, pgx.QueryExecModeExec, pgx.QueryExecModeSimpleProtocol} {
		var n, length int
		wide := strings.Repeat("x", 1<<20)
		require.NoError(t, b.client.QueryRow(t.Context(), "SELECT $1::int, length($2)", mode, 7, wide).Scan(&n, &length))
		require.Equal(t, []int{7, 1 << 20}, []int{n, length})
	}
	copied, err := b.client.CopyFrom(t.Context(), pgx.Identifier{"note"}, []string{"n"},
		pgx.CopyFromSlice(10_000, func(i int) ([]any, error) { return []any{i}, nil }))
	require.NoError(t, err)
	require.EqualValues(t, 10_000, copied)
	require.Len(t, dbtest.List(t, b.client, "SELECT n::text FROM note"), 10_000)

	_, err = b.client.Exec(t.Context(), "SELECT 1/0")
	require.ErrorContains(t, err, "division by zero")
	batch := &pgx.Batch{}
	batch.Queue("DELETE FROM note WHERE n = $1", 1)
	batch.Queue("DELETE FROM note WHERE n > $1", 1)
	require.NoError(t, b.client.SendBatch(t.Context(), batch).Close())
	require.Equal(t, 1, b.stored(t))
	require.Zero(t, b.Faults())
}

func TestCut(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		at     Point
		stored int
		fails  bool
	}{
		{"before", BeforeStatement, 0, true},
		{"executing", AfterSend, 1, true},
		{"executed", BeforeAnswer, 1, true},
		{"answered", AfterAnswer, 1, false},
	} {
		for block, match := range insertOrCommit {
			name := map[bool]string{true: "COMMIT", false: "statement"}[block]
			t.Run(tt.name+"/"+name, func(t *testing.T) {
				t.Parallel()
				b := setup(t)
				b.Set(Rule{Match: match, At: tt.at, Do: Cut}, noCancel)
				err := b.insert(t.Context(), block)
				require.Equal(t, tt.fails, err != nil, err)
				require.NotZero(t, b.Faults())
				require.Error(t, b.client.Ping(t.Context()), "the connection is cut")
				require.Eventually(t, func() bool { return b.sessions(t) == 0 }, time.Minute, time.Millisecond)
				require.Equal(t, tt.stored, b.stored(t))
			})
		}
	}
}

// A connection can be broken from the start.
func TestCutAtConnect(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.Set(Rule{Match: func(s Statement) bool { return s.Conn == 3 }, At: Connect, Do: Cut})
	dbtest.Connect(t, b.URL())
	_, err := pgx.Connect(t.Context(), b.URL())
	require.Error(t, err)
	dbtest.Connect(t, b.URL())
}

// An action of the test's own runs while the connection waits.
func TestOwnAction(t *testing.T) {
	t.Parallel()
	b := setup(t)
	stored := -1
	b.Set(Rule{Match: Commit, At: BeforeAnswer, Do: func(*Conn) { stored = b.stored(t) }})
	require.NoError(t, b.insert(t.Context(), true))
	require.Equal(t, 1, stored)
	b.Set(Rule{Match: Commit, At: BeforeStatement, Do: func(*Conn) { stored = b.stored(t) }})
	require.NoError(t, b.insert(t.Context(), true))
	require.Equal(t, 1, stored)
}

// A stalled connection delivers everything after Heal, also the answer to a statement whose client has waited.
func TestStall(t *testing.T) {
	t.Parallel()
	for toward, stored := range map[Direction]int{ToServer: 0, ToClient: 1} {
		b := setup(t)
		reached := make(chan struct{})
		b.Set(Rule{Match: SQL("^INSERT"), At: AfterSend, Do: func(*Conn) { close(reached) }},
			Rule{Match: SQL("^INSERT"), At: BeforeStatement, Do: Stall(toward)})
		failed := make(chan error)
		go func() { failed <- b.insert(t.Context(), false) }()
		if toward == ToClient {
			<-reached
			require.Eventually(t, func() bool { return b.stored(t) == 1 }, time.Minute, time.Millisecond)
		}
		select {
		case err := <-failed:
			t.Fatalf("answered while stalled: %v", err)
		case <-time.After(20 * time.Millisecond):
		}
		require.Equal(t, stored, b.stored(t))
		b.Heal()
		require.NoError(t, <-failed)
		require.Equal(t, 1, b.stored(t))
	}
}

// A partition concerns connections that are open and new ones. Not even the end of a connection crosses it.
func TestPartition(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.Partition(Both)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, b.insert(ctx, false), context.DeadlineExceeded)
	_, err := pgx.Connect(ctx, b.URL())
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Equal(t, 1, b.sessions(t))
	b.Heal()
	require.Eventually(t, func() bool { return b.sessions(t) == 0 }, time.Minute, time.Millisecond)
	dbtest.Connect(t, b.URL())
}

func TestHalfClose(t *testing.T) {
	t.Parallel()
	for toward, stored := range map[Direction]int{ToServer: 0, ToClient: 1} {
		b := setup(t)
		b.Set(Rule{Match: SQL("^INSERT"), At: BeforeStatement, Do: HalfClose(toward)}, noCancel)
		require.Error(t, b.insert(t.Context(), false))
		require.Eventually(t, func() bool { return b.stored(t) == stored }, time.Minute, time.Millisecond)
	}
}

func TestEach(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.Each(Cut)
	require.Error(t, b.client.Ping(t.Context()))
	require.NoError(t, dbtest.Connect(t, b.URL()).Ping(t.Context()))
}

func TestServerIsDown(t *testing.T) {
	t.Parallel()
	_, err := pgx.Connect(t.Context(), New(t, "postgres://u:p@127.0.0.1:1/d").URL())
	var failed *pgconn.ConnectError
	require.ErrorAs(t, err, &failed)
}

// Rules count their statements, and the same seed gives the same faults.
func TestWhichStatements(t *testing.T) {
	t.Parallel()
	b := setup(t)
	nothing := func(*Conn) {}
	faults := func(rule Rule) (at []int) {
		rule.Match, rule.Do = SQL("^INSERT"), nothing
		b.Set(rule)
		before := b.Faults()
		for i := range 20 {
			require.NoError(t, b.insert(t.Context(), i%2 == 0))
			if now := b.Faults(); now > before {
				before = now
				at = append(at, i)
			}
		}
		return at
	}
	require.Equal(t, []int{2}, faults(Rule{Skip: 2, Times: 1}))
	require.Len(t, faults(Rule{Skip: 2, At: AfterAnswer}), 18)
	b.Seed(7)
	first := faults(Rule{Probability: 0.5})
	require.NotEmpty(t, first)
	require.Less(t, len(first), 20)
	b.Seed(7)
	require.Equal(t, first, faults(Rule{Probability: 0.5}))
}
