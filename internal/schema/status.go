package schema

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"ariga.io/atlas/sql/migrate"
)

// The problems that a database can have. Status.Err and Apply wrap them with the database's name and the next command.
var (
	ErrPending    = errors.New("migrations are pending")
	ErrEdited     = errors.New("a migration was edited after it was applied")
	ErrAhead      = errors.New("the database has a migration that is not known here")
	ErrOutOfOrder = errors.New("a migration was added before ones already applied")
	ErrUnfinished = errors.New("a migration stopped half-way")
	ErrForeign    = errors.New("the database holds objects already")
	ErrLocked     = errors.New("another migration is running")
	ErrBaseline   = errors.New("no baseline can be recorded")
)

// State is the result of Status in one word.
type State string

// The states of a database. A server may start only on OK. Apply continues from Pending and Unfinished.
const (
	OK         State = "ok"
	Pending    State = "pending"
	Edited     State = "edited"
	Ahead      State = "ahead"
	OutOfOrder State = "out of order"
	Unfinished State = "unfinished"
	Foreign    State = "foreign"
)

func (s State) appliable() bool { return s == OK || s == Pending || s == Unfinished }

// Status compares a database's history with the migrations.
type Status struct {
	Database string    `json:"database"`
	State    State     `json:"state"`
	Problem  string    `json:"problem,omitempty"` // the text of Err
	Version  string    `json:"version"`           // last completely applied version; empty when none
	Latest   string    `json:"latest"`            // version of the last file
	Applied  []Applied `json:"applied"`           // oldest first
	Pending  []string  `json:"pending"`           // file names in the order Apply would run them

	problem error
}

// Applied is one recorded migration.
type Applied struct {
	Version    string        `json:"version"`
	Name       string        `json:"name"`
	Kind       string        `json:"kind"` // "applied", "baseline", or "manually set" by the Atlas command
	Statements int           `json:"statements"`
	Total      int           `json:"total"` // more than Statements: it stopped half-way
	Down       bool          `json:"down"`  // whether a down file can undo it
	Error      string        `json:"error,omitempty"`
	At         time.Time     `json:"at"`
	Duration   time.Duration `json:"duration_ns"`
	Operator   string        `json:"operator"`
}

// Err is nil when the database is at the version of the last migration. Otherwise it wraps one of the errors above and says
// what to do.
func (s Status) Err() error {
	if s.problem == nil {
		return nil
	}
	return fmt.Errorf("database %s: %w", s.Database, s.problem)
}

// compare walks through files and record together, oldest first, and stops at the first difference. Checksums are cumulative,
// so that everything after an edited or inserted file differs as well.
func compare(files []*file, applied []*migrate.Revision, advice Advice) (Status, []*file) {
	s := Status{State: OK, Applied: make([]Applied, 0, len(applied)), Pending: []string{}}
	for _, r := range applied {
		s.Applied = append(s.Applied, Applied{
			Version: r.Version, Name: r.Description, Kind: r.Type.String(), Statements: r.Applied, Total: r.Total,
			Error: r.Error, At: r.ExecutedAt.UTC(), Duration: r.ExecutionTime, Operator: r.OperatorVersion,
		})
		if r.Applied >= r.Total {
			s.Version = r.Version
		}
	}
	last := files[len(files)-1].Version()
	// A baseline includes its file and all before it.
	if len(applied) > 0 && applied[0].Type.Has(migrate.RevisionTypeBaseline) {
		for len(files) > 0 && files[0].Version() <= applied[0].Version {
			files = files[1:]
		}
		applied = applied[1:]
	}
	var pending []*file
	for _, r := range applied {
		switch {
		case len(files) == 0 || r.Version < files[0].Version():
			why := "it is newer than all known ones: use the program and the files that have it"
			if r.Version < last {
				why = fmt.Sprintf("some known ones are newer: the file was deleted, was given another version (%s is only for "+
					"files that no database has), or is on another branch: put it back", advice.command("migrate rebase"))
			}
			return s.broken(Ahead, fmt.Errorf("%w: %s_%s, applied by %s; %s",
				ErrAhead, r.Version, r.Description, r.OperatorVersion, why))
		case r.Version > files[0].Version():
			return s.broken(OutOfOrder, fmt.Errorf("%w: %s was never applied, but %s was; if no database has the former, "+
				"%s puts it after the last one; if others have it, run %s here with the "+
				"files from before the merge, then rebase what that undid", ErrOutOfOrder, files[0].Name(), r.Version,
				advice.command("migrate rebase", files[0].Name()), advice.command("migrate down")))
		case r.Applied < r.Total:
			pending = append(pending, files[0])
			s.State = Unfinished
			s.problem = fmt.Errorf("%w: %s ran %d of %d statements; %sto continue, run %s",
				ErrUnfinished, files[0].Name(), r.Applied, r.Total, lastError(r), advice.command("migrate apply"))
		case r.Hash != "" && r.Hash != files[0].hash:
			return s.broken(Edited, fmt.Errorf("%w: %s is not what was applied at %s; "+
				"put the file back as it was and write the change as a new migration",
				ErrEdited, files[0].Name(), r.ExecutedAt.UTC().Format(time.DateTime)))
		}
		files = files[1:]
	}
	pending = append(pending, files...)
	for _, f := range pending {
		s.Pending = append(s.Pending, f.Name())
	}
	if s.State == OK && len(pending) > 0 {
		s.State = Pending
		s.problem = fmt.Errorf("%w: %s; to apply them, run %s",
			ErrPending, strings.Join(s.Pending, ", "), advice.command("migrate apply"))
	}
	return s, pending
}

func (s Status) broken(state State, problem error) (Status, []*file) {
	s.State, s.problem = state, problem
	return s, nil
}

func lastError(r *migrate.Revision) string {
	if r.Error == "" {
		return ""
	}
	return fmt.Sprintf("the next one failed with %q; ", r.Error)
}
