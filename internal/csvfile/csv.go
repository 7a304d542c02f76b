package csvfile

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"
)

// ErrFormat means that a file as a whole is not in the format that the caller reads.
var ErrFormat = errors.New("the file does not have the expected format")

// MaxRecord is the largest size of a row in bytes. It bounds the memory for a row, and how far the search for a closing quote
// reads ahead.
const MaxRecord = 256 << 10

// Reasons why a row or a line of any text file cannot be read.
const (
	reasonTooLong  = "the row is longer than 256 KiB"
	reasonEncoding = "the row is not UTF-8 text; save the file as UTF-8"
	reasonDamaged  = "the row has a damaged character, in place of which U+FFFD is shown"
	reasonNUL      = "the row has a NUL character (U+0000), which cannot be stored; delete it"
)

const (
	reasonOpenQuote  = "a quote is opened and never closed"
	reasonQuote      = `a quote is inside a field; write it as "" and quote the whole field`
	reasonFieldCount = "the row does not have as many fields as the header; quote a field that contains a separator"
	reasonIgnored    = "the column is unknown and was ignored"
)

// Columns are the names of columns, in lower case.
type Columns struct {
	Required []string
	Optional []string
	Ignored  []string // known, but not read
}

// File reads the rows of a CSV file whose columns may be in any order. Fields are separated by commas, semicolons or tabs,
// whichever the header uses, or as a line like "sep=;" before it says. A row without any text in it is a blank line. When a stray
// quote would include the following lines in a row, only the line with the quote is a defect, and reading continues with the
// next line.
type File struct {
	lines     Lines
	ahead     []Line // lines read but not yet consumed
	separator rune

	names []string // of the header
	index []int    // for each required and optional column, its index in the header; -1 if absent
}

// Row is one row, or what is wrong with it.
type Row struct {
	Line   int64
	Fields []string // of the required and then the optional columns; empty for an absent column
	Defect *Defect
}

// Open reads the header, which must have the required columns. It calls note for each unknown column.
func Open(r io.Reader, columns Columns, note NoteFunc) (*File, error) {
	f := &File{lines: NewLines(r)}
	line, err := f.readHeader(columns)
	if err != nil {
		return nil, err
	}
	for _, name := range f.names {
		if !slices.Contains(slices.Concat(columns.Required, columns.Optional, columns.Ignored), strings.ToLower(name)) {
			note(line, NewDefect(name, "", reasonIgnored))
		}
	}
	return f, nil
}

// ReadAll opens a file and calls take for each row that can be read. Unknown columns, the rows, and those that cannot be read
// or of which take returns a Defect, are added to the accounting.
func ReadAll(r io.Reader, columns Columns, a *Accounting, take func(Row) *Defect) error {
	file, err := Open(r, columns, a.Note)
	if err != nil {
		return err
	}
	for {
		row, err := file.Read()
		switch {
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		}
		a.Rows++
		if row.Defect == nil {
			row.Defect = take(row)
		}
		if row.Defect != nil {
			a.Reject(row.Line, row.Defect)
		}
	}
}

// Read returns the next row, or io.EOF after the last one. Any other error concerns the file, not a row.
func (f *File) Read() (Row, error) {
	row, err := f.record()
	if err != nil || row.Defect != nil {
		return row, err
	}
	if len(row.Fields) != len(f.names) {
		row.Defect = NewDefect("", fmt.Sprintf("%d instead of %d", len(row.Fields), len(f.names)), reasonFieldCount)
		return row, nil
	}
	fields := make([]string, len(f.index))
	for i, column := range f.index {
		if column >= 0 {
			fields[i] = row.Fields[column]
		}
	}
	row.Fields = fields
	return row, nil
}

// record returns the next record that is not a blank line, with all its fields, without the white space around them.
func (f *File) record() (Row, error) {
	for {
		raw, err := f.next()
		if err != nil || raw.defect != nil {
			return Row{Line: raw.first.Number, Defect: raw.defect}, err
		}
		fields, err := split(raw.text, f.separator)
		if err != nil {
			f.consume(1)
			return Row{Line: raw.first.Number, Defect: raw.first.defect(reasonQuote)}, nil
		}
		f.consume(raw.lines)
		if !isBlank(fields) {
			return Row{Line: raw.first.Number, Fields: fields}, nil
		}
	}
}

// split parses a record. It returns no field for a blank line, and an error if a quote is where none may be.
func split(text string, separator rune) ([]string, error) {
	if !strings.Contains(text, `"`) {
		return trimAll(strings.Split(text, string(separator))), nil
	}
	reader := csv.NewReader(strings.NewReader(text))
	reader.Comma = separator
	fields, err := reader.Read()
	if err != nil && err != io.EOF {
		return nil, err
	}
	return trimAll(fields), nil
}

// trimAll removes white space and invisible characters, like byte order marks, from both ends of fields. It takes ownership of
// fields.
func trimAll(fields []string) []string {
	for i, field := range fields {
		fields[i] = strings.TrimFunc(field, func(r rune) bool { return unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) })
	}
	return fields
}

func isBlank(fields []string) bool {
	return !slices.ContainsFunc(fields, func(field string) bool { return field != "" })
}

// rawRecord is a record before its fields are separated.
type rawRecord struct {
	text   string // of all its lines
	first  Line
	lines  int
	defect *Defect
}

// next returns the next record. The caller must consume its lines, unless it has a defect.
func (f *File) next() (rawRecord, error) {
	text, lines, closed, err := f.peek()
	if err != nil {
		return rawRecord{}, err
	}
	raw := rawRecord{text: text, first: f.ahead[0], lines: lines}
	if !closed {
		raw.lines = 1
		if raw.defect = raw.first.Defect(); raw.defect == nil {
			raw.defect = raw.first.defect(reasonOpenQuote)
		}
	}
	for i := range raw.lines {
		if raw.defect == nil {
			raw.defect = f.ahead[i].Defect()
		}
	}
	if raw.defect != nil {
		f.consume(raw.lines)
	}
	return raw, nil
}

func (f *File) consume(lines int) { f.ahead = f.ahead[lines:] }

// peek reads ahead to the end of the next record: the first line break with an even number of quotes before it. It consumes
// nothing, and returns the text and its number of lines. closed is false when there is no such line break within MaxRecord.
func (f *File) peek() (text string, lines int, closed bool, err error) {
	quotes, size := 0, 0
	for {
		if lines == len(f.ahead) {
			line, err := f.lines.Read()
			if err == io.EOF && lines > 0 {
				return "", lines, false, nil
			}
			if err != nil {
				return "", 0, false, err
			}
			f.ahead = append(f.ahead, line)
		}
		line := f.ahead[lines]
		if size += len(line.Text); size > MaxRecord || line.TooLong {
			return line.Text, max(lines, 1), false, nil
		}
		lines++
		quotes += strings.Count(line.Text, `"`)
		if quotes%2 == 0 {
			break
		}
	}
	if lines == 1 {
		return f.ahead[0].Text, 1, true, nil
	}
	var b strings.Builder
	for _, line := range f.ahead[:lines] {
		b.WriteString(line.Text)
	}
	return b.String(), lines, true, nil
}
