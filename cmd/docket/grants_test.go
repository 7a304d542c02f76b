package main

import (
	"context"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"docket/internal/dbtest"
)

// newRoles creates roles with unique names on the server of tests, each the prefix and the name of the test's database.
func newRoles(t *testing.T, s schemaTest, prefixes ...string) (names []string) {
	t.Helper()
	admin := dbtest.Connect(t, dbtest.Empty(t)) // its database is dropped after that of the test
	database := dbtest.List(t, s.db, "SELECT current_database()::text")[0]
	for _, prefix := range prefixes {
		name := prefix + "_" + database[max(0, len(database)-12):]
		names = append(names, name)
		dbtest.Exec(t, admin, "CREATE ROLE "+name+" LOGIN")
		t.Cleanup(func() {
			_, _ = s.db.Exec(context.Background(), "DROP OWNED BY "+name+" CASCADE")
			_, _ = admin.Exec(context.Background(), "DROP ROLE "+name)
		})
	}
	return names
}

// as returns the URL for another role.
func as(t *testing.T, address, role string) string {
	t.Helper()
	parsed, err := url.Parse(address)
	require.NoError(t, err)
	parsed.User = url.User(role)
	return parsed.String()
}

// ownedDatabase is a database that was migrated by its owner, with few URLs. The schema public has no rights for other roles.
func ownedDatabase(t *testing.T) (s, owner schemaTest, roles []string) {
	t.Helper()
	s = newSchemaTest(t, dbtest.Empty(t))
	roles = newRoles(t, s, "docket_owner", "docket_serve")
	s.exec(t, "REVOKE ALL ON SCHEMA public FROM PUBLIC; GRANT USAGE, CREATE ON SCHEMA public TO "+roles[0])
	s.exec(t, "DO $$ BEGIN EXECUTE format('GRANT CREATE ON DATABASE %I TO "+roles[0]+"', current_database()); END $$")
	owner = schemaTest{url: as(t, s.url, roles[0]), db: s.db}
	owner.succeed(t, "migrate", "apply")
	owner.succeed(t, "seed", "--urls", "30")
	return s, owner, roles
}

// TestServeWithGrants serves, imports and refreshes with exactly the rights that the page lists.
func TestServeWithGrants(t *testing.T) {
	t.Setenv("DS_APP_SECRET_KEY", "0123456789abcdef0123456789abcdef")
	s, owner, roles := ownedDatabase(t)
	served := schemaTest{url: as(t, s.url, roles[1]), db: s.db}

	_, section, found := strings.Cut(operations(t), "\n## Roles\n")
	require.True(t, found)
	grants := regexp.MustCompile("(?s)```sql\n(.*?)```").FindStringSubmatch(section)
	require.NotNil(t, grants)
	require.Equal(t, []string{
		`docket migrate apply --database-url "$DATABASE_URL?options=-c%20role%3Ddocket_owner"`,
		"docket migrate apply", "docket serve --migrate=false", "docket refresh",
	}, sectionCommands(t, operations(t), "Roles"), "the commands that this test and TestOnlyOwnersChangeTables run")
	statements := strings.NewReplacer("docket_owner", roles[0], "docket_serve", roles[1]).Replace(grants[1])

	stderr := served.fail(t, exitFailure, "serve", "--migrate=false")
	require.Contains(t, stderr, "GRANT USAGE ON SCHEMA public TO "+roles[1])
	require.Regexp(t, "GRANT SELECT ON agency_identity, annotation_queue_recount, .*, atlas_schema_revisions, .* TO "+roles[1], stderr)
	require.Regexp(t, "GRANT SELECT, INSERT, UPDATE, DELETE ON agencies, annotation__agency__anon, .* TO "+roles[1], stderr)
	require.Regexp(t, "GRANT USAGE ON SEQUENCE agencies_id_seq, .* TO "+roles[1], stderr)
	for statement := range strings.SplitSeq(strings.TrimSpace(statements), "\n") {
		s.exec(t, statement)
	}
	// What a message asks for is enough: each right is taken away and given back as the message says.
	for _, revoked := range []string{
		"SELECT ON atlas_schema_revisions", "DELETE ON user_url_done", "SELECT ON url_annotation_count_view", "USAGE ON SEQUENCE urls_id_seq",
		"USAGE ON SCHEMA public",
	} {
		s.exec(t, "REVOKE "+revoked+" FROM "+roles[1])
		statement := "GRANT " + revoked + " TO " + roles[1]
		require.Contains(t, served.fail(t, exitFailure, "serve", "--migrate=false"), ": "+statement+"; see docs/operations.md")
		require.Contains(t, served.fail(t, exitFailure, "queue", "verify"), statement)
		s.exec(t, statement)
	}
	for _, revoked := range []string{"USAGE ON SCHEMA river", "INSERT ON river.river_job"} {
		s.exec(t, "REVOKE "+revoked+" FROM "+roles[1])
		statement := "GRANT " + revoked + " TO " + roles[1]
		require.Contains(t, served.fail(t, exitFailure, "serve", "--migrate=false"), ": "+statement+"; see docs/operations.md")
		require.Contains(t, served.fail(t, exitFailure, "work"), ": "+statement+"; see docs/operations.md")
		s.exec(t, statement)
	}

	owner.succeed(t, "refresh") // ranking matview does it at its first start, which docket_serve may not
	for _, arguments := range [][]string{{"--migrate=false"}, {}, {"--ranking", "matview"}} {
		running := serve(t, append(arguments, "--database-url", served.url)...)
		running.ready(t)
		token := strings.TrimSpace(succeed(t, "token", "--user", "1001"))
		code, body := running.get(t, "/annotate/all", token)
		require.Equal(t, http.StatusOK, code, body)
		id := regexp.MustCompile(`"url_id":(\d+)`).FindStringSubmatch(body)
		require.NotNil(t, id, body)
		code, body = running.post(t, "/annotate/all/"+id[1], token, `{"suggested_status": "not relevant"}`)
		require.Equal(t, http.StatusOK, code, body)
		running.stop()
	}
	agencies := filepath.Join(t.TempDir(), "agencies.csv")
	real, err := os.ReadFile(dbtest.DataFile(t, "agencies.csv").Name())
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(agencies, []byte(strings.Join(strings.SplitAfter(string(real), "\n")[:20], "")), 0o600))
	served.succeed(t, "import", "agencies", agencies)
	served.succeed(t, "queue", "verify")
	served.succeed(t, "queue", "reconcile", "--wait=false")

	stderr = served.fail(t, exitFailure, "refresh")
	require.Contains(t, stderr, "must be owner of materialized view")
	require.Contains(t, stderr, "run docket refresh as the owner of the view")

	// When a migration is pending, the message says who must apply it.
	s.exec(t, "DELETE FROM atlas_schema_revisions WHERE version = (SELECT max(version) FROM atlas_schema_revisions)")
	require.Contains(t, served.fail(t, exitFailure, "serve", "--migrate=false"), "migrations are pending")
	stderr = served.fail(t, exitFailure, "serve")
	require.Contains(t, stderr, "let the owner run docket migrate apply")
	require.Contains(t, stderr, `"`+roles[0]+`" owns agencies, `)
}

