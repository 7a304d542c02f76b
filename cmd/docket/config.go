package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/pflag"

	"docket/internal/auth"
	"docket/internal/postgres/embedded"
)

// config is shared by all commands.
type config struct {
	databaseURL      string
	directURL        string
	dataDir          string
	maxConns         int32
	statementTimeout time.Duration
	logFormat        string
	logLevel         string
}

func (c *config) addFlags(flags *pflag.FlagSet) {
	flags.StringVar(&c.databaseURL, databaseFlag, "",
		"PostgreSQL database `URL`; without it Docket runs a server of its own in --data-dir")
	c.addDirectFlag(flags)
	flags.StringVar(&c.dataDir, "data-dir", defaultDataDir(),
		"`directory` of Docket's own PostgreSQL server and of its token key")
	flags.Int32Var(&c.maxConns, "max-conns", 0, "most connections to the database; 0 means five per core")
	flags.DurationVar(&c.statementTimeout, "statement-timeout", 10*time.Second,
		"longest time of one SQL statement of a request; 0 means no limit")
	flags.StringVar(&c.logFormat, "log-format", "auto", "json, console, or auto: console on a terminal")
	flags.StringVar(&c.logLevel, "log-level", "info", "debug, info, warn or error")
}

const databaseFlag = "database-url"

// localDataDir is in the working directory.
const localDataDir = ".docket"

// defaultDataDir is localDataDir. As root, Docket runs its server as another user. When that user cannot
// reach the working directory, the default is /var/lib/docket.
func defaultDataDir() string {
	if embedded.Reachable(localDataDir) {
		return localDataDir
	}
	return "/var/lib/docket"
}

// secretKeyVariable holds the key of the tokens. It has no flag, because other users of the machine can read command lines.
const secretKeyVariable = "DS_APP_SECRET_KEY"

// keyFile holds the key that Docket made for its own database.
func (c *config) keyFile() string { return filepath.Join(c.dataDir, "secret-key") }

// secretKey returns the key that signs tokens. For its own database Docket makes one and keeps it.
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

// mostConns is more than any PostgreSQL server serves well.
const mostConns = 10_000

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
	return c.checkDirectFlag()
}
