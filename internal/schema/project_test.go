package schema_test

import (
	"os"
	"path/filepath"
	"testing"

	"ariga.io/atlas/schemahcl"
	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// project is the part of an Atlas project file that the Atlas command and this
// program must read alike.
type project struct {
	Envs []*struct {
		Name      string   `spec:"name,name"`
		URL       string   `spec:"url"`
		Dev       string   `spec:"dev"`
		Src       string   `spec:"src"`
		Exclude   []string `spec:"exclude"`
		Migration *struct {
			Dir             string `spec:"dir"`
			RevisionsSchema string `spec:"revisions_schema"`
			schemahcl.DefaultExtension
		} `spec:"migration"`
		schemahcl.DefaultExtension
	} `spec:"env"`
	schemahcl.DefaultExtension
}

func TestAtlasProjectFile(t *testing.T) {
	t.Parallel()
	root := filepath.Join("..", "..")
	environment := map[string]string{
		"DATABASE_URL":  "postgres://docket@db.example.org/docket?sslmode=require",
		"ATLAS_DEV_URL": "postgres://localhost/scratch",
	}
	getenv := function.New(&function.Spec{
		Params: []function.Parameter{{Name: "name", Type: cty.String}},
		Type:   function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			return cty.StringVal(environment[args[0].AsString()]), nil
		},
	})
	state := schemahcl.New(schemahcl.WithFunctions(map[string]function.Function{"getenv": getenv}))
	var p project
	require.NoError(t, state.EvalFiles([]string{filepath.Join(root, "atlas.hcl")}, &p, nil))

	var names []string
	for _, env := range p.Envs {
		names = append(names, env.Name)
		require.Equal(t, "postgres://docket@db.example.org/docket?search_path=public&sslmode=require", env.URL)
		require.Equal(t, "postgres://localhost/scratch?search_path=public", env.Dev)
		require.Equal(t, "file://sql/schema", env.Src)
		require.Equal(t, "file://sql/migrations", env.Migration.Dir)
		require.Equal(t, "public", env.Migration.RevisionsSchema)
		require.Contains(t, env.Exclude, "river")
		require.Contains(t, env.Exclude, "atlas_schema_revisions")
		for _, dir := range []string{env.Src, env.Migration.Dir} {
			_, err := os.Stat(filepath.Join(root, dir[len("file://"):]))
			require.NoError(t, err)
		}
	}
	require.Equal(t, []string{"local", "ci", "prod"}, names)
	for _, policy := range []string{"diff", "lint"} {
		_, ok := p.Extra.Resource(policy)
		require.True(t, ok, policy)
	}
}
