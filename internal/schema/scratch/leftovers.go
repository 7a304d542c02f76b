package scratch

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// prefix begins the names of all scratch databases. The time of their creation, in UTC, and random digits follow.
const prefix = "schema_scratch_"

// dropLeftovers drops the scratch databases of killed runs: those of this role that were created more than an hour ago and have
// no session. A database in use has one.
func dropLeftovers(ctx context.Context, conn *pgx.Conn) error {
	rows, err := conn.Query(ctx, `
SELECT d.datname::text
FROM pg_database d JOIN pg_roles r ON r.oid = d.datdba AND r.rolname = current_user
WHERE d.datname ~ ('^' || $1 || '\d{14}_[0-9a-f]{12}$')
    AND substr(d.datname, length($1) + 1, 14) < to_char((now() - interval '1 hour') AT TIME ZONE 'UTC', 'YYYYMMDDHH24MISS')
    AND NOT EXISTS (SELECT FROM pg_stat_activity a WHERE a.datid = d.oid)
ORDER BY d.datname`, prefix)
	if err != nil {
		return fmt.Errorf("list old scratch databases: %w", err)
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return fmt.Errorf("list old scratch databases: %w", err)
	}
	for _, name := range names {
		// Without FORCE it fails if a session has connected since. Another run may be dropping it as well.
		_ = dropDatabase(ctx, conn, name, "")
	}
	return nil
}

func dropDatabase(ctx context.Context, conn *pgx.Conn, name, how string) error {
	if _, err := conn.Exec(ctx, "DROP DATABASE IF EXISTS "+pgx.Identifier{name}.Sanitize()+how); err != nil {
		return fmt.Errorf("drop scratch database %s: %w", name, err)
	}
	return nil
}
