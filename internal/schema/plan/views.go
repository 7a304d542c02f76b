package plan

import (
	"fmt"
	"slices"
	"strings"

	"docket/internal/schema/state"
)

// mark is what becomes of a view.
type mark int

const (
	stays    mark = iota
	replaced      // CREATE OR REPLACE
	early         // the same, before the tables change: it lets go of what they lose
	rebuilt       // dropped, and made again
	gone
)

// markViews decides which views have to go: those that the files lack or define otherwise, as far as they cannot be
// replaced, those that read what changes under them, and those that read a view that goes.
func (p *planner) markViews() error {
	for _, v := range p.from.Views {
		p.marks[v.Name] = p.markView(v)
	}
	for _, v := range p.from.Views {
		if p.marks[v.Name] < rebuilt {
			continue
		}
		if err := p.mayDrop(v); err != nil {
			return err
		}
		if err := p.mayKeep(v); err != nil {
			return err
		}
	}
	return nil
}

// mayKeep refuses to plan for a view that the policy keeps and that cannot be made again.
func (p *planner) mayKeep(v *state.View) error {
	if p.to.View(v.Name) != v {
		return nil
	}
	for _, r := range v.Reads {
		t := p.to.Table(r.Relation)
		if p.tables[r.Relation] || t != nil && r.Column != "" && columnOf(t, r.Column) == nil {
			return fmt.Errorf("plan %s: the policy keeps it, although the files do not have it, and it reads %s, which goes; "+
				"drop the view by hand, or put into the files what it reads", v, strings.TrimSuffix(r.Relation+"."+r.Column, "."))
		}
	}
	return nil
}

// markView decides about one view; those that it reads have been decided about.
func (p *planner) markView(had *state.View) mark {
	wanted := p.to.View(had.Name)
	touched := slices.ContainsFunc(had.Reads, p.changes)
	switch {
	case wanted == nil:
		return gone
	case had.Materialized != wanted.Materialized || slices.ContainsFunc(had.Reads, p.drops):
		return rebuilt
	case !differ(had, wanted):
		if touched {
			return rebuilt
		}
		return stays
	case had.Materialized || !replaceable(had, wanted):
		return rebuilt
	case !touched:
		return replaced
	case !slices.ContainsFunc(wanted.Reads, p.isNews):
		return early
	}
	return rebuilt
}

func differ(had, wanted *state.View) bool {
	return had.Definition != wanted.Definition || !slices.EqualFunc(had.Columns, wanted.Columns, sameColumn)
}

func sameColumn(a, b state.ViewColumn) bool {
	return a.Name == b.Name && a.Type == b.Type && a.Collation == b.Collation
}

// replaceable tells whether CREATE OR REPLACE VIEW can make the one of the other: it may only add columns at the end.
func replaceable(had, wanted *state.View) bool {
	return len(had.Columns) <= len(wanted.Columns) && slices.EqualFunc(had.Columns, wanted.Columns[:len(had.Columns)], sameColumn)
}

// changes tells whether what is read does not survive the plan as it is.
func (p *planner) changes(r state.Reference) bool {
	return p.tables[r.Relation] || r.Column != "" && p.columns[key{r.Relation, r.Column}] ||
		r.Constraint != "" && p.constraints[key{r.Relation, r.Constraint}]
}

// drops tells whether a view is read that goes.
func (p *planner) drops(r state.Reference) bool { return p.marks[r.Relation] >= rebuilt }

// isNews tells whether what is read is not there, or not in its final form, before tables change.
func (p *planner) isNews(r state.Reference) bool {
	switch {
	case p.changes(r), p.drops(r), r.Type != "" && enumOf(p.from, r.Type) == nil:
		return true
	case r.Relation == "":
		return false
	}
	if t := p.from.Table(r.Relation); t != nil {
		return r.Column != "" && columnOf(t, r.Column) == nil || r.Constraint != "" && constraintOf(t, r.Constraint) == nil
	}
	v := p.from.View(r.Relation)
	return v == nil && !strings.Contains(r.Relation, ".") || v != nil && p.marks[v.Name] != stays
}

// mayDrop refuses to drop a view that carries what changes what it does, and what nobody could bring back.
func (p *planner) mayDrop(v *state.View) error {
	for _, o := range p.lose(v.Name, "") {
		if o.Kind == "trigger" || o.Kind == "rule" || o.Kind == "default of a view column" {
			return fmt.Errorf("plan %s: it has to be dropped, which would take %s along, and that is not managed here; drop it by hand "+
				"before, and make it again after", v, o)
		}
	}
	return nil
}

// dropViews drops in the reverse of the order in which views read one another, and never with CASCADE: what depends on a view
// and is not known here has to stop the plan.
func (p *planner) dropViews() {
	for _, v := range slices.Backward(p.from.Views) {
		if p.marks[v.Name] < rebuilt {
			continue
		}
		s := Statement{SQL: fmt.Sprintf("DROP %s %s", kind(v), ident(v.Name)), Hazards: []Hazard{{LocksReads, v.Name}}}
		switch {
		case p.marks[v.Name] == gone:
			s.Comment = fmt.Sprintf("Drop %s, which the files do not have.", v)
		case v.Definition != p.to.View(v.Name).Definition || v.Materialized != p.to.View(v.Name).Materialized:
			s.Comment = fmt.Sprintf("Drop %s, which the files define otherwise.", v)
		default:
			s.Comment = fmt.Sprintf("Drop %s, which reads what changes.", v)
		}
		if p.marks[v.Name] == rebuilt {
			s.Hazards = append(losing(p.lose(v.Name, "")), s.Hazards...)
			if v.Materialized && p.to.View(v.Name).Materialized {
				s.Hazards = append([]Hazard{{RebuildsView, p.filling(v)}}, s.Hazards...)
			}
		}
		p.add(s)
	}
}

