package plan

import (
	"fmt"
	"strings"
	"time"
)

// SQL writes the plan as a script to read, or to run phase by phase. A comment before each statement says what it does and
// lists its hazards. The same plan always gives the same text, and an empty plan gives none.
func (p *Plan) SQL() string {
	var b strings.Builder
	for i, phase := range p.Phases {
		if i > 0 {
			b.WriteString("\n")
		}
		switch {
		case !phase.Transactional:
			fmt.Fprintf(&b, "-- Phase %d of %d, outside a transaction, statement by statement.\n\n", i+1, len(p.Phases))
		case i+1 < len(p.Phases):
			fmt.Fprintf(&b, "-- Phase %d of %d, in one transaction; commit it before the next phase.\n\n", i+1, len(p.Phases))
		case i > 0:
			fmt.Fprintf(&b, "-- Phase %d of %d, in one transaction.\n\n", i+1, len(p.Phases))
		}
		b.WriteString(phase.SQL())
	}
	for i, left := range p.LeftAlone {
		if i == 0 && b.Len() > 0 {
			b.WriteString("\n")
		}
		fmt.Fprintf(&b, "-- Left alone: %s.\n", oneLine(left))
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
		fmt.Fprintf(&b, "-- %s\n", oneLine(s.Comment))
		for _, h := range s.Hazards {
			fmt.Fprintf(&b, "--   %s: %s\n", h.Kind, oneLine(h.Detail))
		}
		b.WriteString(s.SQL + ";\n")
	}
	return b.String()
}

// seconds writes a duration, e.g. "2.1 s".
func seconds(d time.Duration) string {
	if d < time.Minute {
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	return d.Round(time.Second).String()
}
