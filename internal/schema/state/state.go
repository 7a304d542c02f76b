// Package state reads the public schema of a database into a State, and writes a State as SQL that creates the schema again.
//
// A State has extensions, enums, tables with their columns, constraints, indexes and sequences, plain and materialized views,
// and the comments, storage parameters and grants of these. It has definitions as PostgreSQL prints them, to be compared and
// written, and next to them what the catalog says that they depend on: no decision needs to read a definition. All other
// objects (functions, triggers, domains, policies, partitions …) are listed as Unmanaged: they are never compared and never
// changed.
//
// The package changes nothing in the database that it reads.
package state

import (
	"slices"
	"time"
)

// State is the public schema of one database at one point in time.
type State struct {
	Major    int    `json:"postgres_major"` // e.g. 15; different major versions print definitions of views differently
	Database string `json:"database"`       // name and host, for messages
	Role     string `json:"role"`           // the role that read it, and that would own new objects

	Comment string `json:"comment,omitempty"` // of the schema, if it is not PostgreSQL's default

	DefaultGrants []Grant `json:"default_grants"` // default privileges of others on the role's new tables and views, sorted
	// The same on its new sequences.
	DefaultSequenceGrants []Grant `json:"-"`

	Extensions []string   `json:"extensions"` // names, sorted; without plpgsql, which every database has
	Enums      []Enum     `json:"enums"`      // sorted by name
	Details    []*Table   `json:"tables"`     // sorted by name
	Sequences  []Sequence `json:"sequences"`  // that columns own, sorted by name
	Others     []Sequence `json:"-"`          // other sequences that defaults take numbers from; not managed
	Views      []*View    `json:"views"`      // each after those that it reads, otherwise by name

	Estimates map[string]Estimate `json:"estimates"` // of tables and materialized views
	Casts     []Cast              `json:"-"`         // of pg_cast, between types as format_type prints them without sizes
	Types     map[string]Type     `json:"-"`         // of the columns, by name
	Unmanaged []Object            `json:"unmanaged"` // sorted
	Excluded  []Object            `json:"excluded"`  // objects that match the caller's patterns, sorted

	Dependents []Dependent `json:"-"`
	Taken      []Taken     `json:"-"`
}

// Object is an object of the schema that is neither compared nor changed.
type Object struct {
	Kind string `json:"kind"` // "function", "trigger", …
	Name string `json:"name"` // as PostgreSQL identifies it, e.g. "touch_updated_at()" or "set_updated_at on urls"

	// On is the relation with which PostgreSQL drops the object; empty if there is none. Parts are columns, constraints and
	// indexes of that relation: PostgreSQL also drops the object with each of these.
	On    string   `json:"-"`
	Parts []string `json:"-"`
}

func (o Object) String() string { return o.Kind + " " + o.Name }

// Estimate is the size of a table or materialized view.
type Estimate struct {
	Rows  int64 `json:"rows"`  // as of the last ANALYZE; -1 when never analyzed
	Bytes int64 `json:"bytes"` // now, with indexes and TOAST
}

// Cast is a row of pg_cast. Casts that PostgreSQL has without a row, through the text of a value, are not listed.
type Cast struct {
	From    string // "integer", "character varying", "mood"
	To      string
	Context string // pg_cast.castcontext: "i" implicit, "a" also in assignments, "e" explicit only
	Method  string // pg_cast.castmethod: "f" a function, "i" by text, "b" none is needed, the value is the same
	// Whether PostgreSQL leaves out the function when it knows from the sizes that the function returns the same value. Of casts
	// from a type to itself, which enforce sizes.
	Skipped bool
}

// Sequence is a sequence that a column owns: of an identity column, of a serial column, or by ALTER SEQUENCE … OWNED BY.
type Sequence struct {
	Name      string `json:"name"`
	Table     string `json:"table"`
	Column    string `json:"column"`
	Identity  bool   `json:"identity"`
	Type      string `json:"type"` // "integer", "bigint", …
	Start     int64  `json:"start"`
	Increment int64  `json:"increment"`
	Min       int64  `json:"min"`
	Max       int64  `json:"max"`
	Cache     int64  `json:"cache"`
	Cycle     bool   `json:"cycle"`
	Unlogged  bool   `json:"unlogged,omitempty"` // usually as its table

	Comment string  `json:"comment,omitempty"`
	Owner   string  `json:"owner"`
	Grants  []Grant `json:"grants,omitempty"` // beyond the owner's own, sorted

	Elsewhere bool `json:"-"` // it is in another schema, and Name is "schema.name" as in SQL
}

