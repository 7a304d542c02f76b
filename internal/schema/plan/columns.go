package plan

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"ariga.io/atlas/sql/migrate"
	"ariga.io/atlas/sql/postgres"
	atlas "ariga.io/atlas/sql/schema"

	"docket/internal/schema/state"
)

// typeText is a type as PostgreSQL prints it. Atlas cannot model all types (numeric(5,-2), names in mixed case), but it
// writes the text of an unknown type unchanged.
type typeText = postgres.UserDefinedType

// atlasTable returns Atlas's model of a table's columns. It has no constraints and indexes, and types, defaults and
// collations only as text, because the definitions that PostgreSQL prints are more complete than Atlas's model.
func atlasTable(s *state.State, t *state.Table) *atlas.Table {
	table := atlas.NewTable(t.Name)
	for i := range t.Columns {
		table.AddColumns(atlasColumn(s, t, &t.Columns[i]))
	}
	return table
}

func atlasColumn(s *state.State, t *state.Table, c *state.Column) *atlas.Column {
	column := &atlas.Column{Name: c.Name, Type: &atlas.ColumnType{Type: &typeText{T: fullType(c)}, Null: !c.NotNull}}
	sequence := s.Sequence(t.Name, c.Name)
	switch {
	case sequence != nil && !sequence.Identity:
		serial := &postgres.SerialType{SequenceName: sequence.Name}
		serial.SetType(&atlas.IntegerType{T: c.Type})
		column.Type.Type = serial
	case c.Default != "":
		column.Default = &atlas.RawExpr{X: c.Default}
	case c.Generated != "":
		column.AddAttrs(&atlas.GeneratedExpr{Expr: c.Generated})
	case c.Identity != "":
		column.AddAttrs(&postgres.Identity{Generation: c.Identity})
	}
	return column
}

// fullType returns a column's type with its collation.
func fullType(c *state.Column) string {
	if c.Collation != "" {
		return c.Type + " COLLATE " + c.Collation
	}
	return c.Type
}

// columnClauses plans the columns of a table. Atlas compares them and writes the changes.
func (p *planner) columnClauses(c *tableChange) ([]clause, error) {
	atlasFrom, atlasTo := atlasTable(p.from, c.from), atlasTable(p.to, c.to)
	p.findChanged(c)
	for name := range c.droppedColumns {
		atlasFrom.Columns = slices.DeleteFunc(atlasFrom.Columns, func(column *atlas.Column) bool { return column.Name == name })
	}
	var clauses []clause
	// A generated column must be dropped before the columns that it is computed from.
	for _, generated := range []bool{true, false} {
		for _, from := range c.from.Columns {
			if c.droppedColumns[from.Name] && (from.Generated != "") == generated {
				clauses = append(clauses, p.dropColumn(c, &from))
			}
		}
	}
	for _, column := range atlasFrom.Columns {
		p.stopGenerating(c, column)
		clauses = append(clauses, p.identityClauses(c, column)...)
	}
	differences, err := postgres.DefaultDiff.TableDiff(atlasFrom, atlasTo)
	if err != nil {
		return nil, err
	}
	for _, column := range atlasFrom.Columns {
		to, _ := atlasTo.Column(column.Name)
		adds, err := p.modifyColumn(c, changeOf(differences, column.Name), column, to)
		if err != nil {
			return nil, err
		}
		clauses = append(clauses, adds...)
	}
	for _, difference := range differences {
		add, ok := difference.(*atlas.AddColumn)
		if !ok {
			continue
		}
		clause, err := p.addColumn(c, add)
		if err != nil {
			return nil, err
		}
		clauses = append(clauses, clause)
	}
	return clauses, nil
}

