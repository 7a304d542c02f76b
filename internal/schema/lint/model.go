package lint

import (
	"context"
	"fmt"
	"slices"

	"ariga.io/atlas/sql/postgres"
	atlas "ariga.io/atlas/sql/schema"

	"docket/internal/schema/state"
)

// readModel reads Atlas's model of the tables and enums of the state, which Atlas compares and its analyzers inspect. db must be
// a scratch database: Atlas cannot read all spellings of a boolean storage parameter, so readModel writes them as true or false.
func readModel(ctx context.Context, db atlas.ExecQuerier, s *state.State) (*atlas.Schema, error) {
	var statements []string
	err := collect(ctx, db, `
SELECT format('ALTER INDEX %s SET (autosummarize = %s)', c.oid::regclass, split_part(o, '=', 2)::boolean)
FROM pg_class c, unnest(c.reloptions) AS o WHERE o ~ '^autosummarize=' AND o !~ '=(true|false)$'`, func(scan scanFunc) error {
		var text string
		err := scan(&text)
		statements = append(statements, text)
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, text := range statements {
		if _, err := db.ExecContext(ctx, text); err != nil {
			return nil, fmt.Errorf("%s: %w", text, err)
		}
	}
	driver, err := postgres.Open(db)
	if err != nil {
		return nil, fmt.Errorf("read Atlas's model: %w", err)
	}
	model, err := driver.InspectSchema(ctx, "public", nil)
	if err != nil {
		return nil, fmt.Errorf("read Atlas's model: %w", err)
	}
	model.Tables = slices.DeleteFunc(model.Tables, func(t *atlas.Table) bool { return s.Table(t.Name) == nil })
	model.Objects = slices.DeleteFunc(model.Objects, func(o atlas.Object) bool {
		enum, ok := o.(*atlas.EnumType)
		return ok && !slices.ContainsFunc(s.Enums, func(e state.Enum) bool { return e.Name == enum.T })
	})
	return model, nil
}
