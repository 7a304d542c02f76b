package schema

import "context"

// Preview is what an Apply or a Down would do.
type Preview struct {
	Database string        `json:"database"`
	From     string        `json:"from"`               // version before; empty when none
	To       string        `json:"to"`                 // version after; empty when none
	Baseline string        `json:"baseline,omitempty"` // version that would be recorded without running anything
	Files    []PreviewFile `json:"files"`              // in the order they would run
}

// PreviewFile is one file that would run.
type PreviewFile struct {
	Path          string   `json:"path"` // within the directory of the migrations
	Version       string   `json:"version"`
	Name          string   `json:"name"`
	Transactional bool     `json:"transactional"`
	Done          int      `json:"done"`       // statements that ran before the file stopped half-way
	Statements    []string `json:"statements"` // those still to run, with their semicolons
}

// PreviewApply returns what an Apply with the same options would run, and refuses what it would refuse. It writes nothing and
// takes no lock.
func (m *Migrator) PreviewApply(ctx context.Context, opts ...ApplyOption) (Preview, error) {
	conn, disconnect, err := m.connect(ctx)
	if err != nil {
		return Preview{}, err
	}
	defer disconnect()
	choice := m.chosen(opts)
	status, files, err := m.selectFiles(ctx, conn, choice)
	p := Preview{
		Database: m.databaseName(), From: status.Version, To: status.Version, Baseline: choice.baseline, Files: []PreviewFile{},
	}
	if err != nil {
		return p, err
	}
	if p.Baseline != "" {
		p.To = p.Baseline
	}
	for _, f := range files {
		p.Files = append(p.Files, f.preview(status.done(f)))
		p.To = f.Version()
	}
	return p, nil
}

func (f *file) preview(done int) PreviewFile {
	p := PreviewFile{
		Path: f.path, Version: f.Version(), Name: f.Desc(), Transactional: f.transactional, Done: done, Statements: []string{},
	}
	for _, s := range f.statements[done:] {
		p.Statements = append(p.Statements, s.Text)
	}
	return p
}

// done counts the statements of f that ran before it stopped half-way.
func (s Status) done(f *file) int {
	for _, a := range s.Applied {
		if a.Version == f.Version() {
			return min(a.Statements, len(f.statements))
		}
	}
	return 0
}
