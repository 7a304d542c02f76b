package csvfile

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// Lines reads a text file by lines, which end in LF, CR or CR LF, as editors count them. The text may be UTF-8 or UTF-16, and
// packed with gzip.
type Lines struct {
	input  io.Reader
	text   decoded // set by the first read
	next   int64   // the number of the next line
	skipLF bool    // the previous line ended in CR: an LF belongs to it
	err    error   // of the first read
}

// NewLines returns a reader of the lines of r.
func NewLines(r io.Reader) Lines { return Lines{input: r, next: 1} }

// Line is a line of a file. Its line break, if it has one, is LF.
type Line struct {
	Number  int64
	Text    string
	TooLong bool // Text is only the beginning of the line, which is longer than MaxRecord

	damaged bool // the text of a UTF-16 file has bytes that are no character
}

// Defect returns what is wrong with the text, whatever its format is.
func (l Line) Defect() *Defect {
	switch {
	case l.TooLong:
		return l.defect(reasonTooLong)
	case l.damaged:
		return l.defect(reasonDamaged)
	case !utf8.ValidString(l.Text):
		return l.defect(reasonEncoding)
	case strings.ContainsRune(l.Text, 0):
		return l.defect(reasonNUL)
	}
	return nil
}

func (l Line) defect(reason string) *Defect {
	return NewDefect("", strings.ToValidUTF8(strings.TrimSuffix(l.Text, "\n"), "\ufffd"), reason)
}

// Read returns the next line, or io.EOF after the last one. Any other error concerns the file; it is an ErrFormat unless the file
// cannot be read.
func (f *Lines) Read() (Line, error) {
	if f.input != nil {
		f.text, f.err = decode(f.input)
		f.input = nil
	}
	if f.err != nil {
		return Line{}, fmt.Errorf("read line %d: %w", f.next, f.err)
	}
	line := Line{Number: f.next}
	var err error
	if line.Text, line.TooLong, err = f.readText(); err != nil && err != io.EOF {
		return Line{}, fmt.Errorf("read line %d: %w", line.Number, err)
	}
	if line.Text == "" {
		return Line{}, io.EOF
	}
	if line.Number == 1 {
		line.Text = withoutMarks(line.Text)
	}
	line.damaged = f.text.utf16 && strings.ContainsRune(line.Text, utf8.RuneError)
	f.next++
	return line, nil
}

// readText returns a line with its line break as LF, or the beginning of one that is too long. The text is empty at the end of
// the file.
func (f *Lines) readText() (text string, tooLong bool, err error) {
	part, ended, err := f.readPart()
	if !ended && err == nil {
		const shown = 1000
		text, tooLong = string(part[:shown]), true
		for !ended && err == nil {
			_, ended, err = f.readPart()
		}
		return text, tooLong, err
	}
	if ended {
		return string(part) + "\n", false, nil
	}
	return string(part), false, err
}

// readPart returns a line without its line break, or as much of it as fits into the buffer. The part is valid until the next
// read. ended reports whether there was a line break.
func (f *Lines) readPart() (part []byte, ended bool, err error) {
	if f.skipLF {
		f.skipLF = false
		if head, _ := f.text.Peek(1); len(head) == 1 && head[0] == '\n' {
			f.discard(1)
		}
	}
	for err == nil {
		searched := len(part)
		_, err = f.text.Peek(searched + 1) // reads when no more is buffered
		part, _ = f.text.Peek(f.text.Buffered())
		if i := bytes.IndexAny(part[searched:], "\r\n"); i >= 0 {
			end := searched + i
			f.skipLF = part[end] == '\r'
			f.discard(end + 1)
			return part[:end], true, nil
		}
	}
	f.discard(len(part))
	if err == bufio.ErrBufferFull {
		err = nil
	}
	return part, false, err
}

// discard skips bytes that are buffered, which cannot fail.
func (f *Lines) discard(n int) { _, _ = f.text.Discard(n) }
