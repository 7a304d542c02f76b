package imports

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"os"
)

// spool is a temporary file of records. An import writes the accepted rows of its file there, before it stores any, because the
// file may be standard input, and all of it must be checked before the first write of a strict import. Memory does not grow
// with it.
type spool struct {
	file *os.File
	w    *bufio.Writer
	size int64
}

// openSpool makes a spool in the directory for temporary files. The file has no name any more, so that nothing is left of it when
// the process ends in any way.
func openSpool() (*spool, error) {
	file, err := os.CreateTemp("", "docket-import-")
	if err != nil {
		return nil, fmt.Errorf("make a temporary file for the rows (TMPDIR names its directory): %w", err)
	}
	if err := os.Remove(file.Name()); err != nil {
		_ = file.Close()
		return nil, err
	}
	return &spool{file: file, w: bufio.NewWriterSize(file, readAhead)}, nil
}

func (s *spool) close() { _ = s.file.Close() }

// headBytes is the size of the number before a record: the size of the record.
const headBytes = 4

// add appends a record of numbers and texts, and returns its offset.
func (s *spool) add(numbers []*int64, texts []*string) (offset int64, err error) {
	var record []byte
	for _, n := range numbers {
		record = binary.AppendVarint(record, *n)
	}
	for _, text := range texts {
		record = binary.AppendUvarint(record, uint64(len(*text)))
		record = append(record, *text...)
	}
	offset = s.size
	s.size += headBytes + int64(len(record))
	_, err = s.w.Write(binary.BigEndian.AppendUint32(nil, uint32(len(record))))
	if err == nil {
		_, err = s.w.Write(record)
	}
	return offset, s.wrap(err)
}

// flush must be called between the last add and the first read.
func (s *spool) flush() error { return s.wrap(s.w.Flush()) }

func (s *spool) wrap(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("write the rows into a temporary file (TMPDIR names its directory): %w", err)
}

// readAhead is how many bytes of a spool are written, or read in order, at once. Single records are read by fewer.
const (
	readAhead  = 256 << 10
	readSingle = 4 << 10
)

// spoolReader reads records by their offset.
type spoolReader struct {
	*spool
	ahead int
	at    int64 // of the buffer
	buf   []byte
}

func (s *spool) reader(ahead int) *spoolReader { return &spoolReader{spool: s, ahead: ahead} }

// read decodes the record at an offset into numbers and texts, and returns the offset of the next one.
func (r *spoolReader) read(offset int64, numbers []*int64, texts []*string) (next int64, err error) {
	head, err := r.bytes(offset, headBytes)
	if err != nil {
		return 0, err
	}
	size := int64(binary.BigEndian.Uint32(head))
	record, err := r.bytes(offset+headBytes, size)
	if err != nil {
		return 0, err
	}
	for _, n := range numbers {
		value, length := binary.Varint(record)
		*n, record = value, record[length:]
	}
	for _, text := range texts {
		size, length := binary.Uvarint(record)
		*text, record = string(record[length:length+int(size)]), record[length+int(size):]
	}
	return offset + headBytes + size, nil
}

// bytes returns a part of the spool, valid until the next call.
func (r *spoolReader) bytes(offset, size int64) ([]byte, error) {
	if offset < r.at || offset+size > r.at+int64(len(r.buf)) {
		length := min(max(size, int64(r.ahead)), r.size-offset)
		if int64(cap(r.buf)) < length {
			r.buf = make([]byte, length)
		}
		r.buf, r.at = r.buf[:length], offset
		if _, err := r.file.ReadAt(r.buf, offset); err != nil && err != io.EOF {
			r.buf = r.buf[:0]
			return nil, fmt.Errorf("read the rows from a temporary file: %w", err)
		}
	}
	from := offset - r.at
	return r.buf[from : from+size], nil
}
