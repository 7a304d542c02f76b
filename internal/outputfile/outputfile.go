// Package outputfile writes the result of a long command to a file that appears only when it is complete.
package outputfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
)

// ErrDirectory means that the name is that of a directory.
var ErrDirectory = errors.New("is a directory")

// File is written under another name in the same directory until Finish renames it, so that an existing file of its name is
// kept until then.
type File struct {
	io.Writer
	draft *os.File // nil when there is nothing to rename or to remove
	name  string
}

// Open opens a file, or standard output for "-". An existing file that is not a regular one, such as a pipe, is written to
// directly.
func Open(name string, stdout io.Writer) (*File, error) {
	if name == "-" {
		return &File{Writer: stdout}, nil
	}
	info, err := os.Stat(name)
	switch {
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return nil, err
	case err == nil && info.IsDir():
		return nil, fmt.Errorf("%s %w", name, ErrDirectory)
	case err == nil && !info.Mode().IsRegular():
		file, err := os.OpenFile(name, os.O_WRONLY, 0)
		return &File{Writer: file}, err
	case err == nil:
		if name, err = filepath.EvalSymlinks(name); err != nil { // the target of a link is replaced, not the link
			return nil, err
		}
	}
	draft := fmt.Sprintf("%s.%08x.part", name, rand.Uint32())
	file, err := os.OpenFile(draft, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return nil, err
	}
	return &File{Writer: file, draft: file, name: name}, nil
}

// Finish gives the file its name.
func (f *File) Finish() error {
	if f.draft == nil {
		return nil
	}
	if err := errors.Join(f.draft.Sync(), f.draft.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.draft.Name(), f.name); err != nil {
		return err
	}
	f.draft = nil
	return nil
}

// Abandon removes a file that was not finished.
func (f *File) Abandon() error {
	if f.draft == nil {
		return nil
	}
	_ = f.draft.Close()
	return os.Remove(f.draft.Name())
}
