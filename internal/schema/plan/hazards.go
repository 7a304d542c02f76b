package plan

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"

	atlas "ariga.io/atlas/sql/schema"

	"docket/internal/schema/state"
)

// severity orders the hazards of one statement.
var severity = map[HazardKind]int{
	DropsData: 0, RewritesData: 1, RebuildsView: 2, LosesUnique: 3, DropsRule: 4, DependsOnRows: 5,
	LosesSetting: 6, LocksReads: 7, LocksWrites: 8,
}

func hazard(kind HazardKind, format string, args ...any) Hazard {
	return Hazard{kind, fmt.Sprintf(format, args...)}
}

// rows says how large a table is, e.g. "about 19,262 rows (12 MB) of urls".
func (p *planner) rows(table string) string {
	estimate, ok := p.from.Estimates[table]
	// A migration file runs on other databases than the one it was planned on.
	if !ok || estimate.Rows < 0 || p.policy.UnknownGrants {
		return "all rows of " + table
	}
	return fmt.Sprintf("about %s (%s) of %s", counted(estimate.Rows, "row"), size(estimate.Bytes), table)
}

func counted(n int64, thing string) string {
	digits := strconv.FormatInt(n, 10)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	if n != 1 {
		thing += "s"
	}
	return digits + " " + thing
}

func size(bytes int64) string {
	units := []string{"bytes", "kB", "MB", "GB", "TB"}
	n, unit := float64(bytes), 0
	for n >= 1000 && unit < len(units)-1 {
		n, unit = n/1024, unit+1
	}
	if unit == 0 || n >= 10 {
		return fmt.Sprintf("%.0f %s", n, units[unit])
	}
	return fmt.Sprintf("%.1f %s", n, units[unit])
}

// dropsColumn says what goes with a column, and what to do if it was meant to get another name.
func (p *planner) dropsColumn(c *tableChange, had *state.Column) string {
	detail := fmt.Sprintf("column %s in %s", had.Name, p.rows(c.name))
	for _, wanted := range c.want.Columns {
		if columnOf(c.have, wanted.Name) == nil && wanted.Type == had.Type {
			return fmt.Sprintf("%s; if it is called %s now, write that by hand instead%s: ALTER TABLE %s RENAME COLUMN %s TO %s",
				detail, wanted.Name, inParentheses(p.policy.ByHand), ident(c.name), ident(had.Name), ident(wanted.Name))
		}
	}
	return detail
}

func inParentheses(text string) string {
	if text == "" {
		return ""
	}
	return " (" + text + ")"
}

var (
	call = regexp.MustCompile(`\b([a-z_0-9]+)\(`)

	// Functions that give one value throughout a statement, so that a default made of them needs no rewriting.
	stable = []string{"now", "transaction_timestamp", "statement_timestamp"}
)

// computedForEach tells whether a default may give each row another value.
func computedForEach(expression string) bool {
	return slices.ContainsFunc(call.FindAllStringSubmatch(expression, -1), func(match []string) bool {
		return !slices.Contains(stable, match[1])
	})
}

func (p *planner) addColumnHazards(c *tableChange, wanted *state.Column, serial bool) []Hazard {
	hazards := []Hazard{{LocksReads, c.name}}
	filled := serial || wanted.Identity != "" || wanted.Generated != "" || wanted.Default != ""
	if serial || wanted.Identity != "" || wanted.Generated != "" || computedForEach(wanted.Default) {
		hazards = append(hazards, Hazard{RewritesData, p.rows(c.name)})
	}
	if wanted.NotNull && !filled {
		hazards = append(hazards, hazard(DependsOnRows, "column %s has no default: %s has to be empty", wanted.Name, c.name))
	}
	return hazards
}

func (p *planner) modifyHazards(c *tableChange, kind atlas.ChangeKind, had, wanted *state.Column) []Hazard {
	hazards, rows := []Hazard{{LocksReads, c.name}}, p.rows(c.name)
	switch {
	case kind == atlas.ChangeNull && wanted.NotNull:
		hazards = append(hazards, hazard(DependsOnRows, "%s is searched for nulls, over %s", had.Name, rows))
	case kind == atlas.ChangeType && had.Type != wanted.Type:
		hazards = append(hazards, p.loseStorage(c, had.Name)...)
		if !coercible(had.Type, wanted.Type) {
			hazards = append(hazards, Hazard{RewritesData, rows})
		}
		if lossy(had.Type, wanted.Type) && !p.isEnum(had.Type) && !p.isEnum(wanted.Type) {
			hazards = append(hazards, hazard(DropsData, "%s keeps less as %s than as %s, in %s", had.Name, wanted.Type, had.Type, rows))
		}
		if mayFail(had.Type, wanted.Type) {
			hazards = append(hazards, hazard(DependsOnRows, "each %s has to be a valid %s, over %s", had.Name, wanted.Type, rows))
		}
	}
	return hazards
}

func (p *planner) addingHazards(c *tableChange, wanted *state.Constraint) []Hazard {
	all := p.rows(c.name)
	switch {
	case wanted.Kind == "check":
		return []Hazard{{LocksReads, c.name}, hazard(DependsOnRows, "%s is checked over %s", wanted.Name, all)}
	case foreign(wanted):
		hazards := []Hazard{{LocksWrites, c.name}}
		if wanted.References != "" && wanted.References != c.name {
			hazards = append(hazards, Hazard{LocksWrites, wanted.References})
		}
		if c.have == nil {
			return hazards
		}
		return append(hazards, hazard(DependsOnRows, "%s is checked over %s", wanted.Name, all))
	default:
		return []Hazard{
			hazard(LocksReads, "%s, while its index is built over %s", c.name, all),
			hazard(DependsOnRows, "%s refuses duplicates, over %s", wanted.Name, all),
		}
	}
}

// referencing tells whose writers a new table's foreign keys lock out.
func (p *planner) referencing(t *state.Table) []Hazard {
	var hazards []Hazard
	for i := range t.Constraints {
		h := Hazard{LocksWrites, t.Constraints[i].References}
		if h.Detail != "" && tableOf(p.have, h.Detail) != nil && !slices.Contains(hazards, h) {
			hazards = append(hazards, h)
		}
	}
	return hazards
}
