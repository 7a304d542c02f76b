package docket_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// changesFirst are the functions that change the elements of their first argument. slices.Grow and append to the end are not among
// them: they change nothing that the caller can see.
var changesFirst = map[string]bool{
	"slices.Compact": true, "slices.CompactFunc": true, "slices.Delete": true, "slices.DeleteFunc": true, "slices.Insert": true,
	"slices.Replace": true, "slices.Reverse": true, "slices.Sort": true, "slices.SortFunc": true, "slices.SortStableFunc": true,
	"sort.Float64s": true, "sort.Ints": true, "sort.Slice": true, "sort.SliceStable": true, "sort.Sort": true, "sort.Stable": true,
	"sort.Strings": true, "maps.Copy": true, "maps.DeleteFunc": true, ".clear": true, ".copy": true, ".delete": true,
}

// TestCallersKeepTheirSlices finds functions that change the elements of a slice or map that their caller passed. The caller may
// use it afterwards, and then reads deleted elements as zeros. A function may do so if its comment says that it takes ownership of
// the parameter, by name: "It takes ownership of rows."
func TestCallersKeepTheirSlices(t *testing.T) {
	t.Parallel()
	var found []string
	require.NoError(t, filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		files := token.NewFileSet()
		file, err := parser.ParseFile(files, path, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		for _, decl := range file.Decls {
			if function, ok := decl.(*ast.FuncDecl); ok && function.Body != nil {
				for _, change := range changesOfParameters(function.Type, function.Body, function.Doc.Text()) {
					found = append(found, files.Position(change.Pos()).String())
				}
			}
		}
		return nil
	}))
	require.Empty(t, found, "these change a parameter that belongs to the caller")
}

// changesOfParameters returns where a function changes elements of a parameter, in the order of the source. A parameter that was
// assigned another value no longer belongs to the caller; a local variable that was assigned a parameter does.
func changesOfParameters(signature *ast.FuncType, body *ast.BlockStmt, comment string) (changes []ast.Node) {
	comment = strings.Join(strings.Fields(comment), " ")
	foreign := map[string]bool{}
	elements := map[string]bool{} // pointers to an element of a foreign slice
	declare := func(of *ast.FuncType) {
		for _, field := range of.Params.List {
			for _, name := range field.Names {
				foreign[name.Name] = hasElements(field.Type) && !strings.Contains(comment, "takes ownership of "+name.Name)
			}
		}
	}
	declare(signature)
	isForeign := func(e ast.Expr) bool {
		if part, ok := e.(*ast.SliceExpr); ok {
			e = part.X
		}
		name, ok := e.(*ast.Ident)
		return ok && foreign[name.Name]
	}
	ast.Inspect(body, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncLit:
			declare(n.Type)
		case *ast.CallExpr:
			part, _ := firstOf(n.Args).(*ast.SliceExpr)
			appendsWithin := callee(n) == ".append" && part != nil && (part.High != nil && part.Max == nil)
			if isForeign(firstOf(n.Args)) && (changesFirst[callee(n)] || appendsWithin) {
				changes = append(changes, n)
			}
		case *ast.IncDecStmt:
			if element, ok := n.X.(*ast.IndexExpr); ok && isForeign(element.X) {
				changes = append(changes, n)
			}
		case *ast.AssignStmt:
			for i, to := range n.Lhs {
				whole := to
				for field, ok := to.(*ast.SelectorExpr); ok; field, ok = to.(*ast.SelectorExpr) {
					to = field.X
				}
				element, _ := to.(*ast.IndexExpr)
				name, _ := to.(*ast.Ident)
				switch {
				case element != nil && isForeign(element.X), name != nil && whole != to && elements[name.Name]:
					changes = append(changes, n)
				case name != nil && whole == to && len(n.Lhs) == len(n.Rhs):
					call, _ := n.Rhs[i].(*ast.CallExpr)
					foreign[name.Name] = isForeign(n.Rhs[i]) ||
						call != nil && isForeign(firstOf(call.Args)) && (changesFirst[callee(call)] || callee(call) == ".append")
					address, _ := n.Rhs[i].(*ast.UnaryExpr)
					elements[name.Name] = false
					if address != nil && address.Op == token.AND {
						of, ok := address.X.(*ast.IndexExpr)
						elements[name.Name] = ok && isForeign(of.X)
					}
				}
			}
		}
		return true
	})
	return changes
}

// hasElements reports whether a parameter of the type shares its elements with the caller, as far as the text of the type shows.
func hasElements(of ast.Expr) bool {
	switch of := of.(type) {
	case *ast.ArrayType:
		return of.Len == nil
	case *ast.MapType, *ast.Ellipsis, *ast.Ident:
		return true
	}
	return false
}

// callee returns the package and the name of a called function, as in "slices.Sort" or ".append".
func callee(call *ast.CallExpr) string {
	switch f := call.Fun.(type) {
	case *ast.Ident:
		return "." + f.Name
	case *ast.SelectorExpr:
		if from, ok := f.X.(*ast.Ident); ok {
			return from.Name + "." + f.Sel.Name
		}
	}
	return ""
}

func firstOf(list []ast.Expr) ast.Expr {
	if len(list) == 0 {
		return nil
	}
	return list[0]
}
