package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
)

// outputFile is where the result of a long command goes. A regular file is there when it is whole, and not before: until then
// it is written under another name in the same directory, which a file of that name outlives.
type outputFile struct {
	io.Writer
	draft *os.File // nil when there is nothing to rename, nor to remove
	name  string
}

// openOutput opens a file, or standard output for "-". What is there and is no regular file, such as a pipe, is written to.
func openOutput(name string, stdout io.Writer) (*outputFile, error) {
	if name == "-" {
		return &outputFile{Writer: stdout}, nil
	}
	info, err := os.Stat(name)
	switch {
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return nil, err
	case err == nil && info.IsDir():
		return nil, usageError{fmt.Errorf("%s is a directory", name)}
	case err == nil && !info.Mode().IsRegular():
		file, err := os.OpenFile(name, os.O_WRONLY, 0)
		return &outputFile{Writer: file}, err
	case err == nil:
		if name, err = filepath.EvalSymlinks(name); err != nil { // what it points to is replaced, not the link
			return nil, err
		}
	}
	draft := fmt.Sprintf("%s.%08x.part", name, rand.Uint32())
	file, err := os.OpenFile(draft, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return nil, err
	}
	return &outputFile{Writer: file, draft: file, name: name}, nil
}

// finish puts a file in its place.
func (o *outputFile) finish() error {
	if o.draft == nil {
		return nil
	}
	if err := errors.Join(o.draft.Sync(), o.draft.Close()); err != nil {
		return err
	}
	if err := os.Rename(o.draft.Name(), o.name); err != nil {
		return err
	}
	o.draft = nil
	return nil
}

// abandon removes what was not finished.
func (o *outputFile) abandon() error {
	if o.draft == nil {
		return nil
	}
	_ = o.draft.Close()
	return os.Remove(o.draft.Name())
}

func writeJSON(out io.Writer, v any) error {
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	return encoder.Encode(v)
}

// writeJSONLine is for output of unknown length.
func writeJSONLine(out io.Writer, v any) error { return json.NewEncoder(out).Encode(v) }

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
