package plan

import (
	"slices"
	"strings"

	"docket/internal/schema/state"
)

// laterChange is what the plan changes in a table after the transaction, while other sessions use the table. Each of its
// statements takes effect alone. What is left to do after any of them follows from the two states, so that a plan made after an
// interruption does the rest.
type laterChange struct {
	name     string
	from, to *state.Table // from is nil for a new table

	drops, adds []*indexed          // valid and invalid ones; adds are sorted as in to
	foreignKeys []*state.Constraint // that refer to a key which is built later
	unproven    []*state.Constraint // checks and foreign keys that the transaction adds or leaves NOT VALID
	notNull     []string            // columns in which nulls are forbidden later
	proofs      []*state.Constraint // temporary checks that these columns have no null, see proofOf
}

// indexed is an index of a table, or a constraint with the index that enforces it.
type indexed struct {
	*state.Index
	constraint *state.Constraint // nil for an index without one
	uses       []state.Reference
	existing   *state.Index // the index of the database that becomes the index of the constraint; nil when it must be built
	now        string       // why it is changed in the transaction; empty when it is changed later
}

// postpone returns the state to which the transaction leads, and records the changes that follow it. They are those that would
// lock out readers or writers while rows are read, and that PostgreSQL can make without these locks:
//
//   - Indexes are built and dropped concurrently. A key is added with an index that exists.
//   - A foreign key or check is added as NOT VALID in the transaction, and validated later. A foreign key that refers to a key
//     which is built later is added after that key.
//   - A column becomes NOT NULL after a check has been validated that proves it.
//
// The transaction keeps the keys and indexes that are replaced. The state that it leaves gives the same later changes again.
func (p *planner) postpone(to *state.State) *state.State {
	p.target = to
	if !p.policy.Online {
		return to
	}
	middle := *to
	middle.Details = slices.Clone(to.Details)
	for i, t := range to.Details {
		l := &laterChange{name: t.Name, from: p.from.Table(t.Name), to: t}
		t = copyTables([]*state.Table{t})[0]
		if l.from != nil {
			p.postponeIndexes(l, t)
			p.postponeNotNull(l, t)
		}
		middle.Details[i] = t
		p.later = append(p.later, l)
	}
	for i, l := range p.later {
		p.postponeRules(l, middle.Details[i])
	}
	return &middle
}

// postponeIndexes decides which indexes and keys are dropped and added later, and makes t the table that the transaction leaves.
func (p *planner) postponeIndexes(l *laterChange, t *state.Table) {
	c := &tableChange{
		name: l.name, from: l.from, to: l.to,
		droppedColumns: map[string]bool{}, retypedColumns: map[string]bool{}, incomparable: map[string]bool{},
	}
	p.findChanged(c)
	same := pairParts(partsOf([]*state.Table{l.from}), partsOf([]*state.Table{l.to}))
	drops := slices.DeleteFunc(indexedOf(l.from), func(d *indexed) bool { return same.names[d.name()] != nil })
	adds := slices.DeleteFunc(indexedOf(l.to), func(a *indexed) bool {
		return !slices.ContainsFunc(same.added, func(n *part) bool { return n.name == a.name() })
	})
	for _, d := range drops {
		d.now = p.dropsNow(c, d, adds)
	}
	for _, a := range adds {
		a.now = p.addsNow(l.name, a)
	}
	decideTogether(drops, adds)
	for _, a := range adds {
		if a.now != "" {
			p.lockedBecause[key{l.name, a.Name}] = a.now
			continue
		}
		l.adds = append(l.adds, a)
		t.Indexes = slices.DeleteFunc(t.Indexes, func(i *state.Index) bool { return a.constraint == nil && i.Name == a.Name })
		t.Constraints = slices.DeleteFunc(t.Constraints, func(k state.Constraint) bool {
			return a.constraint != nil && k.Name == a.Name && k.Kind == a.constraint.Kind
		})
	}
	for _, d := range drops {
		if d.now != "" {
			continue
		}
		if d.constraint != nil {
			t.Constraints = append(t.Constraints, *d.constraint)
		} else {
			t.Indexes = append(t.Indexes, d.Index)
		}
		a := find(l.adds, func(a *indexed) bool { return a.existing == nil && becomes(d, a) })
		if a != nil {
			(*a).existing = d.Index
		} else {
			l.drops = append(l.drops, d)
		}
	}
}

// becomes reports whether an index can be made the index of a constraint.
func becomes(d, a *indexed) bool {
	return d.constraint == nil && a.constraint != nil && d.Valid && d.Shape == a.Shape && slices.Equal(d.Options, a.Options)
}

