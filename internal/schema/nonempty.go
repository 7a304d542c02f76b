package schema

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
)

// objectsInPublic lists the objects in schema public, without the revisions table and the members of extensions.
func objectsInPublic(ctx context.Context, conn *sql.Conn) ([]string, error) {
	return scanStrings(ctx, conn, "list objects in public", `
SELECT pg_describe_object(d.classid, d.objid, d.objsubid) COLLATE "C"
FROM pg_depend d
WHERE d.refclassid = 'pg_namespace'::regclass AND d.refobjid = 'public'::regnamespace
    AND d.classid <> 'pg_extension'::regclass
    AND NOT (d.classid = 'pg_class'::regclass AND d.objid = coalesce(to_regclass($1)::oid, 0))
    AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = d.classid AND e.objid = d.objid AND e.deptype = 'e')
ORDER BY 1`, revisionsTable)
}

// notEmptyError refuses a database that holds objects and no record of migrations.
func notEmptyError(objects []string, advice Advice) error {
	shown := slices.Clone(objects[:min(3, len(objects))])
	if rest := len(objects) - len(shown); rest > 0 {
		shown = append(shown, fmt.Sprintf("%d more", rest))
	}
	page := ""
	if advice.AdoptionPage != "" {
		page = ": " + advice.AdoptionPage + " says how to adopt a database"
	}
	return fmt.Errorf("%w (%s) and no record of migrations; name an empty database, or, when this one has all that the "+
		"migrations up to some version make, record that with %s%s", ErrForeign, strings.Join(shown, ", "),
		advice.command("migrate apply --baseline VERSION"), page)
}
