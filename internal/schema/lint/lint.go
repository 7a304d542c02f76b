// Package lint finds what is dangerous in migration files before they run on a database that somebody uses.
//
// It replays the files on scratch databases and looks at the catalog between one statement and the next, so that it judges
// what a statement does rather than how it reads: a rename is told from a drop by the object's number, a rebuilt view by
// its new one. Atlas's analyzers judge the changes to tables; the checks of this package judge views, materialized views,
// indexes, locks and the files that lead back.
//
// It changes no file and no database but its scratch databases.
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

// DefaultBigTable is from how many rows on a lock on a table is worth a word, when its size is known.
const DefaultBigTable = 10_000

// Options say what to check and how strictly.
type Options struct {
	Server     *scratch.Server
	Migrations fs.FS     // the directory, with its atlas.sum and down/
	Selection  Selection // the files to judge; those before them are replayed only
	Policy     Policy
	Advice     schema.Advice

	// A database that the files will run on. With it, locks on tables of less than BigTable rows go unmentioned.
	Live     *state.State
	BigTable int64 // DefaultBigTable when zero
}

// Policy says for analyzers, by name, whether what they find is an error. Those it does not name have their own default.
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
	Files    []string  `json:"files"` // that were judged
	Findings []Finding `json:"findings"`
	// Files after one that cannot run: nothing is known about them.
	Unchecked []string `json:"unchecked"`
	Errors    int      `json:"errors"`
	Warnings  int      `json:"warnings"`
}

// Run checks the selected files. Its error is about not being able to check (atlas.sum does not fit, no scratch database);
// what is wrong with the files is in the report.
func Run(ctx context.Context, opts Options) (*Report, error) {
	if err := schema.CheckDirectory(opts.Migrations, opts.Advice); err != nil {
		return nil, err
	}
	files, err := readFiles(opts.Migrations)
	if err != nil {
		return nil, err
	}
	opts.BigTable = cmp.Or(opts.BigTable, DefaultBigTable)
	before, judged := opts.Selection.split(files)
	report := &Report{Files: []string{}, Findings: []Finding{}, Unchecked: []string{}}
	if len(judged) == 0 {
		return report, nil
	}
	var forth, back []problem
	var failed *file
	group, groupCtx := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		forth, failed, err = analyze(groupCtx, opts, before, judged)
		return err
	})
	group.Go(func() (err error) {
		back, err = reverse(groupCtx, opts, before, judged)
		return err
	})
	if err := group.Wait(); err != nil {
		return nil, err
	}
	for _, f := range judged {
		if failed != nil && f.version() > failed.version() {
			report.Unchecked = append(report.Unchecked, f.Name())
		} else {
			report.Files = append(report.Files, f.Name())
		}
	}
	report.add(opts.Policy, append(forth, back...))
	return report, nil
}

// add judges problems by the policy and leaves out those that a file's directives excuse.
func (r *Report) add(policy Policy, problems []problem) {
	slices.SortStableFunc(problems, func(a, b problem) int {
		return cmp.Or(cmp.Compare(a.file.version(), b.file.version()), cmp.Compare(a.file.path, b.file.path),
			cmp.Compare(a.line(), b.line()), cmp.Compare(a.code, b.code))
	})
	for _, p := range problems {
		rule := rules[p.code]
		if !rule.always && p.file.excuses(p.stmt, p.code, rule.analyzer) {
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

// withDatabase runs fn on a scratch database of its own.
func withDatabase(ctx context.Context, server *scratch.Server, fn func(*scratch.Database) error) (err error) {
	db, err := server.Create(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Drop()) }()
	return fn(db)
}

// replay runs files that are not judged. A statement that fails is a problem of its file.
func replay(ctx context.Context, db *scratch.Database, files []*file) (*problem, error) {
	for _, f := range files {
		if p, err := runWhole(ctx, db, f); p != nil || err != nil {
			return p, err
		}
	}
	return nil, nil
}

// runWhole runs one file without looking.
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
