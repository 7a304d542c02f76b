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

// ErrNotReached means that the planned statements, run on a scratch database, did not make what the files of the target schema
// make.
var ErrNotReached = errors.New("the planned statements do not lead to the target schema")

// Planned is what must be added to a directory of migrations.
type Planned struct {
	Plan   *plan.Plan // empty when nothing has to be done
	Drafts []Draft    // one for each phase of it, in order
	// Facts of the earlier schema that the down files do not restore.
	Lost []string
}

// PlanMigration plans what leads from the migrations to the target schema, and back, and runs both on scratch databases. It
// writes no files.
func PlanMigration(
	ctx context.Context, w *Workbench, migrations, target Source, name string, policy plan.Policy,
) (p Planned, err error) {
	if err := checkDraftName(name); err != nil {
		return Planned{}, err
	}
	server, err := w.Server(ctx, 0)
	if err != nil {
		return Planned{}, err
	}
	var want snapshot
	err = server.With(ctx, func(db *scratch.Database) error {
		want, err = target.readAll(ctx, w, db)
		return err
	})
	if err != nil {
		return Planned{}, err
	}
	err = server.With(ctx, func(db *scratch.Database) error {
		have, err := migrations.readAll(ctx, w, db)
		if err != nil {
			return err
		}
		// On the databases where a file will run, a rebuilt view may have grants that a scratch database does not have.
		policy.UnknownGrants = true
		if p.Plan, err = plan.Between(have.state, want.state, policy); err != nil {
			return err
		}
		t := trial{db: db, policy: policy, advice: w.Advice, snapshot: have}
		if p.Drafts, err = t.runUp(ctx, p.Plan, name); err != nil {
			return err
		}
		if err := checkReached(t.facts, want.facts, target, w.Advice); err != nil {
			return err
		}
		p.Lost, err = t.runDown(ctx, p.Drafts)
		return err
	})
	if err != nil {
		return Planned{}, err
	}
	return p, nil
}

// snapshot is the schema of a scratch database: as plans use it, and every fact of the catalog.
type snapshot struct {
	state *state.State
	facts []string
}

func (s Source) readAll(ctx context.Context, w *Workbench, db *scratch.Database) (r snapshot, err error) {
	if err := s.load(ctx, w, db, ""); err != nil {
		return r, err
	}
	if r.state, err = s.inspectLoaded(ctx, db.DB); err != nil {
		return r, err
	}
	r.facts, err = state.Facts(ctx, db.DB)
	return r, err
}

// checkReached compares what the statements made with the target by every fact of the catalog, and so finds what the planner
// missed.
func checkReached(got, want []string, target Source, advice Advice) error {
	lines := state.Difference(want, got)
	if len(lines) == 0 {
		return nil
	}
	return fmt.Errorf("%w; nothing was written. The lines that differ (- %s, + migrations with the plan):\n%s\n"+
		"What cannot be planned is written by hand: %s",
		ErrNotReached, target, strings.Join(lines, "\n"), advice.command("migrate new"))
}

// trial is a scratch database on which the planned files are run.
type trial struct {
	db     *scratch.Database
	policy plan.Policy
	advice Advice
	snapshot

	before [][]string // facts before each phase
}

// runUp runs each phase as the file that will hold it.
func (t *trial) runUp(ctx context.Context, p *plan.Plan, name string) ([]Draft, error) {
	drafts := make([]Draft, 0, len(p.Phases))
	for _, phase := range p.Phases {
		draft := Draft{Name: draftNameOf(name, phase, len(p.Phases)), Up: upText(phase)}
		if err := t.db.Run(ctx, draft.Name+".sql", draft.Up); err != nil {
			return nil, fmt.Errorf("run the plan on a scratch database: %w; the statements were:\n%s", err, draft.Up)
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

// downText is the down file that leads from next back to the current state of the trial.
func (t *trial) downText(next *state.State) string {
	policy := t.policy
	policy.Online = false // a down file runs in one transaction, with the deletion of its record
	p, err := plan.Between(next, t.state, policy)
	var enum *plan.EnumError
	switch {
	case errors.As(err, &enum): // its own text names the target schema and the scratch database
		return t.impossible(fmt.Sprintf("it adds to enum %s, and PostgreSQL cannot remove a value of an enum. A value that no row "+
			"has does no harm; else decide what happens to the rows: %s", strings.Join(enum.Enums(), " and "), enum.Statements()))
	case err != nil:
		return t.impossible(err.Error())
	case len(p.Phases) == 0:
		return "-- Nothing has to be undone.\nSELECT 1;\n"
	case len(p.Phases) > 1 || !p.Phases[0].Transactional:
		return t.impossible("it takes more than one transaction: " + strings.Join(strings.Fields(p.SQL()), " "))
	}
	var b strings.Builder
	if dropped := Dropped(p); len(dropped) > 0 {
		comment(&b, "What the migration added is dropped, with the data in it.")
		b.WriteByte('\n')
	}
	return b.String() + p.Phases[0].SQL()
}

// impossible is a down file that fails with the reason.
func (t *trial) impossible(why string) string {
	var b strings.Builder
	comment(&b, "No statements that undo this could be planned: "+why)
	comment(&b, "Write here what undoes it, if that is possible, then: "+t.advice.line("migrate hash"))
	text := strings.ReplaceAll("this migration cannot be undone: "+why, "'", "''")
	fmt.Fprintf(&b, "DO $down$ BEGIN RAISE EXCEPTION USING MESSAGE = '%s'; END $down$;\n", strings.ReplaceAll(text, "$down$", ""))
	return b.String()
}

const raises = "DO $down$ BEGIN RAISE EXCEPTION"

// runDown runs the down files, last one first, and returns what they do not restore. It takes ownership of drafts: it says in a
// down file what that file does not restore.
func (t *trial) runDown(ctx context.Context, drafts []Draft) ([]string, error) {
	var lost []string
	for i, draft := range slices.Backward(drafts) {
		if strings.Contains(draft.Down, raises) {
			return lost, nil
		}
		if err := t.db.Run(ctx, "down/"+draft.Name+".sql", draft.Down); err != nil {
			return nil, fmt.Errorf("run the down file on a scratch database: %w; the statements were:\n%s", err, draft.Down)
		}
		facts, err := state.Facts(ctx, t.db.DB)
		if err != nil {
			return nil, err
		}
		if lines := state.Difference(t.before[i], facts); len(lines) > 0 {
			lost = append(lost, lines...)
			var b strings.Builder
			comment(&b, "This file does not restore everything (- before the migration, + after this file):")
			for _, line := range lines {
				comment(&b, "  "+line)
			}
			b.WriteByte('\n')
			drafts[i].Down = b.String() + draft.Down
		}
	}
	return lost, nil
}

// draftNameOf is the name of the file of a phase: "add_status_enum_values" before "add_status".
func draftNameOf(name string, phase plan.Phase, phases int) string {
	if phases == 1 || phase.Kind == plan.Changes {
		return name
	}
	return name + "_" + strings.ReplaceAll(string(phase.Kind), " ", "_")
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
