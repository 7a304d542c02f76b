// Package doctor examines the database that Docket works on and says, for everything that is not in order, what to do.
//
// It owns the checks, their limits and their words. It only reads: it repairs nothing, takes no lock and starts no server. What is
// about flags, migrations and privileges comes from its caller, as functions.
package doctor

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"docket/internal/db"
	"docket/internal/postgres"
)

// State is the outcome of a check.
type State string

// The states of a finding.
const (
	OK         State = "ok"
	Note       State = "note"        // nothing to do now
	Warning    State = "warning"     // Docket works, but not as well as it should
	Problem    State = "problem"     // Docket does not work, or may lose data
	NotChecked State = "not checked" // an earlier check failed that this one needs
)

// Finding is the outcome of one check.
type Finding struct {
	Check string
	State State
	Found string
	Do    string // what to do; empty when the state is ok or not checked
}

// Bad reports whether any finding is a warning or a problem.
func Bad(findings []Finding) bool {
	for _, finding := range findings {
		if finding.State == Warning || finding.State == Problem {
			return true
		}
	}
	return false
}

// Config is what is examined. The zero values of the limits are replaced by their defaults.
type Config struct {
	// Configuration is the finding about flags and environment, made by the caller. Its Check is set here.
	Configuration Finding
	// Open connects to the database with the settings that requests have.
	Open func(context.Context) (*postgres.Pool, error)
	// Settings are the settings that Open asks for, by name, as the server would show them. A pooler may drop them.
	Settings map[string]string
	// Direct fails unless the process has a way to the database that passes no pooler.
	Direct func(context.Context) error
	// Grants, Migrations and River fail when the role lacks privileges or the tables are of another version.
	Grants, Migrations, River func(context.Context) error

	ViewsInterval time.Duration // how often the materialized views are refreshed

	Timeout  time.Duration // of one check
	DeadRows int64         // of a hot table; fewer are never reported
	Now      func() time.Time

	// Adjust changes what the server and the connection said, for tests of what no test server does. May be nil.
	Adjust func(*postgres.Server, *postgres.Session)
}

// The defaults.
const (
	defaultTimeout  = 2 * time.Second
	defaultDeadRows = 50_000
	// allTimeout bounds all checks together.
	allTimeout = 10 * time.Second
)

// examination is the state that the checks share.
type examination struct {
	Config
	pool    *postgres.Pool
	server  postgres.Server
	session postgres.Session
}

// check is one check. Those without a connection are only run if there is one.
type check struct {
	name string
	run  func(context.Context, *examination) Finding
}

// checks are run in this order, after those of the configuration and the connection.
var checks = []check{
	{"version", version},
	{"encoding", encoding},
	{"collation", collation},
	{"writable", writable},
	{"pooler", pooler},
	{"settings", settings},
	{"durability", durability},
	{"clock", clock},
	{"privileges", privileges},
	{"migrations", migrations},
	{"river", river},
	{"extensions", extensions},
	{"views", viewAges},
	{"queue", queue},
	{"jobs", jobs},
	{"vacuum", vacuum},
	{"wraparound", wraparound},
	{"replication", replication},
}

// Examine runs all checks and returns a finding for each, in a fixed order. It takes at most allTimeout, and closes the pool that
// it opened.
func Examine(ctx context.Context, cfg Config) []Finding {
	if cfg.Timeout == 0 {
		cfg.Timeout = defaultTimeout
	}
	if cfg.DeadRows == 0 {
		cfg.DeadRows = defaultDeadRows
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	ctx, cancel := context.WithTimeout(ctx, allTimeout)
	defer cancel()
	e := &examination{Config: cfg}
	cfg.Configuration.Check = "configuration"
	connected := e.bounded(ctx, check{"connection", connection})
	if e.pool != nil {
		defer func() { go e.pool.Close() }() // it would wait for a server that does not respond
	}
	findings := []Finding{cfg.Configuration, connected}
	for _, c := range checks {
		if connected.State == Problem {
			findings = append(findings, Finding{Check: c.name, State: NotChecked, Found: "there is no connection"})
			continue
		}
		findings = append(findings, e.bounded(ctx, c))
	}
	return findings
}

// bounded runs one check within its timeout.
func (e *examination) bounded(ctx context.Context, c check) Finding {
	ctx, cancel := context.WithTimeout(ctx, e.Timeout)
	defer cancel()
	finding := c.run(ctx, e)
	finding.Check = c.name
	finding.Found, finding.Do = oneLine(finding.Found), oneLine(finding.Do)
	return finding
}

// oneLine joins the lines of errors of the driver, which has one for each host that it tried.
func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

var queries = db.New()

func ok(format string, args ...any) Finding {
	return Finding{State: OK, Found: fmt.Sprintf(format, args...)}
}

// failed is the finding of a check that could not read what it needs.
func failed(err error) Finding {
	switch {
	case postgres.IsDenied(err):
		return Finding{State: NotChecked, Found: "the role may not read what this check needs: " + err.Error()}
	case errors.Is(err, context.DeadlineExceeded):
		return Finding{State: Warning, Found: "the check took too long and was ended: " + err.Error(),
			Do: "see whether the server is overloaded, then run docket doctor again"}
	}
	return Finding{State: NotChecked, Found: "the check failed: " + err.Error()}
}
