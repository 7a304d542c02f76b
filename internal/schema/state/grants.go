package state

import (
	"cmp"
	"context"
	"slices"
)

// grantsOf is an SQL expression for the grants in an access list to others than the owner, as JSON.
func grantsOf(acl, owner, column string) string {
	return `(SELECT json_agg(json_build_object('grantee', CASE WHEN x.grantee <> 0 THEN pg_get_userbyid(x.grantee) ELSE '' END,
        'privilege', x.privilege_type, 'column', ` + column + `, 'with_grant_option', x.is_grantable))
     FROM aclexplode(` + acl + `) AS x WHERE x.grantee <> ` + owner + `)`
}

// oneGrantor sorts the grants. Several grantors may have granted one privilege: it then keeps a grant with the grant option.
func oneGrantor(grants []Grant) []Grant {
	return slices.CompactFunc(inGrantOrder(grants), func(a, b Grant) bool {
		return a.Grantee == b.Grantee && a.Column == b.Column && a.Privilege == b.Privilege
	})
}

// readDefaultGrants reads what ALTER DEFAULT PRIVILEGES has granted to others.
func (r *reader) readDefaultGrants(ctx context.Context) error {
	type row struct {
		Grant
		Sequences bool
	}
	all, err := query[row](ctx, r.db, "inspect default privileges", `
SELECT DISTINCT d.defaclobjtype = 'S' AS sequences,
    CASE WHEN acl.grantee <> 0 THEN pg_get_userbyid(acl.grantee) ELSE '' END AS grantee,
    acl.privilege_type AS privilege, acl.is_grantable AS with_grant_option
FROM pg_default_acl d CROSS JOIN LATERAL aclexplode(d.defaclacl) AS acl
WHERE d.defaclobjtype IN ('r', 'S') AND d.defaclrole = (SELECT oid FROM pg_roles WHERE rolname = current_user)
    AND d.defaclnamespace IN (0, 'public'::regnamespace) AND acl.grantee <> d.defaclrole`)
	for _, g := range all {
		if g.Sequences {
			r.DefaultSequenceGrants = append(r.DefaultSequenceGrants, g.Grant)
		} else {
			r.DefaultGrants = append(r.DefaultGrants, g.Grant)
		}
	}
	r.DefaultGrants, r.DefaultSequenceGrants = inGrantOrder(r.DefaultGrants), inGrantOrder(r.DefaultSequenceGrants)
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
