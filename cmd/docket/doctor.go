package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"docket/internal/convert"
	"docket/internal/doctor"
	"docket/internal/jobs"
	"docket/internal/postgres"
	"docket/internal/postgres/embedded"
)

// errNotInOrder makes docket doctor exit with status 1.
var errNotInOrder = errors.New("not everything is in order")

// shownFinding is a finding in the JSON output.
type shownFinding struct {
	Check string       `json:"check"`
	State doctor.State `json:"state"`
	Found string       `json:"found"`
	Do    string       `json:"do"` // empty: nothing
}

func doctorCommand(cfg *config) *cobra.Command {
	var upkeep upkeepConfig
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Examine configuration and database, and say what to do",
		Long: `Examine the configuration and the database that the other commands would use, and print for each check its state,
what was found and what to do. It changes nothing, takes some seconds at most, and starts no server: without --database-url, a
docket serve must run in --data-dir.

  ok           in order
  note         worth knowing; nothing to do now
  warning      Docket works, but not as well as it should
  problem      Docket does not work, or may lose data
  not checked  a check before has failed that this one needs

Exit status 1: there is a warning or a problem.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			configuration := cfg.examine(cmd.Flags(), upkeep, allVariables(cmd.Root()))
			findings := doctor.Examine(cmd.Context(), cfg.examination(configuration, upkeep.viewsInterval))
			if err := printFindings(cmd.OutOrStdout(), findings, asJSON); err != nil {
				return err
			}
			if doctor.Bad(findings) {
				return errNotInOrder
			}
			return nil
		},
	}
	upkeep.addFlags(cmd.Flags())
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a line for each check")
	return cmd
}

// examination describes the database as docket serve would use it.
func (c *config) examination(configuration doctor.Finding, viewsInterval time.Duration) doctor.Config {
	db := c.named()
	settings := map[string]string{"plan_cache_mode": "force_generic_plan", "TimeZone": "UTC"}
	if c.statementTimeout > 0 {
		settings["statement_timeout"] = strconv.FormatInt(c.statementTimeout.Milliseconds(), 10)
	}
	return doctor.Config{
		Configuration: configuration,
		Settings:      settings,
		ViewsInterval: viewsInterval,
		Open: func(ctx context.Context) (*postgres.Pool, error) {
			if c.databaseURL == "" {
				url, err := embedded.RunningURL(c.dataDir)
				if err != nil {
					return nil, err
				}
				db = newDatabase(url, nil)
			}
			return postgres.Open(ctx, postgres.PoolConfig{
				URL: db.url, MaxConns: 2, StatementTimeout: c.statementTimeout, GenericPlans: true,
			})
		},
		Grants: func(ctx context.Context) error {
			return errors.Join(db.checkGrants(ctx), db.checkJobsGrants(ctx))
		},
		Direct:     func(ctx context.Context) error { return db.checkDirect(ctx) },
		Migrations: func(ctx context.Context) error { return db.checkMigrated(ctx) },
		River: func(ctx context.Context) error {
			return withJobsPool(ctx, db.direct, func(pool *postgres.Pool) error { return jobs.Check(ctx, pool) })
		},
	}
}

// examine finds values of flags and of the environment that Docket refuses, and those that have no effect.
func (c *config) examine(flags *pflag.FlagSet, upkeep upkeepConfig, known map[string]bool) doctor.Finding {
	err := errors.Join(c.check(), upkeep.checkUpkeep(), checkTraces())
	key := os.Getenv(secretKeyVariable)
	if key != "" {
		_, keyErr := c.secretKey()
		err = errors.Join(err, keyErr)
	}
	if err != nil {
		return doctor.Finding{State: doctor.Problem, Found: err.Error(),
			Do: "change the flag or the variable; docket serve --help has all"}
	}
	var unknown, overridden []string
	for _, entry := range os.Environ() {
		name, _, _ := strings.Cut(entry, "=")
		if strings.HasPrefix(name, "DOCKET_") && !strings.HasPrefix(name, "DOCKET_TEST_") && !known[name] {
			unknown = append(unknown, name)
		}
	}
	flags.Visit(func(flag *pflag.Flag) {
		name := variable(flag.Name)
		if value := os.Getenv(name); value != "" && value != flag.Value.String() {
			overridden = append(overridden, fmt.Sprintf("--%s overrides %s", flag.Name, name))
		}
	})
	slices.Sort(unknown)
	switch {
	case len(unknown) > 0:
		return doctor.Finding{State: doctor.Warning, Found: "no flag has the variables " + strings.Join(unknown, ", "),
			Do: "correct or unset them; docket serve --help has all names"}
	case len(overridden) > 0:
		return doctor.Finding{State: doctor.Note, Found: strings.Join(overridden, ", "),
			Do: "unset the variable if the other processes are to use the value of the flag too"}
	case key == "" && c.databaseURL != "":
		return doctor.Finding{State: doctor.Note, Found: secretKeyVariable + " is not set here",
			Do: "set it where docket serve runs: it must hold the key that the tokens' issuer signs with"}
	}
	return doctor.Finding{State: doctor.OK, Found: "all values can be used"}
}

// allVariables are the variables of the flags of all commands.
func allVariables(root *cobra.Command) map[string]bool {
	known := map[string]bool{dataSourcesTokenVariable: true}
	var add func(*cobra.Command)
	add = func(cmd *cobra.Command) {
		for _, flags := range []*pflag.FlagSet{cmd.Flags(), cmd.PersistentFlags()} {
			flags.VisitAll(func(flag *pflag.Flag) { known[variable(flag.Name)] = true })
		}
		for _, sub := range cmd.Commands() {
			add(sub)
		}
	}
	add(root)
	return known
}

func printFindings(out io.Writer, findings []doctor.Finding, asJSON bool) error {
	if asJSON {
		return writeJSONLines(out, convert.Each(findings, func(f doctor.Finding) shownFinding { return shownFinding(f) }))
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, f := range findings {
		fmt.Fprintf(table, "%s\t%s\t%s\n", f.State, f.Check, visible(f.Found))
		if f.Do != "" {
			fmt.Fprintf(table, "\t\tdo: %s\n", visible(f.Do))
		}
	}
	return table.Flush()
}
