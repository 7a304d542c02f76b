// Package plan turns the difference between two states of a schema into ordered statements, each with what it costs those
// who use the database meanwhile.
//
// Columns are compared and written by the Atlas library. Constraints and indexes are compared here, in PostgreSQL's own
// words, which say more than Atlas's model of them does; so are extensions, enums, storage parameters, sequences, comments,
// and views and materialized views with their indexes and grants. What is the same under another name is renamed. A plan is
// deterministic: the same two states give the same text.
//
// It never drops with CASCADE: a dependent that nobody knows of has to stop the plan.
package plan

import (
	"errors"
	"fmt"
	"slices"

	"docket/internal/schema/state"
)

// ErrEnumValueRemoved says that the files lack, or order differently, a value that an enum of the database has. PostgreSQL
// cannot take a value away; which rows are to become what has to be written by hand.
var ErrEnumValueRemoved = errors.New("an enum value was removed or moved")

// Policy says what a plan may do.
type Policy struct {
	// What exists in from and not in to is left alone and listed in Plan.LeftAlone instead of being dropped.
	KeepTables, KeepColumns, KeepViews bool
	// Build and drop indexes of existing tables outside the transaction, without locking out writers.
	ConcurrentIndexes bool
	// Views that a migration file rebuilds have grants on the databases the file will run on that from, a scratch
	// database, cannot know: the file itself must save and restore them. Nor does from know how large tables are there.
	UnknownGrants bool
	// The command that begins a migration written by hand. Messages name it where a change cannot be planned.
	ByHand string
}

// Plan is what leads from one state to another. It is empty when nothing has to be done.
type Plan struct {
	// Each phase needs the one before it to be committed: the first adds enum values that later phases use, the last
	// builds indexes concurrently.
	Phases []Phase `json:"phases"`
	// What the policy left alone, and what the database holds that is not managed, in words.
	LeftAlone []string `json:"left_alone"`
}

// Phase is what runs in one transaction, or statement by statement outside of any.
type Phase struct {
	Transactional bool        `json:"transactional"`
	Statements    []Statement `json:"statements"`
}

// Statement is one SQL statement.
type Statement struct {
	SQL     string   `json:"sql"` // without the closing semicolon
	Comment string   `json:"comment"`
	Hazards []Hazard `json:"hazards,omitempty"`
}

// Hazard is what a statement costs.
type Hazard struct {
	Kind   HazardKind `json:"kind"`
	Detail string     `json:"detail"` // e.g. "about 19,262 rows (12 MB) of urls"
}

// HazardKind is the name of a cost, as shown.
type HazardKind string

// The costs of statements. Only the first needs the caller's leave.
const (
	DropsData     HazardKind = "drops data"
	RewritesData  HazardKind = "rewrites a table"             // while nobody else can use it
	LocksReads    HazardKind = "locks out readers"            // ACCESS EXCLUSIVE, until the transaction ends
	LocksWrites   HazardKind = "locks out writers"            // SHARE or SHARE ROW EXCLUSIVE, until the transaction ends
	RebuildsView  HazardKind = "rebuilds a materialized view" // readers wait until it is filled
	LosesUnique   HazardKind = "breaks concurrent refresh"    // a materialized view is left without a usable unique index
	DropsRule     HazardKind = "drops a rule"                 // a constraint that rows had to keep goes
	DependsOnRows HazardKind = "depends on the rows"          // all are read, and the statement fails if one does not fit
	LosesSetting  HazardKind = "loses a setting"              // that is not managed, and is for somebody to set again
)

// Between plans the way from one state to another. Both must come from servers of one major version, or definitions of
// views cannot be compared and an error says so. The statements of each phase are in an order that PostgreSQL accepts.
func Between(from, to *state.State, policy Policy) (*Plan, error) {
	if from.Major != to.Major {
		return nil, fmt.Errorf("plan changes: database %s is on PostgreSQL %d and %s on %d, which print the definitions of views "+
			"differently; compare databases of one major version", from.Database, from.Major, to.Database, to.Major)
	}
	p := newPlanner(from, to, policy)
	if err := p.checkEnums(); err != nil {
		return nil, err
	}
	p.in(&p.first, p.createExtensions)
	p.in(&p.first, p.rename)
	p.changeEnums()
	if err := p.changeTables(); err != nil {
		return nil, err
	}
	p.changeComments()
	if err := p.markViews(); err != nil {
		return nil, err
	}
	p.in(&p.first, p.saveGrants)
	p.in(&p.first, p.replaceEarly)
	p.in(&p.first, p.dropViews)
	if err := p.makeViews(); err != nil {
		return nil, err
	}
	p.dropEnums()
	p.restoreGrants()
	return &Plan{
		Phases:    p.phases(),
		LeftAlone: slices.DeleteFunc(p.leftAlone, func(what string) bool { return p.lost[what] }),
	}, nil
}

// Empty tells whether there is nothing to do.
func (p *Plan) Empty() bool { return len(p.Phases) == 0 }
