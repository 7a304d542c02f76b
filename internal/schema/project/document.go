package project

import (
	"fmt"
	"strings"
	"time"

	"ariga.io/atlas/schemahcl"
)

// document is the file as schemahcl decodes it. checker has checked names and types.
type document struct {
	Envs []*envBlock `spec:"env"`
	Diff *diffBlock  `spec:"diff"`
	Lint *lintBlock  `spec:"lint"`
}

type envBlock struct {
	Name      string          `spec:"name,name"`
	URL       string          `spec:"url"`
	Dev       string          `spec:"dev"`
	Exclude   []string        `spec:"exclude"`
	Migration *migrationBlock `spec:"migration"`
	Diff      *diffBlock      `spec:"diff"`
	Lint      *lintBlock      `spec:"lint"`
	schemahcl.DefaultExtension
}

type migrationBlock struct {
	Dir             string `spec:"dir"`
	Format          string `spec:"format"`
	LockTimeout     string `spec:"lock_timeout"`
	RevisionsSchema string `spec:"revisions_schema"`
}

type diffBlock struct {
	Skip *struct {
		DropTable      bool `spec:"drop_table"`
		DropColumn     bool `spec:"drop_column"`
		DropView       bool `spec:"drop_view"`
		DropIndex      bool `spec:"drop_index"`
		DropForeignKey bool `spec:"drop_foreign_key"`
		DropCheck      bool `spec:"drop_check"`
		DropComment    bool `spec:"drop_comment"`
	} `spec:"skip"`
	ConcurrentIndex *struct {
		Create bool `spec:"create"`
		Add    bool `spec:"add"` // another name of Atlas for create
		Drop   bool `spec:"drop"`
	} `spec:"concurrent_index"`
}

type lintBlock struct {
	Latest int `spec:"latest"`
	Git    *struct {
		Dir  string `spec:"dir"` // not used: git is run in the directory of the migrations
		Base string `spec:"base"`
	} `spec:"git"`
	schemahcl.DefaultExtension // the analyzers
}

func (d document) environment(path, name string) (*Environment, error) {
	block := d.Envs[0]
	migration := block.Migration
	if migration == nil {
		migration = &migrationBlock{}
	}
	if migration.Format != "" && migration.Format != "atlas" {
		return nil, fmt.Errorf("%s: env %q: migration.format is %s, and only atlas is supported", path, name, migration.Format)
	}
	e := &Environment{
		Name: name, URL: given(block.URL), Dev: given(block.Dev), Exclude: block.Exclude,
		MigrationDir: migration.Dir, RevisionsSchema: migration.RevisionsSchema,
		Diff: extendDiff(block.Diff, d.Diff), Lint: extendLint(block.Lint, d.Lint),
	}
	var err error
	if migration.LockTimeout != "" {
		if e.LockTimeout, err = time.ParseDuration(migration.LockTimeout); err != nil || e.LockTimeout <= 0 {
			return nil, fmt.Errorf("%s: env %q: migration.lock_timeout %q is not a duration such as 30s",
				path, name, migration.LockTimeout)
		}
	}
	if e.Src, err = source(block); err != nil {
		return nil, fmt.Errorf("%s: env %q: %w", path, name, err)
	}
	return e, nil
}

// source is src: a text, or a list of one.
func source(block *envBlock) (string, error) {
	attr, ok := block.Attr("src")
	if !ok {
		return "", nil
	}
	if one, err := attr.String(); err == nil {
		return one, nil
	}
	list, err := attr.Strings()
	if err != nil || len(list) != 1 {
		return "", fmt.Errorf("src must be one folder, such as file://sql/schema")
	}
	return list[0], nil
}

// given is empty for a URL made of a variable that is not set: urlqueryset then returns only its parameter.
func given(url string) string {
	if strings.HasPrefix(url, "?") {
		return ""
	}
	return url
}

// extendDiff combines a diff block in the environment with one outside, as Atlas does: the environment's own inherits skip
// unless it has one.
func extendDiff(own, global *diffBlock) (policy Diff) {
	if own == nil {
		own = global
	}
	if own == nil {
		return policy
	}
	skip := own.Skip
	if skip == nil && global != nil {
		skip = global.Skip
	}
	if skip != nil {
		policy = Diff{
			KeepTables: skip.DropTable, KeepColumns: skip.DropColumn, KeepViews: skip.DropView, KeepIndexes: skip.DropIndex,
			KeepForeignKeys: skip.DropForeignKey, KeepChecks: skip.DropCheck, KeepComments: skip.DropComment,
		}
	}
	if c := own.ConcurrentIndex; c != nil {
		policy.Online = c.Create || c.Add || c.Drop
	}
	return policy
}

// extendLint combines both lint blocks as Atlas does: the environment's own inherits the analyzers if it has none, and the
// choice of files if it has none.
func extendLint(own, global *lintBlock) Lint {
	if own == nil {
		own = global
	}
	if own == nil {
		return Lint{Errors: map[string]bool{}}
	}
	chosen, analyzers := own, own.Extra.Children
	if global != nil {
		if own.Latest == 0 && (own.Git == nil || own.Git.Base == "") {
			chosen = global
		}
		if len(analyzers) == 0 {
			analyzers = global.Extra.Children
		}
	}
	policy := Lint{Latest: chosen.Latest, Errors: map[string]bool{}}
	if git := chosen.Git; git != nil {
		policy.GitBase = git.Base
	}
	for _, analyzer := range analyzers {
		if attr, ok := analyzer.Attr("error"); ok {
			policy.Errors[analyzer.Type], _ = attr.Bool() // checked
		}
	}
	return policy
}
