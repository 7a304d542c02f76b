package doctor

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"docket/internal/postgres"
)

// oldestVersion is the oldest supported server version, as server_version_num shows it.
const oldestVersion = 150000

// connection opens the pool and reads what most other checks need.
func connection(ctx context.Context, e *examination) Finding {
	pool, err := e.Open(ctx)
	if err != nil {
		return Finding{State: Problem, Found: err.Error(), Do: remedy(err)}
	}
	e.pool = pool
	if e.server, err = postgres.ReadServer(ctx, pool); err == nil {
		e.session, err = postgres.ReadSession(ctx, pool)
	}
	if err != nil {
		return Finding{State: Problem, Found: "the server accepts the connection, but a first statement failed: " + err.Error(),
			Do: "read the log of the server, or of the pooler between"}
	}
	if e.Adjust != nil {
		e.Adjust(&e.server, &e.session)
	}
	encrypted := "without TLS"
	if e.session.TLS {
		encrypted = "with TLS"
	}
	return ok("database %q as %q, %s", e.server.Database, e.server.Role, encrypted)
}

// remedies are what to do about a connection that the server refuses, by SQLSTATE.
var remedies = map[string]string{
	"28P01": "set the right password in --database-url or DATABASE_URL, with special characters percent-encoded",
	"28000": "let pg_hba.conf of the server admit this role, database and address, or name another role in --database-url",
	"3D000": "name an existing database in --database-url, or create this one: createdb --encoding=UTF8 --template=template0 NAME",
	"42501": "GRANT CONNECT ON DATABASE to the role",
	"53300": "raise max_connections of the server, or lower --max-conns and --jobs-max-conns of the processes that run",
	"57P03": "wait until the server has started, then run docket doctor again",
	"08P01": "a connection pooler refuses the connection: read its log, and Behind PgBouncer in docs/operations.md",
}

func remedy(err error) string {
	if pgErr, ok := errors.AsType[*pgconn.PgError](err); ok {
		if do := remedies[pgErr.Code]; do != "" {
			return do
		}
		return "read the log of the server"
	}
	return "see whether the server runs, and whether host, port and sslmode in --database-url are right; without --database-url, " +
		"start docket serve"
}

func version(_ context.Context, e *examination) Finding {
	if e.server.VersionNumber < oldestVersion {
		return Finding{State: Problem, Found: "PostgreSQL " + e.server.Version + ", older than 15",
			Do: "move the database to PostgreSQL 15 or newer with pg_upgrade"}
	}
	return ok("PostgreSQL %s", e.server.Version)
}

func encoding(_ context.Context, e *examination) Finding {
	if e.server.Encoding != "UTF8" {
		return Finding{State: Problem, Found: "the database stores texts as " + e.server.Encoding + ", which cannot hold all texts",
			Do: "createdb --encoding=UTF8 --template=template0 NAME, then move the data there with pg_dump and pg_restore"}
	}
	return ok("UTF8")
}

// collation compares the version of the operating system's sort order with that when the indexes on texts were built.
func collation(_ context.Context, e *examination) Finding {
	have, want := e.server.CollationVersion, e.server.CollationActualVersion
	if have != "" && want != "" && have != want {
		return Finding{State: Warning,
			Found: fmt.Sprintf("the operating system sorts by version %s of %s, the indexes on texts were built with %s", want,
				e.server.Collation, have),
			Do: fmt.Sprintf("REINDEX DATABASE %q; ALTER DATABASE %[1]q REFRESH COLLATION VERSION", e.server.Database)}
	}
	return ok("%s", e.server.Collation)
}

func writable(_ context.Context, e *examination) Finding {
	switch {
	case e.server.Standby:
		return Finding{State: Problem, Found: "the server is a standby, which accepts no writes",
			Do: "name the primary server in --database-url, or promote this one"}
	case e.server.ReadOnly:
		return Finding{State: Problem, Found: "default_transaction_read_only is on",
			Do: "set it to off where it is set: for the database, the role, the server or in the database URL"}
	}
	return ok("the server is a primary and accepts writes")
}

