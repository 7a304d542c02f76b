package lint

import (
	"context"
	"fmt"

	atlas "ariga.io/atlas/sql/schema"
)

// catalog is the content of schema public by oid. An object keeps its oid when it is renamed. An object of the same name with
// another oid is another object.
type catalog struct {
	fingerprint string // changes with every statement that defines an object
	relations   map[uint32]relation
	columns     map[column]string     // names
	constraints map[uint32]constraint // foreign keys and checks
	enums       map[uint32]enum
}

type enum struct {
	name   string
	values map[uint32]string
}

type relation struct {
	name      string
	kind      string // of pg_class.relkind: r and p table, v view, m materialized view, i and I index
	storage   uint32 // pg_class.relfilenode: changes when the table is rewritten or truncated
	table     uint32 // of an index: its table or materialized view
	populated bool
	unlogged  bool
	granted   bool   // a role other than the owner has a privilege
	parts     string // of a table: fingerprint of its columns, constraints and indexes
}

type column struct {
	table  uint32
	number int16
}

type constraint struct {
	name       string
	table      uint32
	references uint32   // 0 for a check
	columns    []column // that it uses
	validated  bool
}

func (r relation) isTable() bool { return r.kind == "r" || r.kind == "p" }
func (r relation) isView() bool  { return r.kind == "v" || r.kind == "m" }
func (r relation) isIndex() bool { return r.kind == "i" || r.kind == "I" }

// find returns the oid of the relation with this name, or 0.
func (c *catalog) find(name string) uint32 {
	for oid, r := range c.relations {
		if r.name == name {
			return oid
		}
	}
	return 0
}

// 16384 is the first oid of objects that users create. A row of the catalog that changes gets another ctid.
const fingerprintQuery = `
SELECT md5(string_agg(line, ' ' ORDER BY line)) FROM (
    SELECT 'c' || oid || ctid AS line FROM pg_class WHERE oid >= 16384
    UNION ALL SELECT 'a' || attrelid || ctid FROM pg_attribute WHERE attrelid >= 16384
    UNION ALL SELECT 'd' || oid || ctid FROM pg_attrdef
    UNION ALL SELECT 'n' || oid || ctid FROM pg_constraint WHERE oid >= 16384
    UNION ALL SELECT 'i' || indexrelid || ctid FROM pg_index WHERE indexrelid >= 16384
    UNION ALL SELECT 't' || oid || ctid FROM pg_type WHERE oid >= 16384
    UNION ALL SELECT 'e' || oid || ctid FROM pg_enum WHERE oid >= 16384
    UNION ALL SELECT 'r' || oid || ctid FROM pg_rewrite WHERE oid >= 16384
) AS everything`

func readFingerprint(ctx context.Context, db atlas.ExecQuerier) (string, error) {
	var fingerprint string
	err := collect(ctx, db, "SELECT coalesce(("+fingerprintQuery+"), '')", func(scan scanFunc) error { return scan(&fingerprint) })
	return fingerprint, err
}

// readCatalog returns before itself when it has not changed.
func readCatalog(ctx context.Context, db atlas.ExecQuerier, before *catalog) (*catalog, error) {
	fingerprint, err := readFingerprint(ctx, db)
	if err != nil || before != nil && before.fingerprint == fingerprint {
		return before, err
	}
	c := &catalog{
		fingerprint: fingerprint,
		relations:   map[uint32]relation{}, columns: map[column]string{}, constraints: map[uint32]constraint{}, enums: map[uint32]enum{},
	}
	// A new database has no statistics. Without MATERIALIZED the planner would compute the parts again for each relation.
	err = collect(ctx, db, `
WITH parts AS MATERIALIZED (
    SELECT relid, md5(string_agg(row, ' ' ORDER BY row)) AS print FROM (
        SELECT attrelid AS relid, 'a' || attnum || ctid AS row FROM pg_attribute WHERE attrelid >= 16384
        UNION ALL SELECT adrelid, 'd' || oid || ctid FROM pg_attrdef
        UNION ALL SELECT conrelid, 'n' || oid || ctid FROM pg_constraint WHERE conrelid >= 16384
        UNION ALL SELECT indrelid, 'i' || indexrelid || ctid FROM pg_index WHERE indrelid >= 16384
        UNION ALL SELECT oid, relname FROM pg_class WHERE oid >= 16384
    ) AS rows GROUP BY relid
)
SELECT c.oid, c.relname, c.relkind::text, c.relfilenode, coalesce(i.indrelid, 0), c.relispopulated, c.relpersistence = 'u',
    EXISTS (SELECT FROM aclexplode(c.relacl) a WHERE a.grantee <> c.relowner), coalesce(parts.print, '')
FROM pg_class c
LEFT JOIN pg_index i ON i.indexrelid = c.oid
LEFT JOIN parts ON parts.relid = c.oid AND c.relkind IN ('r', 'p')
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'i', 'I')`, func(scan scanFunc) error {
		var oid uint32
		var r relation
		err := scan(&oid, &r.name, &r.kind, &r.storage, &r.table, &r.populated, &r.unlogged, &r.granted, &r.parts)
		c.relations[oid] = r
		return err
	})
	if err != nil {
		return nil, err
	}
	err = collect(ctx, db, `
SELECT a.attrelid, a.attnum, a.attname
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped`,
		func(scan scanFunc) error {
			var key column
			var name string
			err := scan(&key.table, &key.number, &name)
			c.columns[key] = name
			return err
		})
	if err != nil {
		return nil, err
	}
	err = collect(ctx, db, `
SELECT k.oid, k.conname, k.conrelid, k.confrelid, n.number, k.convalidated
FROM pg_constraint k LEFT JOIN LATERAL unnest(k.conkey) AS n (number) ON true
WHERE k.connamespace = 'public'::regnamespace AND k.contype IN ('f', 'c') AND k.conrelid <> 0`, func(scan scanFunc) error {
		var oid uint32
		var of constraint
		var number *int16
		err := scan(&oid, &of.name, &of.table, &of.references, &number, &of.validated)
		of.columns = c.constraints[oid].columns
		if number != nil {
			of.columns = append(of.columns, column{of.table, *number})
		}
		c.constraints[oid] = of
		return err
	})
	if err != nil {
		return nil, err
	}
	err = collect(ctx, db, `
SELECT t.oid, t.typname, coalesce(e.oid, 0), coalesce(e.enumlabel, '') FROM pg_type t LEFT JOIN pg_enum e ON e.enumtypid = t.oid
WHERE t.typnamespace = 'public'::regnamespace AND t.typtype = 'e'`, func(scan scanFunc) error {
		var oid, value uint32
		var name, label string
		err := scan(&oid, &name, &value, &label)
		if _, known := c.enums[oid]; !known {
			c.enums[oid] = enum{name, map[uint32]string{}}
		}
		c.enums[oid].values[value] = label
		return err
	})
	return c, err
}

// tablesChanged reports whether a table that existed in start, before a file, was changed or dropped between c and after.
func (c *catalog) tablesChanged(start, after *catalog) bool {
	for oid, r := range start.relations {
		if r.isTable() && c.relations[oid].parts != after.relations[oid].parts {
			return true
		}
	}
	return false
}

type scanFunc func(dest ...any) error

func collect(ctx context.Context, db atlas.ExecQuerier, query string, row func(scanFunc) error) error {
	rows, err := db.QueryContext(ctx, query)
	if err != nil {
		return fmt.Errorf("read the catalog: %w", err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		if err := row(rows.Scan); err != nil {
			return fmt.Errorf("read the catalog: %w", err)
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("read the catalog: %w", err)
	}
	return nil
}
