package lint

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"ariga.io/atlas/sql/migrate"
	atlas "ariga.io/atlas/sql/schema"

	"docket/internal/schema/state"
)

// grantViews grants SELECT on every view to PUBLIC. A file that drops a view and creates it again without saving its grants loses
// this one, as it would lose those of a live database.
func grantViews(ctx context.Context, db atlas.ExecQuerier) error {
	_, err := db.ExecContext(ctx, `
DO $$
DECLARE relation regclass;
BEGIN
    FOR relation IN SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('v', 'm') LOOP
        EXECUTE format('GRANT SELECT ON %s TO PUBLIC', relation);
    END LOOP;
END
$$`)
	if err != nil {
		return fmt.Errorf("grant privileges on the views: %w", err)
	}
	return nil
}

// materializedViews finds views that the file leaves empty or without the index that REFRESH CONCURRENTLY needs. What they lacked
// before the file is not reported.
func (h *history) materializedViews() []problem {
	var problems []problem
	for _, v := range h.end.state.Views {
		if !v.Materialized {
			continue
		}
		oid := h.end.catalog.find(v.Name)
		var was *state.View
		if old, there := h.start.catalog.relations[oid]; there {
			was = h.start.state.View(old.name)
		}
		if !refreshable(v) && (was == nil || refreshable(was)) {
			problems = append(problems, problem{file: h.file, stmt: h.losesIndex(oid), code: codeNoUnique, text: fmt.Sprintf(
				"This leaves materialized view %q without a unique index that REFRESH MATERIALIZED VIEW CONCURRENTLY can use",
				v.Name)})
		}
		if !v.Populated && (was == nil || was.Populated) {
			problems = append(problems, problem{file: h.file, stmt: h.empties(oid), code: codeUnpopulated, text: fmt.Sprintf(
				"This leaves materialized view %q unfilled: reading it fails until it is refreshed", v.Name)})
		}
	}
	return problems
}

func refreshable(v *state.View) bool {
	return slices.ContainsFunc(v.Indexes, func(i *state.Index) bool { return i.Concurrent && i.Valid })
}

// losesIndex returns the last statement that dropped an index of the view, or the one that created the view.
func (h *history) losesIndex(view uint32) *migrate.Stmt {
	for _, s := range slices.Backward(h.steps) {
		for oid, index := range s.before.relations {
			if _, alive := s.after.relations[oid]; index.table == view && !alive {
				return s.stmt
			}
		}
		if _, old := s.before.relations[view]; !old {
			return s.stmt
		}
	}
	return nil
}

// empties returns the statement that left the view empty.
func (h *history) empties(view uint32) *migrate.Stmt {
	for _, s := range slices.Backward(h.steps) {
		if r, old := s.before.relations[view]; !old || r.populated {
			return s.stmt
		}
	}
	return nil
}

// replacedViews finds the views that existed before the file and that it drops, even if it creates them again.
func (h *history) replacedViews(opts Options) []problem {
	var problems []problem
	for _, oid := range slices.Sorted(maps.Keys(h.start.catalog.relations)) {
		was := h.start.catalog.relations[oid]
		now, alive := h.end.catalog.relations[oid]
		if !was.isView() || alive && now.name == was.name {
			continue
		}
		found := func(code, format string, args ...any) {
			problems = append(problems, problem{file: h.file, stmt: h.dropsOrRenames(oid), code: code, text: fmt.Sprintf(format, args...)})
		}
		kind := map[string]string{"v": "view", "m": "materialized view"}
		successor, replaced := h.end.catalog.relations[h.end.catalog.find(was.name)]
		switch {
		case !replaced && alive:
			found(codeViewGone, "Renaming %s %q to %q", kind[was.kind], was.name, now.name)
		case !replaced:
			found(codeViewGone, "Dropping %s %q", kind[was.kind], was.name)
		case !successor.granted:
			found(codeGrants, "Dropping %s %q and creating it again loses the grants it has on a live database",
				kind[was.kind], was.name)
		}
		if successor.kind == "m" {
			how := map[string]string{"v": "in place of a plain view", "m": "again"}[was.kind]
			found(codeRebuild, "Building materialized view %q %s: %s", was.name, how, h.rebuildEffect(was.name, opts))
		}
	}
	return problems
}

// dropsOrRenames returns the first statement that dropped or renamed the relation.
func (h *history) dropsOrRenames(oid uint32) *migrate.Stmt {
	name := h.start.catalog.relations[oid].name
	for _, s := range h.steps {
		if s.after.relations[oid].name != name {
			return s.stmt
		}
	}
	return nil
}

// rebuildEffect says how a rebuild affects readers.
func (h *history) rebuildEffect(name string, opts Options) string {
	if !h.file.transactional {
		return "reading it fails from here until it is filled again"
	}
	known := ""
	if opts.Live != nil {
		if v := opts.Live.View(name); v != nil && v.LastRefresh != nil {
			known = fmt.Sprintf(" (its last refresh took %s)", v.LastRefresh.Round(time.Millisecond))
		}
	}
	return "its readers wait from here to the end of the file, until it is filled" + known
}
