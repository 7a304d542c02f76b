package scratch

import (
	"context"

	"github.com/jackc/pgx/v5"

	"docket/internal/schema/scratch/database"
)

// prefix begins the names of all scratch databases. The time of their creation, in UTC, and random digits follow.
const prefix = "schema_scratch_"

// dropLeftovers drops the scratch databases of killed runs: those of this role that were created more than an hour ago and have
// no session. A database in use has one.
func dropLeftovers(ctx context.Context, conn *pgx.Conn) error {
	names, err := database.Names(ctx, conn, `
    datdba = (SELECT oid FROM pg_roles WHERE rolname = current_user) AND datname ~ ('^' || $1 || '\d{14}_[0-9a-f]{12}$')
    AND substr(datname, length($1) + 1, 14) < to_char((now() - interval '1 hour') AT TIME ZONE 'UTC', 'YYYYMMDDHH24MISS')
    AND NOT EXISTS (SELECT FROM pg_stat_activity a WHERE a.datid = d.oid)`, prefix)
	for _, name := range names {
		// Without FORCE it fails if a session has connected since. Another run may be dropping it as well.
		_ = database.Drop(ctx, conn, name, "")
	}
	return err
}
