package schema

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	atlas "ariga.io/atlas/sql/schema"

	"docket/internal/schema/plan"
	"docket/internal/schema/state"
)

// ErrStale means that a database has changed since the plan was made.
var ErrStale = errors.New("the database has changed since the plan was shown")

// ErrRemains means that a plan was run and its result is not the target schema.
var ErrRemains = errors.New("the plan did not lead to the target schema")

// Target is a live database that is changed to match a target schema without migration files. It holds no connection between
// calls.
type Target struct {
	m       *Migrator // for its connection and lock; it has no migrations
	exclude []string
}

// TargetOptions are the options of a Target. The zero value is usable.
type TargetOptions struct {
	LockWait time.Duration // as Options.LockWait
	Exclude  []string      // as state.Inspect
	Advice   Advice
}

// NewTarget does not connect yet.
func NewTarget(url string, opts TargetOptions) (*Target, error) {
	config, err := connConfig(url, opts.Advice.line("schema apply"))
	if err != nil {
		return nil, err
	}
	if opts.LockWait == 0 {
		opts.LockWait = 30 * time.Second
	}
	return &Target{
		m:       &Migrator{config: config, opts: Options{LockWait: opts.LockWait, Advice: opts.Advice}},
		exclude: opts.Exclude,
	}, nil
}

// AppliedPlan is what an applied plan did.
type AppliedPlan struct {
	Statements int           `json:"statements"`
	Duration   time.Duration `json:"duration_ns"`
}

// Version is the last migration in the database's record, which will not include what Apply does. It is empty when migrations
// were never used.
func (t *Target) Version(ctx context.Context) (string, error) {
	conn, disconnect, err := t.m.connect(ctx)
	if err != nil {
		return "", err
	}
	defer disconnect()
	applied, err := revisions{db: conn}.ReadRevisions(ctx)
	if err != nil {
		return "", t.m.recordError(err)
	}
	if len(applied) == 0 {
		return "", nil
	}
	return applied[len(applied)-1].Version, nil
}

// CheckOwner fails with ErrNotOwner unless the role owns all tables of the goal that the database has.
func (t *Target) CheckOwner(ctx context.Context, goal Goal) error {
	conn, disconnect, err := t.m.connect(ctx)
	if err != nil {
		return err
	}
	defer disconnect()
	names := []string{}
	for _, s := range []*state.State{goal.next(), goal.Target} {
		for _, table := range s.Details {
			names = append(names, table.Name)
		}
	}
	return t.m.checkOwner(ctx, conn, names)
}

// Apply runs the plan that leads the database to the goal, under Atlas's lock. The plan must equal what goal.Plan returns for
// the database at that time. Otherwise nothing is run and the error is ErrStale.
//
// A transactional phase takes effect completely or not at all. The database is inspected again before the commit. If more
// remains to be done than the phases after it do, the phase is rolled back and the error is ErrRemains. The statements of any
// other phase take effect one by one. After an interruption, even a crash, a new plan does the rest.
func (t *Target) Apply(ctx context.Context, goal Goal, shown *plan.Plan) (AppliedPlan, error) {
	var report AppliedPlan
	start := time.Now()
	conn, release, err := t.m.connectLocked(ctx)
	if err != nil {
		return report, err
	}
	defer release()
	now, err := t.remaining(ctx, conn, goal)
	if err != nil {
		return report, err
	}
	if !sameStatements(now.Phases, shown.Phases) {
		return report, fmt.Errorf("%w (database %s): nothing was done; run the command again to see the plan as it is now",
			ErrStale, t.m.databaseName())
	}
	for i, phase := range shown.Phases {
		if err := t.run(ctx, conn, phase, func(db atlas.ExecQuerier) error {
			return t.check(ctx, db, goal.after(shown, i), shown.Phases[i+1:])
		}); err != nil {
			return report, t.explain(ctx, conn, shown.Phases[:i], phase, err)
		}
		report.Statements += len(phase.Statements)
	}
	report.Duration = time.Since(start)
	return report, nil
}

// remaining is the plan from the current database, as db sees it, to the goal.
func (t *Target) remaining(ctx context.Context, db atlas.ExecQuerier, goal Goal) (*plan.Plan, error) {
	found, err := state.Inspect(ctx, db, t.exclude)
	if err != nil {
		return nil, err
	}
	return goal.Plan(found)
}

