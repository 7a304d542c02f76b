package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"docket/internal/schema/plan"
	"docket/internal/schema/project"
)

// projectFlags choose an environment of the project file. They are shared by the commands below schema and migrate.
type projectFlags struct {
	env    string
	vars   []string
	config string
	devURL string

	chosen project.Environment // empty without --env
}

func (p *projectFlags) add(flags *pflag.FlagSet) {
	flags.StringVar(&p.env, "env", "", "`name` of an environment in the project file: gives every flag that is left out its value")
	flags.StringArrayVar(&p.vars, "var", nil, "value of a variable of the project file, as `name=value`; may be repeated")
	flags.StringVar(&p.config, "config", "file://atlas.hcl", "project `file`")
	flags.StringVar(&p.devURL, "dev-url", "",
		"`URL` of a server on which Docket may create scratch databases, of the same major version; without it Docket starts one")
}

// prepare is to run before every command below. A flag of the command line wins over the environment of the project file,
// which wins over the variables of the process: whoever says --env means that one.
func (p *projectFlags) prepare(cmd *cobra.Command, _ []string) error {
	given := map[string]bool{}
	cmd.Flags().Visit(func(flag *pflag.Flag) { given[flag.Name] = true })
	if err := fromEnvironment(cmd.Flags()); err != nil {
		return err
	}
	if p.env == "" {
		if len(p.vars) > 0 {
			return usageError{errors.New("--var is for the project file, which only --env reads")}
		}
		return nil
	}
	if err := p.load(); err != nil {
		return usageError{err}
	}
	values := map[string]string{"dev-url": p.chosen.Dev, "dir": p.chosen.MigrationDir}
	if p.chosen.LockTimeout > 0 {
		values["lock-timeout"] = p.chosen.LockTimeout.String()
	}
	if !given["url"] {
		values["database-url"] = p.chosen.URL
	}
	for name, value := range values {
		if flag := cmd.Flags().Lookup(name); flag == nil || given[name] || value == "" {
			continue
		}
		if err := cmd.Flags().Set(name, value); err != nil {
			return usageError{fmt.Errorf("environment %q of %s: %w", p.env, p.config, err)}
		}
	}
	// Elsewhere nothing to connect to means Docket's own server. Whoever names prod does not mean that.
	if p.chosen.URL == "" && p.env != "local" && !given["url"] && !given["database-url"] && !worksOnFiles(cmd) {
		return usageError{fmt.Errorf("environment %q of %s has no url: set the variable that it is made of, such as DATABASE_URL",
			p.env, p.config)}
	}
	return nil
}

// needsNoDatabase are the annotations of a command whose environment may be without a URL.
var needsNoDatabase = map[string]string{"needs": "files"}

func worksOnFiles(cmd *cobra.Command) bool { return cmd.Annotations["needs"] == "files" }

func (p *projectFlags) load() error {
	path, ok := strings.CutPrefix(p.config, "file://")
	if !ok {
		return fmt.Errorf("--config: write file://%s", p.config)
	}
	vars := map[string]string{}
	for _, text := range p.vars {
		name, value, ok := strings.Cut(text, "=")
		if !ok || name == "" {
			return errors.New("--var: write name=value")
		}
		vars[name] = value
	}
	chosen, err := project.Load(path, p.env, project.Options{Vars: vars, Getenv: os.Getenv})
	if err != nil {
		return err
	}
	if s := cmp.Or(chosen.RevisionsSchema, "public"); s != "public" {
		return fmt.Errorf("%s: environment %q: migration.revisions_schema is %q, and Docket keeps its record in public", path, p.env, s)
	}
	p.chosen = *chosen
	return nil
}

// policy is what plans may do in the environment.
func (p *projectFlags) policy() plan.Policy {
	diff := p.chosen.Diff
	return plan.Policy{
		KeepTables: diff.KeepTables, KeepColumns: diff.KeepColumns, KeepViews: diff.KeepViews,
		ConcurrentIndexes: diff.CreateConcurrently || diff.DropConcurrently,
	}
}

// defaultLockTimeout is for commands that change a database others work on.
const defaultLockTimeout = 30 * time.Second
