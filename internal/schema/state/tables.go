package state

import (
	"context"
	"strings"
)

func (r *reader) readEnums(ctx context.Context) error {
	all, err := query[Enum](ctx, r.db, "inspect enums", `
SELECT t.typname AS name, obj_description(t.oid, 'pg_type') AS comment,
    ARRAY(SELECT e.enumlabel FROM pg_enum e WHERE e.enumtypid = t.oid ORDER BY e.enumsortorder) AS values
FROM pg_type t
WHERE t.typnamespace = 'public'::regnamespace AND t.typtype = 'e'
    AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_type'::regclass AND e.objid = t.oid AND e.deptype = 'e')
ORDER BY t.typname COLLATE "C"`)
	if err != nil {
		return err
	}
	for _, e := range all {
		if r.excludes("enum", e.Name) {
			r.Excluded = append(r.Excluded, Object{Kind: "enum", Name: e.Name})
		} else {
			r.Enums = append(r.Enums, e)
		}
	}
	return nil
}

// readTables reads the tables with their columns and constraints.
func (r *reader) readTables(ctx context.Context) error {
	all, err := query[Table](ctx, r.db, "inspect columns and constraints", `
SELECT c.relname AS name, pg_get_userbyid(c.relowner) AS owner, obj_description(c.oid, 'pg_class') AS comment,
    c.relpersistence = 'u' AS unlogged,
    (SELECT json_agg(json_build_object('name', a.attname, 'type', format_type(a.atttypid, a.atttypmod), 'not_null', a.attnotnull,
            'default', CASE a.attgenerated WHEN '' THEN pg_get_expr(d.adbin, d.adrelid) END,
            'generated', CASE a.attgenerated WHEN 's' THEN pg_get_expr(d.adbin, d.adrelid) END,
            'identity', CASE a.attidentity WHEN 'a' THEN 'ALWAYS' WHEN 'd' THEN 'BY DEFAULT' END,
            'collation', CASE WHEN a.attcollation <> t.typcollation THEN a.attcollation::regcollation::text END,
            'comment', col_description(c.oid, a.attnum), 'enum', `+enumOf("a.atttypid")+`,
            'rows', (SELECT r.relname FROM pg_class r
                WHERE r.oid = CASE t.typcategory WHEN 'A' THEN (SELECT typrelid FROM pg_type WHERE oid = t.typelem) ELSE t.typrelid END
                    AND r.relnamespace = c.relnamespace AND r.relkind IN ('r', 'v', 'm')),
            'grants', `+grantsOf("a.attacl", "c.relowner", "a.attname")+`) ORDER BY a.attnum)
     FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
     LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
     WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) AS columns,
    (SELECT json_agg(json_build_object('name', k.conname, 'kind', kind.name,
            'definition', `+constraintDefinition+`,
            'references', (SELECT f.relname FROM pg_class f WHERE f.oid = k.confrelid AND f.relnamespace = c.relnamespace),
            'comment', obj_description(k.oid, 'pg_constraint'),
            'columns', `+namesOf("k.conkey", "k.conrelid")+`, 'referenced', `+namesOf("k.confkey", "k.confrelid")+`,
            'validated', k.convalidated, 'deferrable', k.condeferrable, 'deferred', k.condeferred,
            'referenced_key', (SELECT i.relname FROM pg_class i WHERE i.oid = k.conindid AND k.contype = 'f'),
            'nulls_not_distinct', (SELECT x.indnullsnotdistinct FROM pg_index x
                WHERE x.indexrelid = k.conindid AND k.contype <> 'f'),
            'options', CASE WHEN kind.rank <= 3 THEN (SELECT `+optionsOf("i")+` FROM pg_class i WHERE i.oid = k.conindid) END,
            'index_comment', CASE WHEN kind.rank <= 3 THEN obj_description(k.conindid, 'pg_class') END)
            ORDER BY kind.rank, k.conname COLLATE "C")
     FROM pg_constraint k
     JOIN (VALUES ('p', 1, 'primary key'), ('u', 2, 'unique'), ('x', 3, 'exclusion'), ('c', 4, 'check'), ('f', 5, 'foreign key'))
         AS kind (type, rank, name) ON kind.type = k.contype::text
     WHERE k.conrelid = c.oid) AS constraints, `+optionsOf("c")+` AS options
FROM pg_class c
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'
ORDER BY c.relname COLLATE "C"`)
	if err != nil {
		return err
	}
	for _, t := range all {
		if !r.relations[t.Name].table() {
			continue
		}
		for i := range t.Columns {
			t.Columns[i].Grants = oneGrantor(t.Columns[i].Grants)
		}
		r.Details = append(r.Details, &t)
	}
	return nil
}

// indexRow is a row of the query for indexes.
type indexRow struct {
	Index
	Quoted     string // the name
	Relation   string
	Constraint bool   // whether it is the index of a constraint
	Bare       string // the definition without storage parameters
}

func (r *reader) readIndexes(ctx context.Context) error {
	all, err := query[indexRow](ctx, r.db, "inspect indexes", `
SELECT i.relname AS name, quote_ident(i.relname) AS quoted, c.relname AS relation, pg_get_indexdef(x.indexrelid) AS definition,
    obj_description(x.indexrelid, 'pg_class') AS comment, x.indisunique AS unique, x.indisvalid AS valid,
    x.indnullsnotdistinct AS nulls_not_distinct,
    x.indisunique AND x.indimmediate AND x.indpred IS NULL AND 0 < ALL (x.indkey::int2[])
        AND i.relam = (SELECT oid FROM pg_am WHERE amname = 'btree') AS concurrent,
    EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = x.indexrelid AND k.contype IN ('p', 'u', 'x')) AS constraint,
    CASE WHEN x.indpred IS NULL AND 0 < ALL (x.indkey[:x.indnkeyatts - 1]::int2[]) THEN
        `+namesOf("x.indkey[:x.indnkeyatts - 1]::int2[]", "c.oid")+` END AS key,
    `+optionsOf("i")+` AS options, `+indexDefinition+` AS bare
FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_class c ON c.oid = x.indrelid
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'm')
ORDER BY i.relname COLLATE "C"`)
	if err != nil {
		return err
	}
	for _, row := range all {
		index := row.Index
		index.Definition = strings.Replace(index.Definition, " INDEX "+row.Quoted+" ON public.", " INDEX "+Ident(row.Name)+" ON ", 1)
		index.Shape = strings.Replace(row.Bare, " INDEX "+row.Quoted+" ON public.", " INDEX ON ", 1)
		if !r.relations[row.Relation].table() {
			// readViews, which runs later, takes these.
			r.viewIndexes[row.Relation] = append(r.viewIndexes[row.Relation], &index)
			continue
		}
		switch table := r.Table(row.Relation); {
		case table == nil:
		case row.Constraint:
			for i := range table.Constraints {
				if c := &table.Constraints[i]; c.Name == row.Name && c.HasIndex() {
					c.Index = &index
				}
			}
		default:
			table.Indexes = append(table.Indexes, &index)
		}
	}
	return nil
}
