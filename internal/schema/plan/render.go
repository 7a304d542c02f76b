package plan

import (
	"fmt"
	"strings"
	"time"
)

// SQL writes the plan as a script to read or to run phase by phase. Each statement is preceded by what it does and what it
// costs. The same plan gives the same text; an empty one gives none.
func (p *Plan) SQL() string {
	var b strings.Builder
	for i, phase := range p.Phases {
		if i > 0 {
			b.WriteString("\n")
		}
		switch {
		case !phase.Transactional:
			fmt.Fprintf(&b, "-- Phase %d of %d, outside of a transaction, statement by statement.\n\n", i+1, len(p.Phases))
		case i+1 < len(p.Phases):
			fmt.Fprintf(&b, "-- Phase %d of %d, in one transaction; the next phase needs it to be committed.\n\n", i+1, len(p.Phases))
		case i > 0:
			fmt.Fprintf(&b, "-- Phase %d of %d, in one transaction.\n\n", i+1, len(p.Phases))
		}
		b.WriteString(phase.SQL())
	}
	for i, left := range p.LeftAlone {
		if i == 0 && b.Len() > 0 {
			b.WriteString("\n")
		}
		fmt.Fprintf(&b, "-- Left alone: %s.\n", inLine(left))
	}
	return b.String()
}

// SQL writes the statements of one phase, as Plan.SQL does.
func (p Phase) SQL() string {
	var b strings.Builder
	for i, s := range p.Statements {
		if i > 0 {
			b.WriteString("\n")
		}
		fmt.Fprintf(&b, "-- %s\n", inLine(s.Comment))
		for _, h := range s.Hazards {
			fmt.Fprintf(&b, "--   %s: %s\n", h.Kind, inLine(h.Detail))
		}
		b.WriteString(s.SQL + ";\n")
	}
	return b.String()
}

// inLine keeps a text within one comment.
func inLine(text string) string { return strings.NewReplacer("\n", " ", "\r", " ").Replace(text) }

// seconds writes how long something took, e.g. "2.1 s".
func seconds(d time.Duration) string {
	if d < time.Minute {
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	return d.Round(time.Second).String()
}
