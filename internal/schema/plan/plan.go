// Package plan turns the difference between two states of a schema into ordered SQL statements. Each statement comes with
// its hazards: what it does to data, and to those who use the database while it runs.
//
// Definitions are compared and written as PostgreSQL prints them: columns, constraints, indexes, extensions, enums, storage
// parameters, sequences, comments, and views and materialized views with their indexes and grants. What they depend on is a fact
// of the state, from the catalog. Constraints and indexes that differ only in their names are renamed. The same two states
// always give the same plan.
//
// A plan never drops with CASCADE: an unknown dependent object must make the statement fail.
package plan

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"docket/internal/schema/state"
)

// ErrEnumValueRemoved is the error for an enum of the database with a value that the files lack or order differently.
// PostgreSQL cannot remove an enum value, and no comparison can know which value the rows should get instead.
var ErrEnumValueRemoved = errors.New("an enum value was removed or moved")

// Policy says what a plan may do.
type Policy struct {
	// Do not drop tables, columns or views that exist only in from, but list them in Plan.LeftAlone. The same for parts of
	// tables and views that both have: indexes, together with the keys and exclusion constraints that have one; foreign keys;
	// checks; and comments on objects that have none in to.
	KeepTables, KeepColumns, KeepViews                     bool
	KeepIndexes, KeepForeignKeys, KeepChecks, KeepComments bool
	// The same for constraints and indexes that were most likely added by hand: exclusion constraints, deferrable constraints,
	// and what the files cannot have, namely calls of functions of the schema and foreign keys to tables that are not managed.
	KeepRare bool
	// Names of constraints that are not kept, because constraints of to with other names and definitions replace them.
	Replaced []string
	// Enums whose values in from stay although to lacks them. Values of others are an ErrEnumValueRemoved.
	KeepEnumValues []string
	// Do what reads or builds much after the transaction, statement by statement, with locks that neither readers nor writers wait
	// for, where PostgreSQL has such statements: see postpone.
	Online bool
	// With Online, check keys, constraints and NOT NULL in the transaction nevertheless, so that rows which violate them stop the plan
	// before it changes anything. Only indexes are changed later.
	RulesAtOnce bool
	// The plan is for a migration file, and from is a scratch database. It does not know which grants there are on the
	// databases that the file will run on, so the file must save and restore those of what it creates again. It does not
	// know how large tables are there either.
	UnknownGrants bool
	// The command that starts a hand-written migration, for messages; may be empty.
	ByHand string
}

// KeepAll is the policy that drops nothing that exists only in from.
func KeepAll() Policy {
	return Policy{
		KeepTables: true, KeepColumns: true, KeepViews: true,
		KeepIndexes: true, KeepForeignKeys: true, KeepChecks: true, KeepComments: true, KeepRare: true,
	}
}

// byHand names the migration in which to write what cannot be planned, for messages.
func (p Policy) byHand() string {
	if p.ByHand == "" {
		return "a migration by hand"
	}
	return "a migration by hand (" + p.ByHand + ")"
}

// Plan is the change from one state to another. It is empty when the states are equal as far as the policy requires.
type Plan struct {
	// Each phase requires that the one before it is committed. There is at most one of each kind, in the order of the kinds.
	Phases []Phase `json:"phases"`
	// What the policy left alone, and the objects of the database that are not managed, as text.
	LeftAlone []string `json:"left_alone"`
}

// Phase is a list of statements that run in one transaction, or one by one outside a transaction.
type Phase struct {
	Kind          PhaseKind   `json:"kind"`
	Transactional bool        `json:"transactional"`
	Statements    []Statement `json:"statements"`
}

// PhaseKind says what a phase is for.
type PhaseKind string

// The kinds of phases, in their order.
const (
	EnumValues PhaseKind = "enum values" // new values of existing enums, which no statement can use before they are committed
	Changes    PhaseKind = "changes"
	Online     PhaseKind = "online"     // what only works outside a transaction
	Conversion PhaseKind = "conversion" // of a database that another program made; no comparison plans it
)

// Statement is one SQL statement.
type Statement struct {
	SQL     string   `json:"sql"` // without the closing semicolon
	Comment string   `json:"comment"`
	Hazards []Hazard `json:"hazards,omitempty"`
}

// Hazard is a cost or a risk of a statement.
type Hazard struct {
	Kind   HazardKind `json:"kind"`
	Detail string     `json:"detail"` // e.g. "about 19,262 rows (12 MB) of urls"
}

// HazardKind is the name of a hazard, as shown.
type HazardKind string

// The kinds of hazards. Of these, only DropsData requires the caller's permission.
const (
	DropsData     HazardKind = "drops data"
	RewritesData  HazardKind = "rewrites a table"             // no other session can use it meanwhile
	LocksReads    HazardKind = "locks out readers"            // ACCESS EXCLUSIVE, until the transaction ends
	LocksWrites   HazardKind = "locks out writers"            // SHARE or SHARE ROW EXCLUSIVE, until the transaction ends
	RebuildsView  HazardKind = "rebuilds a materialized view" // readers wait until it is filled
	LosesUnique   HazardKind = "breaks concurrent refresh"    // a materialized view has no usable unique index afterwards
	DropsRule     HazardKind = "drops a rule"                 // rows no longer have to satisfy a constraint
	DependsOnRows HazardKind = "depends on the rows"          // reads all rows, and fails if one violates the new rule
	LosesSetting  HazardKind = "loses a setting"              // that is not managed and must be set again by hand
)

// Between plans the change from one state to another. It returns an error when the states are from servers of different
// major versions, because those print definitions of views differently. The statements of each phase are in an order that
// PostgreSQL accepts.
func Between(from, to *state.State, policy Policy) (*Plan, error) {
	if from.Major != to.Major {
		return nil, fmt.Errorf("plan changes: database %s is on PostgreSQL %d and %s on %d, which print the definitions of views "+
			"differently; compare databases of one major version", from.Database, from.Major, to.Database, to.Major)
	}
	p := newPlanner(from, to, policy)
	if err := cmp.Or(p.checkEnums(), p.pairSequences(), p.checkNames()); err != nil {
		return nil, err
	}
	p.in(&p.first, p.createExtensions)
	p.in(&p.first, p.rename)
	p.changeEnums()
	if err := p.changeTables(); err != nil {
		return nil, err
	}
	p.changeComments()
	if err := p.decideViews(); err != nil {
		return nil, err
	}
	if err := p.checkDependents(); err != nil {
		return nil, err
	}
	p.in(&p.first, p.saveGrants)
	p.in(&p.first, p.replaceEarly)
	p.in(&p.first, p.dropViews)
	if err := p.createViews(); err != nil {
		return nil, err
	}
	p.dropEnums()
	p.restoreGrants()
	p.in(&p.online, p.changeLater)
	return &Plan{
		Phases:    p.phases(),
		LeftAlone: slices.DeleteFunc(p.leftAloneTexts, func(what string) bool { return p.lost[what] }),
	}, nil
}

// Empty reports whether the plan has no statements.
func (p *Plan) Empty() bool { return len(p.Phases) == 0 }
