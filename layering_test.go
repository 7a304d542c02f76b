// Package docket_test holds the test of the architecture: who may import whom, and where SQL may stand.
package docket_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// useCases own the rules of the domain.
var useCases = []string{
	"internal/annotation", "internal/ranking", "internal/robots", "internal/imports", "internal/submissions", "internal/catalog",
	"internal/progress", "internal/export", "internal/idempotency", "internal/changelog", "internal/views", "internal/sample",
}

const (
	generatedQueries = "docket/internal/db"
	driver           = "github.com/jackc/pgx"
)

// forbidden returns the imports that a package must do without, as prefixes of import paths.
func forbidden(dir string) []string {
	var list []string
	if !within(dir, useCases...) && !within(dir, "internal/db") {
		list = append(list, generatedQueries)
	}
	switch {
	case within(dir, useCases...):
		list = append(list, driver+"/v5/pgxpool", // postgres.Pool translates errors
			"github.com/gin-gonic", "net/http", "encoding/json", "docket/api", "docket/cmd", "docket/internal/auth")
	case within(dir, "api"):
		list = append(list, driver, "docket/internal/postgres", "docket/internal/schema", "docket/sql")
	case within(dir, "internal/postgres"):
		for _, useCase := range useCases {
			list = append(list, "docket/"+useCase)
		}
	case within(dir, "internal/contract", "internal/phase", "internal/auth", "internal/urlform", "internal/unknown"):
		list = append(list, "docket/", driver, "github.com/gin-gonic")
	}
	return list
}

// maySpeakSQL are the packages whose Go code may hold SQL.
var maySpeakSQL = []string{"internal/schema", "internal/postgres", "internal/db", "internal/dbtest", "benchmarks"}

var sqlStatement = regexp.MustCompile(`(?is)^\s*(SELECT|INSERT\s+INTO|UPDATE|DELETE\s+FROM|WITH|CREATE|ALTER|DROP|TRUNCATE|REFRESH|COPY|LOCK|SET|VACUUM|ANALYZE)\s+\S+.*\S`)

func TestArchitecture(t *testing.T) {
	t.Parallel()
	checked := 0
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && path != "." && strings.HasPrefix(entry.Name(), ".") {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		checked++
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		checkImports(t, path, file)
		checkSQL(t, path, file)
		return nil
	})
	require.NoError(t, err)
	require.Greater(t, checked, 30, "the walk found too little to mean anything")
}

func checkImports(t *testing.T, path string, file *ast.File) {
	for _, spec := range file.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		require.NoError(t, err)
		for _, prefix := range forbidden(filepath.Dir(path)) {
			if strings.HasPrefix(imported, prefix) {
				t.Errorf("%s must not import %s", path, imported)
			}
		}
		// Schema management is independent of Docket.
		if own, ok := strings.CutPrefix(imported, "docket/"); ok &&
			within(filepath.Dir(path), "internal/schema", "internal/schemacmd") && !within(own, "internal/schema") {
			t.Errorf("%s must not import %s", path, imported)
		}
	}
}

// checkSQL looks for statements in capitals, as SQL is written here; prose that begins with such a word is not.
func checkSQL(t *testing.T, path string, file *ast.File) {
	if within(filepath.Dir(path), maySpeakSQL...) {
		return
	}
	ast.Inspect(file, func(node ast.Node) bool {
		literal, ok := node.(*ast.BasicLit)
		if !ok || literal.Kind != token.STRING {
			return true
		}
		text, err := strconv.Unquote(literal.Value)
		require.NoError(t, err)
		if word, _, _ := strings.Cut(strings.TrimSpace(text), " "); word == strings.ToUpper(word) && sqlStatement.MatchString(text) {
			t.Errorf("%s holds SQL, which belongs in sql/: %.60q", path, text)
		}
		return true
	})
}

func within(dir string, packages ...string) bool {
	return slices.ContainsFunc(packages, func(p string) bool { return dir == p || strings.HasPrefix(dir, p+"/") })
}
