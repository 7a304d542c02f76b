package main

import (
	"context"
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"docket/internal/dbtest"
	"docket/internal/doctor"
	"docket/internal/postgres"
)

// inOrder makes the server of tests, which may lose data at a crash, look like one that does not.
func inOrder(server *postgres.Server, _ *postgres.Session) {
	server.Fsync, server.FullPageWrites, server.SynchronousCommit = true, true, "on"
}

// TestDoctorNamesFaults injects faults one at a time. Each is named by its own check, and by no other one.
func TestDoctorNamesFaults(t *testing.T) {
	t.Parallel()
	s := newSchemaTest(t, dbtest.Empty(t))
	roles := newRoles(t, s, "docket_doctor")
	s.succeed(t, "migrate", "apply")
	s.exec(t, "INSERT INTO urls (url, source) VALUES ('example.com/a', 'manual')")
	s.succeed(t, "queue", "reconcile", "--wait=false")
	s.succeed(t, "refresh")
	s.exec(t, "INSERT INTO task_schedule (job, next_run_at) VALUES ('auto_validate', now() + interval '1 hour')")
	s.exec(t, "VACUUM ANALYZE annotation_queue")

	examine := func(address string, change func(*doctor.Config)) []doctor.Finding {
		cfg := &config{databaseURL: address, statementTimeout: time.Minute}
		examined := cfg.examination(doctor.Finding{State: doctor.OK}, 24*time.Hour)
		examined.Adjust, examined.Timeout = inOrder, time.Minute
		if change != nil {
			change(&examined)
		}
		return doctor.Examine(t.Context(), examined)
	}
	bad := func(findings []doctor.Finding) (names []string) {
		for _, f := range findings {
			if f.State != doctor.OK {
				names = append(names, f.Check+": "+string(f.State))
				require.True(t, f.Do != "" || f.State == doctor.NotChecked, "%+v", f)
			}
		}
		return names
	}
	healthy := examine(s.url, nil)
	require.Empty(t, bad(healthy), "%+v", healthy)

	adjusted := func(change func(*postgres.Server, *postgres.Session)) func(*doctor.Config) {
		return func(cfg *doctor.Config) {
			cfg.Adjust = func(server *postgres.Server, session *postgres.Session) {
				inOrder(server, session)
				change(server, session)
			}
		}
	}
	with := func(key, value string) string {
		parsed, err := url.Parse(s.url)
		require.NoError(t, err)
		query := parsed.Query()
		query.Set(key, value)
		parsed.RawQuery = query.Encode()
		return parsed.String()
	}
	const last = "(SELECT max(version) FROM atlas_schema_revisions)"
	for _, fault := range []struct {
		check, state, found   string
		inject, repair, where string // statements, and the URL if it is another one
		change                func(*doctor.Config)
	}{
		{check: "privileges", state: "problem", found: "GRANT INSERT ON urls TO " + roles[0],
			inject: "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public, river TO " + roles[0] +
				"; GRANT USAGE ON ALL SEQUENCES IN SCHEMA public, river TO " + roles[0] + "; GRANT USAGE ON SCHEMA river TO " + roles[0] +
				"; REVOKE INSERT ON urls FROM " + roles[0],
			where: as(t, s.url, roles[0])},
		{check: "migrations", state: "problem", found: "edited after it was applied",
			inject: "UPDATE atlas_schema_revisions SET hash = 'x' || hash WHERE version = " + last,
			repair: "UPDATE atlas_schema_revisions SET hash = substr(hash, 2) WHERE version = " + last},
		{check: "migrations", state: "problem", found: "migrations are pending",
			inject: "CREATE TABLE kept AS TABLE atlas_schema_revisions; DELETE FROM atlas_schema_revisions WHERE version = " + last,
			repair: "INSERT INTO atlas_schema_revisions SELECT * FROM kept WHERE version > " + last + "; DROP TABLE kept"},
		{check: "river", state: "problem", found: "tables of River",
			inject: "CREATE TABLE kept AS TABLE river.river_migration; DELETE FROM river.river_migration WHERE version > 4",
			repair: "INSERT INTO river.river_migration SELECT * FROM kept WHERE version > 4; DROP TABLE kept"},
		{check: "views", state: "warning", found: "old",
			inject: "UPDATE materialized_view_refreshes SET refreshed_at = refreshed_at - interval '3 days'",
			repair: "UPDATE materialized_view_refreshes SET refreshed_at = refreshed_at + interval '3 days'"},
		{check: "queue", state: "warning", found: "wrong count of user URL types",
			inject: "UPDATE annotation_queue SET user_url_type_count = user_url_type_count + 1",
			repair: "UPDATE annotation_queue SET user_url_type_count = user_url_type_count - 1"},
		{check: "jobs", state: "warning", found: "overdue: auto_validate",
			inject: "UPDATE task_schedule SET next_run_at = now() - interval '1 hour'",
			repair: "UPDATE task_schedule SET next_run_at = now() + interval '1 hour'"},
		{check: "jobs", state: "warning", found: "the last run failed: auto_validate",
			inject: `WITH task AS (INSERT INTO tasks (task_type, task_status) VALUES ('Auto Validate', 'error') RETURNING id)
				INSERT INTO task_runs (task_id, job, job_id) SELECT id, 'auto_validate', 1 FROM task`,
			repair: "DELETE FROM tasks"},
		{check: "writable", state: "problem", found: "default_transaction_read_only is on",
			where: with("default_transaction_read_only", "on")},
		{check: "writable", state: "problem", found: "standby",
			change: adjusted(func(server *postgres.Server, _ *postgres.Session) {
				server.Standby = true
			})},
		{check: "settings", state: "warning", found: `statement_timeout is "60000" instead of "1"`, change: func(cfg *doctor.Config) {
			cfg.Settings["statement_timeout"] = "1"
		}},
		{check: "clock", state: "warning", found: "differ by 1h", change: func(cfg *doctor.Config) {
			cfg.Now = func() time.Time { return time.Now().Add(-time.Hour) }
		}},
		{check: "pooler", state: "problem", found: "a connection pooler is between", change: func(cfg *doctor.Config) {
			cfg.Direct = func(context.Context) error { return postgres.ErrPooler }
		}},
		{check: "durability", state: "problem", found: "fsync off",
			change: adjusted(func(server *postgres.Server, _ *postgres.Session) {
				server.Fsync = false
			})},
		{check: "encoding", state: "problem", found: "SQL_ASCII",
			change: adjusted(func(server *postgres.Server, _ *postgres.Session) {
				server.Encoding = "SQL_ASCII"
			})},
		{check: "version", state: "problem", found: "older than 15",
			change: adjusted(func(server *postgres.Server, _ *postgres.Session) {
				server.VersionNumber = 140012
			})},
		{check: "collation", state: "warning", found: "2.31",
			change: adjusted(func(server *postgres.Server, _ *postgres.Session) {
				server.CollationVersion, server.CollationActualVersion = "2.31", "2.36"
			})},
		{check: "wraparound", state: "problem", found: "transactions old",
			change: adjusted(func(server *postgres.Server, _ *postgres.Session) {
				server.FrozenAge = 2 * server.FreezeMaxAge
			})},
		{check: "extensions", state: "problem", found: "missing: pgcrypto",
			inject: "DROP EXTENSION pgcrypto", repair: "CREATE EXTENSION pgcrypto"},
		{check: "vacuum", state: "warning", found: "annotation_queue has",
			inject: strings.Repeat("UPDATE annotation_queue SET eligible = eligible; ", 9) + "SELECT pg_stat_force_next_flush()",
			change: func(cfg *doctor.Config) { cfg.DeadRows = 5 }},
		{check: "vacuum", state: "problem", found: "autovacuum is off",
			change: adjusted(func(server *postgres.Server, _ *postgres.Session) {
				server.Autovacuum = false
			})},
	} {
		if fault.inject != "" {
			s.exec(t, fault.inject)
		}
		address := s.url
		if fault.where != "" {
			address = fault.where
		}
		findings := examine(address, fault.change)
		want := fault.check + ": " + fault.state
		require.Equal(t, []string{want}, bad(findings), "%s: %+v", fault.found, findings)
		for _, f := range findings {
			if f.Check == fault.check {
				require.Contains(t, f.Found, fault.found)
			}
		}
		if fault.repair != "" {
			s.exec(t, fault.repair)
		}
	}
	require.Empty(t, bad(examine(s.url, nil)), "the faults are repaired")

	// Without a connection nothing else is checked, and the reason names no password.
	missing := strings.Replace(with("password", "very-secret"), "/testdb", "/no_testdb", 1)
	findings := examine(missing, nil)
	require.Equal(t, "connection: problem", bad(findings)[0])
	require.Contains(t, findings[1].Do, "createdb")
	require.NotContains(t, findings[1].Found, "very-secret")
	for _, f := range findings[2:] {
		require.Equal(t, doctor.NotChecked, f.State, f.Check)
	}

	// The command: one object a line, and exit status 1 for this server, which may lose data.
	status, stdout, stderr := docket(t, "doctor", "--json", "--database-url", s.url)
	require.Equal(t, exitFailure, status)
	require.Contains(t, stderr, errNotInOrder.Error())
	var checks []string
	for line := range strings.Lines(stdout) {
		var found map[string]string
		require.NoError(t, json.Unmarshal([]byte(line), &found))
		require.Len(t, found, 4, line)
		checks = append(checks, found["check"])
	}
	require.Len(t, checks, len(findings))
	for _, check := range checks {
		require.Contains(t, operations(t), "| `"+check+"` |", "docs/operations.md lists each check")
	}
}

// TestDoctorConfiguration is not parallel: it sets variables.
func TestDoctorConfiguration(t *testing.T) {
	t.Setenv(secretKeyVariable, strings.Repeat("k", 32))
	examine := func(arguments ...string) doctor.Finding {
		cfg := &config{}
		cmd := rootCommand()
		cfg.addFlags(cmd.Flags())
		require.NoError(t, cmd.ParseFlags(arguments))
		return cfg.examine(cmd.Flags(), upkeepConfig{viewsInterval: daily}, allVariables(rootCommand()))
	}
	require.Equal(t, doctor.OK, examine().State, examine())
	t.Setenv("DOCKET_LOG_LEVEL", "warn")
	require.Equal(t, doctor.Note, examine("--log-level", "debug").State)
	t.Setenv("DOCKET_MAX_CONS", "3")
	require.Equal(t, doctor.Warning, examine().State)
	require.Contains(t, examine().Found, "DOCKET_MAX_CONS")
	t.Setenv(secretKeyVariable, "short")
	require.Equal(t, doctor.Problem, examine().State)
	require.NotContains(t, examine().Found, "short,")
}