// TestOnlyOwnersChangeTables refuses a superuser and a member of the owning role, unless they set the role.
func TestOnlyOwnersChangeTables(t *testing.T) {
	t.Parallel()
	s, owner, roles := ownedDatabase(t)
	s.exec(t, "GRANT "+roles[0]+" TO "+roles[1])
	// The last migration is pending, and the schema differs.
	owner.succeed(t, "migrate", "down", "--auto-approve")
	before := s.count(t, "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace")
	refusal := `the tables belong to another role: database "`
	for _, url := range []string{s.url, as(t, s.url, roles[1])} {
		run := func(command ...string) (status int, stderr string) {
			status, _, stderr = docket(t, append(command, "--database-url", url, "--dev-url", s.url)...)
			return status, stderr
		}
		for _, command := range [][]string{
			{"migrate", "apply"}, {"migrate", "down", "--auto-approve"}, {"schema", "apply", "--auto-approve", "--allow-destructive"},
		} {
			status, stderr := run(command...)
			require.Equal(t, exitFailure, status, stderr)
			require.Contains(t, stderr, refusal)
			require.Contains(t, stderr, `"`+roles[0]+`" owns agencies, `)
			require.Contains(t, stderr, "connect as \""+roles[0]+"\"")
			require.Contains(t, stderr, "options=-c%20role%3D"+roles[0])
		}
		status, stderr := run("schema", "apply", "--dry-run", "--allow-destructive")
		require.Zero(t, status, stderr)
		require.Contains(t, stderr, "this would be refused: "+refusal)
	}
	require.Equal(t, before, s.count(t, "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace"))

	with := schemaTest{url: s.url + "&options=-c%20role%3D" + roles[0], db: s.db}
	with.succeed(t, "migrate", "apply")
	require.Zero(t, s.count(t, `SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'v', 'm')
		AND relowner <> '`+roles[0]+`'::regrole`))

	s.exec(t, "ALTER TABLE urls OWNER TO "+roles[1]+"; DROP INDEX batches_user_id_idx")
	stderr := s.fail(t, exitFailure, "schema", "apply", "--auto-approve")
	require.Regexp(t, `"`+roles[0]+`" owns agencies, .*; "`+roles[1]+`" owns urls; what "docket" creates would not belong`, stderr)
	require.Contains(t, stderr, "Give all tables one owner")
}
