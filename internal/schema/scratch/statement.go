package scratch

import (
	"errors"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"ariga.io/atlas/sql/migrate"
	"ariga.io/atlas/sql/postgres"
)

var (
	blockStart = regexp.MustCompile(`(?i)begin\s`)
	delimiter  = regexp.MustCompile(`(?i)delimiter`) // the directive or the command that changes it
)

// Statements splits SQL text as Atlas's driver does. At each character the driver searches for BEGIN, which starts a block of
// statements in the body of a function. A search takes time in proportion to the rest of the text. So the driver gets only the
// text from the first statement with a BEGIN on; a block cannot start before.
func Statements(text string) ([]*migrate.Stmt, error) {
	driver := &postgres.Driver{}
	withoutBlocks := migrate.ScannerOptions{MatchDollarQuote: true, EscapedStringExt: true}
	statements, err := (&migrate.Scanner{ScannerOptions: withoutBlocks}).Scan(text)
	if err != nil || delimiter.MatchString(text) {
		return driver.ScanStmts(text)
	}
	first := slices.IndexFunc(statements, func(s *migrate.Stmt) bool { return blockStart.MatchString(s.Text) })
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

// copyFromClient waits for rows that are never sent, and keeps its locks.
var copyFromClient = regexp.MustCompile(`(?is)^copy\b.*\bstdin\b`)

// CheckStatement refuses what cannot be sent to a server as one statement: text that is not valid for PostgreSQL, and COPY FROM
// STDIN, whose rows only psql reads from the file.
func CheckStatement(text string) error {
	switch {
	case strings.HasPrefix(text, "\ufeff"):
		return errors.New("a byte order mark precedes the statement; save the file as UTF-8 without one")
	case strings.ContainsRune(text, 0):
		return errors.New("the statement holds a NUL byte; save the file as UTF-8 text")
	case !utf8.ValidString(text):
		return errors.New("the statement is not UTF-8; save the file as UTF-8")
	case copyFromClient.MatchString(text):
		return errors.New("COPY FROM STDIN waits for rows that only psql would send; write them as INSERT … VALUES")
	}
	return nil
}
