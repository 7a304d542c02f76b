package schema

import (
	"context"
	"fmt"
	"strings"

	atlas "ariga.io/atlas/sql/schema"

	"docket/internal/schema/plan"
	"docket/internal/schema/state"
)

// VerifyBaseline returns a check for Options.VerifyBaseline. It replays the migrations up to the version on a scratch database
// and fails unless the database has everything that they make. The database may hold more.
func VerifyBaseline(w *Workbench, migrations Source, exclude []string) func(context.Context, atlas.ExecQuerier, string) error {
	return func(ctx context.Context, db atlas.ExecQuerier, version string) error {
		have, err := state.Inspect(ctx, db, exclude)
		if err != nil {
			return err
		}
		server, err := w.Server(ctx, have.Major)
		if err != nil {
			return err
		}
		want, err := migrations.readVersion(ctx, w, server, version)
		if err != nil {
			return err
		}
		policy := plan.KeepAll()
		for _, enum := range have.Enums {
			policy.KeepEnumValues = append(policy.KeepEnumValues, enum.Name)
		}
		p, err := plan.Between(have, want, policy)
		if err != nil {
			return err
		}
		if p.Empty() {
			return nil
		}
		var missing []string
		for _, phase := range p.Phases {
			for _, s := range phase.Statements {
				missing = append(missing, s.SQL)
			}
		}
		const most = 5
		if rest := len(missing) - most; rest > 0 {
			missing = append(missing[:most], fmt.Sprintf("%d statements more", rest))
		}
		return fmt.Errorf("the database lacks what the migrations up to this version make; it would take: %s. "+
			"If the database has the schema of a later version, record that one (%s records the last); otherwise run %s first",
			strings.Join(missing, "; "), w.Advice.command("migrate apply --baseline", Latest), w.Advice.command("schema apply"))
	}
}
