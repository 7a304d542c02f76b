package scratch

import (
	"errors"
	"regexp"
	"strings"
	"unicode/utf8"

	"ariga.io/atlas/sql/migrate"
	"ariga.io/atlas/sql/postgres"
)

var blockStart = regexp.MustCompile(`(?i)begin\s`)

// Statements splits SQL text as Atlas's driver does. At each character the driver searches for BEGIN, which starts a block of
// statements in the body of a function. That takes most of its time, so Statements omits it when the text contains no BEGIN.
func Statements(text string) ([]*migrate.Stmt, error) {
	if blockStart.MatchString(text) {
		return (&postgres.Driver{}).ScanStmts(text)
	}
	withoutBlocks := migrate.ScannerOptions{MatchDollarQuote: true, EscapedStringExt: true}
	return (&migrate.Scanner{ScannerOptions: withoutBlocks}).Scan(text)
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
