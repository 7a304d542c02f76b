package plan

import (
	"fmt"
	"slices"
	"strings"

	"docket/internal/schema/state"
)

// decision is what the plan does with a view. All decisions from rebuilt on drop it.
type decision int

const (
	unchanged     decision = iota
	replaced               // by CREATE OR REPLACE
	replacedEarly          // like replaced, but before the tables change: the old view reads columns that are dropped
	rebuilt                // dropped and created again
	dropped
)

// decideViews decides which views are dropped: those that the files lack, those that the files define differently and that
// cannot be replaced, those that read something that changes, and those that read a dropped view.
func (p *planner) decideViews() error {
	for _, v := range p.from.Views {
		p.decisions[v.Name] = p.decideView(v)
	}
	for _, v := range p.from.Views {
		if p.decisions[v.Name] < rebuilt {
			continue
		}
		if err := p.checkDrop(v); err != nil {
			return err
		}
		if err := p.checkKept(v); err != nil {
			return err
		}
	}
	return nil
}

// checkKept returns an error if the policy keeps a view that must be dropped and cannot be created again.
func (p *planner) checkKept(v *state.View) error {
	if p.to.View(v.Name) != v {
		return nil
	}
	for _, r := range v.Reads {
		t := p.to.Table(r.Relation)
		if p.tables[r.Relation] || t != nil && r.Column != "" && columnOf(t, r.Column) == nil {
			return fmt.Errorf("plan %s: the files do not have it and the policy keeps it, but it reads %s, which must be dropped; "+
				"drop the view by hand, or add what it reads to the files", v, strings.TrimSuffix(r.Relation+"."+r.Column, "."))
		}
	}
	return nil
}

// decideView decides about one view. The views that it reads must be decided already.
func (p *planner) decideView(from *state.View) decision {
	to := p.to.View(from.Name)
	touched := slices.ContainsFunc(from.Reads, p.isChanged)
	switch {
	case to == nil:
		return dropped
	case from.Materialized != to.Materialized || slices.ContainsFunc(from.Reads, p.isDropped):
		return rebuilt
	case !differ(from, to):
		if touched {
			return rebuilt
		}
		return unchanged
	case from.Materialized || !replaceable(from, to):
		return rebuilt
	case !touched:
		return replaced
	case !slices.ContainsFunc(to.Reads, p.needsTableChanges):
		return replacedEarly
	}
	return rebuilt
}

func differ(from, to *state.View) bool {
	return from.Definition != to.Definition || !slices.EqualFunc(from.Columns, to.Columns, sameColumn)
}

func sameColumn(a, b state.ViewColumn) bool {
	return a.Name == b.Name && a.Type == b.Type && a.Collation == b.Collation
}

// replaceable reports whether CREATE OR REPLACE VIEW can change one into the other: it can only add columns at the end.
func replaceable(from, to *state.View) bool {
	return len(from.Columns) <= len(to.Columns) && slices.EqualFunc(from.Columns, to.Columns[:len(from.Columns)], sameColumn)
}

// isChanged reports whether the plan changes or drops what is read.
func (p *planner) isChanged(r state.Reference) bool {
	return p.tables[r.Relation] || r.Column != "" && p.columns[key{r.Relation, r.Column}] ||
		r.Constraint != "" && p.dropped[key{r.Relation, r.Constraint}]
}

// isDropped reports whether the plan drops the view that is read.
func (p *planner) isDropped(r state.Reference) bool { return p.decisions[r.Relation] >= rebuilt }

// needsTableChanges reports whether what is read does not exist in its final form before the tables change.
func (p *planner) needsTableChanges(r state.Reference) bool {
	switch {
	case p.isChanged(r), p.isDropped(r), r.Type != "" && enumOf(p.from, r.Type) == nil:
		return true
	case r.Relation == "":
		return false
	}
	if t := p.from.Table(r.Relation); t != nil {
		return r.Column != "" && columnOf(t, r.Column) == nil || r.Constraint != "" && constraintOf(t, r.Constraint) == nil
	}
	if v := p.from.View(r.Relation); v != nil {
		return p.decisions[v.Name] != unchanged
	}
	return p.to.Table(r.Relation) != nil || p.to.View(r.Relation) != nil // otherwise it is not managed
}

// checkDrop returns an error if dropping the view also drops an object that changes what the view does and that the plan
// cannot create again.
func (p *planner) checkDrop(v *state.View) error {
	for _, o := range p.loseUnmanaged(v.Name, "") {
		if o.Kind == "trigger" || o.Kind == "rule" || o.Kind == "default of a view column" {
			return fmt.Errorf("plan %s: it must be dropped, which would also drop %s, and that is not managed here; "+
				"drop that by hand first, and create it again afterwards", v, o)
		}
	}
	return nil
}

// dropViews drops each view after the views that read it, and never with CASCADE: an unknown object that depends on a view
// must make the statement fail.
func (p *planner) dropViews() {
	for _, v := range slices.Backward(p.from.Views) {
		if p.decisions[v.Name] < rebuilt {
			continue
		}
		s := Statement{SQL: fmt.Sprintf("DROP %s %s", v.Kind(), ident(v.Name)), Hazards: []Hazard{{LocksReads, v.Name}}}
		switch {
		case p.decisions[v.Name] == dropped:
			s.Comment = fmt.Sprintf("Drop %s, which the files do not have.", v)
		case v.Definition != p.to.View(v.Name).Definition || v.Materialized != p.to.View(v.Name).Materialized:
			s.Comment = fmt.Sprintf("Drop %s, which the files define differently.", v)
		default:
			s.Comment = fmt.Sprintf("Drop %s, which reads something that changes.", v)
		}
		if p.decisions[v.Name] == rebuilt {
			for _, index := range p.lostIndexes[v.Name] {
				s.Hazards = append([]Hazard{{LosesSetting, index}}, s.Hazards...)
			}
			s.Hazards = append(lossHazards(p.loseUnmanaged(v.Name, "")), s.Hazards...)
			if v.Materialized && p.to.View(v.Name).Materialized {
				s.Hazards = append([]Hazard{{RebuildsView, p.fillDetail(v)}}, s.Hazards...)
			}
		}
		p.add(s)
	}
}

