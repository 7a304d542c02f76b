package state

import (
	"cmp"
	"context"
	"slices"
)

func (r *reader) readGrants(ctx context.Context, views map[string]*View) error {
	type row struct {
		Grant
		View string
	}
	all, err := query[row](ctx, r.db, "inspect grants", `
SELECT c.relname AS view, CASE WHEN acl.grantee <> 0 THEN pg_get_userbyid(acl.grantee) ELSE '' END AS grantee,
    acl.privilege_type AS privilege, lists.column, acl.is_grantable AS with_grant_option
FROM pg_class c
CROSS JOIN LATERAL (
    SELECT '' AS column, c.relacl AS acl
    UNION ALL SELECT a.attname, a.attacl FROM pg_attribute a
    WHERE a.attrelid = c.oid AND a.attacl IS NOT NULL AND NOT a.attisdropped
) AS lists
CROSS JOIN LATERAL aclexplode(lists.acl) AS acl
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('v', 'm') AND acl.grantee <> c.relowner`)
	if err != nil {
		return err
	}
	for _, g := range all {
		if v, ok := views[g.View]; ok {
			v.Grants = append(v.Grants, g.Grant)
		}
	}
	for _, v := range views {
		// Several grantors may have granted one privilege: keep a grant with the grant option, which comes first.
		v.Grants = slices.CompactFunc(inGrantOrder(v.Grants), func(a, b Grant) bool {
			return a.Grantee == b.Grantee && a.Column == b.Column && a.Privilege == b.Privilege
		})
	}
	return nil
}

// readDefaultGrants reads what ALTER DEFAULT PRIVILEGES has granted to others.
func (r *reader) readDefaultGrants(ctx context.Context) error {
	all, err := query[Grant](ctx, r.db, "inspect default privileges", `
SELECT DISTINCT CASE WHEN acl.grantee <> 0 THEN pg_get_userbyid(acl.grantee) ELSE '' END AS grantee,
    acl.privilege_type AS privilege, acl.is_grantable AS with_grant_option
FROM pg_default_acl d CROSS JOIN LATERAL aclexplode(d.defaclacl) AS acl
WHERE d.defaclobjtype = 'r' AND d.defaclrole = (SELECT oid FROM pg_roles WHERE rolname = current_user)
    AND d.defaclnamespace IN (0, 'public'::regnamespace) AND acl.grantee <> d.defaclrole`)
	r.DefaultGrants = inGrantOrder(all)
	return err
}

func inGrantOrder(grants []Grant) []Grant {
	option := func(g Grant) int {
		if g.WithGrantOption {
			return 0
		}
		return 1
	}
	return slices.SortedFunc(slices.Values(grants), func(a, b Grant) int {
		return cmp.Or(cmp.Compare(a.Grantee, b.Grantee), cmp.Compare(a.Column, b.Column), cmp.Compare(a.Privilege, b.Privilege),
			cmp.Compare(option(a), option(b)))
	})
}
