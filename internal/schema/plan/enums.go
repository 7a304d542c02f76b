package plan

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"docket/internal/schema/state"
)

// EnumError is the ErrEnumValueRemoved of one plan.
type EnumError struct {
	Database string

	changes []enumChange
	byHand  string
}

// enumChange is a change of an enum that PostgreSQL cannot make.
type enumChange struct {
	enum       string
	difference string
	renames    []string // statements that make the change, if the files rename values
}

func (e *EnumError) Error() string {
	var differences, renames []string
	for _, c := range e.changes {
		differences = append(differences, fmt.Sprintf("of %s in database %s, %s", c.enum, e.Database, c.difference))
		renames = append(renames, c.renames...)
	}
	question := ""
	if len(renames) > 0 {
		question = fmt.Sprintf(" If the files only rename it, write %s, which changes no row: %s. Otherwise:",
			e.byHand, strings.Join(renames, "; "))
	}
	return fmt.Sprintf("%s: %s.%s PostgreSQL cannot remove or move an enum value, and only you know which value the rows should "+
		"get instead. Restore the value in the files, or write %s: %s",
		ErrEnumValueRemoved, strings.Join(differences, "; "), question, e.byHand, e.Statements())
}

func (e *EnumError) Unwrap() error { return ErrEnumValueRemoved }

// Enums lists the enums that cannot be changed.
func (e *EnumError) Enums() []string {
	var enums []string
	for _, c := range e.changes {
		enums = append(enums, c.enum)
	}
	return enums
}

// Statements lists the statements that make the change, as the end of a sentence.
func (e *EnumError) Statements() string {
	enums := e.Enums()
	name, old, others := ident(enums[0]), ident(enums[0]+"_old"), ""
	if len(enums) > 1 {
		others = "; the same for " + strings.Join(enums[1:], ", ")
	}
	return fmt.Sprintf("update the rows, ALTER TYPE %s RENAME TO %s, CREATE TYPE %[1]s with the new values, ALTER TABLE … "+
		"ALTER COLUMN … TYPE %[1]s USING …::text::%[1]s for each column (drop its default and the views on it before, "+
		"and create them again afterwards), DROP TYPE %[2]s%[3]s", name, old, others)
}

// checkEnums returns an error for a change of an enum that PostgreSQL cannot make. Only a DBA knows whether a value that the
// files lack and one that they add are the same value under a new name, so the error asks.
func (p *planner) checkEnums() error {
	refused := &EnumError{Database: p.from.Database, byHand: p.policy.byHand()}
	for _, from := range p.from.Enums {
		to := enumOf(p.to, from.Name)
		if to == nil {
			continue
		}
		removed, remaining := split(from.Values, to.Values)
		added, order := split(to.Values, from.Values)
		change := enumChange{enum: from.Name}
		switch {
		case len(removed) > 0:
			change.difference = "the files lack " + list(removed)
			if len(added) > 0 {
				change.difference += " and add " + list(added)
			}
			for _, r := range renamedValues(from.Values, to.Values) {
				rename := fmt.Sprintf("ALTER TYPE %s RENAME VALUE %s TO %s", ident(from.Name), literal(r.from), literal(r.to))
				if r.moved {
					rename += fmt.Sprintf(" (and give %s the position of %s in the files)", literal(r.to), literal(r.from))
				}
				change.renames = append(change.renames, rename)
			}
		case !slices.Equal(order, remaining):
			change.difference = fmt.Sprintf("the files order its values %s, the database %s", list(order), list(remaining))
		default:
			continue
		}
		refused.changes = append(refused.changes, change)
	}
	if len(refused.changes) > 0 {
		return refused
	}
	return nil
}

// split returns the values that the other list lacks, and those that it has, both in their order.
func split(values, other []string) (lacking, common []string) {
	for _, value := range values {
		if slices.Contains(other, value) {
			common = append(common, value)
		} else {
			lacking = append(lacking, value)
		}
	}
	return lacking, common
}

// renamedValue is a value that may have another name in the files, and another position, which PostgreSQL cannot change.
type renamedValue struct {
	from, to string
	moved    bool
}

// renamedValues pairs values that only from has with those that only to has: the ones after the same common value, in their
// order, and then the two that are left, if there are only two.
func renamedValues(from, to []string) (pairs []renamedValue) {
	added := map[string][]string{} // by the common value before them
	last := ""
	for _, value := range to {
		if slices.Contains(from, value) {
			last = value
		} else {
			added[last] = append(added[last], value)
		}
	}
	var left []string
	last = ""
	for _, value := range from {
		switch here := added[last]; {
		case slices.Contains(to, value):
			last = value
		case len(here) > 0:
			pairs = append(pairs, renamedValue{value, here[0], false})
			added[last] = here[1:]
		default:
			left = append(left, value)
		}
	}
	rest := slices.Concat(slices.Collect(maps.Values(added))...)
	if len(left) == 1 && len(rest) == 1 {
		pairs = append(pairs, renamedValue{left[0], rest[0], true})
	}
	return pairs
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

// addValues plans the new values of an enum. PostgreSQL refuses to use a value before the transaction that added it is committed,
// and expressions, rows and views may use it without a mention in the plan. So all new values form the first phase.
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
		p.enumValues = append(p.enumValues, Statement{
			SQL:     fmt.Sprintf("ALTER TYPE %s ADD VALUE %s%s", ident(to.Name), literal(value), position),
			Comment: fmt.Sprintf("Add %s to enum %s.", literal(value), to.Name),
		})
	}
}

// keepEnums keeps the enums of the database that the files lack and that something in kept uses, and those that an object uses
// that the plan does not drop because it is not managed.
func (p *planner) keepEnums(kept *state.State) {
	for _, e := range p.from.Enums {
		if enumOf(kept, e.Name) != nil {
			continue
		}
		var users []string
		for _, user := range p.from.Dependents {
			if user.Needs.Type == e.Name && (user.On == "" || kept.Table(user.On) != nil || kept.View(user.On) != nil) {
				users = append(users, user.String())
			}
		}
		if len(users) > 0 {
			p.leaveAlone("enum %s, used by %s", e.Name, strings.Join(slices.Compact(users), ", "))
		}
		if len(users) > 0 || usesType(kept, e.Name) {
			kept.Enums = append(kept.Enums, e)
		}
	}
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
