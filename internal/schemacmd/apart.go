package schemacmd

import (
	"context"
	"fmt"
	"io"
	"strings"

	"docket/internal/schema"
)

// Apart are tables in a schema of their own that a library of the program migrates by migrations of its own. These commands only
// run that: they neither compare nor print nor drop such tables.
type Apart struct {
	Name string // of the library
	// Pending returns the versions that the database lacks, oldest first.
	Pending func(ctx context.Context, url string) ([]string, error)
	// Apply applies them, and returns those that it has applied, also with an error.
	Apply func(ctx context.Context, url string) ([]string, error)
}

// apart returns the tables that belong to the migrations; nil with --dir, which names files of another database.
func (c *commands) apart(flags *migrateFlags) *Apart {
	if flags.dir != "" {
		return nil
	}
	return c.Apart
}

// pending returns the versions that the database lacks.
func (a *Apart) pending(ctx context.Context, url string) ([]string, error) {
	if a == nil {
		return nil, nil
	}
	return a.Pending(ctx, url)
}

// apply applies the versions that the database lacks.
func (a *Apart) apply(ctx context.Context, url string) ([]string, error) {
	if a == nil {
		return nil, nil
	}
	return a.Apply(ctx, url)
}

// check fails when versions are pending.
func (c *commands) checkApart(versions []string) error {
	if len(versions) == 0 {
		return nil
	}
	return fmt.Errorf("tables of %s: %w: %s; to apply them, run %q",
		c.Apart.Name, schema.ErrPending, strings.Join(versions, ", "), c.Name+" migrate apply")
}

// printApplied writes which files were applied, and which versions of the tables apart.
func (c *commands) printApplied(out io.Writer, report schema.Report, versions []string, failed, asJSON bool) error {
	if asJSON {
		return writeJSON(out, struct {
			schema.Report
			Apart []string `json:"apart,omitempty"`
		}{report, versions})
	}
	if err := printReport(out, "applied", report, failed || len(versions) > 0, false); err != nil || len(versions) == 0 {
		return err
	}
	_, err := fmt.Fprintf(out, "applied tables of %s: %s\n", c.Apart.Name, strings.Join(versions, ", "))
	return err
}
