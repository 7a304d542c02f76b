package plan

import (
	"fmt"
	"slices"
	"strings"

	"docket/internal/schema/state"
)

// regrantView restores the owner and the privileges of a view that was created again. A new view gets those in the files.
func (p *planner) regrantView(from, to *state.View) {
	if from == nil {
		p.grant(ident(to.Name), to.Grants)
		return
	}
	p.regrant(ident(to.Name), slices.DeleteFunc(slices.Clone(from.Grants), func(g state.Grant) bool {
		return g.Column != "" && !slices.ContainsFunc(to.Columns, func(c state.ViewColumn) bool { return c.Name == g.Column })
	}), p.from.DefaultGrants)
	if from.Owner != "" && from.Owner != p.from.Role && !p.policy.UnknownGrants {
		p.add(Statement{
			SQL:     fmt.Sprintf("ALTER %s %s OWNER TO %s", to.Kind(), ident(to.Name), ident(from.Owner)),
			Comment: fmt.Sprintf("Restore the owner of %s.", to.Name),
		})
	}
}

// regrantColumns restores the privileges on columns that were dropped and added again.
func (p *planner) regrantColumns(c *tableChange) {
	var grants []state.Grant
	for _, from := range c.from.Columns {
		if c.addsAgain(from.Name) {
			grants = append(grants, from.Grants...)
		}
	}
	p.regrant(ident(c.name), grants, nil)
}

// addsAgain reports whether a column is dropped and added again.
func (c *tableChange) addsAgain(column string) bool {
	return c.droppedColumns[column] && columnOf(c.to, column) != nil
}

// regrant restores the privileges on an object that was created again, and revokes what default privileges have granted on it. A
// migration file does not know them: see saveGrants.
func (p *planner) regrant(object string, grants, defaults []state.Grant) {
	if p.policy.UnknownGrants {
		return
	}
	var others []string
	for _, g := range defaults {
		if !slices.Contains(grants, g) {
			others = append(others, grantee(g.Grantee))
		}
	}
	if others = slices.Compact(others); len(others) > 0 {
		p.add(Statement{
			SQL:     fmt.Sprintf("REVOKE ALL ON %s FROM %s", object, strings.Join(others, ", ")),
			Comment: fmt.Sprintf("Revoke what default privileges have just granted on %s.", object),
		})
	}
	p.grant(object, grants)
}

func grantee(role string) string {
	if role == "" {
		return "PUBLIC"
	}
	return ident(role)
}

