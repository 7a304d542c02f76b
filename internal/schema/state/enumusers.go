package state

import (
	"context"
	"strings"
)

// enumUsersQuery lists what depends on the enums of public and on their arrays. Parts of relations (columns, defaults,
// constraints, indexes, definitions of views) count as the relation. Policies, triggers and the like are objects of their own.
const enumUsersQuery = `
SELECT DISTINCT e.typname AS enum, i.identity AS name, c.relname AS relation,
    CASE q.typtype WHEN 'd' THEN 'domain' WHEN 'r' THEN 'range type' ELSE i.type END AS kind,
    o.class = 'pg_class'::regclass AS part
FROM pg_type e
JOIN pg_depend d ON d.refclassid = 'pg_type'::regclass AND d.refobjid IN (e.oid, e.typarray) AND d.deptype <> 'i'
LEFT JOIN pg_index x ON d.classid = 'pg_class'::regclass AND x.indexrelid = d.objid
LEFT JOIN pg_attrdef f ON d.classid = 'pg_attrdef'::regclass AND f.oid = d.objid
LEFT JOIN pg_constraint k ON d.classid = 'pg_constraint'::regclass AND k.oid = d.objid
LEFT JOIN pg_rewrite w ON d.classid = 'pg_rewrite'::regclass AND w.oid = d.objid
LEFT JOIN pg_policy y ON d.classid = 'pg_policy'::regclass AND y.oid = d.objid
LEFT JOIN pg_trigger g ON d.classid = 'pg_trigger'::regclass AND g.oid = d.objid
LEFT JOIN pg_statistic_ext t ON d.classid = 'pg_statistic_ext'::regclass AND t.oid = d.objid
LEFT JOIN pg_type q ON d.classid = 'pg_type'::regclass AND q.oid = d.objid
LEFT JOIN pg_publication_rel p ON d.classid = 'pg_publication_rel'::regclass AND p.oid = d.objid
CROSS JOIN LATERAL (SELECT coalesce(x.indrelid, f.adrelid, nullif(k.conrelid, 0),
    CASE WHEN w.rulename = '_RETURN' THEN w.ev_class END) AS oid) AS whole
CROSS JOIN LATERAL (SELECT CASE WHEN whole.oid IS NULL THEN d.classid ELSE 'pg_class'::regclass END AS class,
    coalesce(whole.oid, d.objid) AS oid) AS o
CROSS JOIN LATERAL pg_identify_object(o.class, o.oid, 0) AS i
LEFT JOIN pg_class c ON c.oid = coalesce(y.polrelid, g.tgrelid, t.stxrelid, p.prrelid, w.ev_class,
    CASE WHEN o.class = 'pg_class'::regclass THEN o.oid END) AND c.relnamespace = 'public'::regnamespace
WHERE e.typtype = 'e' AND e.typnamespace = 'public'::regnamespace AND (d.classid <> 'pg_proc'::regclass OR ` + notPart + `)`

// readEnumUsers lists the users of enums that are not managed, and those on managed relations.
func (r *reader) readEnumUsers(ctx context.Context) error {
	type row struct {
		Object
		Enum, Relation string
		Part           bool
	}
	all, err := query[row](ctx, r.db, "inspect what depends on enums", enumUsersQuery)
	if err != nil {
		return err
	}
	for _, u := range all {
		relation, known := r.relations[u.Relation]
		managed := known && relation.managed()
		if managed && u.Part {
			continue
		}
		user := Object{Kind: u.Kind, Name: strings.ReplaceAll(u.Name, "public.", "")}
		if managed {
			user.On = u.Relation
		}
		for i := range r.Enums {
			if r.Enums[i].Name == u.Enum {
				r.Enums[i].Users = sorted(append(r.Enums[i].Users, user))
			}
		}
	}
	return nil
}
