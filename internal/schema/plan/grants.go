package plan

import (
	"fmt"
	"slices"
	"strings"

	"docket/internal/schema/state"
)

// grantAgain gives a view that was made again the owner and the privileges that it had. A new one gets what the files say.
func (p *planner) grantAgain(had, wanted *state.View) {
	if p.policy.UnknownGrants && had != nil {
		return // restoreGrants does it, from what the database at hand had
	}
	source := had
	if had == nil {
		source = wanted
	}
	if takers := p.takers(had); len(takers) > 0 {
		p.add(Statement{
			SQL:     fmt.Sprintf("REVOKE ALL ON %s FROM %s", ident(wanted.Name), strings.Join(takers, ", ")),
			Comment: fmt.Sprintf("Take back what default privileges have just granted on %s.", wanted.Name),
		})
	}
	for _, g := range grantsSQL(source, wanted) {
		p.add(Statement{SQL: g, Comment: fmt.Sprintf("Grant what was granted on %s.", wanted.Name)})
	}
	if had != nil && had.Owner != "" && had.Owner != p.from.Role {
		p.add(Statement{
			SQL:     fmt.Sprintf("ALTER %s %s OWNER TO %s", kind(wanted), ident(wanted.Name), ident(had.Owner)),
			Comment: fmt.Sprintf("Give %s back to its owner.", wanted.Name),
		})
	}
}

// takers are the roles, quoted, to which default privileges give on a new view what they did not have on the old one.
func (p *planner) takers(had *state.View) []string {
	if had == nil {
		return nil
	}
	var roles []string
	for _, g := range p.from.DefaultGrants {
		if !slices.Contains(had.Grants, g) {
			roles = append(roles, grantee(g.Grantee))
		}
	}
	return slices.Compact(roles)
}

func grantee(role string) string {
	if role == "" {
		return "PUBLIC"
	}
	return ident(role)
}

// grantsSQL gives wanted the privileges of source, one statement for each role, column and right to pass on.
func grantsSQL(source, wanted *state.View) []string {
	type group struct {
		grantee, column string
		option          bool
	}
	var order []group
	privileges := map[group][]string{}
	for _, g := range source.Grants {
		if g.Column != "" && !slices.ContainsFunc(wanted.Columns, func(c state.ViewColumn) bool { return c.Name == g.Column }) {
			continue // it went with the column
		}
		at := group{g.Grantee, g.Column, g.WithGrantOption}
		if privileges[at] == nil {
			order = append(order, at)
		}
		privilege := g.Privilege
		if g.Column != "" {
			privilege += " (" + ident(g.Column) + ")"
		}
		privileges[at] = append(privileges[at], privilege)
	}
	var all []string
	for _, g := range order {
		option := ""
		if g.option {
			option = " WITH GRANT OPTION"
		}
		all = append(all, fmt.Sprintf("GRANT %s ON %s TO %s%s", strings.Join(privileges[g], ", "), ident(wanted.Name), grantee(g.grantee), option))
	}
	return all
}

// setting holds, for the length of a migration file, who may do what with the views that the file makes again. A setting
// needs no privilege, unlike a temporary table; it is of the session and not of the transaction, so that the file may also be
// run statement by statement, as replaying does; and it is gone when the transaction fails.
const setting = "docket.grants"

// rebuiltViews lists the views whose grants the plan would lose.
func (p *planner) rebuiltViews() []string {
	var names []string
	for _, v := range p.from.Views {
		if p.marks[v.Name] == rebuilt {
			names = append(names, literal(v.Name))
		}
	}
	return names
}

// saveGrants notes the owners and grants of views before they are dropped: a file runs on databases whose roles are not known
// when it is written.
func (p *planner) saveGrants() {
	views := p.rebuiltViews()
	if !p.policy.UnknownGrants || len(views) == 0 {
		return
	}
	p.add(Statement{
		SQL: fmt.Sprintf(`SELECT set_config('%s', coalesce(json_agg(saved)::text, '[]'), false)
FROM (
    SELECT c.relname AS view, pg_get_userbyid(c.relowner) AS owner, lists.col, acl.privilege_type AS privilege,
        acl.is_grantable AS grantable, CASE WHEN acl.grantee <> 0 THEN pg_get_userbyid(acl.grantee) END AS grantee,
        acl.grantee = c.relowner AS owns
    FROM pg_class c
    CROSS JOIN LATERAL (
        SELECT NULL::name AS col, coalesce(c.relacl, acldefault('r', c.relowner)) AS acl
        UNION ALL
        SELECT a.attname, a.attacl FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attacl IS NOT NULL AND NOT a.attisdropped
    ) AS lists
    CROSS JOIN LATERAL aclexplode(lists.acl) AS acl
    WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('v', 'm')
        AND c.relname IN (%s)
) AS saved`, setting, strings.Join(views, ", ")),
		Comment: "Note who owns the views that are made again, and who may read them.",
	})
}

// restoreGrants gives back what saveGrants noted, as far as the view and the column are still there, and nothing else: what
// default privileges have granted on the new view is taken back before.
func (p *planner) restoreGrants() {
	if !p.policy.UnknownGrants || len(p.rebuiltViews()) == 0 {
		return
	}
	p.add(Statement{
		SQL: fmt.Sprintf(`DO $$
DECLARE
    g record;
BEGIN
    FOR g IN
        SELECT DISTINCT c.oid::regclass AS relation, CASE WHEN acl.grantee <> 0 THEN pg_get_userbyid(acl.grantee) END AS grantee
        FROM json_to_recordset(coalesce(nullif(current_setting('%[1]s', true), ''), '[]')::json) AS s (view name)
        JOIN pg_class c ON c.relname = s.view AND c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('v', 'm')
        CROSS JOIN LATERAL aclexplode(c.relacl) AS acl
        WHERE acl.grantee <> c.relowner
    LOOP
        EXECUTE format('REVOKE ALL ON %%s FROM %%s', g.relation, coalesce(quote_ident(g.grantee), 'PUBLIC'));
    END LOOP;
    FOR g IN
        SELECT s.*, c.oid::regclass AS relation, c.relkind
        FROM json_to_recordset(coalesce(nullif(current_setting('%[1]s', true), ''), '[]')::json)
            AS s (view name, owner name, col name, privilege text, grantable boolean, grantee name, owns boolean)
        JOIN pg_class c ON c.relname = s.view AND c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('v', 'm')
        WHERE s.col IS NULL
            OR EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = s.col AND NOT a.attisdropped)
        ORDER BY s.view, s.owns
    LOOP
        IF NOT g.owns THEN
            EXECUTE format('GRANT %%s%%s ON %%s TO %%s%%s', g.privilege, '(' || quote_ident(g.col) || ')', g.relation,
                coalesce(quote_ident(g.grantee), 'PUBLIC'), CASE WHEN g.grantable THEN ' WITH GRANT OPTION' END);
        ELSIF g.owner <> (SELECT pg_get_userbyid(relowner) FROM pg_class WHERE oid = g.relation) THEN
            EXECUTE format('ALTER %%s %%s OWNER TO %%I', CASE g.relkind WHEN 'm' THEN 'MATERIALIZED VIEW' ELSE 'VIEW' END,
                g.relation, g.owner);
        END IF;
    END LOOP;
    PERFORM set_config('%[1]s', '', false);
END
$$`, setting),
		Comment: "Give the views back to their owners, and grant again what was granted.",
	})
}
