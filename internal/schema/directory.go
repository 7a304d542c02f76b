package schema

import (
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"strings"

	"ariga.io/atlas/sql/migrate"
	"ariga.io/atlas/sql/postgres"
)

// ErrChecksum says that atlas.sum does not fit the files beside it.
var ErrChecksum = errors.New("migrations do not match atlas.sum")

var (
	fileName = regexp.MustCompile(`^\d{14}_[a-z0-9_]+\.sql$`)
	// A COMMIT inside the file would end the transaction the file runs in.
	transactionControl = regexp.MustCompile(`(?i)^(begin|start\s+transaction|commit|end|rollback|abort|prepare\s+transaction)\b`)
	// Atlas heeds a directive only if an empty line sets it apart.
	txModeLine = regexp.MustCompile(`(?m)^--\s*atlas:txmode\b`)
)

// directory is the migrations in memory, as Atlas's executor wants them.
type directory struct {
	*migrate.MemDir
	files []*file
}

// file is one migration, taken apart.
type file struct {
	*migrate.LocalFile
	hash          string // as atlas.sum has it: over this file and all before it
	statements    []*migrate.Stmt
	transactional bool
}

// Validate checks a migrations directory: atlas.sum fits the files, names are
// VERSION_name.sql with distinct versions, each file can be taken apart into
// statements, and none ends the transaction it runs in.
func Validate(migrations fs.FS) error {
	_, err := readDirectory(migrations)
	return err
}

// Hash rewrites atlas.sum in the directory at path, after a file was written
// or changed by hand. The files are checked as Validate does, before anything
// is written.
func Hash(path string) error {
	local, err := migrate.NewLocalDir(path)
	if err != nil {
		return fmt.Errorf("hash migrations: %w", err)
	}
	sum, err := local.Checksum()
	if err != nil {
		return fmt.Errorf("hash migrations: %w", err)
	}
	if _, err := readFiles(local, sum); err != nil {
		return err
	}
	if err := migrate.WriteSumFile(local, sum); err != nil {
		return fmt.Errorf("write atlas.sum: %w", err)
	}
	return nil
}

func readDirectory(migrations fs.FS) (*directory, error) {
	names, err := fs.Glob(migrations, "*.sql")
	if err != nil {
		return nil, fmt.Errorf("list migrations: %w", err)
	}
	if len(names) == 0 {
		return nil, errors.New("list migrations: the directory holds no .sql file")
	}
	mem := &migrate.MemDir{}
	for _, name := range append(names, migrate.HashFileName) {
		content, err := fs.ReadFile(migrations, name)
		if errors.Is(err, fs.ErrNotExist) && name == migrate.HashFileName {
			continue // reported by checkSum
		}
		if err != nil {
			return nil, fmt.Errorf("read migration: %w", err)
		}
		if err := mem.WriteFile(name, content); err != nil {
			return nil, fmt.Errorf("read migration %s: %w", name, err)
		}
	}
	if err := checkSum(mem); err != nil {
		return nil, err
	}
	sum, err := mem.Checksum()
	if err != nil {
		return nil, fmt.Errorf("hash migrations: %w", err)
	}
	files, err := readFiles(mem, sum)
	if err != nil {
		return nil, err
	}
	return &directory{MemDir: mem, files: files}, nil
}

func checkSum(dir migrate.Dir) error {
	err := migrate.Validate(dir)
	if err == nil {
		return nil
	}
	what := err.Error()
	var sum *migrate.ChecksumError
	if errors.As(err, &sum) {
		what = fmt.Sprintf("%s was %s", sum.File, sum.Reason)
	}
	return fmt.Errorf(`%w: %s; if that was meant and no database has it yet, run "docket migrate hash"`, ErrChecksum, what)
}

// readFiles takes the files of dir apart, in the order of their versions.
func readFiles(dir migrate.Dir, sum migrate.HashFile) ([]*file, error) {
	all, err := dir.Files()
	if err != nil {
		return nil, fmt.Errorf("read migrations: %w", err)
	}
	files := make([]*file, 0, len(all))
	for i, f := range all {
		parsed, err := readFile(f, sum)
		if err != nil {
			return nil, fmt.Errorf("migration %s: %w", f.Name(), err)
		}
		if i > 0 && all[i-1].Version() == f.Version() {
			return nil, fmt.Errorf("migration %s: has the same version as %s; give one of them a later version",
				f.Name(), all[i-1].Name())
		}
		files = append(files, parsed)
	}
	return files, nil
}

func readFile(f migrate.File, sum migrate.HashFile) (*file, error) {
	if !fileName.MatchString(f.Name()) {
		return nil, errors.New("rename it to YYYYMMDDHHMMSS_name.sql, the name in lower case")
	}
	// The executor takes a file apart by the rules of its database only when it is of this type.
	local, ok := f.(*migrate.LocalFile)
	if !ok {
		return nil, fmt.Errorf("unexpected type %T", f)
	}
	hash, err := sum.SumByName(f.Name())
	if err != nil {
		return nil, fmt.Errorf("%w: every file needs a checksum, so leave out atlas:sum", err)
	}
	statements, err := (&postgres.Driver{}).ScanStmts(string(f.Bytes()))
	if err != nil {
		return nil, fmt.Errorf("take apart into statements: %w", err)
	}
	transactional, err := transactionMode(local)
	if err != nil {
		return nil, err
	}
	for _, s := range statements {
		if transactional && transactionControl.MatchString(s.Text) {
			line := 1 + strings.Count(string(f.Bytes()[:s.Pos]), "\n")
			return nil, fmt.Errorf("line %d: a migration runs in a transaction of its own; remove %q", line, s.Text)
		}
	}
	return &file{LocalFile: local, hash: hash, statements: statements, transactional: transactional}, nil
}

func transactionMode(f *migrate.LocalFile) (transactional bool, err error) {
	modes := f.Directive("txmode")
	if len(modes) == 0 && txModeLine.Match(f.Bytes()) {
		return false, errors.New("put atlas:txmode at the top of the file and an empty line after it, or Atlas does not see it")
	}
	if len(modes) > 1 {
		return false, errors.New("it has more than one atlas:txmode")
	}
	if len(modes) == 0 || modes[0] == "file" {
		return true, nil
	}
	if modes[0] == "none" {
		return false, nil
	}
	return false, fmt.Errorf("atlas:txmode %q is not known; use none or file", modes[0])
}