// decideTogether makes sure that a rule and its former version are changed together: otherwise the table would be without both
// for a while. A constraint that nothing replaces is dropped in the transaction, because that takes no time.
func decideTogether(drops, adds []*indexed) {
	for again := true; again; {
		again = false
		for _, d := range drops {
			for _, a := range adds {
				switch {
				case !replaces(a, d) || (a.now == "") == (d.now == ""):
					continue
				case a.now == "":
					a.now = "it replaces " + d.Name + ": " + d.now
				default:
					d.now = a.now
				}
				again = true
			}
		}
	}
	for _, d := range drops {
		if d.constraint != nil && !slices.ContainsFunc(adds, func(a *indexed) bool { return replaces(a, d) }) {
			d.now = "nothing replaces it"
		}
	}
}

// replaces reports whether one is another version of the other: it has the same name, both are primary keys, or both are unique
// and have a column in common.
func replaces(a, d *indexed) bool {
	primary := func(i *indexed) bool { return i.constraint != nil && i.constraint.Kind == "primary key" }
	return a.Name == d.Name || primary(a) && primary(d) || a.Unique && d.Unique &&
		slices.ContainsFunc(a.Key, func(column string) bool { return slices.Contains(d.Key, column) })
}

// dropsNow says why an index or a key must be dropped in the transaction, or "".
func (p *planner) dropsNow(c *tableChange, d *indexed, adds []*indexed) string {
	for _, r := range d.uses {
		switch {
		case r.Relation == c.name && (c.droppedColumns[r.Column] || c.retypedColumns[r.Column]):
			return "column " + r.Column + " changes"
		case r.Type != "" && enumOf(p.target, r.Type) == nil:
			return "enum " + r.Type + " is dropped"
		}
	}
	if d.constraint != nil {
		if d.constraint.Kind == "exclusion" {
			return "it is an exclusion constraint"
		}
		for _, name := range d.Key {
			if d.constraint.Kind == "primary key" && !columnOf(c.to, name).NotNull {
				return "nulls are allowed in " + name
			}
		}
	}
	replaced := slices.ContainsFunc(adds, func(a *indexed) bool { return a.Name == d.Name })
	if !replaced && nameTaken(p.target, d.Name) {
		return "its name is needed"
	}
	for _, v := range p.from.Views {
		if usesConstraint(v, c.name, d.Name) {
			return v.Name + " depends on it"
		}
	}
	if slices.ContainsFunc(adds, func(a *indexed) bool { return becomes(d, a) }) {
		return ""
	}
	for _, t := range p.from.Details {
		to := p.target.Table(t.Name)
		for i := range t.Constraints {
			k := &t.Constraints[i]
			stays := to != nil && slices.ContainsFunc(to.Constraints, func(n state.Constraint) bool {
				return isForeignKey(&n) && ruleOf(&n) == ruleOf(k)
			})
			if isForeignKey(k) && k.References == c.name && k.ReferencedKey == d.Name && stays {
				return "foreign key " + k.Name + " of " + t.Name + " needs it"
			}
		}
	}
	return ""
}

// addsNow says why an index or a constraint must be added in the transaction, or "".
func (p *planner) addsNow(table string, a *indexed) string {
	switch {
	case a.constraint == nil:
		return ""
	case p.policy.RulesAtOnce:
		return atOnce
	case a.constraint.Kind == "exclusion":
		return "PostgreSQL cannot build an exclusion constraint concurrently"
	}
	for _, v := range p.target.Views {
		if usesConstraint(v, table, a.Name) {
			return v.Name + " depends on it"
		}
	}
	return ""
}

const atOnce = "rules are checked at once" // the policy, which hazards need not explain

func usesConstraint(v *state.View, table, name string) bool {
	return slices.ContainsFunc(v.Reads, func(r state.Reference) bool { return r.Relation == table && r.Constraint == name })
}

// postponeNotNull leaves columns of t nullable, with checks that prove later that they have no nulls. A generated column is
// added again with its rows. PostgreSQL requires NOT NULL of an identity column, and of the columns of a primary key.
func (p *planner) postponeNotNull(l *laterChange, t *state.Table) {
	for i := range t.Columns {
		column := &t.Columns[i]
		from := columnOf(l.from, column.Name)
		if from == nil || !column.NotNull || column.Generated != "" {
			continue
		}
		switch {
		case p.policy.RulesAtOnce:
			continue
		case column.Identity != from.Identity:
			p.lockedBecause[key{l.name, column.Name}] = "an identity column must be NOT NULL"
			continue
		case column.Rows != "" && p.target.Types[column.TypeName].Element == "": // IS NOT NULL is then about the columns of the row
			p.lockedBecause[key{l.name, column.Name}] = "no check proves it for a row"
			continue
		case slices.ContainsFunc(t.Constraints, func(k state.Constraint) bool {
			return k.Kind == "primary key" && slices.Contains(k.Columns, column.Name)
		}):
			p.lockedBecause[key{l.name, column.Name}] = "the primary key of the transaction needs it"
			continue
		}
		proof := find(l.from.Constraints, func(k state.Constraint) bool { return isProof(&k) && k.Columns[0] == column.Name })
		switch {
		case proof != nil && constraintOf(l.to, proof.Name) != nil:
			continue // the files have it
		case proof == nil && from.NotNull:
			continue
		case proof == nil:
			proof = proofOf(l.from, column.Name)
		}
		if !from.NotNull {
			column.NotNull = false
			l.notNull = append(l.notNull, column.Name)
		}
		l.proofs = append(l.proofs, proof)
		t.Constraints = append(t.Constraints, *proof)
	}
}

