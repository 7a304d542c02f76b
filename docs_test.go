package docket_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// docPages returns the text of every page of documentation by its path.
func docPages(t *testing.T) map[string]string {
	t.Helper()
	pages := map[string]string{}
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/*/*.md", "benchmarks/*.md"} {
		files, err := filepath.Glob(pattern)
		require.NoError(t, err)
		require.NotEmpty(t, files, pattern)
		for _, file := range files {
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			pages[filepath.ToSlash(file)] = string(text)
		}
	}
	return pages
}

// tree is what the pages may refer to.
type tree struct {
	names    map[string]bool            // base names of all files
	declared map[string]map[string]bool // identifiers at the top level and methods, by package name
	tests    map[string][]string        // names of tests, fuzz tests and benchmarks, by folder
	words    map[string]bool            // lower_case words, and pairs of words with a dot, in SQL, contract, code and scripts
}

var (
	snakeCase = regexp.MustCompile(`[a-z][a-z0-9]*(?:_+[a-z0-9]+)+`)
	dotted    = regexp.MustCompile(`[a-z_]+\.[a-z_]+`)
	testName  = regexp.MustCompile(`\b(?:Test|Fuzz|Benchmark)[A-Z]\w*`)
)

func readTree(t *testing.T) *tree {
	t.Helper()
	r := &tree{
		names: map[string]bool{}, declared: map[string]map[string]bool{}, tests: map[string][]string{}, words: map[string]bool{},
	}
	err := filepath.WalkDir(".", func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if slices.Contains([]string{".git", "bin", "docs"}, file) {
				return filepath.SkipDir
			}
			return nil
		}
		r.names[entry.Name()] = true
		switch filepath.Ext(file) {
		case ".go", ".sql", ".yaml", ".hcl", "":
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			for _, word := range append(snakeCase.FindAllString(string(text), -1), dotted.FindAllString(string(text), -1)...) {
				r.words[word] = true
			}
			if filepath.Ext(file) == ".go" {
				r.declare(t, file, text)
			}
		}
		return nil
	})
	require.NoError(t, err)
	return r
}

// declare records what a Go file declares.
func (r *tree) declare(t *testing.T, file string, text []byte) {
	parsed, err := parser.ParseFile(token.NewFileSet(), file, text, parser.SkipObjectResolution)
	require.NoError(t, err)
	if r.declared[parsed.Name.Name] == nil {
		r.declared[parsed.Name.Name] = map[string]bool{}
	}
	names := r.declared[parsed.Name.Name]
	for _, declaration := range parsed.Decls {
		switch declaration := declaration.(type) {
		case *ast.FuncDecl:
			names[declaration.Name.Name] = true
			if strings.HasSuffix(file, "_test.go") && testName.MatchString(declaration.Name.Name) {
				dir := path.Dir(filepath.ToSlash(file))
				r.tests[dir] = append(r.tests[dir], declaration.Name.Name)
			}
		case *ast.GenDecl:
			for _, spec := range declaration.Specs {
				switch spec := spec.(type) {
				case *ast.TypeSpec:
					names[spec.Name.Name] = true
				case *ast.ValueSpec:
					for _, name := range spec.Names {
						names[name.Name] = true
					}
				}
			}
		}
	}
}

var (
	codeSpan    = regexp.MustCompile("`([^`]+)`")
	codeBlock   = regexp.MustCompile("(?s)```(\\w*)\n(.*?)```")
	link        = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading     = regexp.MustCompile(`(?m)^#+ (.*)$`)
	notInAnchor = regexp.MustCompile(`[^\p{L}\p{N}\- _]`)
	inTree      = regexp.MustCompile(`^(?:\./)?(?:api|benchmarks|cmd|docs|internal|scripts|sql|\.ci|\.github)(?:/|$)`)
	fileName    = regexp.MustCompile(`^[\w.-]+\.(?:go|sql|yaml|hcl|mod|sum|md|txtar)$`)
	qualified   = regexp.MustCompile(`^([a-z]+)\.([A-Z]\w*)`)
	camelCase   = regexp.MustCompile(`^(?:[A-Z][a-z]+){2,}$`)
	version     = regexp.MustCompile(`\b20[0-9]{12}`)
	placeholder = regexp.MustCompile(`[<>…{}]|add_urls_language|\b[A-Z]{3,}\b`) // of a path that stands for others
)

// TestPagesNameWhatExists shows that each file, folder, link, test, identifier, table, column and migration that a page of
// documentation names exists.
func TestPagesNameWhatExists(t *testing.T) {
	t.Parallel()
	existing := readTree(t)
	tests := slices.Concat(slices.Collect(maps.Values(existing.tests))...)
	for page, text := range docPages(t) {
		t.Run(page, func(t *testing.T) {
			t.Parallel()
			prose := codeBlock.ReplaceAllString(text, "")
			checkLinks(t, page, prose)
			for _, span := range codeSpan.FindAllStringSubmatch(prose, -1) {
				checkSpan(t, existing, page, span[1])
			}
			for _, block := range codeBlock.FindAllStringSubmatch(text, -1) {
				if block[1] == "diff" || block[1] == "json" {
					continue
				}
				for word := range strings.FieldsSeq(block[2]) {
					if word = strings.Trim(word, "`'\",:;()[]"); inTree.MatchString(word) {
						checkPath(t, page, word)
					}
				}
			}
			for _, name := range testName.FindAllString(text, -1) {
				require.Contains(t, tests, name)
			}
			for line := range strings.Lines(text) {
				checkGoTest(t, existing, line)
			}
			checkVersions(t, text)
		})
	}
}

// checkLinks follows the links of a page within the repository.
func checkLinks(t *testing.T, page, prose string) {
	t.Helper()
	for _, target := range link.FindAllStringSubmatch(prose, -1) {
		if strings.Contains(target[1], "://") {
			continue
		}
		file, anchor, _ := strings.Cut(target[1], "#")
		linked := page
		if file != "" {
			linked = path.Join(path.Dir(page), file)
			_, err := os.Stat(linked)
			require.NoError(t, err, "link to %s", target[1])
		}
		if anchor == "" {
			continue
		}
		text, err := os.ReadFile(linked)
		require.NoError(t, err)
		var anchors []string
		for _, title := range heading.FindAllStringSubmatch(string(text), -1) {
			anchors = append(anchors, strings.ReplaceAll(notInAnchor.ReplaceAllString(strings.ToLower(title[1]), ""), " ", "-"))
		}
		require.Contains(t, anchors, anchor, "link to %s", target[1])
	}
}

// checkSpan checks a text between backquotes if it looks like a name in this repository.
func checkSpan(t *testing.T, existing *tree, page, span string) {
	t.Helper()
	first, _, _ := strings.Cut(span, " ")
	switch {
	case inTree.MatchString(first):
		checkPath(t, page, first)
	case fileName.MatchString(span):
		require.True(t, existing.names[span], "no file %s", span)
	case qualified.MatchString(span):
		name := qualified.FindStringSubmatch(span)
		if declared := existing.declared[name[1]]; declared != nil {
			require.True(t, declared[name[2]], "no %s", name[0])
		}
	case camelCase.MatchString(span):
		require.True(t, slices.ContainsFunc(slices.Collect(maps.Values(existing.declared)), func(names map[string]bool) bool {
			return names[span]
		}), "nothing is called %s", span)
	case dotted.FindString(span) == span && !strings.HasSuffix(span, ".com"):
		table, column, _ := strings.Cut(span, ".")
		require.True(t, existing.words[span] || existing.words[table] && existing.words[column], "nothing is called %s", span)
	default:
		for _, word := range snakeCase.FindAllString(span, -1) {
			if word == span && !strings.HasPrefix(word, "pg_") { // PostgreSQL's
				require.True(t, existing.words[word], "nothing is called %s", word)
			}
		}
	}
}

// checkPath looks for a file or folder in the repository and next to the page.
func checkPath(t *testing.T, page, name string) {
	t.Helper()
	if placeholder.MatchString(name) {
		return
	}
	name, _, _ = strings.Cut(strings.TrimPrefix(name, "./"), ":")
	for _, dir := range []string{".", path.Dir(page)} {
		found, err := filepath.Glob(path.Join(dir, name))
		require.NoError(t, err)
		if len(found) > 0 {
			return
		}
	}
	require.Fail(t, "no file or folder "+name)
}

var goTest = regexp.MustCompile("go test ([^`#|\n]*)")

// checkGoTest shows that the patterns of a go test command select something in its package.
func checkGoTest(t *testing.T, existing *tree, line string) {
	t.Helper()
	command := goTest.FindStringSubmatch(line)
	if command == nil {
		return
	}
	var dirs, patterns []string
	words := strings.Fields(command[1])
	for i, word := range words {
		switch {
		case strings.HasPrefix(word, "./"):
			dirs = append(dirs, strings.TrimPrefix(word, "./"))
		case word == "-run" || word == "-bench" || word == "-fuzz":
			if i+1 < len(words) {
				pattern, _, _ := strings.Cut(strings.Trim(words[i+1], "'"), "/")
				patterns = append(patterns, pattern)
			}
		}
	}
	for _, pattern := range patterns {
		if pattern == "^$" {
			continue
		}
		for _, alternative := range strings.Split(pattern, "|") {
			selects, err := regexp.Compile(alternative)
			require.NoError(t, err)
			for _, dir := range dirs {
				require.True(t, slices.ContainsFunc(existing.tests[dir], selects.MatchString), "%s has no test %s", dir, alternative)
			}
		}
	}
}

// checkVersions shows that each version is one of a migration, except those of the migrations that a page writes.
func checkVersions(t *testing.T, text string) {
	t.Helper()
	for _, name := range version.FindAllString(text, -1) {
		found, err := filepath.Glob("sql/migrations/" + name + "_*.sql")
		require.NoError(t, err)
		require.True(t, len(found) > 0 || strings.Contains(text, name+"_add_urls_language"), "no migration %s", name)
	}
}

// TestReadmeListsPackages shows that the README describes each package, and no other.
func TestReadmeListsPackages(t *testing.T) {
	t.Parallel()
	_, section, found := strings.Cut(docPages(t)["README.md"], "\n## Folders\n")
	require.True(t, found)
	var listed, existing []string
	for _, folder := range regexp.MustCompile("`((?:internal|cmd)/\\w+)/`").FindAllStringSubmatch(section, -1) {
		listed = append(listed, folder[1])
	}
	for _, pattern := range []string{"internal/*", "cmd/*"} {
		folders, err := filepath.Glob(pattern)
		require.NoError(t, err)
		existing = append(existing, folders...)
	}
	require.ElementsMatch(t, existing, listed)
}
