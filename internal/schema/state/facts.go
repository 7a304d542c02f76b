package state

import (
	"context"
	"slices"
	"strings"
)

// FactOption adds facts to the result of Facts, or leaves facts out.
type FactOption func(*factReader)

// Positions adds the position of each sequence, which is the only trace of a RESTART. Otherwise positions are data, not facts.
func Positions() FactOption { return func(f *factReader) { f.positions = true } }

// NoAccess leaves out owners and privileges, which depend on the roles of the server.
func NoAccess() FactOption { return func(f *factReader) { f.noAccess = true } }

type factReader struct {
	db                  Conn
	positions, noAccess bool
}

// fact is one line.
type fact struct {
	Object   string // "column urls.id"
	Text     string // "type integer"
	Relation string // the relation in public that Object belongs to, or ""
}

// Facts describes all objects in public, managed or not, one line for each fact: "column urls.id: type integer". Each line
// begins with its object. The lines are sorted, so that two databases with the same schema have the same lines. The order of
// columns is a fact of views, not of tables. Atlas's revisions table is left out.
//
// The requirements on db are those of Inspect.
func Facts(ctx context.Context, db Conn, options ...FactOption) (_ []string, err error) {
	db, closeSession, err := openSession(ctx, db)
	if err != nil {
		return nil, err
	}
	defer closeSession(&err)
	f := factReader{db: db}
	for _, option := range options {
		option(&f)
	}
	if err := (&State{}).readServer(ctx, db); err != nil {
		return nil, err
	}
	queries := slices.Clone(factQueries)
	if !f.noAccess {
		queries = append(queries, accessQueries...)
	}
	for _, unmanaged := range []string{membersQuery, dependentsQuery, propertiesQuery, databaseQuery} {
		queries = append(queries, "SELECT kind || ' ' || name AS object, 'exists' AS text, relation FROM ("+unmanaged+") AS u")
	}
	if f.positions {
		positions, err := f.positionsQuery(ctx)
		if err != nil {
			return nil, err
		}
		queries = append(queries, positions...)
	}
	var lines []string
	for _, text := range queries {
		facts, err := query[fact](ctx, db, "read the catalog", text)
		if err != nil {
			return nil, err
		}
		for _, fact := range facts {
			if fact.Relation != revisionsTable {
				lines = append(lines, fact.Object+": "+fact.Text)
			}
		}
	}
	slices.Sort(lines)
	return lines, nil
}

func (f factReader) positionsQuery(ctx context.Context) ([]string, error) {
	type row struct{ Text string }
	all, err := query[row](ctx, f.db, "read the catalog", `
SELECT format('SELECT %L AS object, format(%L, last_value, is_called) AS text, %L AS relation FROM public.%I',
    'sequence ' || quote_ident(c.relname), 'last value %s called %s', coalesce(t.relname, c.relname), c.relname) AS text
FROM pg_class c
LEFT JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.refobjsubid > 0
LEFT JOIN pg_class t ON t.oid = d.refobjid
WHERE c.relkind = 'S' AND c.relnamespace = 'public'::regnamespace`)
	if err != nil || len(all) == 0 {
		return nil, err
	}
	texts := make([]string, len(all))
	for i, q := range all {
		texts[i] = q.Text
	}
	return []string{strings.Join(texts, " UNION ALL ")}, nil
}

// Missing lists the facts of want that have lacks. A fact that is twice in want must be twice in have.
func Missing(want, have []string) []string {
	count := map[string]int{}
	for _, line := range have {
		count[line]++
	}
	var missing []string
	for _, line := range want {
		if count[line]--; count[line] < 0 {
			missing = append(missing, line)
		}
	}
	slices.Sort(missing)
	return missing
}

// Difference lists the facts that only one side has, with "- " before those of want and "+ " before those of have. It sorts
// them by object, so that two versions of one fact are next to each other. The order of want and have does not matter.
func Difference(want, have []string) []string {
	type line struct{ fact, sign string }
	var lines []line
	for _, fact := range Missing(want, have) {
		lines = append(lines, line{fact, "- "})
	}
	for _, fact := range Missing(have, want) {
		lines = append(lines, line{fact, "+ "})
	}
	slices.SortStableFunc(lines, func(a, b line) int { return strings.Compare(a.fact, b.fact) })
	texts := make([]string, len(lines))
	for i, l := range lines {
		texts[i] = l.sign + l.fact
	}
	return texts
}
