package intake

import (
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// SuggestionColumns are the columns a CSV file of suggestions must have; SuggestionOptional are those it may have beside them.
// The lines of another file are objects with the same keys.
var (
	SuggestionColumns  = []string{"attribute", "value"}
	SuggestionOptional = []string{"url_id", "url", "confidence", "source"}
)

const (
	reasonNoURLID  = "is not the id of a URL"
	reasonNoNumber = "is not a number"
	reasonNoObject = "is not an object"
	reasonNoKey    = "is not a key of a suggestion"
)

// suggestionLine is a line of a file of suggestions, or what is wrong with it.
type suggestionLine struct {
	line  int64
	given RobotSuggestion
	fault *fault
}

// suggestionReader returns the next line, or io.EOF after the last one. Any other error concerns the file, not a line.
type suggestionReader func() (suggestionLine, error)

// suggestionsFromCSV reads a CSV file. An empty field is an absent one.
func suggestionsFromCSV(r io.Reader, note noteFunc) (suggestionReader, error) {
	file, unknown, err := openCSV(r, SuggestionColumns, nil, SuggestionOptional...)
	if err != nil {
		return nil, err
	}
	for _, name := range unknown {
		note(1, fault{name, "", reasonIgnored})
	}
	names := slices.Concat(SuggestionColumns, SuggestionOptional)
	return func() (suggestionLine, error) {
		row, err := file.read()
		read := suggestionLine{line: row.line, fault: row.fault}
		if err != nil || row.fault != nil {
			return read, err
		}
		fields := map[string]any{}
		for i, field := range row.fields {
			if field != "" {
				fields[names[i]] = field
			}
		}
		read.given, read.fault = suggestionOf(fields)
		return read, nil
	}, nil
}

// DecodeFunc turns a line of a file into the keys and values of a suggestion. Numbers may be of a type that keeps how they
// were written, with a method Int64. Its errors say nothing to people but that the line cannot be taken.
type DecodeFunc func(line string) (map[string]any, error)

// suggestionsFromLines reads a file with an object on each line. Blank lines are skipped.
func suggestionsFromLines(r io.Reader, decode DecodeFunc) suggestionReader {
	lines := newLineReader(r)
	return func() (suggestionLine, error) {
		for {
			line, err := lines.readLine()
			if err != nil {
				return suggestionLine{}, err
			}
			text := strings.TrimSpace(line.text)
			if text == "" {
				continue
			}
			read := suggestionLine{line: line.number}
			read.given, read.fault = suggestionFromLine(text, line.tooLong, decode)
			return read, nil
		}
	}
}

func suggestionFromLine(text string, tooLong bool, decode DecodeFunc) (RobotSuggestion, *fault) {
	switch {
	case tooLong:
		return RobotSuggestion{}, &fault{"", text, reasonTooLong}
	case !utf8.ValidString(text):
		return RobotSuggestion{}, &fault{"", strings.ToValidUTF8(text, "\ufffd"), reasonEncoding}
	}
	fields, err := decode(text)
	if err != nil {
		return RobotSuggestion{}, &fault{"", text, reasonNoObject}
	}
	if _, ok := fields["value"]; !ok {
		return RobotSuggestion{}, &fault{column: "value", reason: reasonNeeded}
	}
	return suggestionOf(fields)
}

// suggestionOf takes a line's fields, of which those that are absent are missing or nil, and says which is the first, in the
// order of their names, that has the wrong kind of value.
func suggestionOf(fields map[string]any) (given RobotSuggestion, f *fault) {
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		value := fields[name]
		if value == nil && name != "value" {
			continue
		}
		text, isText := value.(string)
		switch name {
		case "value":
			given.Value = value
		case "url_id":
			id, ok := wholeNumber(value)
			if !ok || id < math.MinInt32 || id > math.MaxInt32 {
				return given, &fault{name, show(value), reasonNoURLID}
			}
			given.URLID = new(int32(id))
		case "confidence":
			confidence, err := strconv.ParseFloat(fmt.Sprint(value), 64)
			if err != nil {
				return given, &fault{name, show(value), reasonNoNumber}
			}
			given.Confidence = &confidence
		case "url", "attribute", "source":
			if !isText {
				return given, &fault{name, show(value), reasonText}
			}
			switch name {
			case "url":
				given.URL = &text
			case "source":
				given.Source = &text
			default:
				given.Attribute = text
			}
		default:
			return given, &fault{"", name, reasonNoKey}
		}
	}
	return given, nil
}
