package schemacmd

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

const devURLFlag = "dev-url"

// projectFlags select an environment of the project file. All commands below schema and migrate have them.
type projectFlags struct {
	env    string
	vars   []string
	config string
	devURL string

	chosen project.Environment // empty without --env
}

func (p *projectFlags) add(flags *pflag.FlagSet, program string) {
	flags.StringVar(&p.env, "env", "", "`name` of an environment in the project file: gives every flag that is left out its value")
	flags.StringArrayVar(&p.vars, "var", nil, "value of a variable of the project file, as `name=value`; may be repeated")
	flags.StringVar(&p.config, "config", "file://atlas.hcl", "project `file`")
	flags.StringVar(&p.devURL, devURLFlag, "",
		"`URL` of a server on which "+program+" may create scratch databases, of the same major version; "+
			"without it a server is started")
}

// prepare sets the flags that the command line does not set, before a command runs: first from the environment of the
// project file, then from environment variables.
func (c *commands) prepare(p *projectFlags) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, _ []string) error {
		given := map[string]bool{}
		cmd.Flags().Visit(func(flag *pflag.Flag) { given[flag.Name] = true })
		if err := c.Environment(cmd.Flags()); err != nil {
			return err
		}
		if p.env == "" {
			if len(p.vars) > 0 {
				return c.usagef("--var is for the project file, which only --env reads")
			}
			return nil
		}
		if err := c.load(p); err != nil {
			return c.UsageError(err)
		}
		values := map[string]string{devURLFlag: p.chosen.Dev, "dir": p.chosen.MigrationDir}
		if p.chosen.LockTimeout > 0 {
			values["lock-timeout"] = p.chosen.LockTimeout.String()
		}
		if !given["url"] {
			values[c.DatabaseFlag] = p.chosen.URL
		}
		for name, value := range values {
			if flag := cmd.Flags().Lookup(name); flag == nil || given[name] || value == "" {
				continue
			}
			if err := cmd.Flags().Set(name, value); err != nil {
				return c.usagef("environment %q of %s: %w", p.env, p.config, err)
			}
		}
		// Without a URL a command works on the program's own server. An environment such as prod never means that one.
		if p.chosen.URL == "" && p.env != "local" && !given["url"] && !given[c.DatabaseFlag] && !worksOnFiles(cmd) {
			return c.usagef("environment %q of %s has no url: set the variable that it is made of, such as DATABASE_URL", p.env, p.config)
		}
		return nil
	}
}

// needsNoDatabase annotates a command that works on files: its environment needs no URL.
var needsNoDatabase = map[string]string{"needs": "files"}

func worksOnFiles(cmd *cobra.Command) bool { return cmd.Annotations["needs"] == "files" }

// changing annotates a command that changes the database, unless it has --dry-run.
var changing = map[string]string{"changes": "database"}

func changesDatabase(cmd *cobra.Command) bool {
	dryRun, err := cmd.Flags().GetBool("dry-run")
	return cmd.Annotations["changes"] == "database" && (err != nil || !dryRun)
}

func (c *commands) load(p *projectFlags) error {
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
	if errors.Is(err, project.ErrNoFile) {
		return fmt.Errorf("%w; change to its directory, or name it with --config file://PATH", err)
	}
	if err != nil {
		return err
	}
	if s := cmp.Or(chosen.RevisionsSchema, "public"); s != "public" {
		return fmt.Errorf("%s: environment %q: migration.revisions_schema is %q, and %s keeps the revisions table in public",
			path, p.env, s, c.Name)
	}
	p.chosen = *chosen
	return nil
}

// policy is what plans may do in the environment.
func (c *commands) policy(p *projectFlags) plan.Policy {
	diff := p.chosen.Diff
	return plan.Policy{
		KeepTables: diff.KeepTables, KeepColumns: diff.KeepColumns, KeepViews: diff.KeepViews, KeepIndexes: diff.KeepIndexes,
		KeepForeignKeys: diff.KeepForeignKeys, KeepChecks: diff.KeepChecks, KeepComments: diff.KeepComments, KeepRare: true,
		Online: diff.Online,
		ByHand: c.Name + " migrate new",
	}
}

// defaultLockTimeout is for commands that change a database.
const (
	defaultLockTimeout = 30 * time.Second
	lockTimeoutUsage   = "longest wait for another migration or a lock on a table"
)