// findChanged records the columns that are dropped, including those that are added again because their expression cannot be
// changed, and the columns whose type or collation changes. Views on all of these must be dropped first.
func (p *planner) findChanged(c *tableChange) {
	retyped := map[string]bool{}
	for _, from := range c.from.Columns {
		to := columnOf(c.to, from.Name)
		switch {
		case to == nil, to.Generated != "" && (to.Generated != from.Generated || fullType(to) != fullType(&from)):
			c.droppedColumns[from.Name] = true
		case fullType(&from) != fullType(to):
			retyped[from.Name] = true
			if !integers[from.Type] || !integers[to.Type] {
				c.incomparable[from.Name] = true
			}
		}
	}
	for _, from := range c.from.Columns {
		if to := columnOf(c.to, from.Name); from.Generated == "" || to == nil || to.Generated == "" {
			continue // it is not generated when the types change
		}
		for name := range retyped {
			if hasWord(from.Generated, name) {
				c.droppedColumns[from.Name] = true // PostgreSQL cannot change the type of a column that it reads
			}
		}
	}
	for name := range retyped {
		c.retypedColumns[name] = true
		p.columns[key{c.name, name}] = true
	}
	for name := range c.droppedColumns {
		p.columns[key{c.name, name}] = true
	}
}

var integers = map[string]bool{"smallint": true, "integer": true, "bigint": true}

// changeOf returns the differences that Atlas found in a column, or nil.
func changeOf(differences []atlas.Change, column string) *atlas.ModifyColumn {
	for _, difference := range differences {
		if change, ok := difference.(*atlas.ModifyColumn); ok && change.To.Name == column {
			return change
		}
	}
	return nil
}

// modifyColumn plans the change of a column that exists in both states. It ignores Atlas's comparison of types, which
// treats all types that Atlas does not know as equal.
func (p *planner) modifyColumn(c *tableChange, change *atlas.ModifyColumn, column, atlasTo *atlas.Column) ([]clause, error) {
	from, to := columnOf(c.from, column.Name), columnOf(c.to, column.Name)
	if change == nil {
		change = &atlas.ModifyColumn{From: column, To: atlasTo}
	}
	// identityClauses and stopGenerating plan the other changes.
	kinds := change.Change &^ (atlas.ChangeAttr | atlas.ChangeType | atlas.ChangeGenerated)
	serial := isSerial(column) != isSerial(atlasTo)
	if c.retypedColumns[column.Name] || serial {
		kinds |= atlas.ChangeType
	}
	var clauses []clause
	if kinds.Is(atlas.ChangeType) && from.Default != "" && !isSerial(column) && !serial && !assignable(from.Type, to.Type) {
		// PostgreSQL would convert the old default to the new type, which may fail.
		clauses = append(clauses, clause{sql: "ALTER COLUMN " + ident(from.Name) + " DROP DEFAULT"})
		if to.Default == "" {
			kinds &^= atlas.ChangeDefault
		} else {
			kinds |= atlas.ChangeDefault
		}
	}
	for _, kind := range []atlas.ChangeKind{atlas.ChangeType, atlas.ChangeDefault, atlas.ChangeNull} {
		if !kinds.Is(kind) || kind == atlas.ChangeDefault && isSerial(atlasTo) {
			continue // a serial type includes its default
		}
		single := &atlas.ModifyColumn{From: column, To: atlasTo, Change: kind}
		if kind == atlas.ChangeType && !assignable(from.Type, to.Type) {
			// Between assignable types the implicit cast is required: it refuses values that are too long, which an
			// explicit cast would truncate.
			using := ident(from.Name) + "::" + castType(to.Type)
			if p.isEnum(from.Type) || p.isEnum(to.Type) {
				using = ident(from.Name) + "::text::" + to.Type // each enum can only be cast from and to text
			}
			single.Extra = append(single.Extra, &postgres.ConvertUsing{X: using})
		}
		sql, err := p.clauseSQL(c, single)
		if err != nil {
			return nil, err
		}
		clauses = append(clauses, clause{sql, columnChange(kind, from, to), p.modifyColumnHazards(c, kind, from, to)})
	}
	if serial && isSerial(atlasTo) {
		p.continued = append(p.continued, p.to.Sequence(c.name, column.Name))
	}
	return clauses, nil
}

// isEnum reports whether a type, as PostgreSQL prints it, is an enum of the database or of the files.
func (p *planner) isEnum(typ string) bool {
	is := func(e state.Enum) bool { return ident(e.Name) == typ }
	return slices.ContainsFunc(p.from.Enums, is) || slices.ContainsFunc(p.to.Enums, is)
}

func isSerial(c *atlas.Column) bool {
	_, ok := c.Type.Type.(*postgres.SerialType)
	return ok
}

