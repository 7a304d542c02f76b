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

	what, command string
}

func (e *EnumError) Error() string {
	return fmt.Sprintf("%s: of %s in database %s, %s. PostgreSQL cannot take a value out of an enum, and what becomes of the "+
		"rows that have it only you can tell. Put it back in the files, or write the change by hand, as a migration%s: %s",
		ErrEnumValueRemoved, e.Enum, e.Database, e.what, inParentheses(e.command), e.ByHand())
}

func (e *EnumError) Unwrap() error { return ErrEnumValueRemoved }

// ByHand says which statements lead there, to end a sentence.
func (e *EnumError) ByHand() string {
	name, old := ident(e.Enum), ident(e.Enum+"_old")
	return fmt.Sprintf("update the rows, ALTER TYPE %s RENAME TO %s, CREATE TYPE %[1]s with the values wanted, ALTER TABLE … "+
		"ALTER COLUMN … TYPE %[1]s USING …::text::%[1]s for each column (dropping the views on it before, and making them again "+
		"after), DROP TYPE %[2]s", name, old)
}

// checkEnums refuses what PostgreSQL cannot do to an enum. Atlas plans nothing for it, and never says so.
func (p *planner) checkEnums() error {
	for _, had := range p.from.Enums {
		wanted := enumOf(p.to, had.Name)
		if wanted == nil {
			continue
		}
		var gone, stay []string
		for _, value := range had.Values {
			if slices.Contains(wanted.Values, value) {
				stay = append(stay, value)
			} else {
				gone = append(gone, literal(value))
			}
		}
		order := slices.DeleteFunc(slices.Clone(wanted.Values), func(value string) bool { return !slices.Contains(had.Values, value) })
		var what string
		switch {
		case len(gone) > 0:
			what = "the files lack " + strings.Join(gone, ", ")
		case !slices.Equal(order, stay):
			what = fmt.Sprintf("the files order its values %s, the database %s", list(order), list(stay))
		default:
			continue
		}
		return &EnumError{Enum: had.Name, Database: p.from.Database, what: what, command: p.policy.ByHand}
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

// changeEnums makes new enums, and adds new values to those that are there.
func (p *planner) changeEnums() {
	for _, wanted := range p.to.Enums {
		if had := enumOf(p.from, wanted.Name); had != nil {
			p.addValues(had, &wanted)
			continue
		}
		p.renew("TYPE " + ident(wanted.Name))
		p.add(Statement{
			SQL:     fmt.Sprintf("CREATE TYPE %s AS ENUM (%s)", ident(wanted.Name), list(wanted.Values)),
			Comment: fmt.Sprintf("Make enum %s.", wanted.Name),
		})
	}
}

func (p *planner) addValues(had, wanted *state.Enum) {
	for i, value := range wanted.Values {
		if slices.Contains(had.Values, value) {
			continue
		}
		place := ""
		switch next := slices.IndexFunc(wanted.Values[i:], func(v string) bool { return slices.Contains(had.Values, v) }); {
		case next < 0: // it comes last
		case i == 0:
			place = " BEFORE " + literal(wanted.Values[next])
		default:
			place = " AFTER " + literal(wanted.Values[i-1])
		}
		p.newValues = append(p.newValues, value)
		p.values = append(p.values, Statement{
			SQL:     fmt.Sprintf("ALTER TYPE %s ADD VALUE %s%s", ident(wanted.Name), literal(value), place),
			Comment: fmt.Sprintf("Add %s to enum %s.", literal(value), wanted.Name),
		})
	}
}

// mentioned tells whether one of the statements names a new value. PostgreSQL refuses to look at it before the transaction
// that added it has ended.
func (p *planner) mentioned(statements []Statement) bool {
	return slices.ContainsFunc(statements, func(s Statement) bool {
		return slices.ContainsFunc(p.newValues, func(value string) bool {
			// An array of values is one constant: '{ok,broken}'.
			return strings.Contains(s.SQL, literal(value)) || strings.Contains(s.SQL, "'{") && strings.Contains(s.SQL, value)
		})
	})
}

// dropEnums comes last: only then does nothing use them.
func (p *planner) dropEnums() {
	for _, had := range p.from.Enums {
		if enumOf(p.to, had.Name) == nil {
			p.add(Statement{
				SQL:     "DROP TYPE " + ident(had.Name),
				Comment: fmt.Sprintf("Drop enum %s, which nothing uses any more.", had.Name),
			})
		}
	}
}
