package schema_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"docket/internal/schema"
	"docket/internal/schema/plan"
	"docket/internal/schema/state"
)

const (
	haveEarly = `CREATE TABLE early (id int PRIMARY KEY, name text); INSERT INTO early VALUES (1, 'x'), (2, 'y');
CREATE VIEW theirs AS SELECT name FROM early;`
	wantLater = `CREATE TABLE later (id int, name text, note text, CONSTRAINT later_pkey PRIMARY KEY (id));
CREATE INDEX later_name_idx ON later (name);
CREATE MATERIALIZED VIEW m AS SELECT id, note FROM later;
CREATE UNIQUE INDEX m_id_key ON m (id);`
	conversion = `-- Note what the names were;
-- there are few.
UPDATE early SET note = 'was ' || name;

-- Rename table early.
--   locks out readers: early
--   drops data: nothing
ALTER TABLE early RENAME TO later;
`
)

// converted is a database whose table the goal names differently.
func converted(t *testing.T, origin schema.Origin) (d declared, err error) {
	t.Helper()
	d = declared{bundle: setup(t)}
	d.exec(t, haveEarly)
	bench := &schema.Workbench{DevURL: d.url, Advice: advice}
	t.Cleanup(func() { require.NoError(t, bench.Close()) })
	policy := plan.Policy{Online: true, KeepViews: true}
	_, d.goal, err = schema.ReadGoal(t.Context(), bench, schema.Live(d.url), folderOf(wantLater), nil, policy, origin)
	if err == nil {
		d.target, err = schema.NewTarget(d.url, schema.TargetOptions{})
	}
	return d, err
}

func TestConversion(t *testing.T) {
	t.Parallel()
	d, err := converted(t, schema.Origin{Name: "the other one", Conversion: conversion, Undo: "ALTER TABLE later RENAME TO early"})
	require.NoError(t, err)
	shown := d.plan(t)
	require.Len(t, shown.Phases, 3, shown.SQL())
	require.Contains(t, shown.SQL(), "CREATE INDEX CONCURRENTLY later_name_idx ON early ")
	last := shown.Phases[2]
	require.True(t, last.Transactional)
	require.Equal(t, []plan.Statement{
		{SQL: "UPDATE early SET note = 'was ' || name", Comment: "Note what the names were; there are few."},
		{SQL: "ALTER TABLE early RENAME TO later", Comment: "Rename table early.", Hazards: []plan.Hazard{
			{Kind: plan.LocksReads, Detail: "early"}, {Kind: plan.DropsData, Detail: "nothing"},
		}},
	}, last.Statements)
	require.Equal(t, []string{"ALTER TABLE early RENAME TO later (nothing)"}, schema.Dropped(shown))

	_, err = d.apply(t, t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{"1 x was x", "2 y was y"}, d.strings(t, "SELECT concat_ws(' ', id, name, note) FROM later ORDER BY id"))
	require.Equal(t, []string{"x", "y"}, d.strings(t, "SELECT name FROM theirs ORDER BY name"))
	found, err := schema.ReadState(t.Context(), &schema.Workbench{}, schema.Live(d.url), nil)
	require.NoError(t, err)
	rest, err := schema.Goal{Target: d.goal.Target, Policy: d.goal.Policy}.Plan(found)
	require.NoError(t, err)
	require.True(t, rest.Empty(), rest.SQL())
}

// The phases before a conversion stay when it fails, and the next run makes only what is left.
func TestConversionFails(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		conversion, refusal string
	}{
		"a statement":    {"-- Divide.\nSELECT 1 / 0;\n" + conversion, "division by zero"},
		"another result": {conversion + "\n-- Too much.\nALTER TABLE later DROP COLUMN note CASCADE;\n", "did not lead to the target schema"},
		"nothing done":   {"-- Nothing.\nSELECT 1;\n", "inspect the result: plan view theirs"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, err := converted(t, schema.Origin{Name: "the other one", Conversion: test.conversion, Undo: "ALTER TABLE later RENAME TO early"})
			require.NoError(t, err)
			_, err = d.apply(t, t.Context())
			require.ErrorContains(t, err, test.refusal)
			require.ErrorContains(t, err, "the earlier transactions were kept, and nothing of this part")
			require.Equal(t, []string{"1 x ", "2 y "}, d.strings(t, "SELECT format('%s %s %s', id, name, note) FROM early ORDER BY id"))
			require.Len(t, d.plan(t).Phases, 1, "only the conversion is left")
		})
	}
}

func TestOriginRefuses(t *testing.T) {
	t.Parallel()
	refusal := errors.New("not this one")
	d := declared{bundle: setup(t)}
	d.exec(t, haveEarly)
	bench := &schema.Workbench{DevURL: d.url, Advice: advice}
	t.Cleanup(func() { require.NoError(t, bench.Close()) })
	read := func(ctx context.Context, origin schema.Origin) error {
		_, _, err := schema.ReadGoal(ctx, bench, schema.Live(d.url), folderOf(wantLater), nil, plan.Policy{}, origin)
		return err
	}
	require.ErrorIs(t, read(t.Context(), schema.Origin{
		Conversion: conversion, Undo: "ALTER TABLE later RENAME TO early",
		Check: func(found, before *state.State) error {
			require.NotNil(t, found.Table("early"))
			require.NotNil(t, before.Table("early"))
			require.Nil(t, before.Table("later"))
			return refusal
		},
	}), refusal)
	require.ErrorIs(t, read(t.Context(), schema.Origin{Check: func(found, before *state.State) error {
		require.NotNil(t, before.Table("later"), "nothing is to be converted")
		return refusal
	}}), refusal)
	require.ErrorContains(t, read(t.Context(), schema.Origin{
		Name: "the other one", Conversion: conversion, Undo: "ALTER TABLE newer RENAME TO early",
	}), `the test's files before the conversion of the other one: undo.sql:1: ERROR: relation "newer" does not exist`)
}
