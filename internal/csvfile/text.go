package csvfile

import (
	"bufio"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"strings"

	"golang.org/x/text/encoding/unicode"
)

// A gzip file may grow to unpackedAnyway bytes, and beyond that to unpackedTimes its size. Deflate packs at most 1,032 times. Tables
// of text reach 5 to 40 times, so what is packed more tightly was made to fill a disk or to keep a server busy.
const (
	unpackedAnyway = 64 << 20
	unpackedTimes  = 200
)

// decoded is a file as UTF-8, whatever it is packed and encoded in. It is decoded while it is read, so the memory is bounded.
type decoded struct {
	*bufio.Reader
	utf16 bool // the decoder has replaced what is no character by U+FFFD
}

// decode finds out from the first bytes what a file is. It refuses what is no text with ErrFormat, and says how to make a file
// that can be read.
func decode(r io.Reader) (decoded, error) {
	packed := &countedReader{Reader: r}
	input := bufio.NewReader(packed)
	head, err := peek(input)
	if err != nil {
		return decoded{}, err
	}
	if bytes.HasPrefix(head, gzipMagic) {
		unpacked, err := gzip.NewReader(input)
		if err != nil {
			return decoded{}, gzipError(err)
		}
		input = bufio.NewReader(&unpackedReader{Reader: unpacked, packed: packed})
		if head, err = peek(input); err != nil {
			return decoded{}, err
		}
		if bytes.HasPrefix(head, gzipMagic) {
			return decoded{}, fmt.Errorf("%w: it is packed with gzip two times; unpack it with gunzip first", ErrFormat)
		}
	}
	for _, other := range otherFormats {
		if bytes.HasPrefix(head, []byte(other.magic)) {
			return decoded{}, fmt.Errorf("%w: it %s", ErrFormat, other.advice)
		}
	}
	if order, ok := utf16Order(head); ok {
		utf8 := unicode.UTF16(order, unicode.IgnoreBOM).NewDecoder().Reader(input)
		return decoded{Reader: bufio.NewReaderSize(utf8, MaxRecord), utf16: true}, nil
	}
	return decoded{Reader: bufio.NewReaderSize(input, MaxRecord)}, nil
}

var gzipMagic = []byte{0x1f, 0x8b}

const (
	saveAsCSV    = "save the table as CSV (UTF-8) and import that"
	saveAsUTF8   = "save it as UTF-8 and import that"
	unpackFirst  = "unpack it and import the file inside; of packed files only gzip is read"
	savedWebPage = "looks like a web page, not like a table; a download may have ended at a page to sign in"
)

// otherFormats are what people have in place of a text file, by how the file begins.
var otherFormats = []struct{ magic, advice string }{
	{"PK\x03\x04", "looks like an Excel workbook (.xlsx) or a ZIP archive; " + saveAsCSV},
	{"\xd0\xcf\x11\xe0", "looks like an Excel workbook (.xls); " + saveAsCSV},
	{"%PDF", "looks like a PDF document; " + saveAsCSV},
	{"BZh", "looks like a file packed with bzip2; " + unpackFirst},
	{"\xfd7zXZ", "looks like a file packed with xz; " + unpackFirst},
	{"(\xb5/\xfd", "looks like a file packed with zstd; " + unpackFirst},
	{"7z\xbc\xaf", "looks like a 7-Zip archive; " + unpackFirst},
	{"Rar!", "looks like a RAR archive; " + unpackFirst},
	{"<!DOCTYPE", savedWebPage},
	{"<!doctype", savedWebPage},
	{"<html", savedWebPage},
	{"<HTML", savedWebPage},
	{"\xff\xfe\x00\x00", "is UTF-32 text; " + saveAsUTF8},
	{"\x00\x00\xfe\xff", "is UTF-32 text; " + saveAsUTF8},
}

// utf16Order recognizes UTF-16 by its byte order mark. Without one, the first characters of all files that are read here are
// ASCII, so every second byte is zero, and UTF-8 text does not begin with zero bytes.
func utf16Order(head []byte) (unicode.Endianness, bool) {
	zero := func(i int) bool { return head[i] == 0 }
	switch {
	case bytes.HasPrefix(head, []byte{0xff, 0xfe}):
		return unicode.LittleEndian, true
	case bytes.HasPrefix(head, []byte{0xfe, 0xff}):
		return unicode.BigEndian, true
	case len(head) < 4:
		return unicode.LittleEndian, false
	case !zero(0) && zero(1) && !zero(2) && zero(3):
		return unicode.LittleEndian, true
	case zero(0) && !zero(1) && zero(2) && !zero(3):
		return unicode.BigEndian, true
	}
	return unicode.LittleEndian, false
}

// peek returns the first bytes, fewer if the file is shorter. An error after some bytes is returned again by the next read.
func peek(input *bufio.Reader) ([]byte, error) {
	head, err := input.Peek(9)
	if len(head) > 0 || err == io.EOF {
		return head, nil
	}
	return nil, err
}

// countedReader counts the bytes, and returns an error again whenever it is read after it.
type countedReader struct {
	io.Reader
	bytes int64
	err   error
}

func (c *countedReader) Read(p []byte) (n int, err error) {
	if c.err == nil {
		n, c.err = c.Reader.Read(p)
		c.bytes += int64(n)
	}
	return n, c.err
}

// unpackedReader unpacks a gzip file, and refuses one that is damaged or grows too much.
type unpackedReader struct {
	*gzip.Reader
	packed *countedReader
	bytes  int64
}

func (u *unpackedReader) Read(p []byte) (int, error) {
	n, err := u.Reader.Read(p)
	u.bytes += int64(n)
	if u.bytes > unpackedAnyway && u.bytes/unpackedTimes > u.packed.bytes {
		return 0, fmt.Errorf("%w: unpacked with gzip, it is more than %d times as large; if that is meant, unpack it with gunzip and "+
			"import the file inside", ErrFormat, unpackedTimes)
	}
	return n, gzipError(err)
}

// gzipError puts an error of the gzip format into words.
func gzipError(err error) error {
	var corrupt flate.CorruptInputError
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%w: it is packed with gzip and its end is missing; copy or download it again", ErrFormat)
	case errors.Is(err, gzip.ErrHeader), errors.Is(err, gzip.ErrChecksum), errors.As(err, &corrupt):
		return fmt.Errorf("%w: it is packed with gzip and damaged; copy or download it again", ErrFormat)
	}
	return err
}

// withoutMarks removes byte order marks from the beginning of a file. Two programs in a row may each have written one.
func withoutMarks(s string) string { return strings.TrimLeft(s, "\ufeff") }
