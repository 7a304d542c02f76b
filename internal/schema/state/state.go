// Package state reads what the public schema of a database holds, and writes it down as SQL that makes it again.
//
// Atlas's library reads tables, columns, constraints, their indexes, enums and comments. This package adds what it passes
// over and Docket's schema has: extensions, storage parameters of tables, parameters of sequences, plain and materialized
// views with their indexes, comments and grants. Everything else (functions, triggers, domains, policies, partitions …)
// is listed as Unmanaged: never compared, never changed, never passed over without a word.
//
// It changes nothing in the database that it reads.
package state

import (
	"time"

	atlas "ariga.io/atlas/sql/schema"
)

// State is the public schema of one database at one moment.
type State struct {
	Major    int    // of the PostgreSQL server, e.g. 15: definitions of views read alike on servers of one major version only
	Database string // name and host, for messages

	Extensions []string      // names, sorted; plpgsql is in every database and left out
	Tables     *atlas.Schema // tables and enums
	Parameters map[string][]string
	Sequences  []Sequence // of serial columns, sorted by name
	Views      []*View    // each after those that it reads
	Estimates  map[string]Estimate

	Unmanaged []Object // sorted
}

// Object is something that stands in the schema and is neither compared nor changed.
type Object struct {
	Kind string `json:"kind"` // "function", "trigger", …
	Name string `json:"name"` // as PostgreSQL describes it, e.g. "touch_updated_at()" or "set_updated_at on table urls"
}

// Estimate is how large a table or materialized view is, as of the last ANALYZE.
type Estimate struct {
	Rows  int64 // -1 when never analyzed
	Bytes int64 // with indexes and TOAST
}

// Sequence belongs to a serial column. What Atlas knows of it is the column's type.
type Sequence struct {
	Name, Table, Column               string
	Type                              string // "integer", "bigint", …
	Start, Increment, Min, Max, Cache int64
	Cycle                             bool
}

// View is a plain or a materialized view.
type View struct {
	Name         string
	Materialized bool
	Definition   string       // pg_get_viewdef, not pretty-printed, with search_path public, without the closing semicolon
	Columns      []ViewColumn // in order
	Options      []string     // reloptions, sorted: "security_barrier=true"
	Comment      string
	Owner        string
	Grants       []Grant // beyond the owner's own, sorted
	Reads        []Reference

	// Of materialized views only.
	Indexes     []*Index // sorted by name
	Populated   bool
	LastRefresh *time.Duration // how long the last one took; nil when nothing recorded it
}

// ViewColumn is a column of a view.
type ViewColumn struct {
	Name, Type, Comment string
}

// Grant is one privilege of one role on a view or one of its columns.
type Grant struct {
	Grantee         string // role name, or "" for PUBLIC
	Privilege       string // "SELECT", …
	Column          string // "" for the whole view
	WithGrantOption bool
}

// Reference is what a view's definition depends on.
type Reference struct {
	Relation   string // table or view
	Column     string // "" when the relation is read as a whole or for its rows only
	Constraint string // of Relation: a primary key that a GROUP BY relies on
	Type       string // an enum of the schema that an expression mentions
	Function   string // a function in public: it is not managed, so a view that calls one is Unmanaged's business
}

// Index is an index of a materialized view.
type Index struct {
	Name       string
	Definition string // pg_get_indexdef: CREATE INDEX with this name
	Shape      string // Definition without the name: equal shapes are the same index under two names
	Comment    string
	Unique     bool
	Valid      bool // false is what a failed CREATE INDEX CONCURRENTLY leaves behind
	// Whether REFRESH MATERIALIZED VIEW CONCURRENTLY can use it: unique, of plain columns, not partial, valid.
	Concurrent bool
}
