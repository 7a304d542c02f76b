package state

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
)

// readSequences reads the sequences of columns, and those that other defaults take numbers from. It requires what readUses reads.
func (r *reader) readSequences(ctx context.Context) error {
	all, err := query[Sequence](ctx, r.db, "inspect sequences", `
SELECT CASE c.relnamespace WHEN 'public'::regnamespace THEN c.relname::text
        ELSE format('%s.%s', c.relnamespace::regnamespace, quote_ident(c.relname)) END AS name,
    c.relnamespace <> 'public'::regnamespace AS elsewhere,
    CASE WHEN t.relnamespace = 'public'::regnamespace THEN t.relname::text ELSE t.oid::regclass::text END AS table,
    a.attname AS column, coalesce(d.deptype = 'i', false) AS identity, format_type(s.seqtypid, NULL) AS type,
    s.seqstart AS start, s.seqincrement AS increment, s.seqmin AS min, s.seqmax AS max, s.seqcache AS cache, s.seqcycle AS cycle,
    c.relpersistence = 'u' AS unlogged, obj_description(c.oid, 'pg_class') AS comment, pg_get_userbyid(c.relowner) AS owner,
    `+grantsOf("c.relacl", "c.relowner", "''")+` AS grants
FROM pg_sequence s
JOIN pg_class c ON c.oid = s.seqrelid
LEFT JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = s.seqrelid AND d.refclassid = 'pg_class'::regclass
    AND d.refobjsubid > 0 AND d.deptype IN ('a', 'i')
LEFT JOIN pg_class t ON t.oid = d.refobjid
LEFT JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = d.refobjsubid
ORDER BY c.relname COLLATE "C", c.oid`)
	if err != nil {
		return err
	}
	for _, q := range all {
		q.Grants = oneGrantor(q.Grants)
		column := r.column(q.Table, q.Column)
		switch {
		case column != nil && !q.Elsewhere:
			r.Sequences = append(r.Sequences, q)
		case slices.ContainsFunc(r.Details, func(t *Table) bool {
			return slices.ContainsFunc(t.Columns, func(c Column) bool { return c.UsesSequence(q.Name) })
		}):
			r.Others = append(r.Others, q)
		}
	}
	return nil
}

// Sequence returns the sequence that a column owns and takes its numbers from, or nil.
func (s *State) Sequence(table, column string) *Sequence {
	c := s.column(table, column)
	for i := range s.Sequences {
		q := &s.Sequences[i]
		if q.Table == table && q.Column == column && c != nil && (q.Identity || c.UsesSequence(q.Name)) {
			return q
		}
	}
	return nil
}

// column returns a column of a table of the state, or nil.
func (s *State) column(table, name string) *Column {
	t := s.Table(table)
	if t == nil {
		return nil
	}
	i := slices.IndexFunc(t.Columns, func(c Column) bool { return c.Name == name })
	if i < 0 {
		return nil
	}
	return &t.Columns[i]
}

// UsesSequence reports whether the default of the column takes numbers from the sequence.
func (c Column) UsesSequence(name string) bool {
	return slices.ContainsFunc(c.Uses, func(r Reference) bool { return name != "" && r.Sequence == name })
}

// Ident returns the name for SQL.
func (q Sequence) Ident() string {
	if q.Elsewhere {
		return q.Name
	}
	return Ident(q.Name)
}

