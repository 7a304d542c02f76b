package docket_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var (
	pictureNode = regexp.MustCompile(`(\w+)\["((?:api|cmd|internal)[\w/]*)[^"]*"\]`)
	pictureEdge = regexp.MustCompile(`(?m)^ *(\w+)[^\n]*? -->(?:\|[^|]*\|)? *(\w+)`)
)

// TestArchitecturePicture shows that each arrow between packages in docs/architecture.md is an import, that each import between
// use cases is an arrow, and that each use case is in the picture.
func TestArchitecturePicture(t *testing.T) {
	t.Parallel()
	text := docPages(t)["docs/architecture.md"]
	_, picture, found := strings.Cut(text, "```mermaid\n")
	require.True(t, found)
	picture, _, _ = strings.Cut(picture, "```")

	folders := map[string][]string{"usecases": useCases}
	for _, useCase := range useCases {
		folders[path.Base(useCase)] = []string{useCase}
		require.Regexp(t, `(?m)^ {8}(.* )?`+path.Base(useCase)+`\b`, picture, "the picture shows each use case")
	}
	for _, node := range pictureNode.FindAllStringSubmatch(picture, -1) {
		folders[node[1]] = []string{node[2]}
	}
	drawn := map[[2]string]bool{}
	for _, edge := range pictureEdge.FindAllStringSubmatch(picture, -1) {
		from, to := folders[edge[1]], folders[edge[2]]
		drawn[[2]string{edge[1], edge[2]}] = true
		if from != nil && to != nil {
			require.True(t, imports(t, from, to), "%s does not use %s", edge[1], edge[2])
		}
	}
	require.Greater(t, len(drawn), 15, "the expression that finds arrows has missed most of them")
	for _, from := range useCases {
		for _, to := range useCases {
			if from != to && imports(t, []string{from}, []string{to}) {
				require.True(t, drawn[[2]string{path.Base(from), path.Base(to)}], "no arrow from %s to %s", from, to)
			}
		}
	}
}

// imports reports whether a file in or below one of the folders imports a package in or below one of others.
func imports(t *testing.T, folders, others []string) (found bool) {
	t.Helper()
	for _, folder := range folders {
		require.NoError(t, filepath.WalkDir(folder, func(file string, _ fs.DirEntry, err error) error {
			if err != nil || filepath.Ext(file) != ".go" || strings.HasSuffix(file, "_test.go") {
				return err
			}
			parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
			require.NoError(t, err)
			for _, spec := range parsed.Imports {
				imported := strings.TrimPrefix(strings.Trim(spec.Path.Value, `"`), "docket/")
				found = found || within(imported, others...)
			}
			return nil
		}))
	}
	return found
}

// TestArchitectureLayers shows that each package is in the table of layers in docs/architecture.md, and that the use cases are in
// their row.
func TestArchitectureLayers(t *testing.T) {
	t.Parallel()
	_, table, found := strings.Cut(docPages(t)["docs/architecture.md"], "\n| layer | packages |")
	require.True(t, found)
	table, _, _ = strings.Cut(table, "\n\n")
	listed := []string{"internal/dbtest", "internal/faultproxy", "internal/faults"} // of the tests
	for line := range strings.Lines(table) {
		var row []string
		for _, folder := range regexp.MustCompile("`(internal/\\w+)`").FindAllStringSubmatch(line, -1) {
			row = append(row, folder[1])
		}
		if strings.HasPrefix(line, "| use cases |") {
			require.ElementsMatch(t, useCases, row)
		}
		listed = append(listed, row...)
	}
	folders, err := filepath.Glob("internal/*")
	require.NoError(t, err)
	require.ElementsMatch(t, folders, listed)
}

// TestArchitectureCallersOfRecount shows that docs/architecture.md lists each file that calls ranking.Recount, ranking.Forget or
// ranking.ChangeFollows.
func TestArchitectureCallersOfRecount(t *testing.T) {
	t.Parallel()
	_, section, found := strings.Cut(docPages(t)["docs/architecture.md"], "\n## Who must call Recount\n")
	require.True(t, found)
	section, _, _ = strings.Cut(section, "\n## ")
	var listed, callers []string
	for _, row := range regexp.MustCompile("(?m)^\\| (`.*`) \\|").FindAllStringSubmatch(section, -1) {
		for _, span := range codeSpan.FindAllStringSubmatch(row[1], -1) {
			listed = append(listed, span[1])
		}
	}
	require.NoError(t, filepath.WalkDir("internal", func(file string, _ fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(file) != ".go" || strings.HasSuffix(file, "_test.go") {
			return err
		}
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		if regexp.MustCompile(`\branking\.(Recount|Forget|ChangeFollows)\(`).Match(text) {
			callers = append(callers, filepath.ToSlash(file))
		}
		return nil
	}))
	require.ElementsMatch(t, callers, listed)
}

// TestArchitectureKindOfSuggestion shows that docs/architecture.md lists each file in which a kind of suggestion appears, by the
// example of record types.
func TestArchitectureKindOfSuggestion(t *testing.T) {
	t.Parallel()
	_, section, found := strings.Cut(docPages(t)["docs/architecture.md"], "\n### A kind of suggestion\n")
	require.True(t, found)
	section, _, _ = strings.Cut(section, "\n### ")
	listed := map[string]bool{
		// A record type here is a fact or the text of a sample page, not a suggestion.
		"internal/submissions/manual.go": true, "sql/schema/35_batches.sql": true, "sql/schema/70_views.sql": true,
		"internal/sample/generator.go": true, "internal/sample/places.go": true, "internal/sample/words.go": true,
	}
	for _, span := range codeSpan.FindAllStringSubmatch(section, -1) {
		listed[span[1]] = true
	}
	recordType, files := regexp.MustCompile(`(?i)record_?type`), 0
	for _, folder := range []string{"api", "cmd", "internal", "sql/queries", "sql/schema"} {
		require.NoError(t, filepath.WalkDir(folder, func(file string, entry fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			file = filepath.ToSlash(file)
			if entry.IsDir() && (entry.Name() == "testdata" || file == "internal/db" || file == "internal/dbtest") {
				return fs.SkipDir
			}
			if entry.IsDir() || strings.HasSuffix(file, "_test.go") || file == "api/openapi.gen.go" {
				return nil
			}
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			if recordType.Match(text) {
				files++
				require.True(t, listed[file], "%s has record types and is not listed", file)
			}
			return nil
		}))
	}
	require.Greater(t, files, 30, "the expression that finds record types has missed most of the files")
}
