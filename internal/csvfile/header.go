package csvfile

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// separators are those that programs write. The header decides: the first one with which it has all required columns.
var separators = []rune{',', ';', '\t'}

// readHeader reads the header and sets the separator, the names and the index. It returns the number of the line.
func (f *File) readHeader(columns Columns) (int64, error) {
	mustName := "the first line must name " + columns.required()
	allowed, declared := separators, false
	for {
		raw, err := f.next()
		switch {
		case err == io.EOF:
			return 0, fmt.Errorf("%w: it is empty; %s", ErrFormat, mustName)
		case err != nil:
			return 0, err
		case raw.defect != nil:
			return 0, fmt.Errorf("%w: %s, but %s", ErrFormat, mustName, raw.defect.Reason)
		}
		f.consume(raw.lines)
		if separator, ok := separatorLine(raw.text); ok && !declared {
			allowed, declared = []rune{separator}, true
			continue
		}
		if slices.ContainsFunc(allowed, func(separator rune) bool {
			names, err := split(raw.text, separator)
			return err == nil && isBlank(names)
		}) {
			continue
		}
		if strings.HasPrefix(raw.text, "{") || strings.HasPrefix(raw.text, "[") {
			return 0, fmt.Errorf("%w: it looks like JSON, not like CSV; %s", ErrFormat, mustName)
		}
		if err := f.takeHeader(raw.text, allowed, columns); err != nil {
			return 0, err
		}
		return raw.first.Number, nil
	}
}

// separatorLine reads a line like "sep=;", which tells spreadsheet programs how to read the file.
func separatorLine(text string) (rune, bool) {
	text = strings.Trim(strings.TrimSuffix(text, "\n"), `"`)
	if len(text) < 5 || !strings.EqualFold(text[:4], "sep=") {
		return 0, false
	}
	separator, size := utf8.DecodeRuneInString(text[4:])
	return separator, len(text) == 4+size && separator != '"' && separator != utf8.RuneError
}

// takeHeader finds the columns in a header. If there is an error with every separator, it returns that of the most columns.
func (f *File) takeHeader(text string, separators []rune, columns Columns) error {
	most, problem := 0, errors.New(reasonQuote)
	for _, separator := range separators {
		names, err := split(text, separator)
		if err != nil {
			continue
		}
		index, err := find(columns, names)
		if err == nil {
			f.separator, f.names, f.index = separator, names, index
			return nil
		}
		if len(names) > most {
			most, problem = len(names), err
		}
	}
	return fmt.Errorf("%w: %w; expected: %s; found: %s",
		ErrFormat, problem, columns.required(), Shorten(strings.TrimSpace(text)))
}

// find returns, for each required and optional column, its index among the names; -1 if it is absent.
func find(columns Columns, names []string) (index []int, err error) {
	lower := make([]string, len(names))
	for i, name := range names {
		lower[i] = strings.ToLower(name)
	}
	for _, column := range slices.Concat(columns.Required, columns.Optional) {
		i := slices.Index(lower, column)
		switch {
		case i < 0 && slices.Contains(columns.Required, column):
			return nil, fmt.Errorf("the column %q is missing", column)
		case i >= 0 && slices.Contains(lower[i+1:], column):
			return nil, fmt.Errorf("the column %q appears twice", column)
		}
		index = append(index, i)
	}
	return index, nil
}

// required names the required columns, for messages.
func (c Columns) required() string {
	if len(c.Required) == 1 {
		return "the column " + c.Required[0]
	}
	return "the columns " + strings.Join(c.Required, ",")
}
