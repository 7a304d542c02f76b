package schema

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
)

// foreignObjects lists what stands in public besides the revisions table and
// the members of extensions.
func foreignObjects(ctx context.Context, conn *sql.Conn) ([]string, error) {
	rows, err := conn.QueryContext(ctx, `
SELECT pg_describe_object(d.classid, d.objid, d.objsubid) COLLATE "C"
FROM pg_depend d
WHERE d.refclassid = 'pg_namespace'::regclass AND d.refobjid = 'public'::regnamespace
    AND d.classid <> 'pg_extension'::regclass
    AND NOT (d.classid = 'pg_class'::regclass AND d.objid = coalesce(to_regclass($1)::oid, 0))
    AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = d.classid AND e.objid = d.objid AND e.deptype = 'e')
ORDER BY 1`, revisionsTable)
	if err != nil {
		return nil, fmt.Errorf("list objects in public: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var objects []string
	for rows.Next() {
		var object string
		if err := rows.Scan(&object); err != nil {
			return nil, fmt.Errorf("list objects in public: %w", err)
		}
		objects = append(objects, object)
	}
	return objects, rows.Err()
}

func foreignProblem(objects []string) error {
	shown := slices.Clone(objects[:min(3, len(objects))])
	if rest := len(objects) - len(shown); rest > 0 {
		shown = append(shown, fmt.Sprintf("%d more", rest))
	}
	return fmt.Errorf("%w (%s) and no record of migrations; point Docket at an empty database, "+
		"or let a DBA bring this one to a known version first", ErrForeign, strings.Join(shown, ", "))
}
