package schema_test

import (
	"context"
	"errors"
	"testing"

	atlas "ariga.io/atlas/sql/schema"
	"github.com/stretchr/testify/require"

	"docket/internal/schema"
)

const (
	versionA = "20260101000000"
	versionB = "20260102000000"
	fileC    = "20260103000000_c.sql"
	versionC = "20260103000000"
)

var aToC = map[string]string{
	fileA: "CREATE TABLE a (id int);", "down/" + fileA: "DROP TABLE a;",
	fileB: "-- a comment\nCREATE TABLE b (id int);\n\nINSERT INTO b\nVALUES (1);", "down/" + fileB: "DROP TABLE b;",
	fileC: "CREATE TABLE c (id int);", "down/" + fileC: "-- undo\nDROP TABLE c;\nSELECT 1;",
}

func TestApplyTo(t *testing.T) {
	t.Parallel()
	b := setup(t)
	m := b.migrator(t, hashed(t, aToC))
	_, err := m.Apply(t.Context(), schema.To("20260102"))
	require.ErrorContains(t, err, `no migration has version "20260102"; the first is 20260101000000, the last 20260103000000`)
	require.Empty(t, b.tables(t))

	report, err := m.Apply(t.Context(), schema.To(versionB))
	require.NoError(t, err)
	require.Equal(t, versionB, report.To)
	require.Equal(t, []string{"a", "atlas_schema_revisions", "b"}, b.tables(t))

	report, err = m.Apply(t.Context(), schema.To(versionB))
	require.NoError(t, err)
	require.Empty(t, report.Files)
	_, err = m.Apply(t.Context(), schema.To(versionA))
	require.ErrorContains(t, err, `to go back, run "docket migrate down --to 20260101000000"`)

	_, err = m.Apply(t.Context())
	require.NoError(t, err)
	require.NoError(t, m.Check(t.Context()))
}

func TestPreviewApply(t *testing.T) {
	t.Parallel()
	b := setup(t)
	m := b.migrator(t, hashed(t, aToC))
	preview, err := m.PreviewApply(t.Context(), schema.To(versionB))
	require.NoError(t, err)
	require.Empty(t, b.tables(t), "a preview must not write")
	require.Empty(t, preview.From)
	require.Equal(t, versionB, preview.To)
	require.Equal(t, []schema.PreviewFile{
		{Path: fileA, Version: versionA, Name: "a", Transactional: true, Statements: []string{"CREATE TABLE a (id int);"}},
		{Path: fileB, Version: versionB, Name: "b", Transactional: true,
			Statements: []string{"CREATE TABLE b (id int);", "INSERT INTO b\nVALUES (1);"}},
	}, preview.Files)

	b.exec(t, "CREATE TABLE strange ()")
	_, err = m.PreviewApply(t.Context())
	require.ErrorIs(t, err, schema.ErrForeign, "a preview refuses what Apply refuses")
}

func TestPreviewOfAHalfAppliedFile(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const head = "-- atlas:txmode none\n\nCREATE TABLE a (id int);\n"
	_, err := b.migrator(t, hashed(t, map[string]string{fileA: head + "SELECT 1 / 0;"})).Apply(t.Context())
	require.ErrorContains(t, err, "division by zero")
	mended := b.migrator(t, hashed(t, map[string]string{fileA: head + "SELECT 1;", fileB: "SELECT 2;"}))
	preview, err := mended.PreviewApply(t.Context())
	require.NoError(t, err)
	require.Equal(t, 1, preview.Files[0].Done)
	require.Equal(t, []string{"SELECT 1;"}, preview.Files[0].Statements)
	require.Zero(t, preview.Files[1].Done)
}

func TestApplyRefusesAFileWithoutStatements(t *testing.T) {
	t.Parallel()
	b := setup(t)
	m := b.migrator(t, hashed(t, map[string]string{fileA: "CREATE TABLE a ();", fileB: "-- to be written"}))
	_, err := m.Apply(t.Context())
	require.ErrorContains(t, err, fileB+": holds no statement")
	require.Empty(t, b.tables(t), "Apply starts no run that it cannot finish")
	_, err = m.Apply(t.Context(), schema.To(versionA))
	require.NoError(t, err)
}

