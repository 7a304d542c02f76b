package plan

import (
	"fmt"
	"slices"
	"strings"

	"docket/internal/schema/state"
)

// EnumError is the ErrEnumValueRemoved of one enum.
type EnumError struct {
	Enum, Database string

	difference, byHand string
}

func (e *EnumError) Error() string {
	return fmt.Sprintf("%s: of %s in database %s, %s. PostgreSQL cannot remove an enum value, and only you know which value the "+
		"rows should get instead. Restore the value in the files, or write %s: %s",
		ErrEnumValueRemoved, e.Enum, e.Database, e.difference, e.byHand, e.Statements())
}

func (e *EnumError) Unwrap() error { return ErrEnumValueRemoved }

// Statements lists the statements that make the change, as the end of a sentence.
func (e *EnumError) Statements() string {
	name, old := ident(e.Enum), ident(e.Enum+"_old")
	return fmt.Sprintf("update the rows, ALTER TYPE %s RENAME TO %s, CREATE TYPE %[1]s with the new values, ALTER TABLE … "+
		"ALTER COLUMN … TYPE %[1]s USING …::text::%[1]s for each column (drop the views on it before, and create them again "+
		"afterwards), DROP TYPE %[2]s", name, old)
}

// checkEnums returns an error for a change of an enum that PostgreSQL cannot make. Atlas ignores such a change silently.
func (p *planner) checkEnums() error {
	for _, from := range p.from.Enums {
		to := enumOf(p.to, from.Name)
		if to == nil {
			continue
		}
		var removed, remaining []string
		for _, value := range from.Values {
			if slices.Contains(to.Values, value) {
				remaining = append(remaining, value)
			} else {
				removed = append(removed, literal(value))
			}
		}
		order := slices.DeleteFunc(slices.Clone(to.Values), func(value string) bool { return !slices.Contains(from.Values, value) })
		var difference string
		switch {
		case len(removed) > 0:
			difference = "the files lack " + strings.Join(removed, ", ")
		case !slices.Equal(order, remaining):
			difference = fmt.Sprintf("the files order its values %s, the database %s", list(order), list(remaining))
		default:
			continue
		}
		return &EnumError{Enum: from.Name, Database: p.from.Database, difference: difference, byHand: p.policy.byHand()}
	}
	return nil
}

func list(values []string) string {
	quoted := make([]string, len(values))
	for i, value := range values {
		quoted[i] = literal(value)
	}
	return strings.Join(quoted, ", ")
}

// changeEnums creates new enums, and adds new values to existing ones.
func (p *planner) changeEnums() {
	for _, to := range p.to.Enums {
		if from := enumOf(p.from, to.Name); from != nil {
			p.addValues(from, &to)
			continue
		}
		p.recreate("TYPE " + ident(to.Name))
		p.add(Statement{
			SQL:     state.Enum{Name: to.Name, Values: to.Values}.SQL()[0],
			Comment: fmt.Sprintf("Create enum %s.", to.Name),
		})
	}
}

func (p *planner) addValues(from, to *state.Enum) {
	for i, value := range to.Values {
		if slices.Contains(from.Values, value) {
			continue
		}
		position := ""
		switch next := slices.IndexFunc(to.Values[i:], func(v string) bool { return slices.Contains(from.Values, v) }); {
		case next < 0: // the new value is the last
		case i == 0:
			position = " BEFORE " + literal(to.Values[next])
		default:
			position = " AFTER " + literal(to.Values[i-1])
		}
		p.newEnumValues = append(p.newEnumValues, value)
		p.enumValues = append(p.enumValues, Statement{
			SQL:     fmt.Sprintf("ALTER TYPE %s ADD VALUE %s%s", ident(to.Name), literal(value), position),
			Comment: fmt.Sprintf("Add %s to enum %s.", literal(value), to.Name),
		})
	}
}

// mentionNewEnumValue reports whether one of the statements contains a new enum value. PostgreSQL refuses to use a value
// before the transaction that added it is committed.
func (p *planner) mentionNewEnumValue(statements []Statement) bool {
	return slices.ContainsFunc(statements, func(s Statement) bool {
		return slices.ContainsFunc(p.newEnumValues, func(value string) bool {
			// An array of values is one constant: '{ok,broken}'.
			return strings.Contains(s.SQL, literal(value)) || strings.Contains(s.SQL, "'{") && strings.Contains(s.SQL, value)
		})
	})
}

// dropEnums must be the last step: before that, tables or views may still use the enums.
func (p *planner) dropEnums() {
	for _, from := range p.from.Enums {
		if enumOf(p.to, from.Name) == nil {
			p.add(Statement{
				SQL:     "DROP TYPE " + ident(from.Name),
				Comment: fmt.Sprintf("Drop enum %s, which is no longer used.", from.Name),
			})
		}
	}
}
