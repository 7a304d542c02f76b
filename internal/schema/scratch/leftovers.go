package scratch

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// prefix begins the names of all scratch databases; the moment of their making, in UTC, and random digits follow.
const prefix = "schema_scratch_"

// dropLeftovers drops what runs that were killed left behind: databases with names like ours, of this role, made more than
// an hour ago and without a session. A living run has one.
func dropLeftovers(ctx context.Context, conn *pgx.Conn) error {
	rows, err := conn.Query(ctx, `
SELECT d.datname::text
FROM pg_database d JOIN pg_roles r ON r.oid = d.datdba AND r.rolname = current_user
WHERE d.datname ~ ('^' || $1 || '\d{14}_[0-9a-f]{12}$')
    AND substr(d.datname, length($1) + 1, 14) < to_char((now() - interval '1 hour') AT TIME ZONE 'UTC', 'YYYYMMDDHH24MISS')
    AND NOT EXISTS (SELECT FROM pg_stat_activity a WHERE a.datid = d.oid)
ORDER BY d.datname`, prefix)
	if err != nil {
		return fmt.Errorf("look for old scratch databases: %w", err)
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return fmt.Errorf("look for old scratch databases: %w", err)
	}
	for _, name := range names {
		// Not by force: whoever has come meanwhile keeps it. Another run may be dropping it as well.
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
