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

// typeText is a type in PostgreSQL's own words. Atlas's types do not hold all there is (numeric(5,-2), names in mixed case),
// but it passes on what it does not know.
type typeText = postgres.UserDefinedType

// atlasTable describes a table's columns to Atlas. Constraints and indexes are left out: their definitions, as PostgreSQL
// prints them, hold more than Atlas's model. So do types, defaults and collations, which Atlas gets as text.
func atlasTable(s *state.State, t *state.Table) *atlas.Table {
	table := atlas.NewTable(t.Name)
	for i := range t.Columns {
		table.AddColumns(atlasColumn(s, t, &t.Columns[i]))
	}
	return table
}

func atlasColumn(s *state.State, t *state.Table, c *state.Column) *atlas.Column {
	column := &atlas.Column{Name: c.Name, Type: &atlas.ColumnType{Type: &typeText{T: fullType(c)}, Null: !c.NotNull}}
	sequence := sequenceOf(s, t.Name, c.Name)
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

// fullType is a column's type with its collation.
func fullType(c *state.Column) string {
	if c.Collation != "" {
		return c.Type + " COLLATE " + c.Collation
	}
	return c.Type
}

// columnClauses plans the columns of a table: Atlas finds what differs, and writes it.
func (p *planner) columnClauses(c *tableChange) ([]clause, error) {
	have, want := atlasTable(p.from, c.have), atlasTable(p.to, c.want)
	p.findChanged(c)
	for name := range c.gone {
		have.Columns = slices.DeleteFunc(have.Columns, func(column *atlas.Column) bool { return column.Name == name })
	}
	var clauses []clause
	for _, had := range c.have.Columns {
		if c.gone[had.Name] {
			clauses = append(clauses, p.dropColumn(c, &had))
		}
	}
	// A generated column has to go before those that it is computed from.
	slices.SortStableFunc(clauses, func(a, b clause) int {
		generated := func(c clause) int { return strings.Count(c.says, "computed") }
		return generated(b) - generated(a)
	})
	for _, column := range have.Columns {
		clauses = append(clauses, p.identityClauses(c, column)...)
	}
	differences, err := postgres.DefaultDiff.TableDiff(have, want)
	if err != nil {
		return nil, err
	}
	for _, column := range have.Columns {
		to, _ := want.Column(column.Name)
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

// findChanged notes which columns go, for good or because their expression cannot be changed in place, and whose type or
// collation changes. Views on all of them have to go first.
func (p *planner) findChanged(c *tableChange) {
	retyped := map[string]bool{}
	for _, had := range c.have.Columns {
		wanted := columnOf(c.want, had.Name)
		switch {
		case wanted == nil, wanted.Generated != "" && (wanted.Generated != had.Generated || fullType(wanted) != fullType(&had)):
			c.gone[had.Name] = true
		case fullType(&had) != fullType(wanted):
			retyped[had.Name] = true
			if !integers[had.Type] || !integers[wanted.Type] {
				c.strangers[had.Name] = true
			}
		}
	}
	for _, had := range c.have.Columns {
		for name := range retyped {
			if had.Generated != "" && hasWord(had.Generated, name) {
				c.gone[had.Name] = true // its table cannot be altered under it
			}
		}
	}
	for name := range retyped {
		c.retyped[name] = true
		p.columns[key{c.name, name}] = true
	}
	for name := range c.gone {
		p.columns[key{c.name, name}] = true
	}
}

var integers = map[string]bool{"smallint": true, "integer": true, "bigint": true}

// changeOf returns what Atlas finds different about a column, which may be nothing.
func changeOf(differences []atlas.Change, column string) *atlas.ModifyColumn {
	for _, difference := range differences {
		if change, ok := difference.(*atlas.ModifyColumn); ok && change.To.Name == column {
			return change
		}
	}
	return nil
}

// modifyColumn plans what becomes of a column that stays. Atlas's word on types is not taken: it sees none of the
// differences between types that it does not know.
func (p *planner) modifyColumn(c *tableChange, change *atlas.ModifyColumn, column, to *atlas.Column) ([]clause, error) {
	had, wanted := columnOf(c.have, column.Name), columnOf(c.want, column.Name)
	if change == nil {
		change = &atlas.ModifyColumn{From: column, To: to}
	}
	kinds := change.Change &^ (atlas.ChangeAttr | atlas.ChangeType) // identity is identityClauses' business
	serial := isSerial(column) != isSerial(to)
	if c.retyped[column.Name] || serial {
		kinds |= atlas.ChangeType
	}
	var clauses []clause
	if kinds.Is(atlas.ChangeType) && had.Default != "" && !isSerial(column) && !serial && !kin(had.Type, wanted.Type) {
		// The old default may not fit the new type, and PostgreSQL would try.
		clauses = append(clauses, clause{sql: "ALTER COLUMN " + ident(had.Name) + " DROP DEFAULT"})
		if wanted.Default == "" {
			kinds &^= atlas.ChangeDefault
		} else {
			kinds |= atlas.ChangeDefault
		}
	}
	for _, kind := range []atlas.ChangeKind{atlas.ChangeType, atlas.ChangeGenerated, atlas.ChangeDefault, atlas.ChangeNull} {
		if !kinds.Is(kind) || kind == atlas.ChangeDefault && isSerial(to) {
			continue // with a serial type comes its default
		}
		single := &atlas.ModifyColumn{From: column, To: to, Change: kind}
		if kind == atlas.ChangeType && !kin(had.Type, wanted.Type) {
			// Between kin the cast of an assignment is wanted, which refuses what does not fit; a written one would cut it.
			using := ident(had.Name) + "::" + caster(wanted.Type)
			if p.isEnum(had.Type) || p.isEnum(wanted.Type) {
				using = ident(had.Name) + "::text::" + wanted.Type // the one cast that every enum has
			}
			single.Extra = append(single.Extra, &postgres.ConvertUsing{X: using})
		}
		sql, err := p.clauseSQL(c, single)
		if err != nil {
			return nil, err
		}
		clauses = append(clauses, clause{sql, sayModified(kind, had, wanted), p.modifyHazards(c, kind, had, wanted)})
	}
	if serial && isSerial(to) {
		p.taken = append(p.taken, sequenceOf(p.to, c.name, column.Name))
	}
	return clauses, nil
}

// isEnum tells whether a type, as PostgreSQL prints it, is an enum of the database or of the files.
func (p *planner) isEnum(typ string) bool {
	is := func(e state.Enum) bool { return ident(e.Name) == typ }
	return slices.ContainsFunc(p.from.Enums, is) || slices.ContainsFunc(p.to.Enums, is)
}

func isSerial(c *atlas.Column) bool {
	_, ok := c.Type.Type.(*postgres.SerialType)
	return ok
}

// identityClauses plans a column's becoming an identity column, ceasing to be one, or being one in another way.
func (p *planner) identityClauses(c *tableChange, column *atlas.Column) []clause {
	had, wanted := columnOf(c.have, column.Name), columnOf(c.want, column.Name)
	lock := []Hazard{{LocksReads, c.name}}
	alter := "ALTER COLUMN " + ident(column.Name)
	switch {
	case had.Identity == wanted.Identity:
		return nil
	case wanted.Identity == "" && (sequenceOf(p.to, c.name, column.Name) != nil || c.retyped[column.Name]):
		// Its sequence may leave its name to that of a serial column, and may not be able to take the column's new type.
		c.before = append(c.before, Statement{
			SQL:     fmt.Sprintf("ALTER TABLE %s %s DROP IDENTITY", ident(c.name), alter),
			Comment: fmt.Sprintf("Stop numbering %s.%s by an identity sequence.", c.name, column.Name), Hazards: lock,
		})
		return nil
	case wanted.Identity == "":
		return []clause{{alter + " DROP IDENTITY", "stop numbering " + column.Name, lock}}
	case had.Identity != "":
		says := fmt.Sprintf("number %s %s", column.Name, strings.ToLower(wanted.Identity))
		return []clause{{alter + " SET GENERATED " + wanted.Identity, says, lock}}
	}
	// Only once the old default and its sequence are gone.
	if sequence := sequenceOf(p.to, c.name, column.Name); sequence != nil {
		c.after = append(c.after, Statement{
			SQL: fmt.Sprintf("ALTER TABLE %s %s ADD GENERATED %s AS IDENTITY (SEQUENCE NAME %s)", ident(c.name), alter,
				wanted.Identity, ident(sequence.Name)),
			Comment: fmt.Sprintf("Number %s.%s by an identity sequence.", c.name, column.Name), Hazards: lock,
		})
		p.taken = append(p.taken, sequence)
	}
	return nil
}

func (p *planner) dropColumn(c *tableChange, had *state.Column) clause {
	hazards := []Hazard{{LocksReads, c.name}}
	says := "drop column " + had.Name
	hazards = append(hazards, p.loseColumn(c, had.Name)...)
	if had.Generated != "" {
		says = "drop computed column " + had.Name
	} else {
		hazards = append(hazards, Hazard{DropsData, p.dropsColumn(c, had)})
	}
	return clause{"DROP COLUMN " + ident(had.Name), says, hazards}
}

func (p *planner) addColumn(c *tableChange, add *atlas.AddColumn) (clause, error) {
	wanted := columnOf(c.want, add.C.Name)
	p.renew(columnTarget(c.name, wanted.Name))
	sql, err := p.clauseSQL(c, add)
	// Atlas says of a column that may be null that it may; PostgreSQL takes that for granted.
	typed := "ADD COLUMN " + ident(wanted.Name) + " " + fullType(wanted)
	if rest, ok := strings.CutPrefix(sql, typed+" NULL"); ok {
		sql = typed + rest
	}
	return clause{sql, "add column " + wanted.Name, p.addColumnHazards(c, wanted, isSerial(add.C))}, err
}

// clauseSQL lets Atlas write one change of a column, and returns it without the ALTER TABLE in front. Statements that it
// wants around it, which make or drop the sequences of serial columns, are planned around the table's other clauses.
func (p *planner) clauseSQL(c *tableChange, change atlas.Change) (string, error) {
	table := atlas.NewTable(c.name)
	plan, err := planChange(&atlas.ModifyTable{T: table, Changes: []atlas.Change{change}})
	if err != nil {
		return "", err
	}
	prefix, sql := "ALTER TABLE "+ident(c.name)+" ", ""
	for _, statement := range plan.Changes {
		switch text := plainer(statement.Cmd); {
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

// planChange lets Atlas write a change, with names unqualified so that search_path decides where they run.
func planChange(change atlas.Change) (*migrate.Plan, error) {
	none := ""
	return postgres.DefaultPlan.PlanChanges(context.Background(), "", []atlas.Change{change}, func(o *migrate.PlanOptions) {
		o.SchemaQualifier = &none
	})
}

// sentence makes Atlas's comments read like ours.
func sentence(comment string) string {
	comment = strings.ReplaceAll(comment, `"`, "")
	return strings.ToUpper(comment[:1]) + comment[1:] + "."
}

// sayModified puts a change of a column in words.
func sayModified(kind atlas.ChangeKind, had, wanted *state.Column) string {
	switch kind {
	case atlas.ChangeType:
		if fullType(had) == fullType(wanted) {
			return "number " + had.Name + " in another way"
		}
		return fmt.Sprintf("change the type of %s from %s to %s", had.Name, fullType(had), fullType(wanted))
	case atlas.ChangeGenerated:
		return "keep what is in " + had.Name + " and compute it no longer"
	case atlas.ChangeNull:
		if wanted.NotNull {
			return "require " + had.Name
		}
		return "allow nulls in " + had.Name
	default:
		return "change the default of " + had.Name
	}
}
