package intake

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// ErrFormat says that a file as a whole is not what the import reads.
var ErrFormat = errors.New("the file has another format than expected")

// maxRecord is the size in bytes above which a row is a defect of the file rather than data. It bounds memory, and
// how far the search for a closing quote goes.
const maxRecord = 256 << 10

const (
	reasonTooLong    = "the row is longer than 256 KiB"
	reasonOpenQuote  = "a quote is opened and never closed"
	reasonQuote      = `a quote stands inside a field; write "" for it and quote the field`
	reasonFieldCount = "the row has another number of fields than the header"
	reasonEncoding   = "the row is not UTF-8 text"
)

// csvFile reads the rows of a CSV file whose columns may come in any order. A row that cannot be read costs itself
// only: where a stray quote would swallow what follows, reading goes on with the line after it.
type csvFile struct {
	lineReader
	ahead []fileLine // lines read but not yet consumed

	names []string // of the header, as they stand there
	index []int    // where each wanted column stands; -1 where it does not
}

// lineReader reads a file by lines that may be too long.
type lineReader struct {
	input *bufio.Reader
	next  int64 // the number of the next line
}

func newLineReader(r io.Reader) lineReader {
	return lineReader{input: bufio.NewReaderSize(r, maxRecord), next: 1}
}

// fileLine is a line of a file with its line break.
type fileLine struct {
	number  int64
	text    string
	tooLong bool // the rest of it is lost
}

// csvRow is one row: its wanted fields in the order they were asked for, or what is wrong with it.
type csvRow struct {
	line   int64
	fields []string
	fault  *fault
}

// openCSV reads the header, which must have the wanted columns and may have the optional ones; these come after the others,
// empty where they are not there. It returns the names of columns that are neither of the two nor among those to be ignored
// silently.
func openCSV(r io.Reader, wanted, ignored []string, optional ...string) (file *csvFile, unknown []string, err error) {
	file = &csvFile{lineReader: newLineReader(r)}
	header, err := file.record()
	switch {
	case err == io.EOF:
		return nil, nil, fmt.Errorf("%w: it is empty; the first line must name the columns %s", ErrFormat, strings.Join(wanted, ","))
	case err != nil:
		return nil, nil, err
	case header.fault != nil:
		return nil, nil, fmt.Errorf("%w: the first line must name the columns %s, but %s", ErrFormat, strings.Join(wanted, ","), header.fault.reason)
	}

	file.names = header.fields
	known := make([]string, len(header.fields))
	for i, name := range header.fields {
		known[i] = strings.ToLower(strings.TrimSpace(name))
		if !slices.Contains(slices.Concat(wanted, optional, ignored), known[i]) {
			unknown = append(unknown, name)
		}
	}
	for _, column := range slices.Concat(wanted, optional) {
		i := slices.Index(known, column)
		if i < 0 && slices.Contains(wanted, column) || i >= 0 && slices.Contains(known[i+1:], column) {
			what := "is missing"
			if i >= 0 {
				what = "is there twice"
			}
			return nil, nil, fmt.Errorf("%w: the column %q %s; expected are the columns %s, found are %s",
				ErrFormat, column, what, strings.Join(wanted, ","), shorten(strings.Join(header.fields, ",")))
		}
		file.index = append(file.index, i)
	}
	return file, unknown, nil
}

// read returns the next row, or io.EOF after the last one. Any other error concerns the file, not a row.
func (f *csvFile) read() (csvRow, error) {
	row, err := f.record()
	if err != nil || row.fault != nil {
		return row, err
	}
	if len(row.fields) != len(f.names) {
		row.fault = &fault{value: fmt.Sprintf("%d instead of %d", len(row.fields), len(f.names)), reason: reasonFieldCount}
		return row, nil
	}
	fields := make([]string, len(f.index))
	for i, column := range f.index {
		if column >= 0 {
			fields[i] = strings.TrimSpace(row.fields[column])
		}
	}
	row.fields = fields
	return row, nil
}

// record returns the next record that is not a blank line, with all its fields.
func (f *csvFile) record() (csvRow, error) {
	for {
		text, lines, closed, err := f.gather()
		if err != nil {
			return csvRow{}, err
		}
		row := csvRow{line: f.ahead[0].number}
		switch {
		case f.ahead[0].tooLong:
			row.fault = &fault{value: text, reason: reasonTooLong}
		case !closed:
			row.fault = &fault{value: f.ahead[0].text, reason: reasonOpenQuote}
			lines = 1
		case !utf8.ValidString(text) || strings.ContainsRune(text, 0):
			row.fault = &fault{value: strings.ToValidUTF8(text, "\ufffd"), reason: reasonEncoding}
		default:
			reader := csv.NewReader(strings.NewReader(text))
			row.fields, err = reader.Read()
			if err == io.EOF { // a blank line
				f.ahead = f.ahead[lines:]
				continue
			}
			if err != nil {
				row.fault = &fault{value: f.ahead[0].text, reason: reasonQuote}
				lines = 1
			}
		}
		f.ahead = f.ahead[lines:]
		return row, nil
	}
}

// gather reads ahead as far as the record at the head goes: to the first line break with an even number of quotes
// before it. It consumes nothing, and returns the text and how many lines it has. closed is false when there is no
// such line break within bounds.
func (f *csvFile) gather() (text string, lines int, closed bool, err error) {
	quotes, size := 0, 0
	for {
		if lines == len(f.ahead) {
			line, err := f.readLine()
			if err == io.EOF && lines > 0 {
				return "", lines, false, nil
			}
			if err != nil {
				return "", 0, false, err
			}
			f.ahead = append(f.ahead, line)
		}
		line := f.ahead[lines]
		if size += len(line.text); size > maxRecord || line.tooLong {
			return line.text, max(lines, 1), false, nil
		}
		lines++
		quotes += strings.Count(line.text, `"`)
		if quotes%2 == 0 {
			break
		}
	}
	if lines == 1 {
		return f.ahead[0].text, 1, true, nil
	}
	var b strings.Builder
	for _, line := range f.ahead[:lines] {
		b.WriteString(line.text)
	}
	return b.String(), lines, true, nil
}

// readLine returns the next line of the input.
func (f *lineReader) readLine() (fileLine, error) {
	text, err := f.input.ReadSlice('\n')
	line := fileLine{number: f.next, text: string(text)}
	f.next++
	if line.number == 1 {
		line.text = strings.TrimPrefix(line.text, "\ufeff")
	}
	if errors.Is(err, bufio.ErrBufferFull) {
		line.tooLong = true
		line.text = line.text[:1000]
		for errors.Is(err, bufio.ErrBufferFull) {
			_, err = f.input.ReadSlice('\n')
		}
	}
	switch {
	case err == nil:
		return line, nil
	case err != io.EOF:
		return fileLine{}, fmt.Errorf("read line %d: %w", line.number, err)
	case len(text) == 0:
		return fileLine{}, io.EOF
	default:
		return line, nil
	}
}
