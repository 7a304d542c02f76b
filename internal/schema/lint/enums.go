package lint

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"docket/internal/schema/sqltext"
	"docket/internal/schema/state"
)

// enumTypeUncommitted is the first version of PostgreSQL in which a transaction that has created an enum can use values that
// it adds to it.
const enumTypeUncommitted = 17

// newEnumValues finds statements that may use a value which the same transaction has added to an enum. PostgreSQL refuses that
// when the value is used: a constant at once, which is a statement that cannot run, but the text of a row only when there is
// such a row. A scratch database has none.
func (h *history) newEnumValues() []problem {
	if !h.file.transactional {
		return nil
	}
	var problems []problem
	added := map[string][]string{} // values by enum
	for _, s := range h.steps {
		for _, name := range slices.Sorted(maps.Keys(added)) {
			if h.castsRows(s.stmt.Text, name, added[name]) {
				problems = append(problems, problem{file: h.file, stmt: s.stmt, code: codeNewEnumValue, text: fmt.Sprintf(
					"This file adds %s to enum %q: in the same transaction, this statement fails if a row has the value",
					quoted(added[name]), name)})
			}
		}
		if s.before == s.after {
			continue
		}
		for oid, now := range s.after.enums {
			was, old := s.before.enums[oid]
			_, committed := h.start.catalog.enums[oid]
			if !old || !committed && h.start.state.Major >= enumTypeUncommitted {
				continue
			}
			for value, label := range now.values {
				if _, old := was.values[value]; !old {
					added[now.name] = append(added[now.name], label)
				}
			}
			slices.Sort(added[now.name])
		}
	}
	return problems
}

func quoted(values []string) string {
	all := make([]string, len(values))
	for i, value := range values {
		all[i] = state.Literal(value)
	}
	return strings.Join(all, ", ")
}

// castsRows reports whether a statement may compute values of an enum from rows, also in the views that it reads.
func (h *history) castsRows(text, enum string, values []string) bool {
	refreshes := sqltext.Keyword(text) == "refresh"
	seen := map[string]bool{} // definitions of views
	for texts := []string{text}; len(texts) > 0; texts = texts[1:] {
		statement := parsed(texts[0])
		if statement.CastsRows(enum, values...) {
			return true
		}
		for _, name := range statement.Reads() {
			for _, s := range []*state.State{h.start.state, h.end.state} {
				if v := s.View(name); v != nil && !seen[v.Definition] && (refreshes || !v.Materialized) {
					seen[v.Definition] = true
					texts = append(texts, v.Definition)
				}
			}
		}
		refreshes = false // a materialized view that a view reads is not computed again
	}
	return false
}