// grant grants privileges on an object, with one statement for each role, column and grant option.
func (p *planner) grant(object string, grants []state.Grant) {
	type group struct {
		grantee, column string
		option          bool
	}
	var order []group
	privileges := map[group][]string{}
	for _, g := range grants {
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
	for _, g := range order {
		sql := fmt.Sprintf("GRANT %s ON %s TO %s", strings.Join(privileges[g], ", "), object, grantee(g.grantee))
		if g.option {
			sql += " WITH GRANT OPTION"
		}
		p.add(Statement{SQL: sql, Comment: fmt.Sprintf("Restore the grants on %s.", object)})
	}
}

// grantsSetting is the setting in which a migration file saves the owners and grants of what it creates again. A
// setting requires no privilege, unlike a temporary table. It belongs to the session and not to the transaction, so that the
// file can also be run statement by statement, as a replay does. PostgreSQL resets it when the transaction fails.
const grantsSetting = "recreated.grants"

// createdAgain lists the views, columns and sequences whose grants are lost because the plan drops and creates them. They are
// rows of SQL: the name of the relation before, the column or NULL, and the name of the relation afterwards.
func (p *planner) createdAgain() []string {
	var all []string
	row := func(before, column, name string) {
		all = append(all, fmt.Sprintf("(%s, %s, %s)", literal(before), column, literal(name)))
	}
	for _, v := range p.from.Views {
		if p.decisions[v.Name] == rebuilt {
			row(v.Name, "NULL", v.Name)
		}
	}
	for _, c := range p.changes {
		for _, from := range c.from.Columns {
			if c.addsAgain(from.Name) {
				row(c.name, literal(from.Name), c.name)
			}
		}
	}
	for _, n := range p.numberings {
		if n.to != nil && n.from != nil && !n.same && !n.from.Elsewhere {
			row(n.before, "NULL", n.to.Name)
		}
	}
	return all
}

// saveGrants saves the owners and grants before the objects are dropped. A migration file runs on databases whose roles are
// unknown when it is written.
func (p *planner) saveGrants() {
	objects := p.createdAgain()
	if !p.policy.UnknownGrants || len(objects) == 0 {
		return
	}
	p.add(Statement{
		SQL: fmt.Sprintf(`SELECT set_config('%s', coalesce(json_agg(saved)::text, '[]'), false)
FROM (
    SELECT again.name, pg_get_userbyid(c.relowner) AS owner, lists.col, acl.privilege_type AS privilege,
        acl.is_grantable AS grantable, CASE WHEN acl.grantee <> 0 THEN pg_get_userbyid(acl.grantee) END AS grantee,
        acl.grantee = c.relowner AS owns
    FROM (VALUES %s) AS again (before, col, name)
    JOIN pg_class c ON c.relname = again.before AND c.relnamespace = current_schema()::regnamespace
    CROSS JOIN LATERAL (
        SELECT NULL::name AS col,
            coalesce(c.relacl, acldefault(CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", c.relowner)) AS acl
        WHERE again.col IS NULL
        UNION ALL
        SELECT a.attname, a.attacl FROM pg_attribute a
        WHERE a.attrelid = c.oid AND a.attacl IS NOT NULL AND NOT a.attisdropped AND a.attname = coalesce(again.col, a.attname)
    ) AS lists
    CROSS JOIN LATERAL aclexplode(lists.acl) AS acl
) AS saved`, grantsSetting, strings.Join(objects, ", ")),
		Comment: "Save the owners and grants of what is created again.",
	})
}

// restoreGrants restores what saveGrants saved, for objects and columns that still exist. Before that it revokes what default
// privileges have granted on the new objects. The owner of a sequence is that of its table.
func (p *planner) restoreGrants() {
	if !p.policy.UnknownGrants || len(p.createdAgain()) == 0 {
		return
	}
	p.add(Statement{
		SQL: fmt.Sprintf(`DO $$
DECLARE
    saved json = coalesce(nullif(current_setting('%[1]s', true), ''), '[]');
    g record;
BEGIN
    FOR g IN
        SELECT DISTINCT c.oid::regclass AS relation, CASE WHEN acl.grantee <> 0 THEN pg_get_userbyid(acl.grantee) END AS grantee
        FROM json_to_recordset(saved) AS s (name name)
        JOIN pg_class c ON c.relname = s.name AND c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('v', 'm', 'S')
        CROSS JOIN LATERAL aclexplode(c.relacl) AS acl
        WHERE acl.grantee <> c.relowner
    LOOP
        EXECUTE format('REVOKE ALL ON %%s FROM %%s', g.relation, coalesce(quote_ident(g.grantee), 'PUBLIC'));
    END LOOP;
    FOR g IN
        SELECT s.*, c.oid::regclass AS relation, c.relkind
        FROM json_to_recordset(saved)
            AS s (name name, owner name, col name, privilege text, grantable boolean, grantee name, owns boolean)
        JOIN pg_class c ON c.relname = s.name AND c.relnamespace = current_schema()::regnamespace
        WHERE s.col IS NULL
            OR EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = s.col AND NOT a.attisdropped)
        ORDER BY s.name, s.owns
    LOOP
        IF NOT g.owns THEN
            EXECUTE format('GRANT %%s%%s ON %%s TO %%s%%s', g.privilege, '(' || quote_ident(g.col) || ')', g.relation,
                coalesce(quote_ident(g.grantee), 'PUBLIC'), CASE WHEN g.grantable THEN ' WITH GRANT OPTION' END);
        ELSIF g.relkind IN ('v', 'm') AND g.owner <> (SELECT pg_get_userbyid(relowner) FROM pg_class WHERE oid = g.relation) THEN
            EXECUTE format('ALTER %%s %%s OWNER TO %%I', CASE g.relkind WHEN 'm' THEN 'MATERIALIZED VIEW' ELSE 'VIEW' END,
                g.relation, g.owner);
        END IF;
    END LOOP;
    PERFORM set_config('%[1]s', '', false);
END
$$`, grantsSetting),
		Comment: "Restore these owners and grants.",
	})
}
