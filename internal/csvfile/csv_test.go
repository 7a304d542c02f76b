package csvfile

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// readAll reads a file with the columns a and b. A row with a defect is shown as its reason.
func readAll(t require.TestingT, input io.Reader) (lines []int64, rows []string) {
	file, err := Open(input, Columns{Required: []string{"a", "b"}}, func(int64, *Defect) {})
	require.NoError(t, err)
	for {
		row, err := file.Read()
		if err == io.EOF {
			return lines, rows
		}
		require.NoError(t, err)
		lines = append(lines, row.Line)
		if row.Defect != nil {
			rows = append(rows, "! "+row.Defect.Reason)
			continue
		}
		rows = append(rows, strings.Join(row.Fields, "|"))
	}
}

func TestReadCSV(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", MaxRecord)
	tests := map[string]struct {
		input string
		lines []int64
		rows  []string
	}{
		"plain":                   {"a,b\n1,2\n3,4\n", []int64{2, 3}, []string{"1|2", "3|4"}},
		"no line break at end":    {"a,b\n1,2", []int64{2}, []string{"1|2"}},
		"no rows":                 {"a,b\n", nil, nil},
		"carriage returns":        {"a,b\r\n1,2\r\n", []int64{2}, []string{"1|2"}},
		"byte order mark":         {"\ufeffa,b\n1,2\n", []int64{2}, []string{"1|2"}},
		"quoted after the mark":   {"\ufeff\"a\",b\n1,2\n", []int64{2}, []string{"1|2"}},
		"columns in other order":  {"B , A\n1,2\n", []int64{2}, []string{"2|1"}},
		"unknown column":          {"a,x,b\n1,2,3\n", []int64{2}, []string{"1|3"}},
		"space around fields":     {"a,b\n 1 ,\u00a02\u200b\n", []int64{2}, []string{"1|2"}},
		"rows without text":       {",,\na,b,\n,,\n1,2,\n \t,,\n\"\",\n,\n3,4,\n,,", []int64{4, 8}, []string{"1|2", "3|4"}},
		"two byte order marks":    {"\ufeff\ufeffa,b\n1,2\n", []int64{2}, []string{"1|2"}},
		"mark in the header":      {"a,\ufeffb\n1,2\n", []int64{2}, []string{"1|2"}},
		"semicolons":              {"a;b\n1,5;2\n\"3;4\";5\n", []int64{2, 3}, []string{"1,5|2", "3;4|5"}},
		"quoted, semicolons":      {"\"a\";\"b\"\n1;2\n", []int64{2}, []string{"1|2"}},
		"tabs":                    {"a\tb\n1,5;2\t3\n\t\n\t4\n", []int64{2, 4}, []string{"1,5;2|3", "|4"}},
		"separators in turn":      {"x;y,a,b\n1;2,3,4\n", []int64{2}, []string{"3|4"}},
		"separator line":          {"sep=,\na,b\n1,2\n", []int64{3}, []string{"1|2"}},
		"other separator":         {"\ufeff\n\"SEP=|\"\r\n||\n\na|b\n1,2|3;4\n|\n", []int64{6}, []string{"1,2|3;4"}},
		"lines that end in CR":    {"a,b\r1,2\r\r\"3\r4\",5\r", []int64{2, 4}, []string{"1|2", "3\n4|5"}},
		"line breaks of all kind": {"a,b\r1,2\n3,4\r\n5,6\n\r7,8\r\r\n9,10", []int64{2, 3, 4, 6, 8}, []string{"1|2", "3|4", "5|6", "7|8", "9|10"}},
		"blank lines":             {"\na,b\n\n1,2\n\n\n3,4\n", []int64{4, 7}, []string{"1|2", "3|4"}},
		"quotes":                  {"a,b\n\"1,\"\"2\"\"\",3\n", []int64{2}, []string{`1,"2"|3`}},
		"line break in a field":   {"a,b\n\"1\n2\",3\n4,5\n", []int64{2, 4}, []string{"1\n2|3", "4|5"}},
		"too few and many fields": {"a,b\n1\n1,2,3\n4,5\n", []int64{2, 3, 4}, []string{"! " + reasonFieldCount, "! " + reasonFieldCount, "4|5"}},
		"quote inside a field":    {"a,b\n5\" pipe,1\n2,3\n", []int64{2, 3}, []string{"! " + reasonOpenQuote, "2|3"}},
		"two of them":             {"a,b\n5\" pipe,1\n2,3\n6\" pipe,4\n5,6\n", []int64{2, 3, 4, 5}, []string{"! " + reasonQuote, "2|3", "! " + reasonOpenQuote, "5|6"}},
		"quotes in one line":      {"a,b\nthe \"best\" one,1\n2,3\n", []int64{2, 3}, []string{"! " + reasonQuote, "2|3"}},
		"quote never closed":      {"a,b\n\"1,2\n3,4\n5,6", []int64{2, 3, 4}, []string{"! " + reasonOpenQuote, "3|4", "5|6"}},
		"not UTF-8":               {"a,b\n1,\xff\n2,3\n", []int64{2, 3}, []string{"! " + reasonEncoding, "2|3"}},
		"zero byte":               {"a,b\n1,\x00\n2,3\n", []int64{2, 3}, []string{"! " + reasonNUL, "2|3"}},
		"CR after a long line":    {"a,b\r1," + long + "\r2,3\r", []int64{2, 3}, []string{"! " + reasonTooLong, "2|3"}},
		"line too long":           {"a,b\n1," + long + "\n2,3\n", []int64{2, 3}, []string{"! " + reasonTooLong, "2|3"}},
		"last line too long":      {"a,b\n1,2\n" + long + long, []int64{2, 3}, []string{"1|2", "! " + reasonTooLong}},
		"quoted field too long":   {"a,b\n\"1\n" + strings.Repeat("2,3\n", MaxRecord/4), nil, nil},
		"open before a long line": {"a,b\n\"1\n" + long + "x\n2,3\n", []int64{2, 3, 4}, []string{"! " + reasonOpenQuote, "! " + reasonTooLong, "2|3"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lines, rows := readAll(t, strings.NewReader(tt.input))
			if name == "quoted field too long" { // too many to be listed
				require.Len(t, rows, 1+MaxRecord/4)
				require.Equal(t, []string{"! " + reasonOpenQuote, "2|3", "2|3"}, rows[:3])
				return
			}
			require.Equal(t, tt.rows, rows)
			require.Equal(t, tt.lines, lines)
		})
	}
}

