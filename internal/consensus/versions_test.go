package consensus_test

import (
	"io/fs"
	"maps"
	"math"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"docket/internal/consensus"
	"docket/internal/convert"
	"docket/internal/dbtest"
	sqlfiles "docket/sql"
)

// table returns the cells of a table of the page about rules.
func table(t *testing.T, header string) (rows [][]string) {
	t.Helper()
	page, err := os.ReadFile("../../docs/decisions/consensus-rules.md")
	require.NoError(t, err)
	_, rest, found := strings.Cut(string(page), "\n"+header+"\n")
	require.True(t, found, header)
	lines := strings.Split(rest, "\n")[1:]
	for _, line := range lines[:slices.Index(lines, "")] {
		rows = append(rows, strings.Split(strings.Trim(line, "| "), " | "))
	}
	return rows
}

// ruleStatement matches the statements of a migration that define the rule.
var ruleStatement = regexp.MustCompile(`(?ms)^(?:CREATE(?: OR REPLACE)?|DROP) VIEW (?:consensus_rule|anonymous_weight)\b.*?;$`)

// A version has the same numbers in all migrations, in the schema and on the page about rules, which lists every version.
func TestRuleVersions(t *testing.T) {
	t.Parallel()
	listed := map[consensus.Rule]string{} // with the migration that made it
	for _, row := range table(t, "| version | threshold | anonymous weight | since migration |") {
		require.Len(t, row, 4)
		number := func(cell string) float64 {
			value, err := strconv.ParseFloat(cell, 64)
			require.NoError(t, err)
			return value
		}
		listed[consensus.Rule{Version: int32(number(row[0])), Threshold: number(row[1]), AnonymousWeight: number(row[2])}] =
			strings.Trim(row[3], "`")
	}

	db := dbtest.Connect(t, dbtest.Empty(t))
	files, err := fs.Glob(sqlfiles.Migrations, "*.sql")
	require.NoError(t, err)
	made, versions := map[consensus.Rule]string{}, map[int32]consensus.Rule{}
	var last consensus.Rule
	for _, file := range files { // by version
		text, err := fs.ReadFile(sqlfiles.Migrations, file)
		require.NoError(t, err)
		for _, statement := range ruleStatement.FindAllString(string(text), -1) {
			dbtest.Exec(t, db, statement)
		}
		if dbtest.Count(t, db, "SELECT count(*) FROM pg_views WHERE viewname = 'consensus_rule'") == 0 {
			continue
		}
		last, err = consensus.CurrentRule(t.Context(), db)
		require.NoError(t, err)
		if earlier, known := versions[last.Version]; known {
			require.Equal(t, earlier, last, "%s changes the numbers of a version: a change takes a new version", file)
			continue
		}
		versions[last.Version] = last
		made[last], _, _ = strings.Cut(file, "_")
	}
	require.Equal(t, made, listed, "the page must list each version with the numbers that its migration has")
	require.EqualValues(t, len(versions), slices.Max(slices.Collect(maps.Keys(versions))), "versions count from 1")

	current, err := consensus.CurrentRule(t.Context(), dbtest.New(t))
	require.NoError(t, err)
	require.Equal(t, last, current, "the schema has the rule of the last migration")
	require.NoError(t, current.Check())
	for _, number := range []float64{current.Threshold, current.AnonymousWeight} {
		require.Zero(t, math.Mod(number*1024, 1), "%v is no binary fraction, so the sums that annotators are shown are inexact", number)
	}
}

// The page about rules says what each URL type of the database needs.
func TestRulePageNamesRequirements(t *testing.T) {
	t.Parallel()
	require.Equal(t, dbtest.List(t, dbtest.New(t), "SELECT unnest(enum_range(NULL::url_type))::text"), consensus.URLTypes)
	described := map[string]string{}
	for _, row := range table(t, "| URL type | needs an agreement on |") {
		described[row[0]] = row[1]
	}
	require.Len(t, described, len(consensus.URLTypes))
	for _, urlType := range consensus.URLTypes {
		needed, possible := consensus.Requirements(urlType)
		want := strings.Join(convert.Each(needed, func(a consensus.Attribute) string {
			return strings.ReplaceAll(string(a), "_", " ")
		}), ", ")
		switch {
		case !possible:
			want = "never validated by agreement"
		case want == "":
			want = "nothing else"
		}
		require.Equal(t, want, described[urlType], urlType)
	}
}