// Enum is an enumerated type.
type Enum struct {
	Name    string   `json:"name"`
	Values  []string `json:"values"` // in order
	Comment string   `json:"comment,omitempty"`
}

// View is a plain or a materialized view.
type View struct {
	Name         string       `json:"name"`
	Materialized bool         `json:"materialized"`
	Definition   string       `json:"definition"` // pg_get_viewdef, not pretty-printed, without the closing semicolon
	Columns      []ViewColumn `json:"columns"`    // in order
	Options      []string     `json:"options"`    // reloptions, sorted: "security_barrier=true", "toast.autovacuum_enabled=off"
	Comment      string       `json:"comment,omitempty"`
	Owner        string       `json:"owner"`
	Grants       []Grant      `json:"grants"` // beyond the owner's own, sorted
	Reads        []Reference  `json:"reads"`  // sorted

	// Of materialized views only.
	Indexes     []*Index       `json:"indexes,omitempty"` // sorted by name
	Populated   bool           `json:"populated"`
	LastRefresh *time.Duration `json:"last_refresh_ns,omitempty"` // how long the last one took; nil when not recorded
}

// ViewColumn is a column of a view.
type ViewColumn struct {
	Name      string `json:"name"`
	Type      string `json:"type"`
	Collation string `json:"collation,omitempty"` // quoted if necessary; "" for the type's default
	Comment   string `json:"comment,omitempty"`
}

// Grant is one privilege of one role on a relation or one of its columns.
type Grant struct {
	Grantee         string `json:"grantee"`          // role name, or "" for PUBLIC
	Privilege       string `json:"privilege"`        // "SELECT", …
	Column          string `json:"column,omitempty"` // "" for the whole relation
	WithGrantOption bool   `json:"with_grant_option,omitempty"`
}

// Reference is one object that a definition depends on, as pg_depend records it. Either Relation is set, and at most one of
// Column and Constraint, or Type, or Function, or Sequence.
type Reference struct {
	Relation   string `json:"relation,omitempty"`   // table or view, as "schema.name" when it is not in public
	Column     string `json:"column,omitempty"`     // "" when the view reads the whole row, or no column
	Constraint string `json:"constraint,omitempty"` // of Relation: a primary key that a GROUP BY relies on
	Type       string `json:"type,omitempty"`       // an enum of the schema that an expression mentions
	Function   string `json:"function,omitempty"`   // in public and not managed, with its arguments' types
	Sequence   string `json:"sequence,omitempty"`   // of nextval in a default, as "schema.name" when it is not in public
}

// Index is an index of a table or of a materialized view.
type Index struct {
	Name       string `json:"name"`
	Definition string `json:"definition"` // CREATE INDEX with this name, storage parameters included, no schema named
	Shape      string `json:"-"`          // Definition without name and storage parameters: indexes of one shape do the same

	// Key has the key columns, in order, of an index whose key has only columns and that holds all rows; else it is empty.
	Key     []string    `json:"key,omitempty"`
	Uses    []Reference `json:"uses,omitempty"`    // columns of its relation, enums and functions in all its parts, sorted
	Options []string    `json:"options,omitempty"` // storage parameters, sorted: "fillfactor=70"

	Comment string `json:"comment,omitempty"`
	Unique  bool   `json:"unique"`
	Valid   bool   `json:"valid"` // false after a failed CREATE INDEX CONCURRENTLY
	// Whether REFRESH MATERIALIZED VIEW CONCURRENTLY can use it when it is valid: it is unique, not partial, and on plain columns.
	Concurrent bool `json:"concurrent"`

	NullsNotDistinct bool `json:"nulls_not_distinct,omitempty"`
}

