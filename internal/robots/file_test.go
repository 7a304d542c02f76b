package robots

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"docket/internal/csvfile"
)

// decodeJSON is a DecodeFunc.
func decodeJSON(line string) (fields map[string]any, err error) {
	decoder := json.NewDecoder(strings.NewReader(line))
	decoder.UseNumber()
	if err := decoder.Decode(&fields); err != nil || fields == nil || decoder.InputOffset() != int64(len(line)) {
		return nil, errors.New("not one object")
	}
	return fields, nil
}

// readSuggestions lists the lines of a file, each with its number.
func readSuggestions(t require.TestingT, text string, jsonl bool) (all []string) {
	next := suggestionsFromLines(strings.NewReader(text), decodeJSON)
	if !jsonl {
		var err error
		if next, err = suggestionsFromCSV(strings.NewReader(text), func(_ int64, d *csvfile.Defect) {
			all = append(all, "note: "+d.Column)
		}); err != nil {
			require.ErrorIs(t, err, csvfile.ErrFormat)
			return []string{err.Error()}
		}
	}
	last := int64(0)
	for {
		read, err := next()
		if errors.Is(err, io.EOF) {
			return all
		}
		require.NoError(t, err)
		require.Greater(t, read.line, last)
		last = read.line
		if read.defect != nil {
			detail := detail(read.defect)
			require.True(t, utf8.ValidString(detail))
			require.NotContains(t, detail, "\n")
			all = append(all, fmt.Sprintf("%d: rejected: %s", read.line, detail))
			continue
		}
		g := read.given
		line := fmt.Sprintf("%d: %s=%v", read.line, g.Attribute, g.Value)
		if g.URLID != nil {
			line += fmt.Sprint(" url_id=", *g.URLID)
		}
		if g.URL != nil {
			line += " url=" + *g.URL
		}
		if g.Confidence != nil {
			line += fmt.Sprint(" confidence=", *g.Confidence)
		}
		if g.Source != nil {
			line += " source=" + *g.Source
		}
		all = append(all, line)
	}
}

func TestReadSuggestionsCSV(t *testing.T) {
	t.Parallel()
	require.Equal(t, []string{
		"note: colour",
		"2: agency=7 url_id=1 confidence=80 source=ckan_match",
		"3: name=Two\nlines url=x.org",
		"6: agency=<nil> url_id=1",
		"7: rejected: url_id one is not the id of a URL",
		"8: rejected: url_id 2147483648 is not the id of a URL",
		"9: rejected: confidence high is not a number",
		"10: rejected: 2 instead of 7 the row does not have as many fields as the header; quote a field that contains a separator",
		"11: =<nil> url_id=1 confidence=NaN",
	}, readSuggestions(t, `url_id,URL,attribute,value,confidence,source,colour
1,,agency,7,80,ckan_match,
,x.org,name,"Two
lines",,,red

1,,agency,,,,
one,,agency,7,80,,
2147483648,,agency,7,80,,
1,,agency,7,high,,
1,agency
1,,,"",NaN,,
`, false))
	require.Equal(t, []string{"2: name=One"}, readSuggestions(t, "value,attribute\nOne,name\n", false), "a URL is asked for later")
	for text, want := range map[string]string{
		"":                                "it is empty",
		"url_id,value\n":                  `the column "attribute" is missing`,
		"attribute,value,url,URL\n":       `the column "url" appears twice`,
		"attribute,value,url,Attribute\n": `the column "attribute" appears twice`,
	} {
		require.Contains(t, readSuggestions(t, text, false)[0], want)
	}
}

func TestReadSuggestionsJSONL(t *testing.T) {
	t.Parallel()
	require.Equal(t, []string{
		"1: agency=7 url_id=1 confidence=80 source=ckan_match",
		"3: name=One url=x.org",
		"4: agency=<nil> url_id=1",
		"5: rejected: value is missing",
		"6: rejected: [1] is not an object",
		"7: rejected: null is not an object",
		`8: rejected: {"value": 1 is not an object`,
		`9: rejected: {"value": 1} {} is not an object`,
		"10: rejected: colour is not a key of a suggestion",
		"11: rejected: url_id 1.5 is not the id of a URL",
		"12: rejected: url_id (a list) is not the id of a URL",
		"13: rejected: url 7 is not a text",
		"14: rejected: attribute (an object) is not a text",
		"15: rejected: confidence true is not a number",
		"16: rejected: confidence 1e999 is not a number",
		"17: rejected: {\"value\": \"\ufffd\"} the row is not UTF-8 text; save the file as UTF-8",
		"18: rejected: source false is not a text",
		"19: agency=1e999",
	}, readSuggestions(t, "\ufeff"+`{"url_id": 1, "attribute": "agency", "value": 7, "confidence": 80, "source": "ckan_match"}

  {"url": "x.org", "attribute": "name", "value": "One", "url_id": null}
{"url_id": "1", "attribute": "agency", "value": null, "confidence": null}
{"url_id": 1, "attribute": "agency"}
[1]
null
{"value": 1
{"value": 1} {}
{"value": 1, "colour": "red"}
{"value": 1, "url_id": 1.5}
{"value": 1, "url_id": []}
{"value": 1, "url": 7}
{"value": 1, "attribute": {}}
{"value": 1, "confidence": true}
{"value": 1, "confidence": 1e999}
{"value": "`+"\xff"+`"}
{"value": 1, "source": false}
{"value": 1e999, "attribute": "agency"}`, true))
	long := readSuggestions(t, `{"value": "`+strings.Repeat("x", csvfile.MaxRecord)+"\"}\n{\"value\": 1}", true)
	require.Len(t, long, 2)
	require.Contains(t, long[0], "the row is longer than 256 KiB")
	require.Equal(t, "2: =1", long[1])
}

// FuzzReadSuggestions checks that a bad line affects no other line, and that a suggestion either has a defect or fits into the
// tables.
func FuzzReadSuggestions(f *testing.F) {
	f.Add("url_id,attribute,value\n1,name,One\n", false)
	f.Add(`{"url_id": 1, "attribute": "agency", "value": 7, "confidence": 80}`+"\n\n[]", true)
	f.Fuzz(func(t *testing.T, text string, jsonl bool) {
		readSuggestions(t, text, jsonl)
		next := suggestionsFromLines(strings.NewReader(text), decodeJSON)
		for {
			read, err := next()
			if err != nil {
				return
			}
			s, defect := check(read.given)
			if read.defect != nil || defect != nil {
				continue
			}
			require.True(t, s.entity >= 0 && s.confidence >= -1 && s.confidence <= 100)
			require.False(t, strings.ContainsRune(s.text+s.source+strings.Join(s.forms, ""), 0))
			require.LessOrEqual(t, utf8.RuneCountInString(s.text), MaxName)
		}
	})
}
