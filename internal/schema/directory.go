package schema

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"ariga.io/atlas/sql/migrate"

	"docket/internal/schema/scratch"
)

// ErrChecksum says that atlas.sum does not fit the files beside it.
var ErrChecksum = errors.New("migrations do not match atlas.sum")

var (
	fileName = regexp.MustCompile(`^\d{14}_[a-z0-9_]+\.sql$`)
	// A COMMIT inside the file would end the transaction the file runs in, and a BEGIN without one undo what is on record.
	transactionControl = regexp.MustCompile(`(?i)^(begin|start\s+transaction|commit|end|rollback|abort|prepare\s+transaction)\b`)
	// A comment at the end of a file counts as a statement of it.
	emptyStatement = regexp.MustCompile(`^(--[^\n]*(\n|$)|[\s;])*$`)
	// Atlas heeds a directive only if an empty line sets it apart.
	txModeLine = regexp.MustCompile(`(?m)^--\s*atlas:txmode\b`)
	mergeMark  = regexp.MustCompile(`(?m)^(<{7}|={7}|>{7})`)
)

// downDir holds what undoes each migration: files of the same names with an atlas.sum of their own. The Atlas command
// reads the directory above only, and does not see them.
const downDir = "down"

// directory is the migrations in memory, as Atlas's executor wants them.
type directory struct {
	*migrate.MemDir
	files []*file          // never none, oldest first
	downs map[string]*file // by version; each belongs to one of files
}

// index is the place of a version in files, -1 when there is none.
func (d *directory) index(version string) int {
	return slices.IndexFunc(d.files, func(f *file) bool { return f.Version() == version })
}

// latest is the version of the last file.
func (d *directory) latest() string { return d.files[len(d.files)-1].Version() }

func (d *directory) unknown(version string) error {
	return fmt.Errorf("no migration has version %q; the first is %s, the last %s", version, d.files[0].Version(), d.latest())
}

// file is one migration, or what undoes it, taken apart.
type file struct {
	*migrate.LocalFile
	path          string // within the directory of the migrations
	hash          string // as atlas.sum has it: over this file and all before it
	statements    []*migrate.Stmt
	transactional bool
}

func (f *file) line(pos int) int { return 1 + strings.Count(string(f.Bytes()[:pos]), "\n") }

// mustHaveStatements keeps a file that nobody has filled in from being taken
// for done.
func (f *file) mustHaveStatements(advice Advice) error {
	for _, s := range f.statements {
		if !emptyStatement.MatchString(s.Text) {
			return nil
		}
	}
	return fmt.Errorf("migration %s: holds no statement; write it (SELECT 1 where nothing is to be done) or delete it, then run %s",
		f.path, advice.command("migrate hash"))
}

// Validate checks a migrations directory: atlas.sum fits the files, names are
// VERSION_name.sql with distinct versions, each file can be taken apart into
// statements and has some, all of which a server takes and none of which begins
// or ends a transaction. The same holds for down/, which has a file of the same name for each migration.
func Validate(migrations fs.FS, advice Advice) error {
	dir, err := readDirectory(migrations, advice)
	if err != nil {
		return err
	}
	var problems []error
	for _, f := range dir.files {
		problems = append(problems, f.mustHaveStatements(advice))
		down, ok := dir.downs[f.Version()]
		if !ok {
			problems = append(problems, fmt.Errorf("migration %s: %s/%[1]s is missing; write there what undoes it, then run %[3]s",
				f.path, downDir, advice.command("migrate hash")))
			continue
		}
		problems = append(problems, down.mustHaveStatements(advice))
	}
	return errors.Join(problems...)
}

func readDirectory(migrations fs.FS, advice Advice) (*directory, error) {
	mem, files, err := readSummed(migrations, "", advice)
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, errors.New("list migrations: the directory holds no .sql file")
	}
	dir := &directory{MemDir: mem, files: files, downs: map[string]*file{}}
	sub, err := fs.Sub(migrations, downDir)
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", downDir, err)
	}
	_, downs, err := readSummed(sub, downDir, advice)
	if err != nil {
		return nil, err
	}
	if err := checkDowns(files, downs, advice); err != nil {
		return nil, err
	}
	for _, f := range downs {
		dir.downs[f.Version()] = f
	}
	return dir, nil
}

// readSummed reads the files of one folder and holds them against its atlas.sum. An empty or missing folder has none.
func readSummed(folder fs.FS, at string, advice Advice) (*migrate.MemDir, []*file, error) {
	names, err := fs.Glob(folder, "*.sql")
	if err != nil {
		return nil, nil, fmt.Errorf("list migrations: %w", err)
	}
	mem := &migrate.MemDir{}
	if len(names) == 0 {
		if _, err := fs.Stat(folder, migrate.HashFileName); errors.Is(err, fs.ErrNotExist) {
			return mem, nil, nil
		}
	}
	for _, name := range names {
		if err := checkName(name); err != nil {
			return nil, nil, fmt.Errorf("migration %q: %w", path.Join(at, name), err)
		}
	}
	for _, name := range append(names, migrate.HashFileName) {
		content, err := fs.ReadFile(folder, name)
		if errors.Is(err, fs.ErrNotExist) && name == migrate.HashFileName {
			continue // reported by checkSum
		}
		if err != nil {
			return nil, nil, fmt.Errorf("read migration: %w", err)
		}
		if err := mem.WriteFile(name, content); err != nil {
			return nil, nil, fmt.Errorf("read migration %s: %w", path.Join(at, name), err)
		}
	}
	// Two branches that were merged: writing a new atlas.sum, which checkSum would advise, is not the way out.
	if err := checkVersions(names, at, advice); err != nil {
		return nil, nil, err
	}
	if err := checkSum(mem, at, advice); err != nil {
		return nil, nil, err
	}
	sum, err := mem.Checksum()
	if err != nil {
		return nil, nil, fmt.Errorf("hash migrations: %w", err)
	}
	files, err := readFiles(mem, sum, at)
	return mem, files, err
}

