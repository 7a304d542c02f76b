package lint

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"ariga.io/atlas/sql/migrate"
	"github.com/jackc/pgx/v5/pgconn"

	"docket/internal/schema/scratch"
)

// file is a migration or a down file.
type file struct {
	*migrate.LocalFile
	path          string // within the directory
	statements    []*migrate.Stmt
	transactional bool
}

// readFiles parses the migrations, in the order of their versions.
func readFiles(migrations fs.FS) ([]*file, error) {
	names, err := fs.Glob(migrations, "*.sql") // sorted
	if err != nil {
		return nil, fmt.Errorf("list migrations: %w", err)
	}
	files := make([]*file, 0, len(names))
	for _, name := range names {
		f, err := readFile(migrations, name)
		if err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	return files, nil
}

func readFile(migrations fs.FS, name string) (*file, error) {
	text, err := fs.ReadFile(migrations, name)
	if err != nil {
		return nil, fmt.Errorf("read migration: %w", err)
	}
	local := migrate.NewLocalFile(path.Base(name), text)
	statements, err := scratch.Statements(string(text))
	if err != nil {
		return nil, fmt.Errorf("migration %s: split into statements: %w", name, err)
	}
	return &file{
		LocalFile: local, path: name, statements: statements,
		transactional: !slices.Contains(local.Directive("txmode"), "none"),
	}, nil
}

func (f *file) version() string { return f.Version() }

// line counts from 1.
func (f *file) line(stmt *migrate.Stmt) int {
	return 1 + strings.Count(string(f.Bytes()[:stmt.Pos]), "\n")
}

// waives reports whether "-- atlas:nolint" at the top of the file or above the statement waives a finding. Without names it
// waives all of them, else those of the named analyzers and codes.
func (f *file) waives(stmt *migrate.Stmt, code, analyzer string) bool {
	directives := f.Directive("nolint")
	if stmt != nil {
		directives = append(directives, stmt.Directive("nolint")...)
	}
	for _, d := range directives {
		names := strings.Fields(d)
		if len(names) == 0 || slices.Contains(names, code) || slices.Contains(names, analyzer) {
			return true
		}
	}
	return false
}

// cannotRun is the problem of a statement that PostgreSQL refused.
func (f *file) cannotRun(code string, line int, err error) *problem {
	p := &problem{file: f, atLine: line, code: code, text: "This statement cannot run: " + err.Error()}
	var refused *pgconn.PgError
	if errors.As(err, &refused) {
		p.text = fmt.Sprintf("This statement cannot run: %s (SQLSTATE %s)", refused.Message, refused.Code)
		if refused.Detail != "" {
			p.text += ": " + strings.ReplaceAll(refused.Detail, "\n", "; ")
		}
		p.instead, p.refusal = refusals[refused.Code], refused.Code
	}
	return p
}

// refusals say what to do about a statement that failed, by SQLSTATE.
var refusals = map[string]string{
	"25001": "it cannot run inside a transaction: move it to a file of its own that begins with " +
		"\"-- atlas:txmode none\" and an empty line",
	"55P04": "a new enum value can be used once it is committed: add it in a file of its own, with an earlier version",
	"2BP01": "drop the objects that depend on it first, by name, and create them again afterwards; CASCADE would also drop " +
		"objects that only other databases have",
	"0A000": "if a view reads the column, drop the view first and create it again afterwards",
}

// problem is a finding whose severity is not decided yet.
type problem struct {
	file    *file
	stmt    *migrate.Stmt // nil for a problem of the whole file
	atLine  int           // when stmt is nil; 0 is the first
	code    string
	text    string
	instead string // empty: that of the rule
	refusal string // SQLSTATE of a statement that cannot run
}

func (p *problem) line() int {
	if p.stmt == nil {
		return max(p.atLine, 1)
	}
	return p.file.line(p.stmt)
}

// Selection selects the files to check. As with Atlas, all files after the first selected one are selected too. The zero value
// selects all.
type Selection struct {
	latest int
	known  []string // names of files that are not checked; nil when unused
}

// Latest selects the last n files.
func Latest(n int) Selection { return Selection{latest: n} }

// Except selects the first file that is not among the names, and all after it.
func Except(names []string) Selection { return Selection{known: append([]string{}, names...)} }

func (s Selection) split(files []*file) (before, selected []*file) {
	at := 0
	switch {
	case s.known != nil:
		at = slices.IndexFunc(files, func(f *file) bool { return !slices.Contains(s.known, f.Name()) })
		if at < 0 {
			at = len(files)
		}
	case s.latest > 0:
		at = max(0, len(files)-s.latest)
	}
	return files[:at], files[at:]
}

// NotInCommit selects the files of the migrations directory dir, in a git work tree, that a commit, branch or tag does not have.
func NotInCommit(ctx context.Context, dir, commit string) (Selection, error) {
	// --end-of-options: a name that begins with a dash is not an option.
	list := exec.CommandContext(ctx, "git", "-C", dir, "ls-tree", "--name-only", "-z", "--end-of-options", commit, "./")
	var stderr strings.Builder
	list.Stderr = &stderr
	out, err := list.Output()
	if err != nil {
		return Selection{}, fmt.Errorf("list the migrations of %s that are in commit %q: %w: %s; "+
			"fetch it or name another", filepath.Clean(dir), commit, err, strings.TrimSpace(stderr.String()))
	}
	return Except(strings.Split(string(out), "\x00")), nil
}