// Needs lists the tables that must exist before the table: those that its foreign keys reference, those whose rows its columns
// hold, and those whose columns own the sequences that its defaults take numbers from. It is sorted, and may name the table
// itself.
func (s *State) Needs(t *Table) []string {
	var all []string
	for _, c := range t.Constraints {
		if c.References != "" {
			all = append(all, c.References)
		}
	}
	for _, c := range t.Columns {
		if c.Rows != "" {
			all = append(all, c.Rows)
		}
		for _, q := range s.Sequences {
			if c.UsesSequence(q.Name) {
				all = append(all, q.Table)
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// serial returns the serial type that creates the column with exactly this sequence, or "".
func (q *Sequence) serial(c Column) string {
	types := map[string]string{"smallint": "smallserial", "integer": "serial", "bigint": "bigserial"}
	if q.Identity || !c.NotNull || q.Type != c.Type || !q.usualName() || len(q.Options(nil)) > 0 ||
		c.Default != "nextval("+Literal(Ident(q.Name))+"::regclass)" {
		return ""
	}
	return types[c.Type]
}

// usualName reports whether PostgreSQL gives this name to the sequence of a new column.
func (q *Sequence) usualName() bool {
	return q.Name == q.Table+"_"+q.Column+"_seq" && len(q.Name) < 64 // it would truncate a longer one
}

// SQL returns the statement that creates the sequence, which no column owns then.
func (q *Sequence) SQL() string {
	create := "CREATE " + unlogged(q.Unlogged) + "SEQUENCE " + Ident(q.Name) + " AS " + q.Type
	return strings.Join(append([]string{create}, q.Options(nil)...), " ")
}

// OwnedBy returns the statement after which PostgreSQL drops the sequence with its column.
func (q *Sequence) OwnedBy() string {
	return fmt.Sprintf("ALTER SEQUENCE %s OWNED BY %s.%s", Ident(q.Name), Ident(q.Table), Ident(q.Column))
}

// PersistenceSQL returns the statement that makes the sequence logged or unlogged.
func (q *Sequence) PersistenceSQL() string {
	return fmt.Sprintf("ALTER SEQUENCE %s %s", Ident(q.Name), Persistence(q.Unlogged))
}

// Options lists the parameters that ALTER SEQUENCE must set so that from becomes this sequence, except the position. If from is
// nil, it lists those of CREATE SEQUENCE … AS its type.
func (q *Sequence) Options(from *Sequence) []string {
	create := from == nil
	if create {
		_, high := IntegerRange(q.Type)
		from = &Sequence{Type: q.Type, Start: 1, Increment: 1, Min: 1, Max: high, Cache: 1}
	}
	var all []string
	add := func(differs bool, format string, args ...any) {
		if differs {
			all = append(all, fmt.Sprintf(format, args...))
		}
	}
	as := from.WithType(q.Type)
	add(from.Type != q.Type, "AS %s", q.Type)
	add(as.Increment != q.Increment, "INCREMENT BY %d", q.Increment)
	// The defaults of a new sequence depend on its direction, and its start on these.
	down := create && q.Increment < 0
	add(as.Min != q.Min || down, "MINVALUE %d", q.Min)
	add(as.Max != q.Max || down, "MAXVALUE %d", q.Max)
	add(as.Start != q.Start || create && as.Min != q.Min || down, "START WITH %d", q.Start)
	add(as.Cache != q.Cache, "CACHE %d", q.Cache)
	add(q.Cycle && !as.Cycle, "CYCLE")
	add(as.Cycle && !q.Cycle, "NO CYCLE")
	return all
}

// WithType returns the sequence after ALTER SEQUENCE … AS: a limit that is that of the type changes with it.
func (q *Sequence) WithType(typ string) *Sequence {
	as := *q
	low, high := IntegerRange(q.Type)
	newLow, newHigh := IntegerRange(typ)
	if as.Min == low {
		as.Min = newLow
	}
	if as.Max == high {
		as.Max = newHigh
	}
	as.Type = typ
	return &as
}

// IntegerRange returns the smallest and the largest number of an integer type.
func IntegerRange(typ string) (low, high int64) {
	switch typ {
	case "smallint":
		return math.MinInt16, math.MaxInt16
	case "integer":
		return math.MinInt32, math.MaxInt32
	default:
		return math.MinInt64, math.MaxInt64
	}
}

// ColumnSQL returns the definition of a column of a table of the state, for CREATE TABLE and ADD COLUMN, and the statements to
// run before and after it, which create and own the sequence of the column.
func (s *State) ColumnSQL(table string, c Column) (before []string, definition string, after []string) {
	typ, q := c.Type, s.Sequence(table, c.Name)
	switch {
	case q == nil || q.Identity:
	case q.serial(c) != "":
		typ, c.Default = q.serial(c), ""
	default:
		before, after = []string{q.SQL()}, []string{q.OwnedBy()}
	}
	definition = Ident(c.Name) + " " + typ + c.clauses()
	if c.Identity != "" {
		var identity string
		identity, after = c.IdentitySQL(q)
		definition += " " + identity
	}
	if q != nil && len(before) == 0 && q.Unlogged != s.Table(table).Unlogged { // PostgreSQL gives it that of the table
		after = append(after, q.PersistenceSQL())
	}
	return before, definition, after
}

// IdentitySQL returns the clause that makes the column an identity column with the sequence, as for ADD in ALTER COLUMN, and the
// statements to run after it.
func (c Column) IdentitySQL(q *Sequence) (clause string, after []string) {
	clause = "GENERATED " + c.Identity + " AS IDENTITY"
	var options []string
	if !q.usualName() {
		options = append(options, "SEQUENCE NAME "+Ident(q.Name))
	}
	if q.Type == c.Type {
		options = append(options, q.Options(nil)...)
	} else { // the sequence gets the type of the column at first
		created := Sequence{Type: c.Type, Start: 1, Increment: 1, Min: 1, Cache: 1}
		_, created.Max = IntegerRange(c.Type)
		after = []string{"ALTER SEQUENCE " + Ident(q.Name) + " " + strings.Join(append(q.Options(&created), "RESTART"), " ")}
	}
	if len(options) > 0 {
		clause += " (" + strings.Join(options, " ") + ")"
	}
	return clause, after
}