// filling says how long readers of a materialized view wait.
func (p *planner) filling(v *state.View) string {
	if v.LastRefresh == nil {
		return fmt.Sprintf("readers of %s wait until it is filled: %s", v.Name, p.rows(v.Name))
	}
	return fmt.Sprintf("readers of %s wait until it is filled: %s at its last refresh", v.Name, seconds(*v.LastRefresh))
}

func kind(v *state.View) string {
	if v.Materialized {
		return "MATERIALIZED VIEW"
	}
	return "VIEW"
}

// replaceEarly replaces the views that let go of what the tables lose.
func (p *planner) replaceEarly() {
	for _, wanted := range p.to.Views {
		if p.marks[wanted.Name] == early && p.from.View(wanted.Name) != nil {
			p.add(p.replaceView(wanted))
		}
	}
}

// makeViews makes, replaces and fills views, each after those that it reads, and changes what lies on those that stay.
func (p *planner) makeViews() error {
	for _, wanted := range p.to.Views {
		had := p.from.View(wanted.Name)
		if had == nil || p.marks[had.Name] == rebuilt {
			if err := p.mayCall(wanted); err != nil {
				return err
			}
			p.fillProviders(wanted)
			p.createView(had, wanted)
			continue
		}
		if p.marks[had.Name] == replaced {
			p.add(p.replaceView(wanted))
		}
		if p.marks[had.Name] == stays {
			p.changeOptions(kind(wanted), wanted.Name, had.Options, wanted.Options)
		}
		p.changeViewIndexes(had, wanted)
		p.describeView(had, wanted)
	}
	return nil
}

func (p *planner) createView(had, wanted *state.View) {
	for _, sql := range wanted.SQL() {
		s := Statement{SQL: sql, Comment: "Describe it."}
		switch {
		case strings.HasPrefix(sql, "COMMENT"):
		case strings.HasPrefix(sql, "CREATE "+kind(wanted)):
			s.Comment = fmt.Sprintf("Make %s.", wanted)
			if wanted.Materialized {
				s.Comment = fmt.Sprintf("Make and fill %s.", wanted)
			}
			if had != nil {
				s.Comment = strings.TrimSuffix(s.Comment, ".") + " again."
			}
			if wanted.Materialized && !usable(wanted.Indexes) && (had == nil || !had.Materialized || usable(had.Indexes)) {
				s.Hazards = []Hazard{{LosesUnique, losesUnique(wanted)}}
			}
		default:
			s.Comment = fmt.Sprintf("Index %s.", wanted)
		}
		p.add(s)
	}
	p.grantAgain(had, wanted)
}

func (p *planner) replaceView(v *state.View) Statement {
	s := Statement{
		SQL:     strings.Replace(v.SQL()[0], "CREATE VIEW", "CREATE OR REPLACE VIEW", 1),
		Comment: fmt.Sprintf("Replace %s; what reads it stays.", v),
		Hazards: []Hazard{{LocksReads, v.Name}},
	}
	if readers := p.filledFrom(v.Name); len(readers) > 0 {
		s.Comment = fmt.Sprintf("Replace %s; what reads it stays, and %s shows it once refreshed.", v, strings.Join(readers, " and "))
	}
	return s
}

// filledFrom lists the materialized views that read the view, directly or through others, and are not made again.
func (p *planner) filledFrom(name string) []string {
	var readers []string
	reads := map[string]bool{name: true}
	for _, v := range p.to.Views {
		if !slices.ContainsFunc(v.Reads, func(r state.Reference) bool { return reads[r.Relation] }) {
			continue
		}
		reads[v.Name] = true
		if v.Materialized && p.from.View(v.Name) != nil && p.marks[v.Name] < rebuilt {
			readers = append(readers, v.Name)
		}
	}
	return readers
}

func (p *planner) describeView(had, wanted *state.View) {
	p.changeComment(kind(wanted)+" "+ident(wanted.Name), had.Comment, wanted.Comment)
	for i, c := range wanted.Columns {
		before := ""
		if i < len(had.Columns) {
			before = had.Columns[i].Comment
		}
		p.changeComment(columnTarget(wanted.Name, c.Name), before, c.Comment)
	}
	for _, index := range wanted.Indexes {
		before := ""
		if old := indexNamed(had.Indexes, p.originalName(had.Name, index.Name)); old != nil {
			before = old.Comment
		}
		p.changeComment("INDEX "+ident(index.Name), before, index.Comment)
	}
}

// mayCall refuses a view over a function that the database does not have: functions are not managed.
func (p *planner) mayCall(v *state.View) error {
	for _, r := range v.Reads {
		there := slices.ContainsFunc(p.from.Unmanaged, func(o state.Object) bool {
			return (o.Kind == "function" || o.Kind == "aggregate") && o.Name == r.Function
		})
		if r.Function != "" && !there {
			return fmt.Errorf("plan %s: it calls %s, which database %s does not have, and functions are not managed here; make it "+
				"there by hand, and then plan again", v, r.Function, p.from.Database)
		}
	}
	return nil
}
