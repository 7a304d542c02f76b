package schema

import (
	"context"
	"fmt"
	"slices"
	"strings"

	atlas "ariga.io/atlas/sql/schema"

	"docket/internal/schema/plan"
	"docket/internal/schema/state"
)

// VerifyBaseline returns a check for Options.VerifyBaseline. It replays the migrations up to the version on a scratch database
// and fails unless the database has everything that they make. The database may hold more. The error names the last version that
// fits the database, if there is one; to find it, the others are replayed as well.
func VerifyBaseline(w *Workbench, migrations Source, exclude []string) func(context.Context, atlas.ExecQuerier, string) error {
	return func(ctx context.Context, db atlas.ExecQuerier, version string) error {
		have, err := state.Inspect(ctx, db, exclude)
		if err != nil {
			return err
		}
		missing, err := migrations.missing(ctx, w, have, version)
		if err != nil || len(missing) == 0 {
			return err
		}
		const most = 5
		if rest := len(missing) - most; rest > 0 {
			missing = append(missing[:most], fmt.Sprintf("%d statements more", rest))
		}
		next := fmt.Sprintf("no other version fits it either: run %s first", w.Advice.command("schema apply"))
		if fits, err := migrations.fitting(ctx, w, have, version); err != nil {
			return err
		} else if fits != "" {
			next = fmt.Sprintf("it has what the migrations up to %s make: run %s", fits, w.Advice.command("migrate apply --baseline", fits))
		}
		return fmt.Errorf("the database lacks what the migrations up to this version make; it would take: %s; %s",
			strings.Join(missing, "; "), next)
	}
}

// missing lists the statements that give a database what the migrations up to a version make.
func (s Source) missing(ctx context.Context, w *Workbench, have *state.State, version string) ([]string, error) {
	server, err := w.Server(ctx, have.Major)
	if err != nil {
		return nil, err
	}
	want, err := s.readVersion(ctx, w, server, version)
	if err != nil {
		return nil, err
	}
	policy := plan.KeepAll()
	for _, enum := range have.Enums {
		policy.KeepEnumValues = append(policy.KeepEnumValues, enum.Name)
	}
	p, err := plan.Between(have, want, policy)
	if err != nil {
		return nil, err
	}
	var statements []string
	for _, phase := range p.Phases {
		for _, statement := range phase.Statements {
			statements = append(statements, statement.SQL)
		}
	}
	return statements, nil
}

// fitting returns the last version except one whose migrations make nothing that the database lacks, or "".
func (s Source) fitting(ctx context.Context, w *Workbench, have *state.State, except string) (string, error) {
	dir, err := readDirectory(s.files, w.Advice)
	if err != nil {
		return "", err
	}
	for _, f := range slices.Backward(dir.files) {
		if f.Version() == except {
			continue
		}
		missing, err := s.missing(ctx, w, have, f.Version())
		switch {
		case ctx.Err() != nil:
			return "", ctx.Err()
		case err == nil && len(missing) == 0: // a version that cannot be compared does not fit
			return f.Version(), nil
		}
	}
	return "", nil
}
