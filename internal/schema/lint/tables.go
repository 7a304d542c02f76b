package lint

import (
	"context"
	"fmt"
	"slices"

	"ariga.io/atlas/schemahcl"
	"ariga.io/atlas/sql/migrate"
	"ariga.io/atlas/sql/postgres"
	_ "ariga.io/atlas/sql/postgres/postgrescheck" // registers Atlas's analyzers for PostgreSQL
	atlas "ariga.io/atlas/sql/schema"
	"ariga.io/atlas/sql/sqlcheck"
	"ariga.io/atlas/sql/sqlclient"

	"docket/internal/schema/state"
)

// changes are those of tables and enums between two snapshots. Atlas compares by name and so takes a rename for a drop and an
// addition. The oids correct that.
func changes(driver migrate.Driver, before, after snapshot) (atlas.Changes, error) {
	was, is, again := replaced(before, after)
	all, err := driver.SchemaDiff(was, is)
	if err != nil {
		return nil, err
	}
	all = append(again, renamedTables(all, before.catalog, after.catalog)...)
	for _, c := range all {
		if modify, ok := c.(*atlas.ModifyTable); ok {
			table := after.catalog.find(modify.T.Name)
			modify.Changes = renamedColumns(modify.Changes, table, before.catalog, after.catalog)
			modify.Changes = slices.DeleteFunc(modify.Changes, func(c atlas.Change) bool {
				drop, ok := c.(*atlas.DropForeignKey)
				return ok && stillThere(drop.F.Symbol, table, before.catalog, after.catalog)
			})
			for _, c := range modify.Changes {
				switch c := c.(type) {
				case *atlas.AddColumn:
					c.C = filled(c.C, after.state.Table(modify.T.Name))
				case *atlas.DropColumn:
					c.C = markVirtual(c.C)
				}
			}
		}
	}
	return all, nil
}

func renamedTables(all atlas.Changes, before, after *catalog) atlas.Changes {
	var rest atlas.Changes
	added := map[string]*atlas.Table{}
	for _, c := range all {
		if add, ok := c.(*atlas.AddTable); ok {
			added[add.T.Name] = add.T
		}
	}
	renamed := map[*atlas.Table]bool{}
	for _, c := range all {
		if drop, ok := c.(*atlas.DropTable); ok {
			now, alive := after.relations[before.find(drop.T.Name)]
			if to := added[now.name]; alive && to != nil {
				rest = append(rest, &atlas.RenameTable{From: drop.T, To: to})
				renamed[to] = true
				continue
			}
		}
		rest = append(rest, c)
	}
	return slices.DeleteFunc(rest, func(c atlas.Change) bool {
		add, ok := c.(*atlas.AddTable)
		return ok && renamed[add.T]
	})
}

func renamedColumns(all []atlas.Change, table uint32, before, after *catalog) []atlas.Change {
	names := map[string]string{} // new by old
	for key, name := range before.columns {
		if now, ok := after.columns[key]; ok && key.table == table && now != name {
			names[name] = now
		}
	}
	var rest []atlas.Change
	for _, c := range all {
		if drop, ok := c.(*atlas.DropColumn); ok {
			i := slices.IndexFunc(all, func(c atlas.Change) bool {
				add, ok := c.(*atlas.AddColumn)
				return ok && add.C.Name == names[drop.C.Name]
			})
			if i >= 0 {
				rest = append(rest, &atlas.RenameColumn{From: drop.C, To: all[i].(*atlas.AddColumn).C})
				continue
			}
		}
		if add, ok := c.(*atlas.AddColumn); ok && isNew(names, add.C.Name) {
			continue
		}
		rest = append(rest, c)
	}
	return rest
}

func isNew(names map[string]string, name string) bool {
	for _, now := range names {
		if now == name {
			return true
		}
	}
	return false
}

// filled gives a column a default if the table fills it in another way: serial, identity or generated. Atlas would report that
// existing rows have no value for it.
func filled(c *atlas.Column, table *state.Table) *atlas.Column {
	if table == nil {
		return c
	}
	i := slices.IndexFunc(table.Columns, func(d state.Column) bool { return d.Name == c.Name })
	if c.Default != nil || i < 0 || table.Columns[i].Default+table.Columns[i].Generated+table.Columns[i].Identity == "" {
		return c
	}
	with := *c
	with.Default = &atlas.RawExpr{X: "filled"}
	return &with
}

// stillThere reports whether a foreign key was only renamed.
func stillThere(name string, table uint32, before, after *catalog) bool {
	for oid, key := range before.constraints {
		if key.table == table && key.name == name {
			_, alive := after.constraints[oid]
			return alive
		}
	}
	return false
}

// analyzers runs Atlas's analyzers. The rules decide whether their findings are errors, as for all others.
func (h *history) analyzers(ctx context.Context) ([]problem, error) {
	all, err := sqlcheck.AnalyzerFor(postgres.DriverName, &schemahcl.Resource{})
	if err != nil {
		return nil, fmt.Errorf("open Atlas's analyzers: %w", err)
	}
	checked := &sqlcheck.File{File: h.file.LocalFile, Parser: parser{h}}
	statements := map[int]*migrate.Stmt{}
	for _, s := range h.steps {
		statements[s.stmt.Pos] = s.stmt
		if len(s.changes) > 0 {
			checked.Changes = append(checked.Changes, &sqlcheck.Change{Changes: s.changes, Stmt: s.stmt})
		}
	}
	var problems []problem
	for _, analyzer := range all {
		pass := &sqlcheck.Pass{
			File: checked,
			Dev:  &sqlclient.Client{Name: postgres.DriverName, Driver: h.driver},
			Reporter: sqlcheck.ReportWriterFunc(func(r sqlcheck.Report) {
				for _, d := range r.Diagnostics {
					problems = append(problems, problem{file: h.file, stmt: statements[d.Pos], code: d.Code, text: d.Text})
				}
			}),
		}
		// Its error only repeats that there was something to report.
		_ = analyzer.Analyze(ctx, pass)
	}
	return problems, nil
}