func TestOpenCSVRefuses(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		input string
		says  string
	}{
		"nothing":        {"", "it is empty; the first line must name the columns a,b"},
		"blank":          {"\n\n", "it is empty"},
		"wrong columns":  {"id,name\n1,2\n", `the column "a" is missing; expected: the columns a,b; found: id,name`},
		"column missing": {"a\n1\n", `the column "b" is missing`},
		"column twice":   {"a,b,A\n1,2,3\n", `the column "a" appears twice`},
		"open quote":     {"\"a,b\n1,2\n", reasonOpenQuote},
		"not UTF-8":      {"a,b\xff\n1,2\n", reasonEncoding},
		"semicolons":     {"a;c\n1;2\n", `the column "b" is missing; expected: the columns a,b; found: a;c`},
		"hidden in name": {"a,b\u200bc\n", `found: a,b<U+200B>c`},
		"not as stated":  {"sep=;\na,b\n1,2\n", `the column "a" is missing`},
		"stated twice":   {"sep=,\nsep=,\na,b\n", `found: sep=,`},
		"no separator":   {"sep=\na,b\n", `found: sep=`},
		"JSON":           {`{"a": 1}`, "it looks like JSON, not like CSV"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := Open(strings.NewReader(tt.input), Columns{Required: []string{"a", "b"}}, func(int64, *Defect) {})
			require.ErrorIs(t, err, ErrFormat)
			require.ErrorContains(t, err, tt.says)
		})
	}
}

func TestReadCSVReportsAReadError(t *testing.T) {
	t.Parallel()
	broken := errors.New("disk on fire")
	input := io.MultiReader(strings.NewReader("a,b\n1,2\n"), iotest.ErrReader(broken))
	file, err := Open(input, Columns{Required: []string{"a", "b"}}, func(int64, *Defect) {})
	require.NoError(t, err)
	_, err = file.Read()
	require.NoError(t, err)
	_, err = file.Read()
	require.ErrorIs(t, err, broken)
	require.ErrorContains(t, err, "line 3")
}

// FuzzReadCSV checks that the reader accepts any rows, and agrees with encoding/csv on what that can read.
func FuzzReadCSV(f *testing.F) {
	for _, seed := range []string{
		"1,2\n3,4\n", "\"1\n2\",3\r\n", "5\" pipe,1\n2,3", "\"\"\"\",\n", "\n\n\"", "1,\xff\n", "a\rb,c\r", "\"a\"b,c\n", ",\n1,\u200b",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		lines, rows := readAll(t, io.MultiReader(strings.NewReader("a,b\n"), bytes.NewReader(body)))
		text := strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(string(body))
		for i, line := range lines {
			require.LessOrEqual(t, line, int64(strings.Count(text, "\n")+2))
			require.True(t, i == 0 || line > lines[i-1], "rows come in the order of the file")
			require.True(t, utf8.ValidString(rows[i]))
		}

		if !utf8.Valid(body) || bytes.IndexByte(body, 0) >= 0 || len(body) > MaxRecord {
			return
		}
		reader := csv.NewReader(strings.NewReader(text))
		reader.FieldsPerRecord = -1
		records, err := reader.ReadAll()
		if err != nil {
			return
		}
		var want []string
		for _, record := range records {
			if record = trimAll(record); isBlank(record) {
				continue
			}
			if len(record) != 2 {
				want = append(want, "! "+reasonFieldCount)
				continue
			}
			want = append(want, record[0]+"|"+record[1])
		}
		require.Equal(t, want, rows)
	})
}
