package schemacmd

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
)

// directory is a directory of migrations.
type directory struct {
	fs   fs.FS
	path string // on disk; empty for the one built into the program
}

// describe names the directory in messages.
func (c *commands) describe(d directory) string {
	if d.path == "" {
		return "built into " + c.Name + " " + c.Version
	}
	return d.path
}

// migrationsPath is the directory to work in: the one of --dir, else that of the checkout in the working directory, else
// "", which means the one built into the program.
func (c *commands) migrationsPath(dir string) (string, error) {
	if dir != "" {
		path := strings.TrimPrefix(dir, "file://")
		if strings.Contains(path, "://") {
			return "", c.usagef("--dir: %s is not a directory of files; write file://PATH", dir)
		}
		info, err := os.Stat(path)
		if err == nil && !info.IsDir() {
			err = errors.New("not a directory")
		}
		if err != nil {
			return "", c.usagef("--dir: %s: %w", dir, err)
		}
		return filepath.Clean(path), nil
	}
	_, err := os.Stat(filepath.Join(c.Migrations.Checkout, "atlas.sum"))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return c.Migrations.Checkout, err
}

func (c *commands) findMigrations(dir string) (directory, error) {
	path, err := c.migrationsPath(dir)
	if err != nil || path == "" {
		return directory{fs: c.Migrations.BuiltIn}, err
	}
	return directory{fs: os.DirFS(path), path: path}, nil
}

// readableMigrations finds the migrations and prints on standard error which ones they are.
func (c *commands) readableMigrations(cmd *cobra.Command, dir string) (directory, error) {
	found, err := c.findMigrations(dir)
	if err != nil {
		return directory{}, err
	}
	fmt.Fprintln(cmd.ErrOrStderr(), "migrations:", c.describe(found))
	if newest, builtIn := newestMigration(found.fs), newestMigration(c.Migrations.BuiltIn); newest > builtIn {
		fmt.Fprintf(cmd.ErrOrStderr(), "note: they go up to %s and this program knows them up to %s: "+
			"it will not serve a database that has them all; build it again\n", newest, builtIn)
	}
	return found, nil
}

func newestMigration(files fs.FS) string {
	names, _ := fs.Glob(files, strings.Repeat("[0-9]", 14)+"_*.sql") // fails only for a malformed pattern
	if len(names) == 0 {
		return ""
	}
	version, _, _ := strings.Cut(names[len(names)-1], "_")
	return version
}

// writableMigrations is the path of the directory that a command writes to.
func (c *commands) writableMigrations(dir string) (string, error) {
	path, err := c.migrationsPath(dir)
	if err != nil || path != "" {
		return path, err
	}
	if info, err := os.Stat(c.Migrations.Checkout); err == nil && info.IsDir() { // its atlas.sum has yet to be written
		return c.Migrations.Checkout, nil
	}
	return "", c.usagef("there is no directory %s here to write to: run this in a checkout, or name one with --dir",
		c.Migrations.Checkout)
}
