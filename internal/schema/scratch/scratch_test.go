package scratch_test

import (
	"context"
	"net/url"
	"path/filepath"
	"testing"
	"testing/fstest"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"docket/internal/dbtest"
	"docket/internal/postgres/embedded"
	"docket/internal/schema/scratch"
	sqlfiles "docket/sql"
)

type bundle struct {
	url    string
	conn   *pgx.Conn // to the database of the URL
	server *scratch.Server
}

func setup(t *testing.T) bundle {
	t.Helper()
	b := bundle{url: dbtest.Empty(t)}
	b.conn = dbtest.Connect(t, b.url)
	var err error
	b.server, err = scratch.Open(t.Context(), b.url)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, b.server.Close()) })
	return b
}

func (b bundle) database(t *testing.T) *scratch.Database {
	t.Helper()
	d, err := b.server.Create(t.Context())
	require.NoError(t, err)
	return d
}

func (b bundle) exec(t *testing.T, sql string) {
	t.Helper()
	dbtest.Exec(t, b.conn, sql)
}

func (b bundle) exists(t *testing.T, database string) bool {
	t.Helper()
	return dbtest.Value[bool](t, b.conn, "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", database)
}

func count(t *testing.T, d *scratch.Database, sql string) (n int) {
	t.Helper()
	require.NoError(t, d.DB.QueryRowContext(t.Context(), sql).Scan(&n))
	return n
}

func files(texts map[string]string) fstest.MapFS {
	fsys := fstest.MapFS{}
	for name, text := range texts {
		fsys[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return fsys
}

func TestDatabaseIsEmptyAndSettled(t *testing.T) {
	t.Parallel()
	b := setup(t)
	u, err := url.Parse(b.url)
	require.NoError(t, err)
	query := u.Query()
	query.Set("search_path", "elsewhere")
	query.Set("timezone", "Asia/Kolkata")
	u.RawQuery = query.Encode()
	server, err := scratch.Open(t.Context(), u.String())
	require.NoError(t, err)
	defer server.Close()
	d, err := server.Create(t.Context())
	require.NoError(t, err)
	require.Zero(t, count(t, d, "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace"))
	var encoding, path, zone string
	err = d.DB.QueryRowContext(t.Context(),
		"SELECT current_setting('server_encoding'), current_setting('search_path'), current_setting('timezone')").
		Scan(&encoding, &path, &zone)
	require.NoError(t, err)
	require.Equal(t, []string{"UTF8", "public", "UTC"}, []string{encoding, path, zone})

	require.Equal(t, d.Name, dbtest.Value[string](t, dbtest.Connect(t, d.URL), "SELECT current_database()::text"))
}

func TestDropLeavesNothing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	d, other := b.database(t), b.database(t)
	require.NotEqual(t, d.Name, other.Name)
	dbtest.Connect(t, d.URL)
	require.NoError(t, d.Drop())
	require.False(t, b.exists(t, d.Name), "sessions do not keep it")
	require.NoError(t, d.Drop(), "again")
	require.True(t, b.exists(t, other.Name))
	require.NoError(t, b.server.Close())
	require.False(t, b.exists(t, other.Name), "the server drops what is left")
}

// An interrupt at any point leaves no database.
func TestCancelledLeavesNothing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := b.server.Create(cancelled)
	require.ErrorIs(t, err, context.Canceled)

	d := b.database(t)
	ctx, cancel := context.WithCancel(t.Context())
	failed := make(chan error, 1)
	go func() { failed <- d.Load(ctx, files(map[string]string{"a.sql": "SELECT pg_sleep(600);"})) }()
	require.Eventually(t, func() bool {
		var asleep bool
		err := b.conn.QueryRow(t.Context(), "SELECT count(*) > 0 FROM pg_stat_activity WHERE datname = $1 AND wait_event = 'PgSleep'",
			d.Name).Scan(&asleep)
		return err == nil && asleep
	}, time.Minute, time.Millisecond)
	cancel()
	require.ErrorIs(t, <-failed, context.Canceled)
	require.NoError(t, d.Drop())
	require.False(t, b.exists(t, d.Name))
}

