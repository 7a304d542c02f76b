package plan

import (
	"fmt"
	"strings"

	"docket/internal/schema/state"
)

// recreate records that the plan creates the targets of COMMENT ON, some of them again.
func (p *planner) recreate(targets ...string) {
	for _, target := range targets {
		p.recreated[target] = true
	}
}

func (p *planner) isRecreated(target string) bool { return p.recreated[target] }

func columnTarget(relation, column string) string {
	return "COLUMN " + ident(relation) + "." + ident(column)
}

// changeComments sets the comments of everything except views.
func (p *planner) changeComments() {
	before := map[string]string{}
	for _, c := range commentsOf(p.from, p.fromTables) {
		before[c.target] = c.text
	}
	for _, c := range commentsOf(p.to, p.toTables) {
		if !p.commented[c.target] {
			p.changeComment(c.target, before[c.target], c.text)
		}
	}
	switch {
	case p.to.Comment != "":
		p.changeComment("SCHEMA public", p.from.Comment, p.to.Comment)
	case p.from.Comment != "": // every database has the schema, and others may comment on it
		p.leaveAlone("comment on schema public")
	}
}

func (p *planner) changeComment(target, from, to string) {
	if p.isRecreated(target) {
		from = ""
	}
	if from == to {
		return
	}
	text := "NULL"
	if to != "" {
		text = literal(to)
	}
	p.add(Statement{
		SQL:     fmt.Sprintf("COMMENT ON %s IS %s", target, text),
		Comment: fmt.Sprintf("Set the comment of %s.", describeTarget(target)),
	})
}

// describeTarget names a target of COMMENT ON in messages.
func describeTarget(target string) string {
	kind, name, _ := strings.Cut(target, " ")
	switch kind {
	case "MATERIALIZED":
		kind, name = "materialized view", strings.TrimPrefix(name, "VIEW ")
	case "CONSTRAINT":
		name = strings.ReplaceAll(name, " ON ", " of ")
	}
	return strings.ToLower(kind) + " " + name
}

// comment is a comment with its target, as COMMENT ON names it.
type comment struct{ target, text string }

// commentsOf lists all targets of COMMENT ON in enums, tables and sequences, with their comments or "".
func commentsOf(s *state.State, tables []*state.Table) []comment {
	var all []comment
	for _, e := range s.Enums {
		all = append(all, comment{"TYPE " + ident(e.Name), e.Comment})
	}
	for _, t := range tables {
		all = append(all, tableComments(t)...)
	}
	for _, q := range s.Sequences {
		all = append(all, comment{"SEQUENCE " + ident(q.Name), q.Comment})
	}
	return all
}

// tableComments lists all targets of COMMENT ON in the table.
func tableComments(t *state.Table) []comment {
	all := []comment{{"TABLE " + ident(t.Name), t.Comment}}
	for _, c := range t.Columns {
		all = append(all, comment{columnTarget(t.Name, c.Name), c.Comment})
	}
	for i := range t.Constraints {
		c := &t.Constraints[i]
		for i, target := range constraintTargets(t.Name, c) {
			all = append(all, comment{target, []string{c.Comment, c.IndexComment}[i]})
		}
	}
	for _, index := range t.Indexes {
		all = append(all, comment{"INDEX " + ident(index.Name), index.Comment})
	}
	return all
}
