package state

import (
	"fmt"
	"math"
	"strings"
)

// TableSQL returns the statements that create a table of the state with its sequences, constraints, indexes, storage
// parameters and comments. The tables that it references must exist.
func (s *State) TableSQL(t *Table) []string {
	name := Ident(t.Name)
	var before, after, lines []string
	for _, c := range t.Columns {
		sequence := s.Sequence(t.Name, c.Name)
		line := Ident(c.Name) + " " + c.Type
		switch {
		case sequence == nil:
		case sequence.Identity && sequence.Type != c.Type:
			after = append(after, sequence.alter(c.Type)...)
		case sequence.Identity:
		case sequence.serial(c) != "":
			line = Ident(c.Name) + " " + sequence.serial(c)
			c.Default = ""
			after = append(after, sequence.alter(c.Type)...)
		default:
			before = append(before, sequence.create())
			after = append(after, fmt.Sprintf("ALTER SEQUENCE %s OWNED BY %s.%s", Ident(sequence.Name), name, Ident(c.Name)))
		}
		if sequence != nil {
			after = withComment(after, "SEQUENCE "+Ident(sequence.Name), sequence.Comment)
		}
		lines = append(lines, line+c.clauses(sequence))
	}
	for _, c := range t.Constraints {
		if strings.HasSuffix(c.Definition, " NOT VALID") { // CREATE TABLE would ignore the NOT VALID
			after = append(after, c.add(t.Name)...)
			continue
		}
		lines = append(lines, fmt.Sprintf("CONSTRAINT %s %s", Ident(c.Name), c.Definition))
		after = append(after, c.comments(t.Name)...)
		// The index of a constraint has no CREATE INDEX statement for its storage parameters.
		if len(c.Options) > 0 {
			after = append(after, fmt.Sprintf("ALTER INDEX %s SET (%s)", Ident(c.Name), parameters(c.Options)))
		}
	}
	create := fmt.Sprintf("CREATE TABLE %s (\n    %s\n)", name, strings.Join(lines, ",\n    "))
	if len(lines) == 0 {
		create = "CREATE TABLE " + name + " ()"
	}
	if len(t.Options) > 0 {
		create += " WITH (" + parameters(t.Options) + ")"
	}
	all := append(append(before, create), after...)
	all = withComment(all, "TABLE "+name, t.Comment)
	for _, c := range t.Columns {
		all = withComment(all, "COLUMN "+name+"."+Ident(c.Name), c.Comment)
	}
	return append(all, indexesSQL(t.Indexes)...)
}

// SQL returns the definition of the column for ALTER TABLE … ADD COLUMN. An identity column gets a sequence of its own, with
// the parameters that PostgreSQL chooses; the sequence of any other default must exist.
func (c Column) SQL() string { return Ident(c.Name) + " " + c.Type + c.clauses(nil) }

// clauses returns what follows the type of a column.
func (c Column) clauses(sequence *Sequence) string {
	var b strings.Builder
	if c.Collation != "" {
		b.WriteString(" COLLATE " + c.Collation)
	}
	if c.NotNull {
		b.WriteString(" NOT NULL")
	}
	switch {
	case c.Identity != "":
		b.WriteString(" GENERATED " + c.Identity + " AS IDENTITY")
		if sequence != nil {
			var options []string
			if sequence.Type == c.Type {
				options = append(sequence.start(), sequence.options(c.Type)...)
			}
			if sequence.Name != sequence.usualName() {
				options = append([]string{"SEQUENCE NAME " + Ident(sequence.Name)}, options...)
			}
			if len(options) > 0 {
				b.WriteString(" (" + strings.Join(options, " ") + ")")
			}
		}
	case c.Generated != "":
		b.WriteString(" GENERATED ALWAYS AS (" + c.Generated + ") STORED")
	case c.Default != "":
		b.WriteString(" DEFAULT " + c.Default)
	}
	return b.String()
}

// HasIndex reports whether the constraint has an index, which then has the constraint's name.
func (c Constraint) HasIndex() bool {
	return c.Kind == "primary key" || c.Kind == "unique" || c.Kind == "exclusion"
}

// add returns the statements that add the constraint to an existing table.
func (c Constraint) add(table string) []string {
	add := fmt.Sprintf("ALTER TABLE %s ADD CONSTRAINT %s %s", Ident(table), Ident(c.Name), c.Definition)
	return append([]string{add}, c.comments(table)...)
}

func (c Constraint) comments(table string) []string {
	all := withComment(nil, "CONSTRAINT "+Ident(c.Name)+" ON "+Ident(table), c.Comment)
	return withComment(all, "INDEX "+Ident(c.Name), c.IndexComment)
}

// usualName returns the name that PostgreSQL gives the sequence of a new column, or "" if it would truncate the name.
func (q Sequence) usualName() string {
	name := q.Table + "_" + q.Column + "_seq"
	if len(name) >= 64 {
		return ""
	}
	return name
}

// serial returns the serial type that creates the column with exactly this sequence, or "".
func (q Sequence) serial(c Column) string {
	types := map[string]string{"smallint": "smallserial", "integer": "serial", "bigint": "bigserial"}
	if q.Identity || !c.NotNull || q.Type != c.Type || q.Name != q.usualName() ||
		c.Default != "nextval("+Literal(Ident(q.Name))+"::regclass)" {
		return ""
	}
	return types[c.Type]
}

// options returns the parameters, except the start, that differ from the defaults of a sequence of the type.
func (q Sequence) options(typ string) []string {
	lowest, highest := IntegerRange(typ)
	low, high := int64(1), highest
	if q.Increment < 0 {
		low, high = lowest, -1
	}
	var all []string
	add := func(differs bool, format string, args ...any) {
		if differs {
			all = append(all, fmt.Sprintf(format, args...))
		}
	}
	add(q.Increment != 1, "INCREMENT BY %d", q.Increment)
	add(q.Min != low, "MINVALUE %d", q.Min)
	add(q.Max != high, "MAXVALUE %d", q.Max)
	add(q.Cache != 1, "CACHE %d", q.Cache)
	add(q.Cycle, "CYCLE")
	return all
}

// start returns the START WITH parameter if it differs from the default.
func (q Sequence) start() []string {
	if q.Increment > 0 && q.Start == q.Min || q.Increment < 0 && q.Start == q.Max {
		return nil
	}
	return []string{fmt.Sprintf("START WITH %d", q.Start)}
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

// alter returns the statement, if any, that changes the sequence that PostgreSQL has created with a new column.
func (q Sequence) alter(column string) []string {
	options := q.options(q.Type)
	if q.Type != column {
		options = append([]string{"AS " + q.Type}, options...)
	}
	if q.Start != 1 {
		options = append(options, fmt.Sprintf("START WITH %d RESTART", q.Start))
	}
	if len(options) == 0 {
		return nil
	}
	return []string{fmt.Sprintf("ALTER SEQUENCE %s %s", Ident(q.Name), strings.Join(options, " "))}
}

func (q Sequence) create() string {
	options := append(q.start(), q.options(q.Type)...)
	return strings.Join(append([]string{fmt.Sprintf("CREATE SEQUENCE %s AS %s", Ident(q.Name), q.Type)}, options...), " ")
}
