package plan

import (
	"fmt"
	"slices"
	"strings"

	"docket/internal/schema/state"
)

// regrant restores the owner and the privileges of a view that was created again. A new view gets those in the files.
func (p *planner) regrant(from, to *state.View) {
	if p.policy.UnknownGrants && from != nil {
		return // restoreGrants restores those of the database that the file runs on
	}
	source := from
	if from == nil {
		source = to
	}
	if grantees := p.grantees(from); len(grantees) > 0 {
		p.add(Statement{
			SQL:     fmt.Sprintf("REVOKE ALL ON %s FROM %s", ident(to.Name), strings.Join(grantees, ", ")),
			Comment: fmt.Sprintf("Revoke what default privileges have just granted on %s.", to.Name),
		})
	}
	for _, g := range grantsSQL(source, to) {
		p.add(Statement{SQL: g, Comment: fmt.Sprintf("Restore the grants on %s.", to.Name)})
	}
	if from != nil && from.Owner != "" && from.Owner != p.from.Role {
		p.add(Statement{
			SQL:     fmt.Sprintf("ALTER %s %s OWNER TO %s", to.Kind(), ident(to.Name), ident(from.Owner)),
			Comment: fmt.Sprintf("Restore the owner of %s.", to.Name),
		})
	}
}

// grantees lists the roles, quoted, that default privileges grant something on the new view that they did not have on the
// old one.
func (p *planner) grantees(from *state.View) []string {
	if from == nil {
		return nil
	}
	var roles []string
	for _, g := range p.from.DefaultGrants {
		if !slices.Contains(from.Grants, g) {
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

// grantsSQL grants the privileges on source on the view to, with one statement for each role, column and grant option.
func grantsSQL(source, to *state.View) []string {
	type group struct {
		grantee, column string
		option          bool
	}
	var order []group
	privileges := map[group][]string{}
	for _, g := range source.Grants {
		if g.Column != "" && !slices.ContainsFunc(to.Columns, func(c state.ViewColumn) bool { return c.Name == g.Column }) {
			continue // the new view lacks the column
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
		all = append(all, fmt.Sprintf("GRANT %s ON %s TO %s%s",
			strings.Join(privileges[g], ", "), ident(to.Name), grantee(g.grantee), option))
	}
	return all
}

// grantsSetting is the setting in which a migration file saves the owners and grants of the views that it creates again. A
// setting requires no privilege, unlike a temporary table. It belongs to the session and not to the transaction, so that the
// file can also be run statement by statement, as a replay does. PostgreSQL resets it when the transaction fails.
const grantsSetting = "rebuilt_views.grants"

// rebuiltViews lists the views, as string constants, whose grants are lost because the plan drops and creates them.
func (p *planner) rebuiltViews() []string {
	var names []string
	for _, v := range p.from.Views {
		if p.decisions[v.Name] == rebuilt {
			names = append(names, literal(v.Name))
		}
	}
	return names
}

// saveGrants saves the owners and grants of views before they are dropped. A migration file runs on databases whose roles are
// unknown when it is written.
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
) AS saved`, grantsSetting, strings.Join(views, ", ")),
		Comment: "Save the owners and grants of the views that are created again.",
	})
}

// restoreGrants restores what saveGrants saved, for views and columns that still exist. Before that it revokes what default
// privileges have granted on the new views.
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
$$`, grantsSetting),
		Comment: "Restore the owners and grants of these views.",
	})
}
