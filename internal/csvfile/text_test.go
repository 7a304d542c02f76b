package csvfile

import (
	"bytes"
	"compress/gzip"
	"encoding/csv"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
	"golang.org/x/text/encoding/unicode"
	"pgregory.net/rapid"
)

func gzipped(t require.TestingT, text string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := io.WriteString(w, text)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.String()
}

func utf16Of(t require.TestingT, order unicode.Endianness, marks unicode.BOMPolicy, text string) string {
	encoded, err := unicode.UTF16(order, marks).NewEncoder().String(text)
	require.NoError(t, err)
	return encoded
}

func TestReadDecoded(t *testing.T) {
	t.Parallel()
	little := func(text string) string { return utf16Of(t, unicode.LittleEndian, unicode.IgnoreBOM, text) }
	big := func(text string) string { return utf16Of(t, unicode.BigEndian, unicode.IgnoreBOM, text) }
	const table = "a,b\n1,é\n😀,4\n"
	want := []string{"1|é", "😀|4"}
	tests := map[string]struct {
		input string
		rows  []string
	}{
		"gzip":                   {gzipped(t, table), want},
		"gzip with a mark":       {gzipped(t, "\ufeff"+table), want},
		"gzip of two parts":      {gzipped(t, table[:7]) + gzipped(t, table[7:]), want},
		"gzip of UTF-16":         {gzipped(t, little("\ufeff"+table)), want},
		"UTF-16, little endian":  {little("\ufeff" + table), want},
		"UTF-16, big endian":     {big("\ufeff" + table), want},
		"without a mark, little": {little(table), want},
		"without a mark, big":    {big(table), want},
		"two marks":              {little("\ufeff\ufeff" + table), want},
		"tabs and CR LF":         {little("\ufeffa\tb\r\n1\té\r\n😀\t4\r\n"), want},
		"half a character":       {little("\ufeffa,b\n1,") + "\x00\xd8" + little("\n2,3\n"), []string{"! " + reasonDamaged, "2|3"}},
		"half a unit":            {little("\ufeffa,b\n1,2\n3,4") + "x", []string{"1|2", "! " + reasonDamaged}},
		"NUL in UTF-16":          {little("\ufeffa,b\n1,\x00\n2,3\n"), []string{"! " + reasonNUL, "2|3"}},
		"U+FFFD in UTF-8":        {"a,b\n1,\ufffd\n", []string{"1|\ufffd"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, rows := readAll(t, strings.NewReader(tt.input))
			require.Equal(t, tt.rows, rows)
			_, rows = readAll(t, iotest.OneByteReader(strings.NewReader(tt.input)))
			require.Equal(t, tt.rows, rows)
		})
	}
}

func TestReadRefusesOtherFormats(t *testing.T) {
	t.Parallel()
	packed := gzipped(t, "a,b\n"+strings.Repeat("1,2\n", 1000))
	tests := map[string]struct{ input, says string }{
		"Excel":         {"PK\x03\x04\x14\x00", "looks like an Excel workbook (.xlsx) or a ZIP archive; save the table as CSV (UTF-8)"},
		"old Excel":     {"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "looks like an Excel workbook (.xls)"},
		"PDF":           {"%PDF-1.7", "looks like a PDF document"},
		"bzip2":         {"BZh91AY&SY", "looks like a file packed with bzip2; unpack it"},
		"xz":            {"\xfd7zXZ\x00\x00", "looks like a file packed with xz"},
		"zstd":          {"\x28\xb5\x2f\xfd\x04", "looks like a file packed with zstd"},
		"7-Zip":         {"7z\xbc\xaf\x27\x1c", "looks like a 7-Zip archive"},
		"RAR":           {"Rar!\x1a\x07", "looks like a RAR archive"},
		"page":          {"<!DOCTYPE html>", "looks like a web page"},
		"Excel in gzip": {gzipped(t, "PK\x03\x04"), "looks like an Excel workbook (.xlsx)"},
		"UTF-32":        {"\xff\xfe\x00\x00a\x00\x00\x00", "is UTF-32 text; save it as UTF-8"},
		"UTF-32, big":   {"\x00\x00\xfe\xff\x00\x00\x00a", "is UTF-32 text"},
		"gzip twice":    {gzipped(t, packed), "packed with gzip two times"},
		"gzip, cut off": {packed[:len(packed)-9], "its end is missing"},
		"gzip, begins":  {packed[:3], "its end is missing"},
		"gzip, damaged": {packed[:len(packed)-6] + "xxxxxx", "damaged"},
		"not gzip":      {"\x1f\x8bxxxxxxxxxxxxxxxx", "damaged"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := readRows(strings.NewReader(tt.input))
			require.ErrorIs(t, err, ErrFormat)
			require.ErrorContains(t, err, tt.says)
			lines := NewLines(strings.NewReader(tt.input))
			for err = nil; err == nil; {
				_, err = lines.Read()
			}
			require.ErrorIs(t, err, ErrFormat, "a file of lines is refused as well")
		})
	}
}

// readRows reads a file with the columns a and b, and counts its rows.
func readRows(r io.Reader) (Accounting, error) {
	var a Accounting
	err := ReadAll(r, Columns{Required: []string{"a"}, Optional: []string{"b"}}, &a, func(Row) *Defect { return nil })
	return a, err
}

