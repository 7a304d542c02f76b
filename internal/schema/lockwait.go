package schema

import (
	"context"
	"database/sql"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	atlas "ariga.io/atlas/sql/schema"

	"docket/internal/schema/sqltext"
)

// boundLockWaits bounds how long the session waits for a lock, unless a statement sets lock_timeout itself. While a statement
// waits for a lock on a table, all later statements that need the table wait behind it. The returned connection waits as long as
// necessary in statements for which no reader or writer waits: those with CONCURRENTLY, which also wait for older transactions,
// and VALIDATE CONSTRAINT.
func (m *Migrator) boundLockWaits(ctx context.Context, conn *sql.Conn) (atlas.ExecQuerier, error) {
	b := &boundedConn{conn, strconv.FormatInt(m.opts.LockWait.Milliseconds(), 10)}
	return b, b.set(ctx, b.wait)
}

type boundedConn struct {
	*sql.Conn
	wait string // in milliseconds
}

func (b *boundedConn) set(ctx context.Context, wait string) error {
	if _, err := b.Conn.ExecContext(ctx, "SELECT set_config('lock_timeout', $1, false)", wait); err != nil {
		return fmt.Errorf("set lock timeout: %w", err)
	}
	return nil
}

// ExecContext implements atlas.ExecQuerier.
func (b *boundedConn) ExecContext(ctx context.Context, statement string, args ...any) (sql.Result, error) {
	if !waitsFreely(statement) {
		return b.Conn.ExecContext(ctx, statement, args...)
	}
	var now string
	err := b.QueryRowContext(ctx, "SELECT setting FROM pg_settings WHERE name = 'lock_timeout'").Scan(&now)
	if err != nil {
		return nil, fmt.Errorf("read lock timeout: %w", err)
	}
	if now != b.wait { // an earlier statement has set it
		return b.Conn.ExecContext(ctx, statement, args...)
	}
	if err := b.set(ctx, "0"); err != nil {
		return nil, err
	}
	defer func() { _ = b.set(context.WithoutCancel(ctx), b.wait) }()
	return b.Conn.ExecContext(ctx, statement, args...)
}

// concurrentIndex matches the beginning of the statements that migrations write. CONCURRENTLY cannot be the name of an index.
var concurrentIndex = regexp.MustCompile(`^(create(\s+unique)?|drop)\s+index\s+concurrently\s`)

func waitsFreely(statement string) bool {
	// The first parse of a process takes more than a second of CPU, so the words of the statement come first.
	if !slices.Contains([]string{"create", "drop", "reindex", "alter"}, sqltext.Keyword(statement)) {
		return false
	}
	lower := strings.ToLower(statement)
	if !strings.Contains(lower, "concurrently") && !strings.Contains(lower, "validate") {
		return false
	}
	if concurrentIndex.MatchString(sqltext.SkipBlank(lower)) {
		return true
	}
	parsed, err := sqltext.Parse(statement)
	return err == nil && (parsed.Concurrently() || parsed.OnlyValidates())
}