// It is not parallel: every test that opens the server drops leftovers.
func TestLeftoversOfDeadRunsAreDropped(t *testing.T) {
	b := setup(t)
	const dead, busy = "schema_scratch_20200101000000_0123456789ab", "schema_scratch_20200101000000_0123456789cd"
	kept := []string{busy, "schema_scratch_of_mine", dead + "_copy", "x_" + dead}
	for _, name := range append(kept, dead) {
		b.exec(t, "CREATE DATABASE "+name)
		t.Cleanup(func() {
			_, err := b.conn.Exec(context.Background(), "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)")
			require.NoError(t, err)
		})
	}
	config := b.conn.Config().Copy()
	config.Database = busy
	conn, err := pgx.ConnectConfig(t.Context(), config)
	require.NoError(t, err)
	defer conn.Close(context.Background())
	young := b.database(t)

	again, err := scratch.Open(t.Context(), b.url)
	require.NoError(t, err)
	defer again.Close()
	require.False(t, b.exists(t, dead))
	for _, name := range append(kept, young.Name) {
		require.True(t, b.exists(t, name), name)
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	b := setup(t)
	_, err := scratch.Open(t.Context(), "postgres://me:secret@:x/")
	require.ErrorContains(t, err, "should look like")
	require.NotContains(t, err.Error(), "secret")
	_, err = scratch.Open(t.Context(), "docker://postgres/15/dev")
	require.ErrorContains(t, err, "no container is started")

	b.exec(t, "DROP ROLE IF EXISTS scratch_test_reader; CREATE ROLE scratch_test_reader LOGIN")
	t.Cleanup(func() {
		_, err := b.conn.Exec(context.Background(), "DROP ROLE scratch_test_reader")
		require.NoError(t, err)
	})
	u, err := url.Parse(b.url)
	require.NoError(t, err)
	u.User = url.User("scratch_test_reader")
	_, err = scratch.Open(t.Context(), u.String())
	require.ErrorContains(t, err, "ALTER ROLE scratch_test_reader CREATEDB")

	require.NoError(t, b.server.CheckMajor(b.server.Major))
	require.ErrorContains(t, b.server.CheckMajor(9), "name a server of version 9, on which databases may be created")
}

func TestStart(t *testing.T) {
	t.Parallel()
	server, err := scratch.Start(t.Context(), embedded.StartScratch, 0)
	require.NoError(t, err)
	d, err := server.Create(t.Context())
	require.NoError(t, err)
	require.NoError(t, d.Load(t.Context(), sqlfiles.Schema))
	var dir string
	require.NoError(t, d.DB.QueryRowContext(t.Context(), "SHOW data_directory").Scan(&dir))
	require.DirExists(t, dir)
	require.NoError(t, server.Close())
	require.Error(t, d.DB.PingContext(t.Context()))
	require.NoDirExists(t, filepath.Dir(filepath.Dir(dir)))

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = scratch.Start(ctx, embedded.StartScratch, 0)
	require.ErrorIs(t, err, context.Canceled)
}

// An interrupt while a database is created leaves none.
func TestCreateCancelledLeavesNothing(t *testing.T) {
	t.Parallel()
	server, err := scratch.Start(t.Context(), embedded.StartScratch, 0) // its own server: other tests create databases on the shared one
	require.NoError(t, err)
	defer server.Close()
	watcher, err := server.Create(t.Context())
	require.NoError(t, err)
	databases := func() int {
		return count(t, watcher, "SELECT count(*) FROM pg_database WHERE datname LIKE 'schema%scratch%'")
	}
	for range 5 {
		ctx, cancel := context.WithCancel(t.Context())
		created := make(chan *scratch.Database, 1)
		go func() {
			d, _ := server.Create(ctx)
			created <- d
		}()
		require.Eventually(t, func() bool { return databases() == 2 }, time.Minute, 100*time.Microsecond)
		cancel()
		if d := <-created; d != nil {
			require.NoError(t, d.Drop())
		}
		require.Equal(t, 1, databases())
	}
}

func TestLoad(t *testing.T) {
	t.Parallel()
	b := setup(t)
	d := b.database(t)
	require.NoError(t, d.Load(t.Context(), files(map[string]string{
		"20_b.sql":  "SET search_path = '';\nINSERT INTO public.a VALUES (1);\nCREATE INDEX CONCURRENTLY a_id ON public.a (id);",
		"10_a.sql":  "CREATE TABLE a (id int);\nCREATE FUNCTION f() RETURNS int LANGUAGE sql AS $$ SELECT 1; SELECT 2; $$;",
		"notes.txt": "not SQL",
	})))
	require.Equal(t, 1, count(t, d, "SELECT count(*) FROM a"), "what a file sets does not stay set")

	for name, text := range map[string]string{
		"beginning of a statement": "-- first\nCREATE TABLE t (id int);\n\n\nDROP TABLE\n  missing;",
		"within a statement":       "CREATE TABLE u (\n  id int,\n  -- who\n  name text,\n  äge ümlaut\n);",
	} {
		var failed *scratch.Error
		err := d.Load(t.Context(), files(map[string]string{"bad.sql": text}))
		require.ErrorAs(t, err, &failed, name)
		require.Equal(t, "bad.sql", failed.File)
		require.Equal(t, 5, failed.Line, name)
		require.ErrorContains(t, err, "bad.sql:5: ")
	}
	require.ErrorContains(t, d.Load(t.Context(), files(nil)), "no .sql file")
}

// TestLoadOfDumps loads parts of pg_dump's output. What is not a part of the schema is refused with its line and what to do.
func TestLoadOfDumps(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const head = "\\restrict abc\n\n-- Dumped\n\nSELECT pg_catalog.set_config('search_path', '', false);\n"
	for text, want := range map[string]string{
		head + "CREATE TABLE public.a (id int);\n\n\\unrestrict abc\n\n":    "",
		"\\restrict abc\n\\unrestrict abc\nCREATE TABLE public.a (id int);": "",
		head + "\\connect other\nCREATE TABLE public.a (id int);":           `6: \connect is a command of psql, not a statement; remove the line`,
		head + "\\i other.sql\n": `6: \i is a command of psql`,
		head + "CREATE DATABASE schema_scratch_never TEMPLATE = template0;":                    "6: CREATE DATABASE changes the server",
		head + "DROP /* it */ DATABASE\nIF EXISTS schema_scratch_never;":                       "6: DROP DATABASE changes the server",
		head + "CREATE ROLE scratch_test_never;":                                               "6: CREATE ROLE changes the server",
		head + "ALTER SYSTEM SET work_mem = '5MB';":                                            "6: ALTER SYSTEM changes the server",
		head + "CREATE SCHEMA public;":                                                         "42P06); remove the statement: a new database has",
		head + "CREATE TABLE public.a ();\nALTER TABLE public.a OWNER TO \"no one\";":          "7: ERROR: role \"no one\" does not exist (SQLSTATE 42704); remove the statement: owners",
		head + "CREATE TABLE public.a ();\nGRANT SELECT ON public.a TO \"no one\";":            "7: ERROR: role \"no one\" does not exist (SQLSTATE 42704); remove the statement: owners",
		"ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO nobody_here;":                      "1: ERROR: role \"nobody_here\" does not exist (SQLSTATE 42704); remove the statement",
		head + "CREATE TABLE public.a (t text);\nCOPY public.a (t) FROM stdin;\n1\n\\.":        "7: COPY FROM STDIN waits for rows",
		head + "CREATE TABLE public.a (t text);\nCOPY public.a (t) FROM stdin;\nit's (\n\\.\n": "7: COPY FROM STDIN waits for rows",
	} {
		err := b.database(t).Load(t.Context(), files(map[string]string{"dump.sql": text, "later.sql": "CREATE TABLE later ();"}))
		if want == "" {
			require.NoError(t, err, text)
		} else {
			require.ErrorContains(t, err, want, text)
		}
	}
}

func TestReplay(t *testing.T) {
	t.Parallel()
	b := setup(t)
	migrations := files(map[string]string{
		"20260101000000_a.sql": "CREATE TABLE a (id int);\nSET LOCAL work_mem = '1MB';\nLOCK TABLE a;",
		"20260102000000_b.sql": "-- atlas:txmode none\n\nCREATE INDEX CONCURRENTLY a_id ON a (id);\nCREATE TYPE e AS ENUM ('x');",
		"20260103000000_c.sql": "CREATE TABLE c (id int);\nSELECT 1/0;",
		"atlas.sum":            "not looked at",
	})
	d := b.database(t)
	require.NoError(t, d.Replay(t.Context(), migrations, "20260102000000"))
	require.Equal(t, 1, count(t, d, "SELECT count(*) FROM pg_class WHERE relname = 'a_id'"))

	d = b.database(t)
	err := d.Replay(t.Context(), migrations, "")
	require.ErrorContains(t, err, "20260103000000_c.sql:2: ")
	require.Equal(t, 0, count(t, d, "SELECT count(*) FROM pg_class WHERE relname = 'c'"), "a file runs in a transaction")
	require.NoError(t, d.Run(t.Context(), "more.sql", "CREATE TABLE c (id int);\nLOCK TABLE c;"))

	require.NoError(t, b.database(t).Replay(t.Context(), sqlfiles.Migrations, ""))

	d = b.database(t)
	require.NoError(t, d.Replay(t.Context(), files(map[string]string{
		"20260101000000_a.sql": "SELECT set_config('search_path', '', false);\nCREATE TEMP TABLE b (id int);",
		"20260102000000_b.sql": "CREATE TABLE b (id int);",
	}), ""))
	require.Equal(t, 0, count(t, d, "SELECT count(*) FROM public.b"), "what a file sets is gone before the next")
}
