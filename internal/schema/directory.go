package schema

import (
	"bytes"
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
	"docket/internal/schema/sqltext"
)

// ErrChecksum means that atlas.sum does not match the files next to it.
var ErrChecksum = errors.New("migrations do not match atlas.sum")

var (
	fileName = regexp.MustCompile(`^\d{14}_[a-z0-9_]+\.sql$`)
	// Atlas obeys a directive only when an empty line follows it.
	txModeLine = regexp.MustCompile(`(?m)^--\s*atlas:txmode\b`)
	mergeLine  = regexp.MustCompile(`(?m)^(<{7}|={7}|>{7})`)
)

// downDir holds the files that undo the migrations, under the same names, with an atlas.sum of their own. The Atlas command
// does not read it.
const downDir = "down"

// directory is the migrations in memory, as Atlas's executor requires them.
type directory struct {
	*migrate.MemDir
	files []*file          // at least one, oldest first
	downs map[string]*file // by version, each of one of files
}

// index is the index of a version in files, -1 when there is none.
func (d *directory) index(version string) int {
	return slices.IndexFunc(d.files, func(f *file) bool { return f.Version() == version })
}

// latest is the version of the last file.
func (d *directory) latest() string { return d.files[len(d.files)-1].Version() }

func (d *directory) unknownVersion(version string) error {
	return fmt.Errorf("no migration has version %q; the first is %s, the last %s", version, d.files[0].Version(), d.latest())
}

// file is a migration or a down file, with its statements.
type file struct {
	*migrate.LocalFile
	path          string // within the directory of the migrations
	hash          string // from atlas.sum, of this file and all before it
	statements    []*migrate.Stmt
	transactional bool
}

func (f *file) line(pos int) int { return 1 + strings.Count(string(f.Bytes()[:pos]), "\n") }

// mustHaveStatements refuses a file that was never filled in.
func (f *file) mustHaveStatements(advice Advice) error {
	for _, s := range f.statements {
		if sqltext.SkipBlank(s.Text) != "" { // Atlas counts a comment at the end of a file as a statement
			return nil
		}
	}
	return fmt.Errorf("migration %s: holds no statement; write it (SELECT 1 where nothing is to be done) or delete it, then run %s",
		f.path, advice.command("migrate hash"))
}

// Validate checks a migrations directory. atlas.sum matches the files, names are VERSION_name.sql with distinct versions, and
// each file has at least one statement. Each statement can be sent to a server, and none begins or ends a transaction. The
// same holds for down/, which must have a file of the same name for each migration.
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

// CheckDirectory makes the checks of Validate on the files that exist. Missing down files and files without statements are
// not errors.
func CheckDirectory(migrations fs.FS, advice Advice) error {
	_, err := readDirectory(migrations, advice)
	return err
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

// readSummed reads the files of one folder and validates them against its atlas.sum. An empty or missing folder has none.
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
	// Before checkSum: after a merge of two branches, its advice to write a new atlas.sum would not help.
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

// checkDowns refuses a down file without a migration and one that cannot run.
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
			return fmt.Errorf("migration %s: a down file runs in one transaction; remove atlas:txmode", down.path)
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
		return fmt.Errorf("%w: %s holds conflict markers of a merge; put the migration that no database has yet after the last one: "+
			"run %s, which writes atlas.sum anew; if they are in order as they are, run %s", ErrChecksum,
			path.Join(at, migrate.HashFileName), advice.command("migrate rebase FILE"), advice.command("migrate hash"))
	}
	what := err.Error()
	var sum *migrate.ChecksumError
	if errors.As(err, &sum) {
		what = fmt.Sprintf("%s was %s", path.Join(at, sum.File), sum.Reason)
	}
	return fmt.Errorf("%w: %s; if that was meant and no database has it yet, run %s; otherwise restore the files",
		ErrChecksum, what, advice.command("migrate hash"))
}

// merging reports whether atlas.sum holds conflict markers of git. Two branches that both add a migration conflict there.
func merging(dir migrate.Dir) bool {
	sum, err := dir.Open(migrate.HashFileName)
	if err != nil {
		return false
	}
	defer func() { _ = sum.Close() }()
	text, err := io.ReadAll(sum)
	return err == nil && mergeLine.Match(text)
}

// readFiles parses the files of dir, in the order of their versions.
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
	// The executor splits a file by the rules of its database only when it has this type.
	local, ok := f.(*migrate.LocalFile)
	if !ok {
		return nil, fmt.Errorf("unexpected type %T", f)
	}
	hash, err := sum.SumByName(f.Name())
	if err != nil {
		return nil, fmt.Errorf("%w: every file needs a checksum, so remove atlas:sum", err)
	}
	statements, err := scratch.Statements(string(f.Bytes()))
	if err != nil {
		return nil, fmt.Errorf("split into statements: %w", err)
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
		if !controlsTransaction(s.Text) {
			continue
		}
		why := "a migration runs in a transaction of its own"
		if !transactional { // an interrupted transaction would roll back statements that are recorded as done
			why = "with atlas:txmode none each statement is recorded when it is done, and must be a transaction of its own"
		}
		return nil, fmt.Errorf("line %d: %s; remove %q", parsed.line(s.Pos), why, s.Text)
	}
	return parsed, nil
}

// controlsTransaction reports whether a statement begins or ends a transaction. COMMIT inside a file would end the transaction
// that the file runs in. BEGIN without COMMIT would roll back statements that are recorded as done.
func controlsTransaction(text string) bool {
	switch sqltext.Keyword(text) {
	case "begin", "start", "commit", "end", "rollback", "abort", "prepare":
		statement, err := sqltext.Parse(text)
		return err != nil || statement.ControlsTransaction()
	}
	return false
}

func transactionMode(f *migrate.LocalFile) (transactional bool, err error) {
	modes := f.Directive("txmode")
	if len(modes) == 0 && bytes.Contains(f.Bytes(), []byte("atlas:txmode")) && txModeLine.Match(f.Bytes()) {
		return false, errors.New("put atlas:txmode at the top of the file with an empty line after it; Atlas ignores it otherwise")
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