// fillDetail describes how long readers of a materialized view wait.
func (p *planner) fillDetail(v *state.View) string {
	if v.LastRefresh == nil {
		return fmt.Sprintf("readers of %s wait until it is filled: %s", v.Name, p.rows(v.Name))
	}
	return fmt.Sprintf("readers of %s wait until it is filled: %s at its last refresh", v.Name, seconds(*v.LastRefresh))
}

// replaceEarly replaces views before the tables change.
func (p *planner) replaceEarly() {
	for _, to := range p.to.Views {
		if p.decisions[to.Name] == replacedEarly && p.from.View(to.Name) != nil {
			p.add(p.replaceView(to))
		}
	}
}

// createViews creates, replaces and fills views, each after those that it reads. It changes the options, indexes and comments
// of existing views.
func (p *planner) createViews() error {
	for _, to := range p.to.Views {
		from := p.from.View(to.Name)
		if from == nil || p.decisions[from.Name] == rebuilt {
			if err := p.checkFunctions(to); err != nil {
				return err
			}
			p.fillSources(to)
			p.createView(from, to)
			continue
		}
		if p.decisions[from.Name] == replaced {
			p.add(p.replaceView(to))
		}
		if p.decisions[from.Name] == unchanged {
			p.changeOptions(to.Kind(), to.Name, to.Name, from.Options, to.Options)
		}
		p.changeViewIndexes(from, to)
		p.describeView(from, to)
	}
	return nil
}

func (p *planner) createView(from, to *state.View) {
	for _, sql := range to.SQL() {
		s := Statement{SQL: sql, Comment: "Comment on it."}
		switch {
		case strings.HasPrefix(sql, "COMMENT"):
		case strings.HasPrefix(sql, "CREATE "+to.Kind()):
			s.Comment = fmt.Sprintf("Create %s.", to)
			if to.Materialized {
				s.Comment = fmt.Sprintf("Create and fill %s.", to)
			}
			if from != nil {
				s.Comment = strings.TrimSuffix(s.Comment, ".") + " again."
			}
			if to.Materialized && !usable(to.Indexes) && (from == nil || !from.Materialized || usable(from.Indexes)) {
				s.Hazards = []Hazard{{LosesUnique, losesUniqueDetail(to)}}
			}
		default:
			s.Comment = fmt.Sprintf("Create an index on %s.", to)
		}
		p.add(s)
	}
	p.regrantView(from, to)
}

func (p *planner) replaceView(v *state.View) Statement {
	s := Statement{
		SQL:     strings.Replace(v.SQL()[0], "CREATE VIEW", "CREATE OR REPLACE VIEW", 1),
		Comment: fmt.Sprintf("Replace %s; the views that read it are not changed.", v),
		Hazards: []Hazard{{LocksReads, v.Name}},
	}
	if readers := p.staleReaders(v.Name); len(readers) > 0 {
		s.Comment = fmt.Sprintf("Replace %s; the views that read it are not changed. REFRESH %s to show the new data there.",
			v, strings.Join(readers, " and "))
	}
	return s
}

// staleReaders lists the materialized views that read the view, directly or through others, and are not created again.
func (p *planner) staleReaders(name string) []string {
	var readers []string
	reads := map[string]bool{name: true}
	for _, v := range p.to.Views {
		if !slices.ContainsFunc(v.Reads, func(r state.Reference) bool { return reads[r.Relation] }) {
			continue
		}
		reads[v.Name] = true
		if v.Materialized && p.from.View(v.Name) != nil && p.decisions[v.Name] < rebuilt {
			readers = append(readers, v.Name)
		}
	}
	return readers
}

func (p *planner) describeView(from, to *state.View) {
	p.changeComment(to.Kind()+" "+ident(to.Name), from.Comment, to.Comment)
	for i, c := range to.Columns {
		before := ""
		if i < len(from.Columns) {
			before = from.Columns[i].Comment
		}
		p.changeComment(columnTarget(to.Name, c.Name), before, c.Comment)
	}
	for _, index := range to.Indexes {
		before := ""
		if old := indexNamed(from.Indexes, p.originalName(from.Name, index.Name)); old != nil {
			before = old.Comment
		}
		p.changeComment("INDEX "+ident(index.Name), before, index.Comment)
	}
}

// checkFunctions returns an error for a view that calls a function that the database does not have: functions are not managed.
func (p *planner) checkFunctions(v *state.View) error {
	for _, r := range v.Reads {
		exists := slices.ContainsFunc(p.from.Unmanaged, func(o state.Object) bool {
			return (o.Kind == "function" || o.Kind == "aggregate") && o.Name == r.Function
		})
		if r.Function != "" && !exists {
			return fmt.Errorf("plan %s: it calls %s, which database %s does not have, and functions are not managed here; "+
				"create it there by hand, then plan again", v, r.Function, p.from.Database)
		}
	}
	return nil
}