// pooler finds a pooler without a way past it, which migrations and imports need.
func pooler(ctx context.Context, e *examination) Finding {
	if err := e.Direct(ctx); err != nil {
		return Finding{State: Problem, Found: err.Error(),
			Do: "set --direct-url or DOCKET_DIRECT_URL to the URL of the same database on PostgreSQL itself"}
	}
	if e.session.HandshakePID != e.session.BackendPID {
		return ok("a connection pooler is between, and --direct-url leads past it")
	}
	return ok("none")
}

func settings(ctx context.Context, e *examination) Finding {
	have := map[string]string{
		"plan_cache_mode": e.server.PlanCacheMode, "statement_timeout": e.server.StatementTimeout, "TimeZone": e.server.TimeZone,
	}
	var differ []string
	for _, name := range slices.Sorted(maps.Keys(e.Settings)) {
		if have[name] != e.Settings[name] {
			differ = append(differ, fmt.Sprintf("%s is %q instead of %q", name, have[name], e.Settings[name]))
		}
	}
	if len(differ) > 0 {
		return Finding{State: Warning, Found: "settings that Docket sent were dropped: " + strings.Join(differ, ", "),
			Do: "name PostgreSQL itself, or a pooler in transaction mode, in --database-url"}
	}
	return ok("as sent")
}

// durability finds settings under which a crash loses what was acknowledged.
func durability(_ context.Context, e *examination) Finding {
	var off []string
	if !e.server.Fsync {
		off = append(off, "fsync")
	}
	if !e.server.FullPageWrites {
		off = append(off, "full_page_writes")
	}
	switch {
	case len(off) > 0:
		names := strings.Join(off, " and ")
		return Finding{State: Problem, Found: names + " off: a crash of the machine can destroy the database",
			Do: fmt.Sprintf("psql -c 'ALTER SYSTEM SET %s = on' -c 'SELECT pg_reload_conf()'",
				strings.Join(off, " = on' -c 'ALTER SYSTEM SET "))}
	case e.server.SynchronousCommit == "off":
		return Finding{State: Warning, Found: "synchronous_commit is off: a crash loses the answers of the last moments",
			Do: "set synchronous_commit to on where it is set: for the database, the role or the server"}
	}
	return ok("fsync and full_page_writes on, synchronous_commit %s", e.server.SynchronousCommit)
}

// mostClockDifference is far below the default --token-leeway.
const mostClockDifference = 5 * time.Second

// clock compares the clocks. What the round trip took is not counted as a difference.
func clock(ctx context.Context, e *examination) Finding {
	before := e.Now()
	server, err := postgres.ReadClock(ctx, e.pool)
	after := e.Now()
	if err != nil {
		return failed(err)
	}
	difference := max(before.Sub(server), server.Sub(after), 0)
	if difference > mostClockDifference {
		return Finding{State: Warning,
			Found: fmt.Sprintf("the clocks of this machine and of the server differ by %s", difference.Round(time.Second)),
			Do:    "synchronize both machines with a time server; timedatectl shows whether one is"}
	}
	return ok("differs by less than %s", mostClockDifference)
}

func privileges(ctx context.Context, e *examination) Finding {
	return outcome(e.Grants(ctx), "all that docket serve needs")
}
func migrations(ctx context.Context, e *examination) Finding {
	return outcome(e.Migrations(ctx), "all applied, none edited")
}
func river(ctx context.Context, e *examination) Finding {
	return outcome(e.River(ctx), "of this program's version")
}

// outcome is for functions whose errors say what to do, after a colon or a semicolon. The whole text is what was found.
func outcome(err error, inOrder string) Finding {
	switch {
	case err == nil:
		return ok("%s", inOrder)
	case errors.Is(err, context.DeadlineExceeded), postgres.IsDenied(err):
		return failed(err)
	}
	return Finding{State: Problem, Found: err.Error(), Do: "do what the message says; docs/operations.md explains it"}
}

// needed are the extensions that the schema creates.
var needed = []string{"pg_trgm", "pgcrypto"}

func extensions(ctx context.Context, e *examination) Finding {
	missing, err := postgres.MissingExtensions(ctx, e.pool, needed)
	switch {
	case err != nil:
		return failed(err)
	case len(missing) > 0:
		return Finding{State: Problem, Found: "missing: " + strings.Join(missing, ", "),
			Do: fmt.Sprintf("psql -c 'CREATE EXTENSION %s'", strings.Join(missing, "' -c 'CREATE EXTENSION "))}
	}
	return ok("%s", strings.Join(needed, ", "))
}
