package project

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"ariga.io/atlas/schemahcl"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// kind is what an attribute may be.
type kind int

const (
	aText kind = iota
	aList
	textOrList
	aFlag
	aNumber
	neverTrue // a flag that Docket has no answer to but false
	passedOver
)

// attributes are the names that a block may hold, by the path of the block. Blocks without any are in it too.
var attributes = map[string]map[string]kind{
	"env": {"name": aText, "url": aText, "dev": aText, "src": textOrList, "exclude": aList, "schemas": passedOver},
	"env.migration": {
		"dir": aText, "format": aText, "lock_timeout": aText, "revisions_schema": aText,
		"baseline": passedOver, "exec_order": passedOver, "exclude": passedOver,
	},
	"env.diff":                  {},
	"env.diff.skip":             skips(),
	"env.diff.concurrent_index": {"create": aFlag, "add": aFlag, "drop": aFlag},
	"env.lint":                  {"latest": aNumber, "log": passedOver, "format": passedOver, "review": passedOver},
	"env.lint.git":              {"dir": aText, "base": aText},
}

// skips are the changes that Atlas can be told to leave out. Some are none that Docket makes; of the others it leaves out
// drops alone, and must not seem to promise more.
func skips() map[string]kind {
	names := map[string]kind{}
	for _, act := range []string{"add", "drop", "modify", "rename"} {
		for _, object := range []string{"table", "column", "index", "foreign_key", "view"} {
			names[act+"_"+object] = neverTrue
		}
		for _, object := range []string{"schema", "func", "proc", "trigger"} {
			names[act+"_"+object] = passedOver
		}
	}
	for _, object := range []string{"table", "column", "view"} {
		names["drop_"+object] = aFlag
	}
	return names
}

// analyzers may stand in a lint block, each with attributes of its own beside error.
var analyzers = []string{
	"destructive", "data_depend", "incompatible", "condrop", "concurrent_index", "naming", "nestedtx",
	// Those of Docket, which Atlas passes over.
	"materialized_view_index", "materialized_view_rebuild", "view_grants", "table_rewrite", "constraint_scan", "down_file",
}

// atlasBlocks are passed over with all they hold.
var atlasBlocks = []string{
	"atlas", "data", "docker", "test", "env.format", "env.log", "env.schema", "env.test", "env.migration.repo",
}

func belongsToAtlas(path string) bool { return slices.Contains(atlasBlocks, path) }

// checker meets every block and attribute with its place before the values are used.
type checker struct{ path []string }

var _ schemahcl.SchemaValidator = (*checker)(nil)

func (*checker) Err() error { return nil }

func (*checker) ValidateBody(*hcl.EvalContext, *hclsyntax.Body) (func() error, error) {
	return func() error { return nil }, nil
}

func (c *checker) ValidateBlock(_ *hcl.EvalContext, block *hclsyntax.Block) (func() error, error) {
	c.path = append(c.path, block.Type)
	leave := func() error {
		c.path = c.path[:len(c.path)-1]
		return nil
	}
	path := c.where()
	_, known := attributes[path]
	if known || c.inAtlas() || c.analyzer() {
		return leave, nil
	}
	return nil, fmt.Errorf("%s: block %q is not known here, to Docket or to Atlas", place(block.TypeRange), block.Type)
}

func (c *checker) ValidateAttribute(_ *hcl.EvalContext, attr *hclsyntax.Attribute, value cty.Value) error {
	if c.inAtlas() {
		return nil
	}
	known := attributes[c.where()]
	if c.analyzer() {
		known = map[string]kind{attr.Name: passedOver}
		if attr.Name == "error" {
			known["error"] = aFlag
		}
	}
	want, ok := known[attr.Name]
	if !ok {
		return fmt.Errorf("%s: attribute %q is not known here, to Docket or to Atlas; known are: %s",
			place(attr.SrcRange), attr.Name, strings.Join(slices.Sorted(maps.Keys(known)), ", "))
	}
	if problem := check(want, value); problem != "" {
		return fmt.Errorf("%s: %s %s", place(attr.SrcRange), attr.Name, problem)
	}
	return nil
}

// where is the path of the block, with the policies outside of env at the same path as those inside.
func (c *checker) where() string {
	path := strings.Join(c.path, ".")
	if len(c.path) > 0 && (c.path[0] == "diff" || c.path[0] == "lint") {
		path = "env." + path
	}
	return path
}

func (c *checker) inAtlas() bool {
	path := c.where()
	return slices.ContainsFunc(atlasBlocks, func(block string) bool { return path == block || strings.HasPrefix(path, block+".") })
}

func (c *checker) analyzer() bool {
	path, name, found := strings.Cut(c.where(), "env.lint.")
	name, _, _ = strings.Cut(name, ".")
	return found && path == "" && slices.Contains(analyzers, name)
}

// check says what is wrong with a value; nothing when it fits.
func check(want kind, value cty.Value) string {
	t := value.Type()
	list := t.IsTupleType() || t.IsListType() || t.IsSetType()
	listOfText := list && !slices.ContainsFunc(value.AsValueSlice(), func(v cty.Value) bool { return v.Type() != cty.String })
	switch {
	case want == aText && t != cty.String:
		return "must be a text"
	case want == aList && !listOfText:
		return "must be a list of texts"
	case want == textOrList && t != cty.String && !listOfText:
		return "must be a text or a list of texts"
	case (want == aFlag || want == neverTrue) && t != cty.Bool:
		return "must be true or false"
	case want == aNumber && t != cty.Number:
		return "must be a number"
	case want == neverTrue && value.True():
		return "= true is nothing that Docket can keep: it plans such changes; remove the line"
	}
	return ""
}

func place(r hcl.Range) string { return fmt.Sprintf("%s:%d", r.Filename, r.Start.Line) }

// withoutValues replaces the error of a URL function, which quotes the URL, by its place: not even a piece of a password
// may be told.
func withoutValues(err error) error {
	var diags hcl.Diagnostics
	if !errors.As(err, &diags) {
		return err
	}
	for _, d := range diags {
		if d.Subject != nil && strings.Contains(d.Detail, `"url`) {
			return fmt.Errorf("%s: a function does not take the value it is given; "+
				"a database URL should look like postgres://user:password@host:5432/database", place(*d.Subject))
		}
	}
	return err
}
