package project_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"docket/internal/schema/project"
)

func load(t *testing.T, text, env string, opts project.Options) (*project.Environment, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "atlas.hcl")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	if opts.Getenv == nil {
		opts.Getenv = func(string) string { return "" }
	}
	return project.Load(path, env, opts)
}

func TestLoad(t *testing.T) {
	t.Parallel()
	const text = `
variable "host" {
  type    = string
  default = "db.example"
}
locals {
  database = "docket"
}
atlas {
  cloud { token = "t" }
}
data "external" "secret" {
  program = ["cat"]
}
env "staging" {
  url     = "postgres://${getenv("PGUSER")}@${var.host}/${local.database}-${atlas.env}"
  dev     = urlqueryset(getenv("DEV"), "search_path", "public")
  src     = ["file://schema"]
  exclude = ["river"]
  migration {
    dir          = "file://migrations"
    format       = atlas
    exec_order   = LINEAR
    lock_timeout = "90s"
  }
  diff {
    concurrent_index { create = true }
  }
  lint {
    git { base = "main" }
    destructive { error = false }
  }
  format {
    migrate { diff = "{{ sql . }}" }
  }
}
env "other" {
  url = data.external.secret
  nonsense = var.nobody
}
diff {
  skip {
    drop_table  = true
    drop_schema = true
    add_index   = false
  }
  concurrent_index { drop = true }
}
lint {
  latest = 3
  incompatible { error = true }
}
`
	e, err := load(t, text, "staging", project.Options{
		Vars: map[string]string{"host": "h"}, Getenv: func(name string) string { return map[string]string{"PGUSER": "me"}[name] },
	})
	require.NoError(t, err)
	require.Equal(t, &project.Environment{
		Name: "staging", URL: "postgres://me@h/docket-staging", Src: "file://schema", Exclude: []string{"river"},
		MigrationDir: "file://migrations", LockTimeout: 90 * time.Second,
		Diff: project.Diff{KeepTables: true, Online: true},
		Lint: project.Lint{GitBase: "main", Errors: map[string]bool{"destructive": false}},
	}, e)
}

func TestPoliciesOutsideOfEnvironments(t *testing.T) {
	t.Parallel()
	e, err := load(t, `
env "local" {}
diff {
  skip {
    drop_view        = true
    drop_index       = true
    drop_foreign_key = true
    drop_check       = true
    drop_comment     = true
  }
  concurrent_index {
    add  = true
    drop = true
  }
}
lint {
  latest = 2
  data_depend { error = true }
}`, "local", project.Options{})
	require.NoError(t, err)
	require.Equal(t, project.Diff{
		KeepViews: true, KeepIndexes: true, KeepForeignKeys: true, KeepChecks: true, KeepComments: true,
		Online: true,
	}, e.Diff)
	require.Equal(t, project.Lint{Latest: 2, Errors: map[string]bool{"data_depend": true}}, e.Lint)

	e, err = load(t, `env { name = atlas.env }`, "any", project.Options{})
	require.NoError(t, err)
	require.Equal(t, "any", e.Name)
}

func TestLoadRefuses(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ text, want string }{
		"syntax":              {"env \"e\" {", "atlas.hcl:1"},
		"no such environment": {"env \"a\" {}\nenv \"b\" {}", `it has no env "e", only a, b`},
		"twice":               {"env \"e\" {}\nenv \"e\" {}", `2 blocks for env "e"`},
		"unknown attribute":   {"env \"e\" {\n  ulr = \"x\"\n}", `atlas.hcl:2: attribute "ulr" is known neither`},
		"unknown at the top":  {"url = \"x\"\nenv \"e\" {}", `atlas.hcl:1: attribute "url"`},
		"unknown block":       {"env \"e\" {\n\n  migrations {}\n}", `atlas.hcl:3: block "migrations" is known neither`},
		"unknown top block":   {"polcy {}\nenv \"e\" {}", `atlas.hcl:1: block "polcy" is known neither`},
		"misspelled skip": {
			"diff {\n  skip {\n    drop_tables = true\n  }\n}\nenv \"e\" {}", `atlas.hcl:3: attribute "drop_tables"`,
		},
		"a skip not kept": {
			"env \"e\" {\n  diff {\n    skip {\n      modify_table = true\n    }\n  }\n}", "atlas.hcl:4: modify_table = true is not supported",
		},
		"unknown analyzer": {"lint {\n  destructiv {}\n}\nenv \"e\" {}", `atlas.hcl:2: block "destructiv"`},
		"text as flag": {
			"diff {\n  skip {\n    drop_table = \"yes\"\n  }\n}\nenv \"e\" {}", "atlas.hcl:3: drop_table must be true or false",
		},
		"flag as text":    {"env \"e\" {\n  url = true\n}", "atlas.hcl:2: url must be a text"},
		"text as list":    {"env \"e\" {\n  exclude = \"river\"\n}", "atlas.hcl:2: exclude must be a list"},
		"list of numbers": {"env \"e\" {\n  exclude = [1]\n}", "atlas.hcl:2: exclude must be a list"},
		"number":          {"lint {\n  latest = \"one\"\n}\nenv \"e\" {}", "atlas.hcl:2: latest must be a number"},
		"analyzer's error": {
			"lint {\n  destructive {\n    error = 1\n  }\n}\nenv \"e\" {}", "atlas.hcl:3: error must be true or false",
		},
		"two sources":       {"env \"e\" {\n  src = [\"file://a\", \"file://b\"]\n}", "src must be one folder"},
		"duration":          {"env \"e\" {\n  migration { lock_timeout = \"soon\" }\n}", `"soon" is not a duration such as 30s`},
		"format":            {"env \"e\" {\n  migration { format = flyway }\n}", "only atlas is supported"},
		"unknown variable":  {"env \"e\" {\n  url = var.nobody\n}", "atlas.hcl:2"},
		"missing variable":  {"variable \"v\" { type = string }\nenv \"e\" {}", `"v"`},
		"data source":       {"data \"sql\" \"s\" {}\nenv \"e\" {\n  url = data.sql.s.value\n}", "atlas.hcl:3"},
		"unknown function":  {"env \"e\" {\n  url = nonsense()\n}", "atlas.hcl:2"},
		"function's result": {"env \"e\" {\n  url = [getenv(\"X\")]\n}", "atlas.hcl:2: url must be a text"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := load(t, test.text, "e", project.Options{})
			require.ErrorContains(t, err, test.want)
			require.ErrorContains(t, err, "atlas.hcl")
		})
	}
	_, err := load(t, "env \"e\" {}", "e", project.Options{Vars: map[string]string{"v": "1"}})
	require.ErrorContains(t, err, `declares no variable "v"`)
	_, err = project.Load(filepath.Join(t.TempDir(), "atlas.hcl"), "e", project.Options{})
	require.ErrorIs(t, err, project.ErrNoFile)
}

func TestErrorsKeepPasswords(t *testing.T) {
	t.Parallel()
	const url = "postgres://me:secr%zzet@host/d"
	const text = "locals {\n  url = urlqueryset(getenv(\"URL\"), \"search_path\", \"public\")\n}\nenv \"e\" {\n  url = local.url\n}"
	_, err := load(t, text, "e",
		project.Options{Getenv: func(string) string { return url }})
	require.ErrorContains(t, err, "atlas.hcl:2: ")
	require.ErrorContains(t, err, "should look like")
	require.NotContains(t, err.Error(), "secr")
	require.NotContains(t, err.Error(), "zz")
}
