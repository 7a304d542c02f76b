package plan

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

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
			return fmt.Sprintf("%s; if it is called %s now, write that by hand instead (docket migrate new): "+
				"ALTER TABLE %s RENAME COLUMN %s TO %s", detail, wanted.Name, ident(c.name), ident(had.Name), ident(wanted.Name))
		}
	}
	return detail
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
		if !coercible(had.Type, wanted.Type) {
			hazards = append(hazards, Hazard{RewritesData, rows})
		}
		if lossy(had.Type, wanted.Type) {
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

// sized takes a type apart: "numeric(10,2)" is numeric with 10 and 2.
func sized(typ string) (base string, sizes []int) {
	open, close := strings.Index(typ, "("), strings.Index(typ, ")")
	if open < 0 || close < open {
		return typ, nil
	}
	for _, n := range strings.Split(typ[open+1:close], ",") {
		size, _ := strconv.Atoi(n)
		sizes = append(sizes, size)
	}
	return typ[:open] + typ[close+1:], sizes
}

var kinds = map[string]string{
	"smallint": "number", "integer": "number", "bigint": "number",
	"numeric": "number", "real": "number", "double precision": "number",
	"character varying": "text", "text": "text", "character": "text",
	"timestamp without time zone": "time", "timestamp with time zone": "time", "date": "time",
}

// kin tells whether an assignment casts from one type to the other, so that no USING is needed.
func kin(from, to string) bool {
	a, _ := sized(from)
	b, _ := sized(to)
	return a == b || kinds[a] != "" && kinds[a] == kinds[b]
}

// coercible tells whether a column gets the other type without its table being rewritten.
func coercible(from, to string) bool {
	a, had := sized(from)
	b, wanted := sized(to)
	longer := len(wanted) == 0 || len(had) > 0 && len(wanted) > 0 && wanted[0] >= had[0]
	switch {
	case a == "character varying" && (b == "character varying" || b == "text"):
		return longer
	case a == "text" && b == "character varying":
		return len(wanted) == 0
	case a == "numeric" && b == "numeric":
		return len(wanted) == 0 || longer && len(had) == 2 && len(wanted) == 2 && had[1] == wanted[1]
	case a == b:
		return longer && a != "character" && a != "bit" // both are padded
	case a == "cidr" && b == "inet":
		return true
	}
	return false
}

// lossy tells whether values may silently become less exact.
func lossy(from, to string) bool {
	a, had := sized(from)
	b, wanted := sized(to)
	exact := map[string]int{"smallint": 1, "integer": 1, "bigint": 1, "real": 2, "double precision": 3, "numeric": 4}
	switch {
	case a == "numeric" && b == "numeric":
		return len(wanted) == 2 && (len(had) < 2 || wanted[1] < had[1])
	case kinds[a] == "number" && kinds[b] == "number":
		return exact[b] < exact[a] || a == "bigint" && exact[b] > 1 && exact[b] < 4
	case kinds[a] == "time" && b == "date", strings.HasPrefix(a, "timestamp") && strings.HasPrefix(b, "time "):
		return a != b
	case a == b && (kinds[a] == "time" || strings.HasPrefix(a, "time ") || a == "interval"):
		return len(wanted) > 0 && (len(had) == 0 || wanted[0] < had[0])
	}
	return false
}

// mayFail tells whether values of the type may not fit into the other.
func mayFail(from, to string) bool {
	a, _ := sized(from)
	b, wanted := sized(to)
	if coercible(from, to) || b == "text" || b == "character varying" && len(wanted) == 0 {
		return false
	}
	widening := []string{"smallint", "integer", "bigint", "numeric"}
	i, j := slices.Index(widening, a), slices.Index(widening, b)
	return !(i >= 0 && j > i && len(wanted) == 0) && !(kinds[a] == "time" && kinds[b] == "time")
}
