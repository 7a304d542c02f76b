package scratch

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"ariga.io/atlas/sql/migrate"
	"ariga.io/atlas/sql/postgres"
	"github.com/jackc/pgx/v5/pgconn"

	"docket/internal/schema/sqltext"
)

var (
	blockStart  = regexp.MustCompile(`(?i)begin\s`)
	dollarQuote = regexp.MustCompile(`\$([A-Za-zÈ-ÿ_][\wÈ-ÿ]*)*\$`) // as the driver finds one
)

// Statements splits SQL text as Atlas's driver does. The lines \restrict and \unrestrict, which pg_dump writes for psql alone, are
// comments. CheckStatement refuses psql's other commands.
func Statements(text string) ([]*migrate.Stmt, error) {
	statements, err := split(text)
	comments := []byte(text)
	for _, s := range statements {
		if command := psqlCommand(s.Text); command == "restrict" || command == "unrestrict" {
			copy(comments[s.Pos:], "--")
		}
	}
	if err != nil || string(comments) == text {
		return statements, err
	}
	return Statements(string(comments))
}

// psqlCommand returns the name of the command of psql with which the text begins, or "".
func psqlCommand(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	name, isCommand := strings.CutPrefix(line, `\`)
	if name = strings.TrimSpace(name); !isCommand {
		return ""
	} else if words := strings.Fields(name); len(words) > 0 {
		return words[0]
	}
	return `\`
}

// split splits as Atlas's driver does. At each character the driver searches for BEGIN, which starts a block of
// statements in the body of a function. A search takes time in proportion to the rest of the text. So the driver gets only the
// text from the first statement with a BEGIN on; a block cannot start before. Most texts have none.
func split(text string) ([]*migrate.Stmt, error) {
	driver := &postgres.Driver{}
	withoutBlocks := migrate.ScannerOptions{MatchDollarQuote: true, EscapedStringExt: true}
	statements, err := (&migrate.Scanner{ScannerOptions: withoutBlocks}).Scan(text)
	if err != nil || strings.Contains(strings.ToLower(text), "delimiter") { // the directive or the command that changes it
		return driver.ScanStmts(text)
	}
	first := slices.IndexFunc(statements, func(s *migrate.Stmt) bool { return mayStartBlock(s.Text) })
	if first < 0 {
		return statements, nil
	}
	start := 0
	if first > 0 {
		start = statements[first-1].Pos + len(statements[first-1].Text)
	}
	rest, err := driver.ScanStmts(text[start:])
	if err != nil {
		return driver.ScanStmts(text) // for the line in its error
	}
	for _, s := range rest {
		s.Pos += start
	}
	return append(statements[:first], rest...), nil
}

// mayStartBlock reports whether the driver may find a BEGIN in the statement. The driver does not search in dollar quotes, where the
// code of a DO or a function has its BEGIN. A dollar quote that follows another quote or a comment is searched nevertheless,
// because it may be a part of those.
func mayStartBlock(statement string) bool {
	if !strings.Contains(strings.ToLower(statement), "begin") {
		return false
	}
	rest := statement
	for {
		quote := dollarQuote.FindStringIndex(rest)
		if quote == nil {
			return blockStart.MatchString(rest)
		}
		before, tag := rest[:quote[0]], rest[quote[0]:quote[1]]
		_, after, closed := strings.Cut(rest[quote[1]:], tag)
		if !closed || strings.ContainsAny(before, "'\"`") || strings.Contains(before, "--") || strings.Contains(before, "/*") {
			return blockStart.MatchString(rest)
		}
		if blockStart.MatchString(before) {
			return true
		}
		rest = after
	}
}

// copiesFromClient reports whether a statement waits for rows that are never sent, and keeps its locks.
func copiesFromClient(text string) bool {
	if sqltext.Keyword(text) != "copy" || !strings.Contains(strings.ToLower(text), "stdin") {
		return false
	}
	parsed, err := sqltext.Parse(text)
	return err != nil || parsed.CopiesFromClient()
}

// CheckStatement refuses what cannot be sent to a server as one statement: text that is not valid for PostgreSQL, commands of psql,
// and COPY FROM STDIN, whose rows only psql reads from the file.
func CheckStatement(text string) error {
	switch {
	case strings.HasPrefix(text, "\ufeff"):
		return errors.New("a byte order mark precedes the statement; save the file as UTF-8 without one")
	case strings.ContainsRune(text, 0):
		return errors.New("the statement holds a NUL byte; save the file as UTF-8 text")
	case !utf8.ValidString(text):
		return errors.New("the statement is not UTF-8; save the file as UTF-8")
	case copiesFromClient(text):
		return errors.New("COPY FROM STDIN waits for rows that only psql would send; write them as INSERT … VALUES " +
			"(pg_dump writes none with --schema-only)")
	case strings.HasPrefix(text, `\`):
		return fmt.Errorf(`\%s is a command of psql, not a statement; remove the line`, psqlCommand(text))
	}
	return nil
}

// serverObjects are the kinds of objects that belong to a server and not to one of its databases.
var serverObjects = []string{"database", "role", "user", "group", "tablespace", "system"}

// checkSchemaStatement also refuses what would change the server outside of the database: a dump written with --create, for
// example, creates a database and may drop one.
func checkSchemaStatement(text string) error {
	var words [3]string
	rest := text
	for i := range words {
		rest = sqltext.SkipBlank(rest)
		words[i] = sqltext.Keyword(rest)
		rest = rest[min(len(words[i]), len(rest)):]
	}
	change := words[0] == "create" || words[0] == "drop" || words[0] == "alter"
	if change && slices.Contains(serverObjects, words[1]) && words[2] != "mapping" {
		return fmt.Errorf("%s %s changes the server and not the schema; remove the statement", strings.ToUpper(words[0]),
			strings.ToUpper(words[1]))
	}
	return CheckStatement(text)
}

// advise adds to the refusal of a statement of a schema file, often a dump, what to do about it.
func advise(text string, err error) error {
	var refusal *pgconn.PgError
	if !errors.As(err, &refusal) {
		return err
	}
	advice := ""
	switch parsed, parseErr := sqltext.Parse(text); {
	case parseErr == nil && parsed.SetsAccess():
		advice = "remove the statement: owners and privileges are not compared (pg_dump writes none with --no-owner --no-privileges)"
	case refusal.Code == "42P06":
		advice = "remove the statement: a new database has this schema"
	case refusal.Code == "42501" && parseErr == nil && sqltext.Keyword(text) == "comment":
		advice = "remove the statement: the comment is not compared"
	default:
		return err
	}
	return fmt.Errorf("%w; %s", err, advice)
}