// Table is a table as PostgreSQL describes it.
type Table struct {
	Name        string       `json:"name"`
	Owner       string       `json:"owner"`
	Comment     string       `json:"comment,omitempty"`
	Unlogged    bool         `json:"unlogged,omitempty"`
	Columns     []Column     `json:"columns"`           // in order
	Constraints []Constraint `json:"constraints"`       // sorted by kind in the order of Constraint.Kind, then name
	Indexes     []*Index     `json:"indexes"`           // without those of constraints, sorted by name
	Options     []string     `json:"options,omitempty"` // storage parameters, sorted: "fillfactor=70", "toast.autovacuum_enabled=off"
}

// Column is a column of a table.
type Column struct {
	Name      string `json:"name"`
	Type      string `json:"type"` // format_type
	NotNull   bool   `json:"not_null"`
	Default   string `json:"default,omitempty"`   // expression
	Generated string `json:"generated,omitempty"` // expression of a stored generated column
	Identity  string `json:"identity,omitempty"`  // "ALWAYS" or "BY DEFAULT"
	Collation string `json:"collation,omitempty"` // quoted if necessary; "" for the type's default
	Comment   string `json:"comment,omitempty"`

	TypeName string `json:"-"` // Type without sizes, as in State.Types
	Modifier int    `json:"-"` // pg_attribute.atttypmod: the sizes of Type as a number, -1 for none
	Volatile bool   `json:"-"` // whether Default has a volatile function, so that each row gets a value of its own

	Enum   string      `json:"enum,omitempty"`   // the managed enum that is the type, or the type of the array's elements
	Rows   string      `json:"rows,omitempty"`   // the table or view whose rows are the values, or the elements of an array
	Uses   []Reference `json:"uses,omitempty"`   // what Default or Generated depends on, sorted
	Grants []Grant     `json:"grants,omitempty"` // on this column alone, beyond the owner's own, sorted
}

// Constraint is a constraint of a table.
type Constraint struct {
	Name         string `json:"name"`
	Kind         string `json:"kind"`       // "primary key", "unique", "exclusion", "check" or "foreign key"
	Definition   string `json:"definition"` // pg_get_constraintdef, without storage parameters
	References   string `json:"references,omitempty"`
	Comment      string `json:"comment,omitempty"`
	IndexComment string `json:"index_comment,omitempty"` // the comment on its index

	// Columns are the constrained columns: of a key or foreign key in its order, of a check those that it reads. Referenced
	// are the columns of References, in the order of Columns.
	Columns    []string    `json:"columns,omitempty"`
	Referenced []string    `json:"referenced,omitempty"`
	Uses       []Reference `json:"uses,omitempty"`    // columns of its own table, enums and functions in all its parts, sorted
	Options    []string    `json:"options,omitempty"` // storage parameters of its index, sorted
	Validated  bool        `json:"validated"`         // false after NOT VALID, which Definition then ends with
	Deferrable bool        `json:"deferrable,omitempty"`
	Index      *Index      `json:"-"`                  // that enforces a key or an exclusion constraint; else nil
	Deferred   bool        `json:"deferred,omitempty"` // it is also INITIALLY DEFERRED

	// ReferencedKey is the constraint or unique index of References that a foreign key relies on.
	ReferencedKey    string `json:"referenced_key,omitempty"`
	NullsNotDistinct bool   `json:"nulls_not_distinct,omitempty"` // of a unique constraint
}

// UsesColumn reports whether the references have a column of the relation. A row as a whole, as in CHECK (t IS NOT NULL), uses
// no column: PostgreSQL does not drop, refuse or rebuild anything for it when a column is dropped or gets another type.
func UsesColumn(uses []Reference, relation, column string) bool {
	return slices.ContainsFunc(uses, func(r Reference) bool { return r.Relation == relation && r.Column == column })
}

// Table returns the details of a table, or nil.
func (s *State) Table(name string) *Table {
	for _, t := range s.Details {
		if t.Name == name {
			return t
		}
	}
	return nil
}

// View returns a view, or nil.
func (s *State) View(name string) *View {
	for _, v := range s.Views {
		if v.Name == name {
			return v
		}
	}
	return nil
}
