package state

// propertiesQuery lists properties of tables, columns, constraints and indexes of public that a state does not have, each with
// the part of the relation that has it, or an empty text for the whole relation. Such a table is compared without the property.
const propertiesQuery = `
WITH relations AS (
    SELECT c.*, quote_ident(c.relname) AS name FROM pg_class c
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'v', 'm')
        AND NOT EXISTS (SELECT FROM pg_inherits i WHERE i.inhrelid = c.oid)
        AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_class'::regclass AND e.objid = c.oid AND e.deptype = 'e')
), columns AS (
    SELECT c.relkind, c.relname, format('%s.%I', c.name, a.attname) AS name, a.attname AS part, a.*
    FROM relations c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
), constraints AS (
    SELECT k.*, c.relname, format('%I on %s', k.conname, c.name) AS name, k.conname AS part
    FROM relations c JOIN pg_constraint k ON k.conrelid = c.oid
), indexes AS (
    SELECT x.*, i.reltablespace, i.relname AS part, c.relname, format('%I on %s', i.relname, c.name) AS name
    FROM relations c JOIN pg_index x ON x.indrelid = c.oid JOIN pg_class i ON i.oid = x.indexrelid
)
SELECT p.*, ARRAY[p.part] AS parts, true AS dropped FROM (
SELECT 'table of a type' AS kind, name, relname AS relation, '' AS part FROM relations WHERE reloftype <> 0
UNION ALL SELECT 'row security', 'of ' || name, relname, '' FROM relations WHERE relrowsecurity OR relforcerowsecurity
UNION ALL SELECT 'replica identity', 'of ' || name, relname,
    coalesce((SELECT part FROM indexes WHERE indrelid = relations.oid AND indisreplident), '')
    FROM relations WHERE relkind = 'r' AND relreplident <> 'd'
UNION ALL SELECT 'access method', format('%I of %s', am.amname, name), relname, ''
    FROM relations JOIN pg_am am ON am.oid = relam WHERE am.amname <> 'heap'
UNION ALL SELECT 'tablespace', format('%I of %s', s.spcname, name), relname, part
    FROM (SELECT reltablespace, name, relname, '' AS part FROM relations
        UNION ALL SELECT reltablespace, name, relname, part FROM indexes) AS r
    JOIN pg_tablespace s ON s.oid = r.reltablespace

UNION ALL SELECT 'column storage', name, relname, part FROM columns JOIN pg_type t ON t.oid = atttypid
    WHERE attstorage <> typstorage AND relkind <> 'v'
UNION ALL SELECT 'column compression', name, relname, part FROM columns WHERE attcompression <> ''
UNION ALL SELECT 'column statistics target', name, relname, part FROM columns WHERE coalesce(attstattarget, -1) <> -1
UNION ALL SELECT 'column options', name, relname, part FROM columns WHERE attoptions IS NOT NULL
UNION ALL SELECT 'default of a view column', name, relname, part FROM columns WHERE relkind = 'v' AND atthasdef
UNION ALL SELECT 'virtual generated column', name, relname, part FROM columns WHERE attgenerated = 'v'

UNION ALL SELECT DISTINCT 'disabled foreign key', k.name, k.relname, k.part
    FROM constraints k JOIN pg_trigger t ON t.tgconstraint = k.oid AND t.tgisinternal AND t.tgenabled <> 'O'

UNION ALL SELECT 'clustering', 'by ' || name, relname, part FROM indexes WHERE indisclustered
UNION ALL SELECT 'index statistics target', format('of column %s of %s', a.attnum, name), relname, part
    FROM indexes JOIN pg_attribute a ON a.attrelid = indexrelid WHERE coalesce(a.attstattarget, -1) <> -1
) AS p`
