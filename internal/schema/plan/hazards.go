package plan

import (
	"fmt"
	"slices"
	"strconv"

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

// rows describes the size of a table, e.g. "about 19,262 rows (12 MB) of urls".
func (p *planner) rows(table string) string {
	estimate, ok := p.from.Estimates[table]
	// A migration file runs on other databases, with other sizes, than the one it was planned on.
	if !ok || estimate.Rows < 0 || p.policy.UnknownGrants {
		return "all rows of " + table
	}
	return fmt.Sprintf("about %s (%s) of %s", countOf(estimate.Rows, "row"), sizeOf(estimate.Bytes), table)
}

// countOf writes a number with its noun, e.g. "19,262 rows".
func countOf(n int64, thing string) string {
	digits := strconv.FormatInt(n, 10)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	if n != 1 {
		thing += "s"
	}
	return digits + " " + thing
}

// sizeOf writes a number of bytes, e.g. "12 MB".
func sizeOf(bytes int64) string {
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

func (p *planner) addConstraintHazards(c *tableChange, to *state.Constraint) []Hazard {
	all := p.rows(c.name)
	checked := hazard(DependsOnRows, "%s is checked for %s", to.Name, all)
	switch {
	case isForeignKey(to):
		hazards := []Hazard{{LocksWrites, c.name}}
		if to.References != "" && to.References != c.name {
			hazards = append(hazards, Hazard{LocksWrites, to.References})
		}
		if c.from == nil || !to.Validated {
			return hazards
		}
		return append(hazards, checked)
	case !to.HasIndex() && !to.Validated:
		return []Hazard{{LocksReads, c.name}}
	case !to.HasIndex():
		return []Hazard{{LocksReads, c.name}, checked}
	case to.Kind != "exclusion":
		checked = hazard(DependsOnRows, "%s allows no duplicates in %s", to.Name, all)
	}
	return []Hazard{
		hazard(LocksReads, "%s, while its index is built from %s%s", c.name, all, p.notLater(c.name, to.Name)), checked,
	}
}

// referenceHazards lists the tables whose writers the foreign keys of a new table lock out.
func (p *planner) referenceHazards(t *state.Table) []Hazard {
	var hazards []Hazard
	for i := range t.Constraints {
		h := Hazard{LocksWrites, t.Constraints[i].References}
		if h.Detail != "" && tableOf(p.fromTables, h.Detail) != nil && !slices.Contains(hazards, h) {
			hazards = append(hazards, h)
		}
	}
	return hazards
}
