package schema

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"docket/internal/schema/plan"
	"docket/internal/schema/scratch"
	"docket/internal/schema/state"
)

// ErrNotThere says that planned statements, tried out, did not make what the
// files of the wanted schema make.
var ErrNotThere = errors.New("the planned statements do not lead to the wanted schema")

// Planned is what has to be added to a directory of migrations.
type Planned struct {
	Plan   *plan.Plan // as a whole; empty when nothing has to be done
	Drafts []Draft    // one for each phase of it, in order
	// Facts of the schema before that the down files do not bring back.
	Lost []string
}

// PlanMigration finds out what leads from the migrations to the wanted schema,
// and back, and tries both out on scratch databases. It writes nothing.
func PlanMigration(
	ctx context.Context, w *Workbench, migrations, wanted Source, name string, policy plan.Policy,
) (p Planned, err error) {
	if err := checkDraftName(name); err != nil {
		return Planned{}, err
	}
	server, err := w.Server(ctx, 0)
	if err != nil {
		return Planned{}, err
	}
	var want reading
	err = withScratch(ctx, server, func(db *scratch.Database) error {
		want, err = wanted.readAll(ctx, w, db)
		return err
	})
	if err != nil {
		return Planned{}, err
	}
	err = withScratch(ctx, server, func(db *scratch.Database) error {
		have, err := migrations.readAll(ctx, w, db)
		if err != nil {
			return err
		}
		// What a file rebuilds may have grants where it will run that a scratch database knows nothing of.
		policy.UnknownGrants = true
		if p.Plan, err = plan.Between(have.state, want.state, policy); err != nil {
			return err
		}
		t := trial{db: db, policy: policy, advice: w.Advice, reading: have}
		if p.Drafts, err = t.forth(ctx, p.Plan, name); err != nil {
			return err
		}
		if err := arrived(t.facts, want.facts, wanted, w.Advice); err != nil {
			return err
		}
		p.Lost, err = t.back(ctx, p.Drafts)
		return err
	})
	if err != nil {
		return Planned{}, err
	}
	return p, nil
}

// reading is what a scratch database holds: as plans see it, and all that the
// catalog tells.
type reading struct {
	state *state.State
	facts []string
}

func (s Source) readAll(ctx context.Context, w *Workbench, db *scratch.Database) (r reading, err error) {
	if err := s.fill(ctx, w, db, ""); err != nil {
		return r, err
	}
	if r.state, err = s.inspectFilled(ctx, db.DB); err != nil {
		return r, err
	}
	r.facts, err = state.Facts(ctx, db.DB)
	return r, err
}

// arrived compares what the statements made with what is wanted, by all that the
// catalog tells: no layer that plans can have missed a thing.
func arrived(got, want []string, wanted Source, advice Advice) error {
	lines := state.Difference(want, got)
	if len(lines) == 0 {
		return nil
	}
	return fmt.Errorf("%w; nothing was written. The lines that differ (- %s, + migrations with the plan):\n%s\n"+
		"What cannot be planned is written by hand: %s", ErrNotThere, wanted, strings.Join(lines, "\n"), advice.command("migrate new"))
}

// trial is a scratch database on the way.
type trial struct {
	db     *scratch.Database
	policy plan.Policy
	advice Advice
	reading

	before [][]string // facts before each phase
}

// forth runs phase after phase as the files that will hold them.
func (t *trial) forth(ctx context.Context, p *plan.Plan, name string) ([]Draft, error) {
	drafts := make([]Draft, 0, len(p.Phases))
	for _, phase := range p.Phases {
		draft := Draft{Name: name, Up: upText(phase)}
		if err := t.db.Run(ctx, name+".sql", draft.Up); err != nil {
			return nil, fmt.Errorf("try out the plan: %w; the statements were:\n%s", err, draft.Up)
		}
		next, err := state.Inspect(ctx, t.db.DB, nil)
		if err != nil {
			return nil, err
		}
		draft.Down = t.downText(next)
		t.before = append(t.before, t.facts)
		t.state = next
		if t.facts, err = state.Facts(ctx, t.db.DB); err != nil {
			return nil, err
		}
		drafts = append(drafts, draft)
	}
	return drafts, nil
}

// downText is the way from next back to where the trial stands.
func (t *trial) downText(next *state.State) string {
	policy := t.policy
	policy.ConcurrentIndexes = false // a down file runs in one transaction, with the deletion of its record
	p, err := plan.Between(next, t.state, policy)
	var enum *plan.EnumError
	switch {
	case errors.As(err, &enum): // its own words are about the files of the wanted schema, and a database that is soon gone
		return t.impossible(fmt.Sprintf("it adds to enum %s, and PostgreSQL cannot take a value out of one; what becomes of the rows "+
			"that have it only you can tell: %s", enum.Enum, enum.Statements()))
	case err != nil:
		return t.impossible(err.Error())
	case len(p.Phases) == 0:
		return "-- Nothing has to be undone.\nSELECT 1;\n"
	case len(p.Phases) > 1 || !p.Phases[0].Transactional:
		return t.impossible("it takes more than one transaction: " + strings.Join(strings.Fields(p.SQL()), " "))
	}
	var b strings.Builder
	if dropped := Dropped(p); len(dropped) > 0 {
		comment(&b, "What the migration added goes, with the data in it.")
		b.WriteByte('\n')
	}
	return b.String() + p.Phases[0].SQL()
}

// impossible is a down file that refuses, and says why.
func (t *trial) impossible(why string) string {
	var b strings.Builder
	comment(&b, "This cannot be undone by statements that could be planned: "+why)
	comment(&b, "Write here what undoes it, if there is a way, then: "+t.advice.line("migrate hash"))
	text := strings.ReplaceAll("this migration cannot be undone: "+why, "'", "''")
	fmt.Fprintf(&b, "DO $down$ BEGIN RAISE EXCEPTION USING MESSAGE = '%s'; END $down$;\n", strings.ReplaceAll(text, "$down$", ""))
	return b.String()
}

const raises = "DO $down$ BEGIN RAISE EXCEPTION"

// back runs the down files, last one first, and returns what they do not bring back.
func (t *trial) back(ctx context.Context, drafts []Draft) ([]string, error) {
	var lost []string
	for i, draft := range slices.Backward(drafts) {
		if strings.Contains(draft.Down, raises) {
			return lost, nil
		}
		if err := t.db.Run(ctx, "down/"+draft.Name+".sql", draft.Down); err != nil {
			return nil, fmt.Errorf("try out the way back: %w; the statements were:\n%s", err, draft.Down)
		}
		facts, err := state.Facts(ctx, t.db.DB)
		if err != nil {
			return nil, err
		}
		if lines := state.Difference(t.before[i], facts); len(lines) > 0 {
			lost = append(lost, lines...)
			var b strings.Builder
			comment(&b, "Not quite as it was before (- before the migration, + after this file):")
			for _, line := range lines {
				comment(&b, "  "+line)
			}
			b.WriteByte('\n')
			drafts[i].Down = b.String() + draft.Down
		}
	}
	return lost, nil
}

func upText(phase plan.Phase) string {
	if !phase.Transactional {
		return "-- atlas:txmode none\n\n" + phase.SQL() // the empty line makes it a directive
	}
	return phase.SQL()
}

func comment(b *strings.Builder, text string) {
	for line := range strings.Lines(text) {
		b.WriteString("-- " + strings.TrimRight(line, "\n") + "\n")
	}
}