// checkVersions refuses two files with one version; names are sorted.
func checkVersions(names []string, at string, advice Advice) error {
	for i := 1; i < len(names); i++ {
		before, _, _ := strings.Cut(names[i-1], "_")
		version, _, _ := strings.Cut(names[i], "_")
		if before == version {
			return fmt.Errorf("migration %s: has the same version as %s; put the one that no database has yet after the last one: run %s",
				path.Join(at, names[i]), names[i-1], advice.command("migrate rebase", names[i]))
		}
	}
	return nil
}

// checkDowns refuses a down file that belongs to no migration or cannot run.
func checkDowns(files, downs []*file, advice Advice) error {
	names := map[string]string{}
	for _, f := range files {
		names[f.Version()] = f.Name()
	}
	for _, down := range downs {
		switch name, ok := names[down.Version()]; {
		case !ok:
			return fmt.Errorf("migration %s: no migration has this version; rename the file or delete it, then run %s",
				down.path, advice.command("migrate hash"))
		case name != down.Name():
			return fmt.Errorf("migration %s: the migration of this version is called %s; rename one of the two, then run %s",
				down.path, name, advice.command("migrate hash"))
		case !down.transactional:
			return fmt.Errorf("migration %s: what undoes a migration runs in one transaction; leave out atlas:txmode", down.path)
		}
	}
	return nil
}

func checkSum(dir migrate.Dir, at string, advice Advice) error {
	err := migrate.Validate(dir)
	if err == nil {
		return nil
	}
	if merging(dir) {
		return fmt.Errorf("%w: %s holds the marks of a merge; put the migration that no database has yet after the last one: "+
			"run %s, which writes atlas.sum anew; if they are in order as they are, run %s", ErrChecksum,
			path.Join(at, migrate.HashFileName), advice.command("migrate rebase FILE"), advice.command("migrate hash"))
	}
	what := err.Error()
	var sum *migrate.ChecksumError
	if errors.As(err, &sum) {
		what = fmt.Sprintf("%s was %s", path.Join(at, sum.File), sum.Reason)
	}
	return fmt.Errorf("%w: %s; if that was meant and no database has it yet, run %s; else put the files back as they were",
		ErrChecksum, what, advice.command("migrate hash"))
}

// merging tells whether git has left both sides of a merge in atlas.sum, which is where two branches with a migration meet.
func merging(dir migrate.Dir) bool {
	sum, err := dir.Open(migrate.HashFileName)
	if err != nil {
		return false
	}
	defer func() { _ = sum.Close() }()
	text, err := io.ReadAll(sum)
	return err == nil && mergeMark.Match(text)
}

// readFiles takes the files of dir apart, in the order of their versions.
func readFiles(dir migrate.Dir, sum migrate.HashFile, at string) ([]*file, error) {
	all, err := dir.Files()
	if err != nil {
		return nil, fmt.Errorf("read migrations: %w", err)
	}
	files := make([]*file, 0, len(all))
	for _, f := range all {
		parsed, err := readFile(f, sum)
		if err != nil {
			return nil, fmt.Errorf("migration %s: %w", path.Join(at, f.Name()), err)
		}
		parsed.path = path.Join(at, f.Name())
		files = append(files, parsed)
	}
	return files, nil
}

func checkName(name string) error {
	if !fileName.MatchString(name) {
		return errors.New("rename it to YYYYMMDDHHMMSS_name.sql, the name in lower case")
	}
	return nil
}

func readFile(f migrate.File, sum migrate.HashFile) (*file, error) {
	if err := checkName(f.Name()); err != nil {
		return nil, err
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
	statements, err := scratch.Statements(string(f.Bytes()))
	if err != nil {
		return nil, fmt.Errorf("take apart into statements: %w", err)
	}
	transactional, err := transactionMode(local)
	if err != nil {
		return nil, err
	}
	parsed := &file{LocalFile: local, hash: hash, statements: statements, transactional: transactional}
	for _, s := range statements {
		if err := scratch.CheckStatement(s.Text); err != nil {
			return nil, fmt.Errorf("line %d: %w", parsed.line(s.Pos), err)
		}
		if !transactionControl.MatchString(s.Text) {
			continue
		}
		why := "a migration runs in a transaction of its own"
		if !transactional { // what a cut-off transaction undid would be on record as done
			why = "with atlas:txmode none each statement is recorded as it is done, and has to be a transaction of its own"
		}
		return nil, fmt.Errorf("line %d: %s; remove %q", parsed.line(s.Pos), why, s.Text)
	}
	return parsed, nil
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
