package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	sqlfiles "docket/sql"

	"docket/internal/schema"
)

// checkoutMigrations is where a checkout keeps its migrations.
const checkoutMigrations = "sql/migrations"

// migrationFiles are the migrations that a command of migrate works with.
type migrationFiles struct {
	fs   fs.FS
	path string // on disk; empty for those that the program carries
}

// String tells where they are.
func (f migrationFiles) String() string {
	if f.path == "" {
		return "built into docket " + build()
	}
	return f.path
}

// migrationsDir is the directory to work in, or "" for what the program carries: the one that was asked for, else that of
// the checkout which is the working directory.
func migrationsDir(asked string) (string, error) {
	if asked != "" {
		path := strings.TrimPrefix(asked, "file://")
		if strings.Contains(path, "://") {
			return "", usageError{fmt.Errorf("--dir: %s is not a directory of files; write file://PATH", asked)}
		}
		info, err := os.Stat(path)
		if err == nil && !info.IsDir() {
			err = errors.New("not a directory")
		}
		if err != nil {
			return "", usageError{fmt.Errorf("--dir: %s: %w", asked, err)}
		}
		return filepath.Clean(path), nil
	}
	_, err := os.Stat(filepath.Join(checkoutMigrations, "atlas.sum"))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return checkoutMigrations, err
}

// findMigrations finds the migrations.
func findMigrations(asked string) (migrationFiles, error) {
	path, err := migrationsDir(asked)
	if err != nil || path == "" {
		return migrationFiles{fs: sqlfiles.Migrations}, err
	}
	return migrationFiles{fs: os.DirFS(path), path: path}, nil
}

// readableMigrations finds the migrations and tells on standard error which they are.
func readableMigrations(cmd *cobra.Command, asked string) (migrationFiles, error) {
	files, err := findMigrations(asked)
	if err != nil {
		return migrationFiles{}, err
	}
	fmt.Fprintln(cmd.ErrOrStderr(), "migrations:", files)
	if newest, own := newestMigration(files.fs), newestMigration(sqlfiles.Migrations); newest > own {
		fmt.Fprintf(cmd.ErrOrStderr(), "note: they go up to %s and this program knows them up to %s: "+
			"it will not serve a database that has them all; build it again\n", newest, own)
	}
	return files, nil
}

func newestMigration(files fs.FS) string {
	names, _ := fs.Glob(files, strings.Repeat("[0-9]", 14)+"_*.sql") // only a malformed pattern can fail
	if len(names) == 0 {
		return ""
	}
	version, _, _ := strings.Cut(names[len(names)-1], "_")
	return version
}

// writableMigrations is the directory on disk that a command writes to.
func writableMigrations(asked string) (string, error) {
	path, err := migrationsDir(asked)
	if err != nil || path != "" {
		return path, err
	}
	if info, err := os.Stat(checkoutMigrations); err == nil && info.IsDir() { // its atlas.sum has yet to be written
		return checkoutMigrations, nil
	}
	return "", usageError{fmt.Errorf("there is no directory %s here to write to: run this in a checkout, or name one with --dir",
		checkoutMigrations)}
}

// migratorOf works on the database with the given migrations.
func (d *database) migratorOf(files migrationFiles, opts schema.Options) (*schema.Migrator, error) {
	opts.Operator = "Docket " + build()
	migrator, err := schema.New(d.url, files.fs, opts)
	if err != nil {
		return nil, fmt.Errorf("migrations %s: %w", files, err)
	}
	return migrator, nil
}
