// Package docket_test checks the architecture: which package may import which, and which may contain SQL.
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
	"internal/annotation", "internal/ranking", "internal/views", "internal/robots", "internal/imports", "internal/submissions",
	"internal/catalog", "internal/progress", "internal/export", "internal/idempotency", "internal/changelog", "internal/sample",
	"internal/follows", "internal/consensus", "internal/tasks", "internal/upkeep", "internal/agreement",
	"internal/history", "internal/doctor",
}

// leaves import no other package of Docket, no driver and no web framework.
var leaves = []string{
	"internal/auth", "internal/contract", "internal/convert", "internal/csvfile", "internal/page", "internal/phase",
	"internal/unknown", "internal/urlform", "internal/extsort", "internal/dsapp", "internal/ratelimit", "internal/origin",
	"internal/tracing",
}

const (
	driver       = "github.com/jackc/pgx"
	webFramework = "github.com/gin-gonic"
)

// rule forbids imports, as prefixes of import paths. A package may always import itself.
type rule struct {
	packages, forbidden, except []string
}

// layers are rules for the program and its tests.
var layers = []rule{
	{packages: useCases, forbidden: []string{webFramework, "docket/api", "docket/cmd"}},
	{packages: leaves, forbidden: []string{webFramework, "docket/"}},
	{packages: []string{"internal/postgres", "internal/schema", "internal/schemacmd", "internal/adoption"},
		forbidden: append([]string{webFramework, "docket/api", "docket/cmd"}, importPaths(useCases)...)},
}

// program are rules for the program only. Tests start databases, and read what was stored through the driver.
var program = []rule{
	{packages: useCases, forbidden: []string{
		driver + "/v5/pgxpool", // postgres.Pool translates errors
		"net/http", "docket/internal/auth", "docket/internal/contract", "docket/internal/schema",
	}},
	// Package idempotency stores the results of the other use cases as JSON, package consensus the votes behind a fact, package
	// history the details of events.
	{packages: without(useCases, "internal/idempotency", "internal/consensus", "internal/history"),
		forbidden: []string{"encoding/json"}},
	{packages: useCases, forbidden: []string{"docket/internal/jobs"}},
	{packages: []string{"internal/jobs"}, forbidden: []string{webFramework, "docket/api", "docket/cmd", "docket/internal/db"}},
	{packages: []string{"api"}, forbidden: []string{
		driver, "docket/internal/db", "docket/internal/postgres", "docket/internal/schema", "docket/sql",
	}},
	{packages: leaves, forbidden: []string{driver}},
	// Schema management knows nothing of Docket, and neither does package tcp.
	{packages: []string{"internal/schema", "internal/schemacmd"}, forbidden: []string{"docket/"},
		except: []string{"docket/internal/schema", "docket/internal/schemacmd", "docket/internal/postgres/tcp"}},
}

func importPaths(packages []string) (paths []string) {
	for _, dir := range packages {
		paths = append(paths, "docket/"+dir)
	}
	return paths
}

func without(packages []string, some ...string) []string {
	return slices.DeleteFunc(slices.Clone(packages), func(dir string) bool { return slices.Contains(some, dir) })
}

// mayContainSQL are the packages whose Go code may contain SQL.
var mayContainSQL = []string{"internal/schema", "internal/postgres", "internal/db", "internal/dbtest", "benchmarks"}

var sqlStatement = regexp.MustCompile(`(?is)^\s*(SELECT|INSERT\s+INTO|UPDATE|DELETE\s+FROM|WITH|CREATE|ALTER|DROP|TRUNCATE|` +
	`REFRESH|COPY|LOCK|SET|VACUUM|ANALYZE)\s+\S+.*\S`)

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
		if !strings.HasSuffix(path, ".go") {
			return nil
		}
		checked++
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		checkImports(t, path, file)
		if !strings.HasSuffix(path, "_test.go") {
			checkSQL(t, path, file)
			checkPool(t, path, file)
		}
		return nil
	})
	require.NoError(t, err)
	require.Greater(t, checked, 30, "too few files were found")
}

func checkImports(t *testing.T, file string, parsed *ast.File) {
	dir, test := filepath.ToSlash(filepath.Dir(file)), strings.HasSuffix(file, "_test.go")
	rules := layers
	if !test {
		rules = slices.Concat(layers, program)
		if !within(dir, "internal/db") && !within(dir, useCases...) {
			rules = append(rules, rule{packages: []string{dir}, forbidden: []string{"docket/internal/db"}})
		}
		rules = append(rules, rule{packages: []string{dir}, forbidden: []string{"docket/internal/dbtest", "docket/internal/faultproxy"}})
	}
	for _, spec := range parsed.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		require.NoError(t, err)
		for _, r := range rules {
			allowed := imported == "docket/"+dir || hasPrefix(imported, r.except) || !hasPrefix(imported, r.forbidden)
			if within(dir, r.packages...) && !allowed {
				t.Errorf("%s must not import %s", file, imported)
			}
		}
	}
}

func hasPrefix(path string, prefixes []string) bool {
	return slices.ContainsFunc(prefixes, func(prefix string) bool { return strings.HasPrefix(path, prefix) })
}

// checkSQL finds statements whose keywords are in capitals. A sentence that begins with such a word is not one.
func checkSQL(t *testing.T, path string, file *ast.File) {
	if within(filepath.Dir(path), mayContainSQL...) {
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
			t.Errorf("%s contains SQL, which belongs in sql/: %.60q", path, text)
		}
		return true
	})
}

// checkPool finds calls of the methods that a Pool has from pgxpool and that run statements. They pass by the gate of writers.
func checkPool(t *testing.T, path string, file *ast.File) {
	if within(filepath.ToSlash(filepath.Dir(path)), "internal/postgres", "internal/dbtest", "benchmarks") {
		return
	}
	ast.Inspect(file, func(node ast.Node) bool {
		method, ok := node.(*ast.SelectorExpr)
		if !ok || !slices.Contains([]string{"Begin", "BeginTx", "CopyFrom", "AcquireFunc", "AcquireAllIdle", "Pool"}, method.Sel.Name) {
			return true
		}
		switch of := method.X.(type) {
		case *ast.SelectorExpr:
			ok = of.Sel.Name == "pool"
		case *ast.Ident:
			ok = of.Name == "pool"
		}
		if ok {
			t.Errorf("%s calls pool.%s, which is not limited by the gate of package postgres: use InTx or AcquireWriter", path, method.Sel.Name)
		}
		return true
	})
}

func within(dir string, packages ...string) bool {
	return slices.ContainsFunc(packages, func(p string) bool { return dir == p || strings.HasPrefix(dir, p+"/") })
}
