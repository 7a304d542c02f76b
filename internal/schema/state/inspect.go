package state

import (
	"context"
	"database/sql"
	"errors"
)

// Inspect reads the public schema through conn, whose search_path it sets to public for as long as it reads. Names in
// exclude (of tables, views or whole schemas, as glob patterns) are passed over. Atlas's revisions table always is.
func Inspect(ctx context.Context, conn *sql.Conn, exclude []string) (*State, error) {
	return nil, errors.New("not yet")
}
