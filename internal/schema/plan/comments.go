package plan

import (
	"fmt"
	"slices"
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
	fromComments, toComments := tableComments(p.fromTables, p.from), tableComments(p.toTables, p.to)
	for _, c := range toComments {
		if !p.commented[c.target] {
			p.changeComment(c.target, commentText(fromComments, c.target), c.text)
		}
	}
	const public = "SCHEMA public" // which every database has, and which others may comment on
	switch before, after := p.from.Comments[public], p.to.Comments[public]; {
	case after != "":
		p.changeComment(public, before, after)
	case before != "":
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
	s := Statement{
		SQL:     fmt.Sprintf("COMMENT ON %s IS %s", target, text),
		Comment: fmt.Sprintf("Set the comment of %s.", describeTarget(target)),
	}
	if strings.HasPrefix(target, "INDEX ") && p.builtConcurrently[strings.TrimPrefix(target, "INDEX ")] {
		p.concurrent = append(p.concurrent, s)
		return
	}
	p.add(s)
}

// describeTarget names a target of COMMENT ON in messages.
func describeTarget(target string) string {
	kind, name, _ := strings.Cut(target, " ")
	if kind == "MATERIALIZED" {
		kind, name = "materialized view", strings.TrimPrefix(name, "VIEW ")
	}
	return strings.ToLower(kind) + " " + strings.ReplaceAll(name, " ON ", " of ")
}

// comment is a comment with its target, as COMMENT ON names it.
type comment struct{ target, text string }

func commentText(comments []comment, target string) string {
	i := slices.IndexFunc(comments, func(r comment) bool { return r.target == target })
	if i < 0 {
		return ""
	}
	return comments[i].text
}

// tableComments lists all targets of COMMENT ON in the tables, enums and sequences, with their comments or "".
func tableComments(tables []*state.Table, s *state.State) []comment {
	var all []comment
	for _, e := range s.Enums {
		all = append(all, comment{"TYPE " + ident(e.Name), e.Comment})
	}
	for _, t := range tables {
		all = append(all, comment{"TABLE " + ident(t.Name), t.Comment})
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
	}
	for _, q := range s.Sequences {
		target := "SEQUENCE " + ident(q.Name)
		all = append(all, comment{target, s.Comments[target]})
	}
	return all
}
