package schema

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	atlas "ariga.io/atlas/sql/schema"
)

// ErrNotOwner means that the tables of a database belong to another role than the one that would change them.
var ErrNotOwner = errors.New("the tables belong to another role")

// ErrGrants means that the role of a connection lacks privileges.
var ErrGrants = errors.New("the role lacks privileges")

// namesShown is the number of tables that a message names.
const namesShown = 3

// checkOwner fails unless the current role owns the tables. A superuser and a member of the owning role may change them as
// well, but what they create would belong to them, and the owner could neither change nor refresh it. With names, the role must
// own all of these tables that exist, otherwise at least one table of the schema.
func (m *Migrator) checkOwner(ctx context.Context, db atlas.ExecQuerier, names []string) error {
	rows, err := db.QueryContext(ctx, `
SELECT current_user::text, pg_get_userbyid(c.relowner)::text, c.relname::text
FROM pg_class c
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND c.relname <> $1
    AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_class'::regclass AND e.objid = c.oid AND e.deptype = 'e')
ORDER BY c.relname COLLATE "C"`, revisionsName)
	if err != nil {
		return fmt.Errorf("read the owners of tables: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var role string
	var owners []string // without role, by their first tables
	tables, owned := map[string][]string{}, 0
	for rows.Next() {
		var owner, table string
		if err := rows.Scan(&role, &owner, &table); err != nil {
			return fmt.Errorf("read the owners of tables: %w", err)
		}
		switch {
		case names != nil && !slices.Contains(names, table):
		case owner == role:
			owned++
		default:
			if tables[owner] == nil {
				owners = append(owners, owner)
			}
			tables[owner] = append(tables[owner], table)
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("read the owners of tables: %w", err)
	}
	if len(owners) == 0 || names == nil && owned > 0 {
		return nil
	}
	return fmt.Errorf("%w: database %s: %s", ErrNotOwner, m.databaseName(), describeOwners(role, owners, tables, owned))
}

// describeOwners says who owns which tables, and as which role to run the command.
func describeOwners(role string, owners []string, tables map[string][]string, owned int) string {
	list := make([]string, len(owners))
	for i, owner := range owners {
		first, more := tables[owner], ""
		if rest := len(first) - namesShown; rest > 0 {
			first, more = first[:namesShown], fmt.Sprintf(" and %d more", rest)
		}
		list[i] = fmt.Sprintf("%q owns %s%s", owner, strings.Join(first, ", "), more)
	}
	text := strings.Join(list, "; ") + fmt.Sprintf("; what %q creates would not belong to the owner of the tables, who could then not change it", role)
	if len(owners) > 1 || owned > 0 {
		return text + ". Give all tables one owner (ALTER TABLE … OWNER TO …), then run the command as the owner"
	}
	return text + fmt.Sprintf(". Run the command as the owner: connect as %q, or, if %q may SET ROLE, add options=-c%%20role%%3D%s to "+
		"the URL. Nothing was done", owners[0], role, owners[0])
}

// CheckGrants fails with the statements that are missing unless the role of the connection may read and write the tables
// among relations, number their rows, read the views among relations, and read the record of migrations. Relations that do not
// exist are ignored.
func (m *Migrator) CheckGrants(ctx context.Context, relations []string) error {
	return m.checkGrants(ctx, "public", append([]string{revisionsName}, relations...))
}

// CheckSchemaGrants is CheckGrants for everything in a schema of another program. A schema that does not exist is ignored.
func (m *Migrator) CheckSchemaGrants(ctx context.Context, schema string) error {
	return m.checkGrants(ctx, schema, nil)
}

// checkGrants checks the relations of a schema; nil: all.
func (m *Migrator) checkGrants(ctx context.Context, schema string, relations []string) error {
	conn, disconnect, err := m.connect(ctx)
	if err != nil {
		return err
	}
	defer disconnect()
	missing, err := scanStrings(ctx, conn, "read privileges", missingGrants, relations, revisionsName, schema)
	if err != nil || len(missing) == 0 {
		return err
	}
	return fmt.Errorf("%w on database %s; run this as a superuser, or as the owner of the database and its tables: %s; see %s", ErrGrants, m.databaseName(),
		strings.Join(missing, "; "), m.opts.Advice.AdoptionPage)
}

// missingGrants lists the statements that give the current role what it lacks on the relations $1, or all, of the schema $3. Of the
// table $2 it only needs to read the rows.
const missingGrants = `
SELECT format('GRANT USAGE ON SCHEMA %I TO %I', nspname, current_user) AS statement
FROM pg_namespace
WHERE nspname = $3 AND NOT has_schema_privilege(oid, 'USAGE')
UNION ALL
SELECT format('GRANT %s ON %s%s TO %I', lacking.privileges, CASE WHEN lacking.sequence THEN 'SEQUENCE ' END,
    string_agg(CASE WHEN $3 <> 'public' THEN quote_ident($3) || '.' ELSE '' END || quote_ident(lacking.relname), ', '
        ORDER BY lacking.relname), current_user)
FROM (
    SELECT c.relname, c.relkind = 'S' AS sequence, string_agg(needed.privilege, ', ' ORDER BY needed.n) AS privileges
    FROM pg_class c
    LEFT JOIN pg_depend d ON c.relkind = 'S' AND d.classid = 'pg_class'::regclass AND d.objid = c.oid
        AND d.refclassid = 'pg_class'::regclass AND d.deptype = 'a'
    LEFT JOIN pg_class t ON t.oid = d.refobjid
    CROSS JOIN LATERAL unnest(CASE
        WHEN c.relkind = 'S' THEN ARRAY['USAGE']
        WHEN c.relkind = 'r' AND c.relname <> $2 THEN ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']
        ELSE ARRAY['SELECT']
    END) WITH ORDINALITY AS needed (privilege, n)
    WHERE c.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = $3) AND c.relkind IN ('r', 'v', 'm', 'S')
        AND ($1::text[] IS NULL OR coalesce(t.relname, c.relname) = ANY ($1))
        AND NOT CASE c.relkind
            WHEN 'S' THEN has_sequence_privilege(c.oid, needed.privilege)
            ELSE has_table_privilege(c.oid, needed.privilege)
        END
    GROUP BY c.relname, c.relkind
) AS lacking
GROUP BY lacking.privileges, lacking.sequence
ORDER BY statement`