func (t *Target) run(ctx context.Context, conn *sql.Conn, phase plan.Phase, check func(atlas.ExecQuerier) error) error {
	if !phase.Transactional {
		bounded, err := t.m.boundLockWaits(ctx, conn)
		if err != nil {
			return err
		}
		if err := execute(ctx, bounded, phase.Statements); err != nil {
			return err
		}
		return check(conn)
	}
	return t.m.inTransaction(ctx, conn, func(tx *sql.Tx) error {
		if err := execute(ctx, tx, phase.Statements); err != nil {
			return err
		}
		return check(tx)
	})
}

// check fails unless exactly the later phases remain to be done.
func (t *Target) check(ctx context.Context, db atlas.ExecQuerier, goal Goal, later []plan.Phase) error {
	remains, err := t.remaining(ctx, db, goal)
	if err != nil {
		return fmt.Errorf("inspect the result: %w", err)
	}
	if sameStatements(remains.Phases, later) {
		return nil
	}
	var list []string
	for _, phase := range remains.Phases {
		for _, s := range phase.Statements {
			list = append(list, s.SQL)
		}
	}
	return fmt.Errorf("%w; it would take: %s", ErrRemains, strings.Join(list, "; "))
}

func sameStatements(a, b []plan.Phase) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].Transactional != b[i].Transactional || len(a[i].Statements) != len(b[i].Statements) {
			return false
		}
		for j := range a[i].Statements {
			if a[i].Statements[j].SQL != b[i].Statements[j].SQL {
				return false
			}
		}
	}
	return true
}

// statementError is a statement of a plan that failed.
type statementError struct {
	statement plan.Statement
	done      int // the statements before it
	error
}

func (e statementError) Unwrap() error { return e.error }

func execute(ctx context.Context, db atlas.ExecQuerier, statements []plan.Statement) error {
	for i, s := range statements {
		if _, err := db.ExecContext(ctx, s.SQL); err != nil {
			return statementError{s, i, err}
		}
	}
	return nil
}

// explain says what failed after the earlier phases, what was kept and what to do next. The phase's transaction, if it had one,
// is over.
func (t *Target) explain(ctx context.Context, conn *sql.Conn, earlier []plan.Phase, phase plan.Phase, err error) error {
	what := "change"
	statement := statementError{done: len(phase.Statements)}
	if errors.As(err, &statement) {
		what = strings.Join(strings.Fields(statement.statement.SQL), " ")
		if len(what) > 100 {
			what = strings.ToValidUTF8(what[:100], "") + " …"
		}
		err = statement.error
	}
	kept := "nothing was kept"
	switch {
	case !phase.Transactional:
		before := "the statements before it"
		if len(earlier) > 0 {
			before = "the earlier transactions and " + before
		}
		kept = fmt.Sprintf("%s were kept, because this part runs outside a transaction: %d of %d",
			before, statement.done, len(phase.Statements))
	case len(earlier) == 1 && earlier[0].Kind == plan.EnumValues:
		kept = "the new enum values stay, because they had to be committed first, and nothing else was kept"
	case len(earlier) > 0:
		kept = "the earlier transactions were kept, and nothing of this part"
	}
	if lost(conn) && commitUnknown(err) {
		kept = "whether it was kept is not known"
	}
	const again = "run the command again: it plans what remains"
	f := failure{
		err: err, statement: statement.statement.SQL, transactional: phase.Transactional,
		dropsInvalid: true, fix: "fix the cause, then " + again, again: again, lost: again,
	}
	if errors.Is(err, ErrRemains) {
		f.fix = "this is a bug in the plan: please report it with both schemas"
	}
	return fmt.Errorf("apply to database %s: %s: %w; %s; %s", t.m.databaseName(), what, interrupted(err), kept, t.m.nextStep(ctx, conn, f))
}

// Dropped lists the statements of a plan that drop data, each with the hazard's detail.
func Dropped(p *plan.Plan) []string {
	var list []string
	for _, phase := range p.Phases {
		for _, s := range phase.Statements {
			for _, h := range s.Hazards {
				if h.Kind == plan.DropsData {
					list = append(list, fmt.Sprintf("%s (%s)", s.SQL, h.Detail))
				}
			}
		}
	}
	return list
}