// stopGenerating makes a generated column a plain one that keeps its values. It does so before all other changes of the table:
// PostgreSQL refuses to drop a column that an expression reads, and to change its type.
func (p *planner) stopGenerating(c *tableChange, column *atlas.Column) {
	if columnOf(c.from, column.Name).Generated == "" || columnOf(c.to, column.Name).Generated != "" {
		return
	}
	column.Attrs = nil
	c.before = append(c.before, Statement{
		SQL:     fmt.Sprintf("ALTER TABLE %s ALTER COLUMN %s DROP EXPRESSION", ident(c.name), ident(column.Name)),
		Comment: fmt.Sprintf("Keep the values of %s.%s and stop generating them.", c.name, column.Name),
		Hazards: []Hazard{{LocksReads, c.name}},
	})
}

func (p *planner) dropColumn(c *tableChange, from *state.Column) clause {
	hazards := []Hazard{{LocksReads, c.name}}
	summary := "drop column " + from.Name
	hazards = append(hazards, p.loseColumn(c, from.Name)...)
	if from.Generated != "" {
		summary = "drop generated column " + from.Name
	} else {
		hazards = append(hazards, Hazard{DropsData, p.dropColumnDetail(c, from)})
	}
	return clause{"DROP COLUMN " + ident(from.Name), summary, hazards}
}

func (p *planner) addColumn(c *tableChange, add *atlas.AddColumn) (clause, error) {
	to := columnOf(c.to, add.C.Name)
	p.recreate(columnTarget(c.name, to.Name))
	sql, err := p.clauseSQL(c, add)
	// Atlas writes NULL for a nullable column, which is the default.
	typed := "ADD COLUMN " + ident(to.Name) + " " + fullType(to)
	if rest, ok := strings.CutPrefix(sql, typed+" NULL"); ok {
		sql = typed + rest
	}
	return clause{sql, "add column " + to.Name, p.addColumnHazards(c, to, isSerial(add.C))}, err
}

// clauseSQL lets Atlas write one change of a column, and returns it without the leading ALTER TABLE. Atlas may also write
// statements before and after it, which create or drop the sequences of serial columns. Those are planned before and after
// the ALTER TABLE with all clauses.
func (p *planner) clauseSQL(c *tableChange, change atlas.Change) (string, error) {
	table := atlas.NewTable(c.name)
	plan, err := planChange(&atlas.ModifyTable{T: table, Changes: []atlas.Change{change}})
	if err != nil {
		return "", err
	}
	prefix, sql := "ALTER TABLE "+ident(c.name)+" ", ""
	for _, statement := range plan.Changes {
		switch text := unquote(statement.Cmd); {
		case strings.HasPrefix(text, prefix):
			sql = strings.TrimPrefix(text, prefix)
		case sql == "":
			c.before = append(c.before, Statement{SQL: text, Comment: sentence(statement.Comment)})
		default:
			c.after = append([]Statement{{SQL: text, Comment: sentence(statement.Comment)}}, c.after...)
		}
	}
	return sql, nil
}

// planChange lets Atlas write a change. Names are not qualified, so that search_path chooses the schema.
func planChange(change atlas.Change) (*migrate.Plan, error) {
	none := ""
	return postgres.DefaultPlan.PlanChanges(context.Background(), "", []atlas.Change{change}, func(o *migrate.PlanOptions) {
		o.SchemaQualifier = &none
	})
}

// sentence changes a comment of Atlas's to the style of this package.
func sentence(comment string) string {
	comment = strings.ReplaceAll(comment, `"`, "")
	return strings.ToUpper(comment[:1]) + comment[1:] + "."
}

// columnChange describes a change of a column.
func columnChange(kind atlas.ChangeKind, from, to *state.Column) string {
	switch kind {
	case atlas.ChangeType:
		if fullType(from) == fullType(to) {
			return "change how " + from.Name + " is numbered"
		}
		return fmt.Sprintf("change the type of %s from %s to %s", from.Name, fullType(from), fullType(to))
	case atlas.ChangeNull:
		if to.NotNull {
			return "forbid nulls in " + from.Name
		}
		return "allow nulls in " + from.Name
	default:
		return "change the default of " + from.Name
	}
}
