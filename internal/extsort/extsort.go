// Package extsort sorts more records than fit into memory, with temporary files.
package extsort

import (
	"bufio"
	"bytes"
	"container/heap"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"slices"
)

// recordOverhead is about what a record takes in memory in addition to its bytes.
const recordOverhead = 32

// Sorter sorts records byte by byte. It is not safe for concurrent use. The caller must close it.
type Sorter struct {
	memory  int
	size    int // of records, with their overhead
	records [][]byte
	runs    []*os.File // each sorted
}

// New returns a Sorter that holds records of about this many bytes in memory.
func New(memory int) *Sorter { return &Sorter{memory: memory} }

// Add adds a record, which the caller must not change afterwards.
func (s *Sorter) Add(record []byte) error {
	s.records = append(s.records, record)
	s.size += len(record) + recordOverhead
	if s.size < s.memory {
		return nil
	}
	return s.spill()
}

// spill writes the records in memory to a file.
func (s *Sorter) spill() (err error) {
	file, err := os.CreateTemp("", "docket-sort-*")
	if err != nil {
		return fmt.Errorf("sort: %w", err)
	}
	// Without a name, the file is deleted even when the process is killed.
	_ = os.Remove(file.Name())
	s.runs = append(s.runs, file)
	slices.SortFunc(s.records, bytes.Compare)
	out := bufio.NewWriter(file)
	for _, record := range s.records {
		var length [binary.MaxVarintLen64]byte
		_, _ = out.Write(length[:binary.PutUvarint(length[:], uint64(len(record)))])
		_, _ = out.Write(record) // Flush returns an earlier error
	}
	s.records, s.size = nil, 0
	if err := out.Flush(); err != nil {
		return fmt.Errorf("sort: %w", err)
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("sort: %w", err)
	}
	return nil
}

// Sorted returns the records in ascending order. It may be called one time, after the last Add.
func (s *Sorter) Sorted() iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		if len(s.records) > 0 {
			if err := s.spill(); err != nil {
				yield(nil, err)
				return
			}
		}
		var open merge
		for _, file := range s.runs {
			r := &run{in: bufio.NewReader(file)}
			if err := r.next(); err != nil {
				yield(nil, err)
				return
			}
			open = append(open, r)
		}
		heap.Init(&open)
		for len(open) > 0 {
			if !yield(open[0].first, nil) {
				return
			}
			switch err := open[0].next(); {
			case errors.Is(err, io.EOF):
				heap.Pop(&open)
			case err != nil:
				yield(nil, err)
				return
			default:
				heap.Fix(&open, 0)
			}
		}
	}
}

// Close deletes the temporary files.
func (s *Sorter) Close() error {
	var errs []error
	for _, file := range s.runs {
		errs = append(errs, file.Close())
	}
	s.runs, s.records = nil, nil
	return errors.Join(errs...)
}

// run is a sorted file, of which the first record is read.
type run struct {
	in    *bufio.Reader
	first []byte
}

// next reads the next record, or returns io.EOF after the last one.
func (r *run) next() error {
	length, err := binary.ReadUvarint(r.in)
	if errors.Is(err, io.EOF) {
		return io.EOF
	}
	if err != nil {
		return fmt.Errorf("sort: %w", err)
	}
	r.first = make([]byte, length)
	if _, err := io.ReadFull(r.in, r.first); err != nil {
		return fmt.Errorf("sort: %w", err)
	}
	return nil
}

// merge is a heap of runs by their first record.
type merge []*run

func (m merge) Len() int           { return len(m) }
func (m merge) Less(i, j int) bool { return bytes.Compare(m[i].first, m[j].first) < 0 }
func (m merge) Swap(i, j int)      { m[i], m[j] = m[j], m[i] }
func (m *merge) Push(x any)        { *m = append(*m, x.(*run)) }
func (m *merge) Pop() any {
	old := *m
	last := old[len(old)-1]
	*m = old[:len(old)-1]
	return last
}
