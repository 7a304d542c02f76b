// Package lint finds what is dangerous in migration files before they run on a database in use.
//
// It runs the files on scratch databases and reads the catalog after each statement. It therefore checks what a statement
// does, not its text: a renamed object keeps its oid, a rebuilt view gets a new one. Atlas's analyzers check the changes of
// tables. The checks of this package are about views, materialized views, indexes, locks and down files.
//
// It changes no file, and no database except its scratch databases.
package lint

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"golang.org/x/sync/errgroup"

	"docket/internal/schema"
	"docket/internal/schema/scratch"
	"docket/internal/schema/state"
)

// DefaultBigTable is the least number of rows of a table whose locks are reported, when its size is known.
const DefaultBigTable = 10_000

// Options say what to check and how strictly.
type Options struct {
	Server     *scratch.Server
	Migrations fs.FS     // the directory, with its atlas.sum and down/
	Selection  Selection // the files to check; those before them are only run
	Policy     Policy
	Advice     schema.Advice

	// Live is a database that the files will run on. With it, locks on tables of fewer than BigTable rows are not reported.
	Live     *state.State
	BigTable int64 // DefaultBigTable when zero
}

// Policy says for analyzers, by name, whether their findings are errors. Analyzers that it does not name have a default.
type Policy map[string]bool

// Severity of a finding. Files with an error are not to be merged.
type Severity string

// The severities.
const (
	Error   Severity = "error"
	Warning Severity = "warning"
)

// Finding is one danger in one file.
type Finding struct {
	File     string   `json:"file"` // within the directory
	Line     int      `json:"line"` // from 1; of the statement
	Code     string   `json:"code"`
	Analyzer string   `json:"analyzer"`
	Severity Severity `json:"severity"`
	Text     string   `json:"text"`
	Instead  string   `json:"instead"` // what to do about it
}

// Report is what Run found, in the order of the files and their lines.
type Report struct {
	Files    []string  `json:"files"` // that were checked
	Findings []Finding `json:"findings"`
	// Files after one that cannot run.
	Unchecked []string `json:"unchecked"`
	Errors    int      `json:"errors"`
	Warnings  int      `json:"warnings"`
}

// Run checks the selected files. Its error is a reason why they could not be checked, such as an atlas.sum that does not match.
// The problems of the files are in the report.
func Run(ctx context.Context, opts Options) (*Report, error) {
	if err := schema.CheckDirectory(opts.Migrations, opts.Advice); err != nil {
		return nil, err
	}
	files, err := readFiles(opts.Migrations)
	if err != nil {
		return nil, err
	}
	opts.BigTable = cmp.Or(opts.BigTable, DefaultBigTable)
	before, selected := opts.Selection.split(files)
	report := &Report{Files: []string{}, Findings: []Finding{}, Unchecked: []string{}}
	if len(selected) == 0 {
		return report, nil
	}
	var ups, downs []problem
	var failed *file
	group, groupCtx := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		ups, failed, err = analyze(groupCtx, opts, before, selected)
		return err
	})
	group.Go(func() (err error) {
		downs, err = checkDowns(groupCtx, opts, before, selected)
		return err
	})
	if err := group.Wait(); err != nil {
		return nil, err
	}
	for _, f := range selected {
		if failed != nil && f.version() > failed.version() {
			report.Unchecked = append(report.Unchecked, f.Name())
		} else {
			report.Files = append(report.Files, f.Name())
		}
	}
	report.add(opts.Policy, append(ups, downs...))
	return report, nil
}

// add gives problems their severity by the policy and leaves out those that a directive waives.
func (r *Report) add(policy Policy, problems []problem) {
	problems = slices.SortedStableFunc(slices.Values(problems), func(a, b problem) int {
		return cmp.Or(cmp.Compare(a.file.version(), b.file.version()), cmp.Compare(a.file.path, b.file.path),
			cmp.Compare(a.line(), b.line()), cmp.Compare(a.code, b.code))
	})
	for _, p := range problems {
		rule := rules[p.code]
		if !rule.always && p.file.waives(p.stmt, p.code, rule.analyzer) {
			continue
		}
		finding := Finding{
			File: p.file.path, Line: p.line(), Code: p.code, Analyzer: rule.analyzer, Severity: rule.severity(policy),
			Text: p.text, Instead: cmp.Or(p.instead, rule.instead),
		}
		if finding.Severity == Error {
			r.Errors++
		} else {
			r.Warnings++
		}
		r.Findings = append(r.Findings, finding)
	}
}

// replay runs files that are not checked. A statement that fails is a problem of its file.
func replay(ctx context.Context, db *scratch.Database, files []*file) (*problem, error) {
	for _, f := range files {
		if p, err := runWhole(ctx, db, f); p != nil || err != nil {
			return p, err
		}
	}
	return nil, nil
}

// runWhole runs one file without reading the catalog in between.
func runWhole(ctx context.Context, db *scratch.Database, f *file) (*problem, error) {
	err := db.Run(ctx, f.path, string(f.Bytes()))
	var refused *scratch.Error
	if errors.As(err, &refused) {
		return f.cannotRun(codeCannotRun, refused.Line, refused.Err), nil
	}
	if err != nil {
		return nil, fmt.Errorf("run %s on a scratch database: %w", f.path, err)
	}
	return nil, nil
}
