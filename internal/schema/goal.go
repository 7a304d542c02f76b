package schema

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"docket/internal/schema/plan"
	"docket/internal/schema/scratch"
	"docket/internal/schema/state"
)

// Origin is what a program knows of a database that another program made. The zero value says nothing.
type Origin struct {
	Name string // of the other program's schema, for messages

	// Conversion makes what no comparison can plan, such as new names of tables: SQL in which each statement follows comments as
	// plan.Plan.SQL writes them, with its hazards. It is the last phase of a plan, a transaction, because after it the other
	// program may not find what it names. Undo leads from the target schema to what the database must be before the conversion; it
	// runs on a scratch database. Both are empty when nothing is to be converted.
	Conversion, Undo string

	// Replaced are constraints of the other program that the target schema has under other names and in other words, see
	// plan.Policy.
	Replaced []string
	// KeepEnumValues are enums that may have values which the target schema lacks, see plan.Policy.
	KeepEnumValues []string
	// Check refuses a database before anything is planned; may be nil. before is what it must be before the conversion.
	Check func(found, before *state.State) error
}

// Goal is what a database is changed to.
type Goal struct {
	Target *state.State // the schema in the end
	Policy plan.Policy

	before     *state.State // the schema before the conversion
	conversion *plan.Phase  // nil: none
}

// ReadGoal reads the schema of from, and what it is changed to: the schema of to. The sources are as in ReadStates. With a
// conversion, to must be files.
func ReadGoal(
	ctx context.Context, w *Workbench, from, to Source, exclude []string, policy plan.Policy, origin Origin,
) (*state.State, Goal, error) {
	policy.Replaced = slices.Concat(policy.Replaced, origin.Replaced)
	policy.KeepEnumValues = slices.Concat(policy.KeepEnumValues, origin.KeepEnumValues)
	// The rows of another program's database are not checked yet, and the other program must be able to continue after a refusal.
	policy.RulesAtOnce = origin.Name != ""
	goal := Goal{Policy: policy}
	found, target, err := ReadStates(ctx, w, from, to, exclude)
	if err != nil {
		return nil, goal, err
	}
	goal.Target = target
	if origin.Conversion != "" {
		conversion, err := parsePhase(origin.Conversion)
		if err != nil {
			return nil, goal, fmt.Errorf("convert %s: %w", origin.Name, err)
		}
		goal.conversion = &conversion
		if goal.before, err = to.undone(origin).read(ctx, w, found.Major, nil); err != nil {
			return nil, goal, err
		}
	}
	if origin.Check != nil {
		err = origin.Check(found, goal.next())
	}
	return found, goal, err
}

// undone is the source after origin.Undo.
func (s Source) undone(origin Origin) Source {
	s.name += " before the conversion of " + origin.Name
	s.then = origin.Undo
	return s
}

// next is the schema that can be reached by comparison.
func (g Goal) next() *state.State {
	if g.conversion != nil {
		return g.before
	}
	return g.Target
}

// Plan plans the change of a database to the goal, as plan.Between does. The conversion, if there is one, is the last phase.
func (g Goal) Plan(found *state.State) (*plan.Plan, error) {
	p, err := plan.Between(found, g.next(), g.Policy)
	if err == nil && g.conversion != nil {
		p.Phases = append(p.Phases, *g.conversion)
	}
	return p, err
}

// after is what remains of the goal after phase i of its plan.
func (g Goal) after(p *plan.Plan, i int) Goal {
	if i == len(p.Phases)-1 {
		g.conversion = nil
	}
	return g
}

// parsePhase reads a transaction in the form that plan.Phase.SQL writes.
func parsePhase(text string) (plan.Phase, error) {
	statements, err := scratch.Statements(text)
	if err != nil {
		return plan.Phase{}, fmt.Errorf("split into statements: %w", err)
	}
	phase := plan.Phase{Kind: plan.Conversion, Transactional: true}
	for _, s := range statements {
		statement := plan.Statement{SQL: strings.TrimSuffix(s.Text, ";")}
		for line := range strings.Lines(strings.Join(s.Comments, "\n")) {
			line = strings.TrimRight(strings.TrimPrefix(line, "--"), "\n")
			if kind, detail, found := strings.Cut(line, ": "); found && strings.HasPrefix(line, "   ") {
				statement.Hazards = append(statement.Hazards, plan.Hazard{Kind: plan.HazardKind(strings.TrimSpace(kind)), Detail: detail})
				continue
			}
			statement.Comment = strings.TrimSpace(statement.Comment + line)
		}
		phase.Statements = append(phase.Statements, statement)
	}
	return phase, nil
}
