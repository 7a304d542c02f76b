package robots

import (
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"docket/internal/csvfile"
)

// Columns are the columns that a CSV file of suggestions must have, OptionalColumns those that it may have. The lines of a JSONL
// file are objects with the same keys.
var (
	Columns         = []string{"attribute", "value"}
	OptionalColumns = []string{"url_id", "url", "confidence", "source"}
)

const (
	reasonNoURLID  = "is not the id of a URL"
	reasonNoNumber = "is not a number"
	reasonNoObject = "is not an object"
	reasonNoKey    = "is not a key of a suggestion"
)

// suggestionLine is a line of a file of suggestions, or what is wrong with it.
type suggestionLine struct {
	line   int64
	given  Suggestion
	defect *csvfile.Defect
}

// suggestionReader returns the next line, or io.EOF after the last one. Any other error concerns the file, not a line.
type suggestionReader func() (suggestionLine, error)

// suggestionsFromCSV reads a CSV file. An empty field counts as absent.
func suggestionsFromCSV(r io.Reader, note csvfile.NoteFunc) (suggestionReader, error) {
	file, err := csvfile.Open(r, csvfile.Columns{Required: Columns, Optional: OptionalColumns}, note)
	if err != nil {
		return nil, err
	}
	names := slices.Concat(Columns, OptionalColumns)
	return func() (suggestionLine, error) {
		row, err := file.Read()
		read := suggestionLine{line: row.Line, defect: row.Defect}
		if err != nil || row.Defect != nil {
			return read, err
		}
		fields := map[string]any{}
		for i, field := range row.Fields {
			if field != "" {
				fields[names[i]] = field
			}
		}
		read.given, read.defect = suggestionOf(fields)
		return read, nil
	}, nil
}

// DecodeFunc returns the keys and values of a line of a file, which is one object. Numbers may be of a type with a method Int64,
// like json.Number. The text of its errors is not used.
type DecodeFunc func(line string) (map[string]any, error)

// suggestionsFromLines reads a file with an object on each line. Blank lines are skipped.
func suggestionsFromLines(r io.Reader, decode DecodeFunc) suggestionReader {
	lines := csvfile.NewLines(r)
	return func() (suggestionLine, error) {
		for {
			line, err := lines.Read()
			if err != nil {
				return suggestionLine{}, err
			}
			text := strings.TrimSpace(line.Text)
			if text == "" {
				continue
			}
			read := suggestionLine{line: line.Number}
			if read.defect = line.Defect(); read.defect == nil {
				read.given, read.defect = suggestionFromLine(text, decode)
			}
			return read, nil
		}
	}
}

func suggestionFromLine(text string, decode DecodeFunc) (Suggestion, *csvfile.Defect) {
	fields, err := decode(text)
	if err != nil {
		return Suggestion{}, csvfile.NewDefect("", text, reasonNoObject)
	}
	if _, ok := fields["value"]; !ok {
		return Suggestion{}, csvfile.NewDefect("value", "", reasonMissing)
	}
	return suggestionOf(fields)
}

// suggestionOf converts the fields of a line; one that is missing or nil counts as absent. It returns the first defect in the
// order of the names.
func suggestionOf(fields map[string]any) (given Suggestion, f *csvfile.Defect) {
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
				return given, csvfile.NewDefect(name, show(value), reasonNoURLID)
			}
			given.URLID = new(int32(id))
		case "confidence":
			confidence, err := strconv.ParseFloat(fmt.Sprint(value), 64)
			if err != nil {
				return given, csvfile.NewDefect(name, show(value), reasonNoNumber)
			}
			given.Confidence = &confidence
		case "url", "attribute", "source":
			if !isText {
				return given, csvfile.NewDefect(name, show(value), reasonText)
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
			return given, csvfile.NewDefect("", name, reasonNoKey)
		}
	}
	return given, nil
}
