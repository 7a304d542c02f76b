package plan

import (
	"slices"
	"strings"

	"docket/internal/schema/state"
)

// key names a part of a table: a column, constraint or index.
type key struct{ table, name string }

// planner gathers a plan. Its steps run in the order in which Between calls them, and each adds statements that need
// those before it.
type planner struct {
	from, to *state.State // to holds also what the policy keeps
	policy   Policy

	have, want []*state.Table // copies of the details of from and to; have changes as the plan renames
	originally map[key]string // of what have calls by a new name, the old one

	// What changes under views: columns that go or are not what they were, constraints and tables that go.
	columns     map[key]bool
	constraints map[key]bool
	tables      map[string]bool

	renewed   map[string]bool // targets of COMMENT ON that the plan makes anew, and which so lost their comments
	described map[string]bool // targets of COMMENT ON that the plan has dealt with
	waits     map[string]bool // indexes, quoted, that are there only in the last phase
	lost      map[string]bool // what is not managed and does not survive the plan

	marks     map[string]mark // of views of from
	refreshed map[string]bool

	taken     []*state.Sequence // by columns that have numbers already
	late      []*tableChange    // foreign keys of new tables that cannot come with them
	newValues []string

	values, first, main, apart []Statement  // by phase; first stands before main
	into                       *[]Statement // where add puts statements
	leftAlone                  []string
}

func newPlanner(from, to *state.State, policy Policy) *planner {
	p := &planner{
		from: from, policy: policy, leftAlone: []string{},
		originally: map[key]string{}, columns: map[key]bool{}, constraints: map[key]bool{}, tables: map[string]bool{},
		renewed: map[string]bool{}, described: map[string]bool{}, waits: map[string]bool{},
		lost: map[string]bool{}, marks: map[string]mark{}, refreshed: map[string]bool{},
	}
	p.into = &p.main
	p.to = p.keep(to)
	p.have, p.want = copyTables(from.Details), copyTables(p.to.Details)
	return p
}

// add appends a statement to the step that is being planned.
func (p *planner) add(s Statement) { *p.into = append(*p.into, s) }

// in plans a step whose statements go to a list of their own.
func (p *planner) in(list *[]Statement, step func()) {
	before := p.into
	p.into = list
	step()
	p.into = before
}

// phases puts the statements gathered together.
func (p *planner) phases() []Phase {
	middle := slices.Concat(p.first, p.main)
	phases := []Phase{} // rather than null in JSON
	switch {
	case len(p.values) == 0:
	case p.mentioned(slices.Concat(middle, p.apart)):
		phases = append(phases, Phase{true, p.values})
	default:
		middle = slices.Concat(p.values, middle)
	}
	if len(middle) > 0 {
		phases = append(phases, Phase{true, middle})
	}
	if len(p.apart) > 0 {
		phases = append(phases, Phase{false, p.apart})
	}
	return phases
}

func copyTables(tables []*state.Table) []*state.Table {
	copies := make([]*state.Table, len(tables))
	for i, t := range tables {
		c := *t
		c.Columns, c.Constraints = slices.Clone(t.Columns), slices.Clone(t.Constraints)
		c.Indexes = make([]*state.Index, len(t.Indexes))
		for i, index := range t.Indexes {
			copied := *index
			c.Indexes[i] = &copied
		}
		copies[i] = &c
	}
	slices.SortFunc(copies, func(a, b *state.Table) int { return strings.Compare(a.Name, b.Name) })
	return copies
}
