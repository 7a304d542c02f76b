package csvfile

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Lines reads a text file by lines. A line may be longer than MaxRecord.
type Lines struct {
	input *bufio.Reader
	next  int64 // the number of the next line
}

// NewLines returns a reader of the lines of r.
func NewLines(r io.Reader) Lines {
	return Lines{input: bufio.NewReaderSize(r, MaxRecord), next: 1}
}

// Line is a line of a file with its line break.
type Line struct {
	Number  int64
	Text    string
	TooLong bool // Text is only the beginning of the line
}

// Read returns the next line, or io.EOF after the last one.
func (f *Lines) Read() (Line, error) {
	text, err := f.input.ReadSlice('\n')
	line := Line{Number: f.next, Text: string(text)}
	f.next++
	if line.Number == 1 {
		line.Text = strings.TrimPrefix(line.Text, "\ufeff")
	}
	if errors.Is(err, bufio.ErrBufferFull) {
		line.TooLong = true
		line.Text = line.Text[:1000]
		for errors.Is(err, bufio.ErrBufferFull) {
			_, err = f.input.ReadSlice('\n')
		}
	}
	switch {
	case err == nil:
		return line, nil
	case err != io.EOF:
		return Line{}, fmt.Errorf("read line %d: %w", line.Number, err)
	case len(text) == 0:
		return Line{}, io.EOF
	default:
		return line, nil
	}
}
