package plan

import (
	"fmt"
	"slices"
	"strings"

	"docket/internal/schema/state"
)

// renew notes that the plan makes something anew, by its name in COMMENT ON.
func (p *planner) renew(targets ...string) {
	for _, target := range targets {
		p.renewed[target] = true
	}
}

func (p *planner) isRenewed(target string) bool { return p.renewed[target] }

func columnTarget(relation, column string) string {
	return "COLUMN " + ident(relation) + "." + ident(column)
}

// changeComments sets the comments of all but views.
func (p *planner) changeComments() {
	had, wanted := tableComments(p.have, p.from), tableComments(p.want, p.to)
	for _, c := range wanted {
		if !p.described[c.target] {
			p.changeComment(c.target, commentOn(had, c.target), c.text)
		}
	}
	const public = "SCHEMA public" // which every database has, and others may describe
	switch before, after := p.from.Comments[public], p.to.Comments[public]; {
	case after != "":
		p.changeComment(public, before, after)
	case before != "":
		p.leave("comment on schema public")
	}
}

func (p *planner) changeComment(target, had, wanted string) {
	if p.isRenewed(target) {
		had = ""
	}
	if had == wanted {
		return
	}
	text := "NULL"
	if wanted != "" {
		text = literal(wanted)
	}
	kind, name, _ := strings.Cut(target, " ")
	if kind == "MATERIALIZED" {
		kind, name = "materialized view", strings.TrimPrefix(name, "VIEW ")
	}
	s := Statement{
		SQL:     fmt.Sprintf("COMMENT ON %s IS %s", target, text),
		Comment: fmt.Sprintf("Describe %s %s.", strings.ToLower(kind), strings.ReplaceAll(name, " ON ", " of ")),
	}
	if strings.HasPrefix(target, "INDEX ") && p.waits[strings.TrimPrefix(target, "INDEX ")] {
		p.apart = append(p.apart, s)
		return
	}
	p.add(s)
}

// remark is a comment in the database.
type remark struct{ target, text string }

func commentOn(remarks []remark, target string) string {
	i := slices.IndexFunc(remarks, func(r remark) bool { return r.target == target })
	if i < 0 {
		return ""
	}
	return remarks[i].text
}

// tableComments lists what can have a comment in tables and enums, with the comment.
func tableComments(tables []*state.Table, s *state.State) []remark {
	var all []remark
	for _, e := range s.Enums {
		all = append(all, remark{"TYPE " + ident(e.Name), e.Comment})
	}
	for _, t := range tables {
		all = append(all, remark{"TABLE " + ident(t.Name), t.Comment})
		for _, c := range t.Columns {
			all = append(all, remark{columnTarget(t.Name, c.Name), c.Comment})
		}
		for i := range t.Constraints {
			c := &t.Constraints[i]
			for i, target := range constraintTargets(t.Name, c) {
				all = append(all, remark{target, []string{c.Comment, c.IndexComment}[i]})
			}
		}
		for _, index := range t.Indexes {
			all = append(all, remark{"INDEX " + ident(index.Name), index.Comment})
		}
	}
	for _, q := range s.Sequences {
		target := "SEQUENCE " + ident(q.Name)
		all = append(all, remark{target, s.Comments[target]})
	}
	return all
}
