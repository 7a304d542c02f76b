package schema

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"hash/fnv"

	"ariga.io/atlas/sql/postgres"
	atlas "ariga.io/atlas/sql/schema"
)

// lockName is what the Atlas command locks while it applies migrations.
const lockName = "atlas_migrate_execute"

// lock takes Atlas's advisory lock. It polls, because a transaction that waits inside the server would block CREATE INDEX
// CONCURRENTLY.
func (m *Migrator) lock(ctx context.Context, conn *sql.Conn) (atlas.UnlockFunc, error) {
	driver, err := postgres.Open(conn)
	if err != nil {
		return nil, fmt.Errorf("open migration driver: %w", err)
	}
	locker, ok := driver.(atlas.Locker)
	if !ok {
		return nil, errors.New("this server has no advisory locks, so concurrent migrations could not be prevented; use PostgreSQL")
	}
	unlock, err := locker.Lock(ctx, lockName, m.opts.LockWait)
	if errors.Is(err, atlas.ErrLocked) {
		return nil, fmt.Errorf("%w: %s on database %s has been migrating for longer than %s; "+
			"wait for it to end, or end it with SELECT pg_terminate_backend(pid), then try again",
			ErrLocked, lockHolder(ctx, conn), m.databaseName(), m.opts.LockWait)
	}
	if err != nil {
		return nil, fmt.Errorf("lock migrations: %w", err)
	}
	return unlock, nil
}

// lockHolder describes the session that has the migration lock.
func lockHolder(ctx context.Context, conn *sql.Conn) string {
	key := fnv.New32()
	_, _ = key.Write([]byte(lockName))
	var pid int
	var name string
	err := conn.QueryRowContext(ctx, `
SELECT a.pid, a.application_name
FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 AND l.classid = 0 AND l.objid = $1::bigint::oid
    AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
LIMIT 1`, int64(key.Sum32())).Scan(&pid, &name)
	if err != nil {
		return "another session"
	}
	return fmt.Sprintf("session pid %d (%s)", pid, name)
}
