package plan

import (
	"slices"

	"docket/internal/schema/state"
)

// changeLater plans the changes that postpone has recorded. Checks come first: NOT NULL needs them, and a primary key needs
// NOT NULL. Then keys, then the foreign keys that refer to them.
func (p *planner) changeLater() {
	if len(p.later) == 0 {
		return
	}
	p.to, p.toTables = p.target, copyTables(p.target.Details)
	for _, l := range p.later {
		p.proveChecks(l)
	}
	for _, l := range p.later {
		p.exchangeIndexes(l)
	}
	for _, l := range p.later {
		for _, k := range l.foreignKeys {
			now := notValid(k)
			p.alter(l.name, []clause{p.addConstraint(&tableChange{name: l.name}, &now)})
			p.changeComment(constraintTargets(l.name, k)[0], "", k.Comment)
		}
	}
	for _, l := range p.later {
		for _, k := range slices.Concat(l.unproven, l.foreignKeys) {
			if isForeignKey(k) && k.Validated {
				p.alter(l.name, []clause{p.validate(l, k)})
			}
		}
	}
}

// proveChecks validates all checks of a table in one statement, which reads the table one time. Then it forbids nulls.
func (p *planner) proveChecks(l *laterChange) {
	var proven, notNull, dropped []clause
	lock := []Hazard{{LocksReads, l.name}}
	for _, k := range slices.Concat(l.proofs, l.unproven) {
		if !isForeignKey(k) && (!k.Validated || slices.Contains(l.unproven, k)) {
			proven = append(proven, p.validate(l, k))
		}
	}
	for _, name := range l.notNull {
		notNull = append(notNull, clause{"ALTER COLUMN " + ident(name) + " SET NOT NULL", "forbid nulls in " + name, lock})
	}
	for _, k := range l.proofs {
		dropped = append(dropped, clause{"DROP CONSTRAINT " + ident(k.Name), "drop the temporary check " + k.Name, lock})
	}
	p.alter(l.name, proven)
	p.alter(l.name, notNull)
	p.alter(l.name, dropped)
}

// validate takes a SHARE UPDATE EXCLUSIVE lock, and for a foreign key ROW SHARE on the other table. Neither locks out readers
// or writers.
func (p *planner) validate(l *laterChange, k *state.Constraint) clause {
	return clause{
		"VALIDATE CONSTRAINT " + ident(k.Name), "validate constraint " + k.Name,
		[]Hazard{hazard(DependsOnRows, "%s is checked for %s, while readers and writers continue", k.Name, p.rows(l.name))},
	}
}

// exchangeIndexes builds the new indexes of a table before it drops the old ones. It adds and drops the constraints in one short
// statement.
func (p *planner) exchangeIndexes(l *laterChange) {
	drop := func(d *indexed) { p.add(p.dropIndex(l.name, d.Index, concurrently)) }
	taken := map[string]bool{}
	for _, d := range l.drops {
		if !d.Valid {
			drop(d)
		} else {
			taken[d.Name] = true
		}
	}
	names := map[*indexed]string{}
	for _, a := range l.adds {
		if a.existing != nil {
			names[a] = a.existing.Name
			taken[a.existing.Name] = true
		}
	}
	isTaken := func(name string) bool { return taken[name] || p.nameTaken(name) }
	for _, a := range l.adds {
		if a.existing != nil {
			continue
		}
		names[a] = a.Name
		if taken[a.Name] {
			names[a] = freeName(a.Name, "_new", isTaken)
		}
		taken[names[a]] = true
		p.add(p.createIndex(l.name, a.Index, names[a], concurrently))
	}
	c := &tableChange{name: l.name, from: l.from, to: l.to, droppedConstraints: map[string]bool{}}
	var drops, adds []clause
	for _, d := range l.drops {
		switch {
		case d.constraint != nil:
			drops = append(drops, p.dropConstraint(c, d.constraint, true))
		case d.Valid:
			drop(d)
		}
	}
	for _, a := range l.adds {
		if a.constraint != nil {
			adds = append(adds, p.addKey(l.name, a.constraint, names[a]))
		}
	}
	p.alter(l.name, slices.Concat(drops, adds))
	for _, a := range l.adds {
		if a.constraint == nil && names[a] != a.Name {
			p.renameNew(l.name, names[a], a.Name)
		}
		p.commentLater(l.name, a)
	}
}

// addKey adds a key whose index exists. PostgreSQL gives the index the name of the key.
func (p *planner) addKey(table string, k *state.Constraint, index string) clause {
	sql := "ADD CONSTRAINT " + ident(k.Name) + " UNIQUE USING INDEX " + ident(index)
	if k.Kind == "primary key" {
		sql = "ADD CONSTRAINT " + ident(k.Name) + " PRIMARY KEY USING INDEX " + ident(index)
	}
	if k.Deferrable {
		sql += " " + timing(k)
	}
	return clause{sql, "add constraint " + k.Name, []Hazard{{LocksReads, table}}}
}

// commentLater comments on a new index and on its constraint.
func (p *planner) commentLater(table string, a *indexed) {
	if a.constraint == nil {
		p.changeComment("INDEX "+ident(a.Name), "", a.Comment)
		return
	}
	before := ""
	if a.existing != nil {
		before = a.existing.Comment
	}
	for i, target := range constraintTargets(table, a.constraint) {
		p.changeComment(target, []string{"", before}[i], []string{a.constraint.Comment, a.constraint.IndexComment}[i])
	}
}