// proofPrefix begins the names of the temporary checks, by which they are recognised when a plan was interrupted.
const proofPrefix = "docket_not_null_"

// proofOf returns a check that a column has no nulls. Once it is validated, SET NOT NULL need not read the table.
func proofOf(t *state.Table, column string) *state.Constraint {
	name := freeName(proofPrefix+column, "", func(name string) bool { return constraintOf(t, name) != nil })
	return &state.Constraint{
		Name: name, Kind: "check", Definition: proofRule(column) + " NOT VALID", Columns: []string{column},
		Uses: []state.Reference{{Relation: t.Name, Column: column}},
	}
}

func proofRule(column string) string { return "CHECK ((" + ident(column) + " IS NOT NULL))" }

// isProof reports whether a check is one of proofOf, which an interrupted plan may have left.
func isProof(c *state.Constraint) bool {
	return c.Kind == "check" && len(c.Columns) == 1 && strings.HasPrefix(c.Name, proofPrefix) && ruleOf(c) == proofRule(c.Columns[0])
}

// postponeRules leaves the foreign keys and checks of t that the database lacks NOT VALID, and removes the foreign keys that
// refer to a key which is built later.
func (p *planner) postponeRules(l *laterChange, t *state.Table) {
	before := map[string]*state.Constraint{}
	if l.from != nil {
		same := pairParts(partsOf([]*state.Table{l.from}), partsOf([]*state.Table{l.to}))
		for i := range l.from.Constraints {
			if name := same.names[&l.from.Constraints[i].Name]; name != nil {
				before[*name] = &l.from.Constraints[i]
			}
		}
	}
	for i := range l.to.Constraints {
		to := &l.to.Constraints[i]
		from := before[to.Name]
		now := constraintOf(t, to.Name)
		switch {
		case to.HasIndex() || from != nil && from.Validated:
		case isForeignKey(to) && from == nil && p.waitsForKey(to):
			l.foreignKeys = append(l.foreignKeys, to)
			t.Constraints = slices.DeleteFunc(t.Constraints, func(k state.Constraint) bool { return k.Name == to.Name })
		case to.Validated && l.from != nil && !p.policy.RulesAtOnce:
			*now = notValid(to)
			l.unproven = append(l.unproven, to)
		}
	}
}

// waitsForKey reports whether the key to which a foreign key refers is built later, or whether one is dropped later to which it
// could refer before.
func (p *planner) waitsForKey(k *state.Constraint) bool {
	return slices.ContainsFunc(p.later, func(l *laterChange) bool {
		return l.name == k.References && slices.ContainsFunc(slices.Concat(l.adds, l.drops), func(i *indexed) bool {
			return i.Unique && sameColumns(i.Key, k.Referenced)
		})
	})
}

func notValid(c *state.Constraint) state.Constraint {
	k := *c
	if k.Validated {
		k.Definition, k.Validated = k.Definition+" NOT VALID", false
	}
	return k
}

// indexedOf lists the indexes and the constraints with an index of a table.
func indexedOf(t *state.Table) []*indexed {
	var all []*indexed
	for i := range t.Constraints {
		if c := &t.Constraints[i]; c.Index != nil {
			all = append(all, &indexed{Index: c.Index, constraint: c, uses: c.Uses})
		}
	}
	for _, index := range t.Indexes {
		all = append(all, &indexed{Index: index, uses: index.Uses})
	}
	return all
}

// name identifies the part in a pairing.
func (i *indexed) name() *string {
	if i.constraint != nil {
		return &i.constraint.Name
	}
	return &i.Index.Name
}

// notLater says why rows are read in the transaction although the policy is Online, as the end of a hazard. The name is that of
// an index, a constraint or a column.
func (p *planner) notLater(table, name string) string {
	if why := p.lockedBecause[key{table, name}]; why != "" && why != atOnce {
		return ", not while others write, because " + why
	}
	return ""
}
