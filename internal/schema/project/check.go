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
	neverTrue // a flag that may only be false
	skipped   // Atlas uses it
)

// attributes are the names that a block may hold, by the path of the block. Blocks without any are in it too.
var attributes = map[string]map[string]kind{
	"env": {"name": aText, "url": aText, "dev": aText, "src": textOrList, "exclude": aList, "schemas": skipped},
	"env.migration": {
		"dir": aText, "format": aText, "lock_timeout": aText, "revisions_schema": aText,
		"baseline": skipped, "exec_order": skipped, "exclude": skipped,
	},
	"env.diff":                  {},
	"env.diff.skip":             skips(),
	"env.diff.concurrent_index": {"create": aFlag, "add": aFlag, "drop": aFlag},
	"env.lint":                  {"latest": aNumber, "log": skipped, "format": skipped, "review": skipped},
	"env.lint.git":              {"dir": aText, "base": aText},
}

// skips are the changes that Atlas can be configured to leave out, and drops of checks and comments, of which Atlas has no term
// and which it ignores. Here only drops can be left out; a file that asks for more is refused.
func skips() map[string]kind {
	names := map[string]kind{}
	for _, verb := range []string{"add", "drop", "modify", "rename"} {
		for _, object := range []string{"table", "column", "index", "foreign_key", "view"} {
			names[verb+"_"+object] = neverTrue
		}
		for _, object := range []string{"schema", "func", "proc", "trigger"} {
			names[verb+"_"+object] = skipped
		}
	}
	for _, object := range []string{"table", "column", "view", "index", "foreign_key", "check", "comment"} {
		names["drop_"+object] = aFlag
	}
	return names
}

// analyzers are the blocks that a lint block may hold, each with error and attributes of its own.
var analyzers = []string{
	"destructive", "data_depend", "incompatible", "condrop", "concurrent_index", "naming", "nestedtx",
	// Those of package lint, which Atlas skips.
	"materialized_view_index", "materialized_view_rebuild", "view_grants", "table_rewrite", "constraint_scan", "unlogged_table",
	"down_file",
}

// atlasBlocks are skipped with their content.
var atlasBlocks = []string{
	"atlas", "data", "docker", "test", "env.format", "env.log", "env.schema", "env.test", "env.migration.repo",
}

func belongsToAtlas(path string) bool { return slices.Contains(atlasBlocks, path) }

// checker checks each block and attribute by its path before the values are used.
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
	path := c.blockPath()
	_, known := attributes[path]
	if known || c.inAtlas() || c.analyzer() {
		return leave, nil
	}
	return nil, fmt.Errorf("%s: block %q is known neither here nor to Atlas", position(block.TypeRange), block.Type)
}

func (c *checker) ValidateAttribute(_ *hcl.EvalContext, attr *hclsyntax.Attribute, value cty.Value) error {
	if c.inAtlas() {
		return nil
	}
	known := attributes[c.blockPath()]
	if c.analyzer() {
		known = map[string]kind{attr.Name: skipped}
		if attr.Name == "error" {
			known["error"] = aFlag
		}
	}
	want, ok := known[attr.Name]
	if !ok {
		return fmt.Errorf("%s: attribute %q is known neither here nor to Atlas; known are: %s",
			position(attr.SrcRange), attr.Name, strings.Join(slices.Sorted(maps.Keys(known)), ", "))
	}
	if problem := check(want, value); problem != "" {
		return fmt.Errorf("%s: %s %s", position(attr.SrcRange), attr.Name, problem)
	}
	return nil
}

// blockPath is the path of the current block. A policy outside of env has the path of one inside.
func (c *checker) blockPath() string {
	path := strings.Join(c.path, ".")
	if len(c.path) > 0 && (c.path[0] == "diff" || c.path[0] == "lint") {
		path = "env." + path
	}
	return path
}

func (c *checker) inAtlas() bool {
	path := c.blockPath()
	return slices.ContainsFunc(atlasBlocks, func(block string) bool { return path == block || strings.HasPrefix(path, block+".") })
}

func (c *checker) analyzer() bool {
	path, name, found := strings.Cut(c.blockPath(), "env.lint.")
	name, _, _ = strings.Cut(name, ".")
	return found && path == "" && slices.Contains(analyzers, name)
}

// check returns what is wrong with a value, or "".
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
		return "= true is not supported: such changes are always planned; remove the line"
	}
	return ""
}

func position(r hcl.Range) string { return fmt.Sprintf("%s:%d", r.Filename, r.Start.Line) }

// withoutValues replaces the error of a URL function, which quotes the URL, by its position: no part of a password may be
// shown.
func withoutValues(err error) error {
	var diags hcl.Diagnostics
	if !errors.As(err, &diags) {
		return err
	}
	for _, d := range diags {
		if d.Subject != nil && strings.Contains(d.Detail, `"url`) {
			return fmt.Errorf("%s: a function does not take the value it is given; "+
				"a database URL should look like postgres://user:password@host:5432/database", position(*d.Subject))
		}
	}
	return err
}
