package schema

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"ariga.io/atlas/sql/migrate"
	atlas "ariga.io/atlas/sql/schema"
)

// The revisions table is in schema public, because atlas.hcl says revisions_schema = "public". By default the Atlas command
// would use a schema with the name of the table.
const (
	revisionsName  = "atlas_schema_revisions"
	revisionsTable = "public." + revisionsName
)

// cloudID is a row the Atlas command may keep in the table for itself.
const cloudID = ".atlas_cloud_identifier"

// revisions is Atlas's own revisions table, column for column.
type revisions struct {
	db atlas.ExecQuerier
	// The start of the current file. The executor sets the time of each write, which would leave only the time of the last
	// statement.
	started time.Time
}

var _ migrate.RevisionReadWriter = revisions{}

// create creates the table as the Atlas command does, unless it exists.
func (r revisions) create(ctx context.Context) error {
	_, err := r.db.ExecContext(ctx, `
CREATE TABLE IF NOT EXISTS `+revisionsTable+` (
    version varchar NOT NULL,
    description varchar NOT NULL,
    type bigint NOT NULL DEFAULT 2,
    applied bigint NOT NULL DEFAULT 0,
    total bigint NOT NULL DEFAULT 0,
    executed_at timestamptz NOT NULL,
    execution_time bigint NOT NULL,
    error text,
    error_stmt text,
    hash varchar NOT NULL,
    partial_hashes jsonb,
    operator_version varchar NOT NULL,
    CONSTRAINT atlas_schema_revisions_pkey PRIMARY KEY (version)
)`)
	if err != nil {
		return fmt.Errorf("create revisions table: %w", err)
	}
	return nil
}

// Ident implements migrate.RevisionReadWriter.
func (revisions) Ident() *migrate.TableIdent {
	return &migrate.TableIdent{Name: revisionsName, Schema: "public"}
}

// ReadRevisions returns all revisions, oldest version first, and none when there is no table.
func (r revisions) ReadRevisions(ctx context.Context) ([]*migrate.Revision, error) {
	rows, err := r.db.QueryContext(ctx, "SELECT to_regclass($1) IS NOT NULL", revisionsTable)
	if err != nil {
		return nil, fmt.Errorf("look for revisions table: %w", err)
	}
	var exists bool
	if err := scanOne(rows, &exists); err != nil {
		return nil, fmt.Errorf("look for revisions table: %w", err)
	}
	if !exists {
		return nil, nil
	}
	return r.query(ctx, "WHERE version <> $1", cloudID)
}

// ReadRevision implements migrate.RevisionReadWriter.
func (r revisions) ReadRevision(ctx context.Context, version string) (*migrate.Revision, error) {
	found, err := r.query(ctx, "WHERE version = $1", version)
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, migrate.ErrRevisionNotExist
	}
	return found[0], nil
}

func (r revisions) query(ctx context.Context, where string, arg string) ([]*migrate.Revision, error) {
	rows, err := r.db.QueryContext(ctx, `
SELECT version, description, type, applied, total, executed_at, execution_time,
    coalesce(error, ''), coalesce(error_stmt, ''), hash, coalesce(partial_hashes, 'null'), operator_version
FROM `+revisionsTable+` `+where+` ORDER BY version COLLATE "C"`, arg)
	if err != nil {
		return nil, fmt.Errorf("read revisions: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var all []*migrate.Revision
	for rows.Next() {
		var v migrate.Revision
		var hashes []byte
		if err := rows.Scan(&v.Version, &v.Description, &v.Type, &v.Applied, &v.Total, &v.ExecutedAt, &v.ExecutionTime,
			&v.Error, &v.ErrorStmt, &v.Hash, &hashes, &v.OperatorVersion); err != nil {
			return nil, fmt.Errorf("read revisions: %w", err)
		}
		if err := json.Unmarshal(hashes, &v.PartialHashes); err != nil {
			return nil, fmt.Errorf("read partial hashes of revision %s: %w", v.Version, err)
		}
		all = append(all, &v)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read revisions: %w", err)
	}
	return all, nil
}

// WriteRevision implements migrate.RevisionReadWriter.
func (r revisions) WriteRevision(ctx context.Context, v *migrate.Revision) error {
	hashes, err := json.Marshal(v.PartialHashes)
	if err != nil {
		return fmt.Errorf("write revision %s: %w", v.Version, err)
	}
	at, took := v.ExecutedAt, v.ExecutionTime
	if !r.started.IsZero() {
		at, took = r.started, time.Since(r.started)
	}
	_, err = r.db.ExecContext(ctx, `
INSERT INTO `+revisionsTable+` (version, description, type, applied, total, executed_at, execution_time,
    error, error_stmt, hash, partial_hashes, operator_version)
VALUES ($1, $2, $3, $4, $5, $6, $7, nullif($8, ''), nullif($9, ''), $10, nullif($11::jsonb, 'null'), $12)
ON CONFLICT (version) DO UPDATE SET
    description = excluded.description, type = excluded.type, applied = excluded.applied, total = excluded.total,
    executed_at = excluded.executed_at, execution_time = excluded.execution_time, error = excluded.error,
    error_stmt = excluded.error_stmt, hash = excluded.hash, partial_hashes = excluded.partial_hashes,
    operator_version = excluded.operator_version`,
		v.Version, v.Description, int64(v.Type), v.Applied, v.Total, at, int64(took),
		v.Error, v.ErrorStmt, v.Hash, string(hashes), v.OperatorVersion)
	if err != nil {
		return fmt.Errorf("write revision %s: %w", v.Version, err)
	}
	return nil
}

// DeleteRevision implements migrate.RevisionReadWriter.
func (r revisions) DeleteRevision(ctx context.Context, version string) error {
	if _, err := r.db.ExecContext(ctx, `DELETE FROM `+revisionsTable+` WHERE version = $1`, version); err != nil {
		return fmt.Errorf("delete revision %s: %w", version, err)
	}
	return nil
}

func scanOne(rows *sql.Rows, dest ...any) error {
	defer func() { _ = rows.Close() }()
	if !rows.Next() {
		if err := rows.Err(); err != nil {
			return err
		}
		return sql.ErrNoRows
	}
	if err := rows.Scan(dest...); err != nil {
		return err
	}
	return rows.Close()
}

// scanStrings returns the rows of a query with one column of text. Errors begin with action.
func scanStrings(ctx context.Context, db atlas.ExecQuerier, action, query string, args ...any) ([]string, error) {
	rows, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", action, err)
	}
	defer func() { _ = rows.Close() }()
	var all []string
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			return nil, fmt.Errorf("%s: %w", action, err)
		}
		all = append(all, s)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", action, err)
	}
	return all, nil
}
