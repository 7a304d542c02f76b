package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/mattn/go-isatty"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"docket/internal/auth"
	"docket/internal/postgres/embedded"
)

// config is what all subcommands share.
type config struct {
	databaseURL      string
	dataDir          string
	maxConns         int32
	statementTimeout time.Duration
	logFormat        string
	logLevel         string
}

func (c *config) addFlags(flags *pflag.FlagSet) {
	flags.StringVar(&c.databaseURL, "database-url", "",
		"PostgreSQL database `URL`; without it Docket runs a server of its own in --data-dir")
	flags.StringVar(&c.dataDir, "data-dir", defaultDataDir(),
		"`directory` of Docket's own PostgreSQL server and of its token key")
	flags.Int32Var(&c.maxConns, "max-conns", 0, "most connections to the database; 0 means four per core")
	flags.DurationVar(&c.statementTimeout, "statement-timeout", 10*time.Second,
		"longest time of one SQL statement of a request; 0 means no limit")
	flags.StringVar(&c.logFormat, "log-format", "auto", "json, console, or auto: console on a terminal")
	flags.StringVar(&c.logLevel, "log-level", "info", "debug, info, warn or error")
}

// defaultDataDir is .docket in the working directory. For root, whose server runs as somebody else, it is
// /var/lib/docket where that somebody could not get there.
func defaultDataDir() string {
	const local = ".docket"
	if embedded.Reachable(local) {
		return local
	}
	return "/var/lib/docket"
}

// secretKeyVariable holds the key of the tokens. It has no flag: a command line is for all to see.
const secretKeyVariable = "DS_APP_SECRET_KEY"

// keyFile is where Docket keeps the key it made for its own database.
func (c *config) keyFile() string { return filepath.Join(c.dataDir, "secret-key") }

// secretKey returns the key that tokens are signed with. Beside a database of its own Docket makes one and keeps it.
func (c *config) secretKey() ([]byte, error) {
	if key := os.Getenv(secretKeyVariable); key != "" {
		if len(key) < auth.MinKeyBytes {
			return nil, usageError{fmt.Errorf("%s holds %d bytes, and a key needs at least %d; openssl rand -hex 32 makes one",
				secretKeyVariable, len(key), auth.MinKeyBytes)}
		}
		return []byte(key), nil
	}
	if c.databaseURL != "" {
		return nil, usageError{fmt.Errorf("%s is not set: it must hold the key that the tokens' issuer signs with, at least %d bytes",
			secretKeyVariable, auth.MinKeyBytes)}
	}
	if err := os.MkdirAll(c.dataDir, 0o700); err != nil {
		return nil, fmt.Errorf("make data directory: %w", err)
	}
	return auth.LoadOrCreateKey(c.keyFile())
}

// check refuses values that no command can work with.
func (c *config) check() error {
	switch {
	case c.databaseURL == "" && c.dataDir == "":
		return usageError{errors.New("--data-dir is empty: name a directory, or a database with --database-url")}
	case c.maxConns < 0 || c.maxConns > mostConns:
		return usageError{fmt.Errorf("--max-conns: %d is not from 0 to %d", c.maxConns, mostConns)}
	case c.statementTimeout < 0 || c.statementTimeout > 0 && c.statementTimeout < time.Millisecond:
		return usageError{fmt.Errorf("--statement-timeout: %s is neither 0 nor a millisecond or more", c.statementTimeout)}
	}
	return nil
}

// mostConns is more than any PostgreSQL server serves well.
const mostConns = 10_000

// logger writes to standard error, which leaves standard output to results.
func (c *config) logger() (*zap.Logger, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	level, err := zapcore.ParseLevel(c.logLevel)
	if err != nil {
		return nil, usageError{fmt.Errorf("--log-level: %w", err)}
	}
	format := c.logFormat
	if format == "auto" {
		format = "json"
		if terminal(os.Stderr) {
			format = "console"
		}
	}
	var zapConfig zap.Config
	switch format {
	case "json":
		zapConfig = zap.NewProductionConfig()
		zapConfig.EncoderConfig.EncodeTime = zapcore.RFC3339NanoTimeEncoder
		zapConfig.EncoderConfig.TimeKey = "time"
	case "console":
		zapConfig = zap.NewDevelopmentConfig()
		zapConfig.EncoderConfig.EncodeLevel = zapcore.CapitalColorLevelEncoder
		zapConfig.EncoderConfig.EncodeTime = zapcore.TimeEncoderOfLayout(time.TimeOnly)
		zapConfig.DisableCaller = true
	default:
		return nil, usageError{fmt.Errorf("--log-format: %q is none of json, console, auto", c.logFormat)}
	}
	zapConfig.Level = zap.NewAtomicLevelAt(level)
	zapConfig.Sampling = nil // every request has its line
	zapConfig.DisableStacktrace = true
	return zapConfig.Build()
}

func terminal(f *os.File) bool { return isatty.IsTerminal(f.Fd()) }

// variable names the environment variable of a flag.
func variable(flag string) string {
	if flag == "database-url" {
		return "DATABASE_URL"
	}
	return "DOCKET_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// nameVariables adds the variables to the flags' help.
func nameVariables(cmd *cobra.Command) {
	name := func(flag *pflag.Flag) { flag.Usage += " [$" + variable(flag.Name) + "]" }
	cmd.PersistentFlags().VisitAll(name)
	cmd.Flags().VisitAll(func(flag *pflag.Flag) {
		if cmd.PersistentFlags().Lookup(flag.Name) == nil {
			name(flag)
		}
	})
	for _, sub := range cmd.Commands() {
		nameVariables(sub)
	}
}

// fromEnvironment sets the flags that the command line left out.
func fromEnvironment(flags *pflag.FlagSet) error {
	var errs []error
	flags.VisitAll(func(flag *pflag.Flag) {
		value, ok := os.LookupEnv(variable(flag.Name))
		if flag.Changed || !ok || value == "" || flag.Name == "help" {
			return
		}
		if err := flags.Set(flag.Name, value); err != nil {
			errs = append(errs, fmt.Errorf("environment variable %s: %w", variable(flag.Name), err))
		}
	})
	if len(errs) > 0 {
		return usageError{errors.Join(errs...)}
	}
	return nil
}

// build tells which Docket this is.
func build() string { return cmp.Or(version, "development") }
