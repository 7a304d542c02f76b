// Package project reads the Atlas project file, atlas.hcl, as the Atlas command reads it: environments with their URLs,
// folders and policies.
//
// It skips the blocks and attributes that only Atlas uses. A name that is known neither here nor to Atlas is an error with
// its position: a misspelt policy would have no effect. It connects to nothing.
package project

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"ariga.io/atlas/schemahcl"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclparse"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// Environment is one env block, the policies outside of it filled in where it has none of its own.
type Environment struct {
	Name string

	URL string // of the database; empty when it was made of variables that are not set
	Dev string // of a server for scratch databases; empty likewise
	Src string // where the target schema is, e.g. file://sql/schema; empty when not given

	Exclude []string // patterns of tables, views and schemas that are not managed

	MigrationDir    string        // e.g. file://sql/migrations; empty when not given
	RevisionsSchema string        // that holds the revisions table
	LockTimeout     time.Duration // 0 when not given

	Diff Diff
	Lint Lint
}

// Diff is the policy of plans.
type Diff struct {
	// What the files lack stays.
	KeepTables, KeepColumns, KeepViews                     bool
	KeepIndexes, KeepForeignKeys, KeepChecks, KeepComments bool
	// What PostgreSQL can do while others read and write is done so. The file says it with a concurrent_index block, in which any
	// attribute is true: Atlas has no term for what is not an index.
	Online bool
}

// Lint is the policy of checks.
type Lint struct {
	Latest  int    // how many of the last files to check; 0 when not given
	GitBase string // branch whose files are not checked; empty when not given
	// Whether what the analyzer of that name finds is an error; those not named decide for themselves.
	Errors map[string]bool
}

// Options are what the file's expressions may use.
type Options struct {
	Vars   map[string]string // values of input variables, by name
	Getenv func(string) string
}

// ErrNoFile means that the project file does not exist.
var ErrNoFile = errors.New("there is no project file")

// Load reads the environment called env from the file at path.
func Load(path, env string, opts Options) (*Environment, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%w %s", ErrNoFile, path)
	}
	if err != nil {
		return nil, fmt.Errorf("read project file: %w", err)
	}
	e, err := load(path, text, env, opts)
	if err != nil {
		return nil, withoutValues(err)
	}
	return e, nil
}

func load(path string, text []byte, env string, opts Options) (*Environment, error) {
	parser := hclparse.NewParser()
	file, diags := parser.ParseHCL(text, path)
	if diags.HasErrors() {
		return nil, diags
	}
	if err := selectEnv(path, file, env, opts.Vars); err != nil {
		return nil, err
	}
	vars := map[string]cty.Value{}
	for name, value := range opts.Vars {
		vars[name] = cty.StringVal(value)
	}
	var parsed document
	err := newState(path, env, opts.Getenv).EvalOptions(parser, &parsed,
		&schemahcl.EvalOptions{Variables: vars, Validator: &checker{}})
	if err != nil {
		var positioned hcl.Diagnostics
		if errors.As(err, &positioned) || strings.HasPrefix(err.Error(), path) {
			return nil, err
		}
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if len(parsed.Envs) != 1 {
		return nil, fmt.Errorf("%s: it has %d blocks for env %q; leave one", path, len(parsed.Envs), env)
	}
	return parsed.environment(path, env)
}

func newState(path, env string, getenv func(string) string) *schemahcl.State {
	base := filepath.Dir(path)
	return schemahcl.New(
		schemahcl.WithScopedEnums("env.migration.format", "atlas", "flyway", "liquibase", "goose", "golang-migrate", "dbmate"),
		schemahcl.WithScopedEnums("env.migration.exec_order", "LINEAR", "LINEAR_SKIP", "NON_LINEAR"),
		schemahcl.WithScopedEnums("env.lint.review", "ALWAYS", "WARNING", "ERROR"),
		schemahcl.WithScopedEnums("lint.review", "ALWAYS", "WARNING", "ERROR"),
		schemahcl.WithVariables(map[string]cty.Value{
			"atlas": cty.ObjectVal(map[string]cty.Value{"env": cty.StringVal(env)}),
		}),
		schemahcl.WithFunctions(map[string]function.Function{
			"file":    schemahcl.MakeFileFunc(base),
			"glob":    schemahcl.MakeGlobFunc(base),
			"fileset": schemahcl.MakeFileSetFunc(base),
			"getenv": function.New(&function.Spec{
				Params: []function.Parameter{{Name: "name", Type: cty.String}},
				Type:   function.StaticReturnType(cty.String),
				Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
					return cty.StringVal(getenv(args[0].AsString())), nil
				},
			}),
		}),
	)
}

// selectEnv keeps only the blocks that env needs: another environment may use variables that have no value.
func selectEnv(path string, file *hcl.File, env string, vars map[string]string) error {
	body, ok := file.Body.(*hclsyntax.Body)
	if !ok {
		return fmt.Errorf("%s: unexpected syntax %T", path, file.Body)
	}
	var kept hclsyntax.Blocks
	var names []string
	declared := map[string]bool{}
	found := false
	for _, block := range body.Blocks {
		switch block.Type {
		case "env":
			name := env // a block without a label takes any name
			if len(block.Labels) > 0 {
				name = block.Labels[0]
				names = append(names, name)
			}
			if name == env {
				found = true
				kept = append(kept, block)
			}
		case "variable":
			if len(block.Labels) > 0 {
				declared[block.Labels[0]] = true
			}
			kept = append(kept, block)
		default:
			if belongsToAtlas(block.Type) {
				continue
			}
			kept = append(kept, block)
		}
	}
	if !found {
		return fmt.Errorf("%s: it has no env %q, only %s", path, env, strings.Join(names, ", "))
	}
	for name := range vars {
		if !declared[name] {
			return fmt.Errorf("%s: it declares no variable %q, for which there is a value; write variable %[2]q { type = string }",
				path, name)
		}
	}
	body.Blocks = kept
	return nil
}
