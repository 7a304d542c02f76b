package csvfile

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// ErrFormat means that a file as a whole is not in the format that the caller reads.
var ErrFormat = errors.New("the file does not have the expected format")

// MaxRecord is the largest size of a row in bytes. It bounds the memory for a row, and how far the search for a closing quote
// reads ahead.
const MaxRecord = 256 << 10

// Reasons why a row or a line of any text file cannot be read.
const (
	ReasonTooLong  = "the row is longer than 256 KiB"
	ReasonEncoding = "the row is not UTF-8 text"
)

const (
	reasonOpenQuote  = "a quote is opened and never closed"
	reasonQuote      = `a quote is inside a field; write it as "" and quote the whole field`
	reasonFieldCount = "the row does not have as many fields as the header"
	reasonIgnored    = "the column is unknown and was ignored"
)

// Columns are the names of columns, in lower case.
type Columns struct {
	Required []string
	Optional []string
	Ignored  []string // known, but not read
}

// File reads the rows of a CSV file whose columns may be in any order. When a stray quote would include the following lines in
// a row, only the line with the quote is a defect, and reading continues with the next line.
type File struct {
	lines Lines
	ahead []Line // lines read but not yet consumed

	names []string // of the header, as written
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
	header, err := f.record()
	required := strings.Join(columns.Required, ",")
	switch {
	case err == io.EOF:
		return nil, fmt.Errorf("%w: it is empty; the first line must name the columns %s", ErrFormat, required)
	case err != nil:
		return nil, err
	case header.Defect != nil:
		return nil, fmt.Errorf("%w: the first line must name the columns %s, but %s", ErrFormat, required, header.Defect.Reason)
	}

	f.names = header.Fields
	names := make([]string, len(header.Fields))
	for i, name := range header.Fields {
		names[i] = strings.ToLower(strings.TrimSpace(name))
		if !slices.Contains(slices.Concat(columns.Required, columns.Optional, columns.Ignored), names[i]) {
			note(1, NewDefect(name, "", reasonIgnored))
		}
	}
	for _, column := range slices.Concat(columns.Required, columns.Optional) {
		i := slices.Index(names, column)
		problem := ""
		switch {
		case i < 0 && slices.Contains(columns.Required, column):
			problem = "is missing"
		case i >= 0 && slices.Contains(names[i+1:], column):
			problem = "appears twice"
		}
		if problem != "" {
			return nil, fmt.Errorf("%w: the column %q %s; expected are the columns %s, found are %s",
				ErrFormat, column, problem, required, Shorten(strings.Join(header.Fields, ",")))
		}
		f.index = append(f.index, i)
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
			fields[i] = strings.TrimSpace(row.Fields[column])
		}
	}
	row.Fields = fields
	return row, nil
}

// record returns the next record that is not a blank line, with all its fields.
func (f *File) record() (Row, error) {
	for {
		text, lines, closed, err := f.peek()
		if err != nil {
			return Row{}, err
		}
		row := Row{Line: f.ahead[0].Number}
		switch {
		case f.ahead[0].TooLong:
			row.Defect = NewDefect("", text, ReasonTooLong)
		case !closed:
			row.Defect = NewDefect("", f.ahead[0].Text, reasonOpenQuote)
			lines = 1
		case !utf8.ValidString(text) || strings.ContainsRune(text, 0):
			row.Defect = NewDefect("", strings.ToValidUTF8(text, "\ufffd"), ReasonEncoding)
		default:
			reader := csv.NewReader(strings.NewReader(text))
			row.Fields, err = reader.Read()
			if err == io.EOF { // a blank line
				f.ahead = f.ahead[lines:]
				continue
			}
			if err != nil {
				row.Defect = NewDefect("", f.ahead[0].Text, reasonQuote)
				lines = 1
			}
		}
		f.ahead = f.ahead[lines:]
		return row, nil
	}
}

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
