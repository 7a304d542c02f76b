package schema

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"ariga.io/atlas/sql/migrate"
)

// Hash rewrites atlas.sum in the directory at path, and that of its down files, after a file was written or changed by hand. It
// first makes the checks of Apply and Down on the files.
func Hash(path string, advice Advice) error {
	type pending struct {
		dir *migrate.LocalDir
		sum migrate.HashFile
	}
	var sums []pending
	var files [2][]*file
	for i, at := range []string{"", downDir} {
		folder := filepath.Join(path, at)
		names, err := fs.Glob(os.DirFS(folder), "*.sql")
		if err != nil {
			return fmt.Errorf("list migrations: %w", err)
		}
		if at == downDir && len(names) == 0 {
			if _, err := os.Stat(filepath.Join(folder, migrate.HashFileName)); errors.Is(err, fs.ErrNotExist) {
				continue
			}
		}
		if err := checkVersions(names, at, advice); err != nil {
			return err
		}
		local, err := migrate.NewLocalDir(folder)
		if err != nil {
			return fmt.Errorf("hash migrations: %w", err)
		}
		sum, err := local.Checksum()
		if err != nil {
			return fmt.Errorf("hash migrations: %w", err)
		}
		if files[i], err = readFiles(local, sum, at); err != nil {
			return err
		}
		sums = append(sums, pending{local, sum})
	}
	if err := checkDowns(files[0], files[1], advice); err != nil {
		return err
	}
	for _, p := range sums {
		if err := migrate.WriteSumFile(p.dir, p.sum); err != nil {
			return fmt.Errorf("write atlas.sum: %w", err)
		}
	}
	return nil
}

// Draft is a migration to be added to a directory.
type Draft struct {
	Name     string // lower-case letters, digits and underscores
	Up, Down string // SQL; what undoes Up
}

var draftName = regexp.MustCompile(`^[a-z0-9_]+$`)

func checkDraftName(name string) error {
	if !draftName.MatchString(name) {
		return fmt.Errorf("name %q: use lower-case letters, digits and underscores, such as add_urls_language", name)
	}
	return nil
}

// Add writes the drafts into the directory at path, in order, each as a file and a down file, and rewrites both atlas.sum.
// Versions are the time now in UTC, to the second, but later than all existing ones. It returns the paths of the files.
//
// The directory must be in order, so that an edited file does not get a new checksum unnoticed. When a draft cannot be added,
// the directory is unchanged.
func Add(path string, advice Advice, now time.Time, drafts ...Draft) ([]string, error) {
	for _, d := range drafts {
		if err := checkDraftName(d.Name); err != nil {
			return nil, err
		}
	}
	names, err := fs.Glob(os.DirFS(path), "*.sql")
	if err != nil {
		return nil, fmt.Errorf("list migrations: %w", err)
	}
	if len(names) > 0 {
		if _, err := readDirectory(os.DirFS(path), advice); err != nil {
			return nil, err
		}
	}
	if err := os.MkdirAll(filepath.Join(path, downDir), 0o755); err != nil {
		return nil, fmt.Errorf("make directory: %w", err)
	}
	var written []string
	last := latest(names)
	for _, d := range drafts {
		last = versionAfter(last, now)
		name := last + "_" + d.Name + ".sql"
		for _, f := range []struct{ path, text string }{
			{filepath.Join(path, name), d.Up}, {filepath.Join(path, downDir, name), d.Down},
		} {
			if err := os.WriteFile(f.path, []byte(f.text), 0o644); err != nil {
				return nil, errors.Join(fmt.Errorf("write migration: %w", err), remove(append(written, f.path)))
			}
			written = append(written, f.path)
		}
	}
	if err := Hash(path, advice); err != nil {
		return nil, errors.Join(err, remove(written))
	}
	return written, nil
}

func remove(paths []string) error {
	var errs []error
	for _, path := range paths {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// Rebase gives migrations of the directory at path, each named by its version or its file name, new versions after the last
// one, in the given order, and rewrites both atlas.sum. It is for merged branches. It returns the new names of the files.
//
// A migration that a database has must keep its version. Otherwise that database will be refused. The directory does not show
// which migrations those are.
func Rebase(path string, advice Advice, now time.Time, migrations ...string) ([]string, error) {
	names, err := fs.Glob(os.DirFS(path), "*.sql")
	if err != nil {
		return nil, fmt.Errorf("list migrations: %w", err)
	}
	var old []string
	for _, given := range migrations {
		name, err := findName(names, given)
		if err != nil {
			return nil, err
		}
		if slices.Contains(old, name) {
			return nil, fmt.Errorf("migration %s is named twice", name)
		}
		old = append(old, name)
	}
	last := latest(names)
	renamed := make([]string, 0, len(old))
	for _, name := range old {
		last = versionAfter(last, now)
		_, rest, _ := strings.Cut(name, "_")
		to := last + "_" + rest
		for _, at := range []string{"", downDir} {
			err := os.Rename(filepath.Join(path, at, name), filepath.Join(path, at, to))
			if err != nil && !(at == downDir && errors.Is(err, fs.ErrNotExist)) {
				return renamed, fmt.Errorf("rename migration: %w", err)
			}
		}
		renamed = append(renamed, to)
	}
	return renamed, Hash(path, advice)
}

// findName returns the one file with a version or a name.
func findName(names []string, given string) (string, error) {
	var found []string
	for _, name := range names {
		if name == given || strings.HasPrefix(name, given+"_") {
			found = append(found, name)
		}
	}
	switch len(found) {
	case 0:
		return "", fmt.Errorf("no migration is called %q or has this version; there are %s", given, strings.Join(names, ", "))
	case 1:
		return found[0], nil
	}
	return "", fmt.Errorf("version %s has several files; name the one to be moved: %s", given, strings.Join(found, " or "))
}

// latest is the highest version of the files, or "".
func latest(names []string) string {
	last := ""
	for _, name := range names {
		version, _, _ := strings.Cut(name, "_")
		last = max(last, version)
	}
	return last
}

const versionLayout = "20060102150405"

// versionAfter is the time now, or the second after last when last is not earlier than now.
func versionAfter(last string, now time.Time) string {
	version := now.UTC().Format(versionLayout)
	if version > last {
		return version
	}
	if at, err := time.Parse(versionLayout, last); err == nil {
		return at.Add(time.Second).Format(versionLayout)
	}
	n, _ := strconv.ParseUint(last, 10, 64) // fourteen digits that are not a time
	return fmt.Sprintf("%0*d", len(versionLayout), n+1)
}
