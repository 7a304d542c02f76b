package embedded

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// minMajor is the oldest version of PostgreSQL that Docket's schema works with.
const minMajor = 15

// Binaries are the PostgreSQL server programs of one version, in one directory.
type Binaries struct {
	Dir   string
	Major int
}

// FindBinaries returns installed server programs that Docket can use. When PG_BINDIR is set, it only searches there.
// Otherwise it searches pg_config's directory, then PATH, then the directories of the packages of Debian, Fedora,
// Homebrew and Postgres.app. Its error says what to install.
func FindBinaries() (Binaries, error) {
	return systemFinder().find(0)
}

func (b Binaries) program(name string) string { return filepath.Join(b.Dir, name) }

// serverPrograms must all be in the directory: distributions install a client without a server in the same directories.
var serverPrograms = []string{"initdb", "postgres", "pg_ctl"}

// packageDirs are patterns of directories in order of preference. Within one pattern the newest version is preferred.
var packageDirs = []string{
	"/usr/lib/postgresql/*/bin",
	"/usr/pgsql-*/bin",
	"/opt/homebrew/opt/postgresql*/bin",
	"/usr/local/opt/postgresql*/bin",
	"/home/linuxbrew/.linuxbrew/opt/postgresql*/bin",
	"/Applications/Postgres.app/Contents/Versions/*/bin",
}

// finder is what the search depends on, so that tests can replace it.
type finder struct {
	root     string // prefix of packageDirs
	getenv   func(string) string
	lookPath func(string) (string, error)
}

func systemFinder() finder {
	return finder{getenv: os.Getenv, lookPath: exec.LookPath}
}

// find returns the first usable binaries. Those of the version prefer come before all others; 0 prefers none.
func (f finder) find(prefer int) (Binaries, error) {
	if dir := f.getenv("PG_BINDIR"); dir != "" {
		b, err := inspect(dir)
		if err != nil {
			return Binaries{}, fmt.Errorf("PG_BINDIR=%s is not usable: %w", dir, err)
		}
		if b.Major < minMajor {
			return Binaries{}, fmt.Errorf("PG_BINDIR=%s holds PostgreSQL %d, but Docket needs %d or newer", dir, b.Major, minMajor)
		}
		return b, nil
	}
	var usable, old []Binaries
	for _, b := range f.installed() {
		switch {
		case b.Major < minMajor:
			old = append(old, b)
		case b.Major == prefer:
			return b, nil
		default:
			usable = append(usable, b)
		}
	}
	if len(usable) > 0 {
		return usable[0], nil
	}
	return Binaries{}, missingError(old)
}

func missingError(old []Binaries) error {
	var msg strings.Builder
	msg.WriteString("no usable PostgreSQL server programs (" + strings.Join(serverPrograms, ", ") + ") found")
	for _, b := range old {
		fmt.Fprintf(&msg, "; PostgreSQL %d in %s is too old", b.Major, b.Dir)
	}
	fmt.Fprintf(&msg, `. Docket needs version %d or newer:
  Debian, Ubuntu:  apt-get install postgresql
  Fedora, RHEL:    dnf install postgresql-server
  macOS:           brew install postgresql@17
or set PG_BINDIR to the directory that holds them, or set DATABASE_URL to use a server that already runs`, minMajor)
	return errors.New(msg.String())
}

// installed lists the complete installations in order of preference, without repeats.
func (f finder) installed() []Binaries {
	var found []Binaries
	add := func(dirs ...string) {
		var group []Binaries
		for _, dir := range dirs {
			b, err := inspect(dir)
			seen := func(other Binaries) bool { return other.Dir == b.Dir }
			if err == nil && !slices.ContainsFunc(found, seen) && !slices.ContainsFunc(group, seen) {
				group = append(group, b)
			}
		}
		slices.SortStableFunc(group, func(a, b Binaries) int { return cmp.Compare(b.Major, a.Major) })
		found = append(found, group...)
	}
	if config, err := f.lookPath("pg_config"); err == nil {
		if out, err := exec.Command(config, "--bindir").Output(); err == nil {
			add(strings.TrimSpace(string(out)))
		}
	}
	if server, err := f.lookPath("postgres"); err == nil {
		// The programs find their libraries relative to their real path, not to a symlink.
		if real, err := filepath.EvalSymlinks(server); err == nil {
			add(filepath.Dir(real))
		}
	}
	for _, pattern := range packageDirs {
		dirs, _ := filepath.Glob(f.root + pattern) // the patterns are constants
		add(dirs...)
	}
	return found
}

var versionOutput = regexp.MustCompile(`^postgres \(PostgreSQL\) (\d+)`)

// inspect returns the installation in dir, with its real path, or an error that says why there is none.
func inspect(dir string) (Binaries, error) {
	dir, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return Binaries{}, err
	}
	for _, name := range serverPrograms {
		if _, err := exec.LookPath(filepath.Join(dir, name)); err != nil {
			return Binaries{}, fmt.Errorf("it has no program %s", name)
		}
	}
	out, err := exec.Command(filepath.Join(dir, "postgres"), "--version").Output()
	if err != nil {
		return Binaries{}, fmt.Errorf("run postgres --version: %w", err)
	}
	match := versionOutput.FindSubmatch(out)
	if match == nil {
		return Binaries{}, fmt.Errorf("postgres --version printed %q", out)
	}
	major, err := strconv.Atoi(string(match[1]))
	if err != nil {
		return Binaries{}, err
	}
	return Binaries{Dir: dir, Major: major}, nil
}