func TestReadRefusesABomb(t *testing.T) {
	t.Parallel()
	member := gzipped(t, strings.Repeat("x", 1<<20))
	bomb := gzipped(t, "a,b\n1,2\n") + strings.Repeat(member, 1<<10)
	counted := &countedReader{Reader: strings.NewReader(bomb)}
	_, err := readRows(counted)
	require.ErrorIs(t, err, ErrFormat)
	require.ErrorContains(t, err, "more than 200 times as large")
	require.Less(t, counted.bytes, int64(len(bomb)/10), "it is refused before it is read")

	fits, err := readRows(strings.NewReader(gzipped(t, "a,b\n"+strings.Repeat(",\n", 1<<20))))
	require.NoError(t, err, "what a spreadsheet program writes is packed as tightly, and small")
	require.Zero(t, fits.Rows)
}

// TestReadAnyWriting checks that a table gives the same rows and line numbers whichever program wrote it.
func TestReadAnyWriting(t *testing.T) {
	t.Parallel()
	field := rapid.StringOf(rapid.OneOf(
		rapid.SampledFrom([]rune(",;\t\"\n|= abc\ufeff\u00a0\u2003\ufffc")), rapid.Rune().Filter(func(r rune) bool {
			return r != 0 && r != '\r' && r != '\ufffd'
		}),
	))
	rapid.Check(t, func(t *rapid.T) {
		table := rapid.SliceOf(rapid.SliceOfN(field, 2, 2)).Draw(t, "table")
		var wantLines []int64
		var wantRows []string
		for i, separator := range []rune{',', ';', '\t'} {
			text := write(t, table, separator, "")
			lines, rows := readAll(t, strings.NewReader(text))
			if i == 0 {
				wantLines, wantRows = lines, rows
				for _, row := range rows {
					require.Contains(t, row, "|", "a row of two fields, no defect")
				}
			}
			for name, file := range writings(t, text, separator) {
				lines, rows := readAll(t, strings.NewReader(file))
				if strings.HasPrefix(name, "sep") {
					for i := range lines {
						lines[i]--
					}
				}
				require.Equal(t, wantLines, lines, name)
				require.Equal(t, wantRows, rows, name)
			}
		}
	})
}

// write writes a table with the columns a and b.
func write(t require.TestingT, table [][]string, separator rune, before string) string {
	var b strings.Builder
	b.WriteString(before)
	w := csv.NewWriter(&b)
	w.Comma = separator
	require.NoError(t, w.Write([]string{"a", "b"}))
	require.NoError(t, w.WriteAll(table))
	return b.String()
}

// writings returns the text of a file as different programs would write it.
func writings(t require.TestingT, text string, separator rune) map[string]string {
	breaks := map[string]string{
		"LF": text, "CR": strings.ReplaceAll(text, "\n", "\r"), "CR LF": strings.ReplaceAll(text, "\n", "\r\n"),
	}
	files := map[string]string{"sep": "sep=" + string(separator) + "\n" + text}
	for name, text := range breaks {
		files[name] = text
		files[name+", mark"] = "\ufeff" + text
		files[name+", UTF-16LE"] = utf16Of(t, unicode.LittleEndian, unicode.UseBOM, text)
		files[name+", UTF-16BE"] = utf16Of(t, unicode.BigEndian, unicode.UseBOM, text)
		files[name+", UTF-16LE without a mark"] = utf16Of(t, unicode.LittleEndian, unicode.IgnoreBOM, text)
	}
	for _, name := range []string{"sep", "CR LF, mark", "CR, UTF-16LE"} {
		files[name+", gzip"] = gzipped(t, files[name])
	}
	return files
}

func TestReadLargePackedFile(t *testing.T) {
	t.Parallel()
	const rows = 30_000
	var b strings.Builder
	b.WriteString("\ufeffa;b\r\n")
	for i := range rows {
		fmt.Fprintf(&b, "\"%d\r\n\";%x\r\n;\r\n", i, rand.Uint64())
	}
	packed := gzipped(t, utf16Of(t, unicode.LittleEndian, unicode.IgnoreBOM, b.String()))
	file, err := Open(strings.NewReader(packed), Columns{Required: []string{"a", "b"}}, func(int64, *Defect) {})
	require.NoError(t, err)
	for i := range rows {
		row, err := file.Read()
		require.NoError(t, err)
		require.Nil(t, row.Defect)
		require.Equal(t, int64(2+3*i), row.Line)
		require.Equal(t, fmt.Sprint(i), row.Fields[0])
	}
	_, err = file.Read()
	require.Equal(t, io.EOF, err)
}

// FuzzReadAny checks that any bytes give rows or a refusal, by rows and by lines.
func FuzzReadAny(f *testing.F) {
	table := "a,b\n1,2\n\"3\n4\",5\n"
	f.Add([]byte(table))
	for _, name := range []string{"PK\x03\x04", "\xff\xfe\x00\x00", "\x1f\x8b", "sep=;\na;b\n", "\x00a\x00,\x00b", "\ufeff\ufeff"} {
		f.Add([]byte(name))
	}
	for _, separator := range separators {
		for _, file := range writings(f, write(f, [][]string{{"1", "2"}, {"3\n4", "5"}}, separator, ""), separator) {
			f.Add([]byte(file))
		}
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		a, err := readRows(bytes.NewReader(file))
		if err != nil {
			require.ErrorIs(t, err, ErrFormat)
		}
		require.Equal(t, a.Rejected, a.Rejections.Total)
		lines := NewLines(bytes.NewReader(file))
		for number := int64(1); ; number++ {
			line, err := lines.Read()
			if err != nil {
				require.True(t, err == io.EOF || strings.Contains(err.Error(), ErrFormat.Error()), "%v", err)
				break
			}
			require.Equal(t, number, line.Number)
			require.LessOrEqual(t, len(line.Text), MaxRecord)
		}
	})
}