func TestApplyFromABaseline(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.exec(t, "CREATE TABLE a (id int); CREATE TABLE b (id int); CREATE TABLE unrelated ()")
	m := b.migrator(t, hashed(t, aToC))
	_, err := m.Apply(t.Context())
	require.ErrorIs(t, err, schema.ErrForeign)
	require.ErrorContains(t, err, "--baseline VERSION")
	require.ErrorContains(t, err, "docs/operations.md")
	_, err = m.Apply(t.Context(), schema.FromBaseline("1"))
	require.ErrorIs(t, err, schema.ErrBaseline)
	require.ErrorContains(t, err, `no migration has version "1"`)
	_, err = m.Apply(t.Context(), schema.FromBaseline(versionB), schema.To(versionA))
	require.ErrorContains(t, err, "past "+versionA)
	require.Len(t, b.tables(t), 3, "nothing was written")

	preview, err := m.PreviewApply(t.Context(), schema.FromBaseline(versionB))
	require.NoError(t, err)
	require.Equal(t, []string{versionB, versionC}, []string{preview.Baseline, preview.To})
	require.Len(t, preview.Files, 1)
	require.Len(t, b.tables(t), 3, "a preview must not write")

	report, err := m.Apply(t.Context(), schema.FromBaseline(versionB), schema.To(versionB))
	require.NoError(t, err)
	require.Equal(t, []string{"", versionB, versionB}, []string{report.From, report.Baseline, report.To})
	require.Empty(t, report.Files)
	// The same row as the Atlas command writes for --baseline.
	require.Equal(t, []string{versionB + " b 1 0/0 '' Docket test"}, b.strings(t, `
SELECT format('%s %s %s %s/%s %L %s', version, description, type, applied, total, hash, operator_version)
FROM atlas_schema_revisions WHERE error IS NULL AND partial_hashes IS NULL AND executed_at > now() - interval '1 hour'`))
	require.ErrorIs(t, m.Check(t.Context()), schema.ErrPending)

	_, err = m.Apply(t.Context())
	require.NoError(t, err)
	require.NoError(t, m.Check(t.Context()))
	require.Equal(t, []string{"a", "atlas_schema_revisions", "b", "c", "unrelated"}, b.tables(t))

	_, err = m.Apply(t.Context(), schema.FromBaseline(versionC))
	require.ErrorIs(t, err, schema.ErrBaseline)
	require.ErrorContains(t, err, "has a record of migrations already")
}

func TestBaselineIsVerified(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.exec(t, "CREATE TABLE a (id int)")
	missing := errors.New("table b is missing")
	var asked []string
	m, err := schema.New(b.url, hashed(t, aToC), schema.Options{
		VerifyBaseline: func(ctx context.Context, db atlas.ExecQuerier, version string) error {
			rows, err := db.QueryContext(ctx, "SELECT FROM a")
			require.NoError(t, err)
			require.NoError(t, rows.Close())
			asked = append(asked, version)
			if version == versionA {
				return nil
			}
			return missing
		},
	})
	require.NoError(t, err)
	_, err = m.PreviewApply(t.Context(), schema.FromBaseline(versionB))
	require.ErrorIs(t, err, missing)
	_, err = m.Apply(t.Context(), schema.FromBaseline(versionB))
	require.ErrorIs(t, err, missing)
	require.ErrorIs(t, err, schema.ErrBaseline)
	require.Equal(t, []string{"a"}, b.tables(t))

	_, err = m.Apply(t.Context(), schema.FromBaseline(versionA))
	require.NoError(t, err)
	require.NoError(t, m.Check(t.Context()))
	require.Equal(t, []string{versionB, versionB, versionA}, asked)
}
