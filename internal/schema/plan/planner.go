package plan

import (
	"slices"
	"strings"

	"docket/internal/schema/state"
)

// key names a part of a table: a column, constraint or index.
type key struct{ table, name string }

// planner builds a plan. Its steps run in the order in which Between calls them. The statements that a step adds may
// depend on the statements of earlier steps.
type planner struct {
	from, to *state.State // to also has what the policy keeps
	policy   Policy

	fromTables, toTables []*state.Table // copies of the details of from and to
	originalNames        map[key]string // names in the database of parts that the plan has renamed in fromTables

	changes []*tableChange // of the tables that both have

	// Changes that affect other objects: dropped and changed columns, dropped constraints and indexes, dropped tables.
	columns map[key]bool
	dropped map[key]bool // by the names that they have before the plan
	tables  map[string]bool

	recreated map[string]bool // targets of COMMENT ON that the plan creates, so that they have no comment yet
	commented map[string]bool // targets of COMMENT ON whose comments are already planned
	lost      map[string]bool // objects that are not managed and that the plan drops, as text

	lostIndexes map[string][]string // by view: indexes that the policy cannot keep, as text

	decisions map[string]decision // about views of from
	refreshed map[string]bool     // materialized views that are filled, or whose REFRESH is planned

	numberings      []*numbering   // of the sequences of columns, in the order of their names
	detached        map[key]bool   // columns whose defaults the plan drops before it changes the tables
	persistence     []*tableChange // that become logged or unlogged, in this order
	remadeKeys      map[key]bool   // foreign keys that are dropped and added again for that
	lateForeignKeys []*tableChange // foreign keys of new tables that cannot be created with them

	target        *state.State   // the state in the end; to is what the transaction leads to
	later         []*laterChange // what leads from to to target
	lockedBecause map[key]string // why indexes and constraints are not built later

	enumValues, first, main, online []Statement  // first and main are one phase
	into                            *[]Statement // the list that add appends to
	leftAloneTexts                  []string
}

func newPlanner(from, to *state.State, policy Policy) *planner {
	renamed := *from // the plan renames sequences
	renamed.Sequences, renamed.Others = slices.Clone(from.Sequences), slices.Clone(from.Others)
	from = &renamed
	p := &planner{
		from: from, policy: policy, leftAloneTexts: []string{},
		originalNames: map[key]string{}, columns: map[key]bool{}, dropped: map[key]bool{}, tables: map[string]bool{},
		recreated: map[string]bool{}, commented: map[string]bool{}, lockedBecause: map[key]string{}, detached: map[key]bool{},
		remadeKeys: map[key]bool{},
		lost:       map[string]bool{}, lostIndexes: map[string][]string{}, decisions: map[string]decision{}, refreshed: map[string]bool{},
	}
	p.into = &p.main
	p.to = p.postpone(p.keep(to))
	p.fromTables, p.toTables = copyTables(from.Details), copyTables(p.to.Details)
	return p
}

// add appends a statement to the current list.
func (p *planner) add(s Statement) { *p.into = append(*p.into, s) }

// in runs a step whose statements are appended to the list.
func (p *planner) in(list *[]Statement, step func()) {
	before := p.into
	p.into = list
	step()
	p.into = before
}

// phases returns the planned statements by phase.
func (p *planner) phases() []Phase {
	phases := []Phase{} // rather than null in JSON
	for _, phase := range []Phase{
		{EnumValues, true, p.enumValues}, {Changes, true, slices.Concat(p.first, p.main)}, {Online, false, p.online},
	} {
		if len(phase.Statements) > 0 {
			phases = append(phases, phase)
		}
	}
	return phases
}

func copyTables(tables []*state.Table) []*state.Table {
	copies := make([]*state.Table, len(tables))
	for i, t := range tables {
		c := *t
		c.Columns, c.Constraints = slices.Clone(t.Columns), slices.Clone(t.Constraints)
		c.Indexes = copyIndexes(t.Indexes)
		copies[i] = &c
	}
	slices.SortFunc(copies, func(a, b *state.Table) int { return strings.Compare(a.Name, b.Name) })
	return copies
}

func copyIndexes(indexes []*state.Index) []*state.Index {
	copies := make([]*state.Index, len(indexes))
	for i, index := range indexes {
		copied := *index
		copies[i] = &copied
	}
	return copies
}
