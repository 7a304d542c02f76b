// Package sqltext answers questions about the text of SQL statements with PostgreSQL's own parser. It is for what no catalog
// shows: the text of a statement that has not run, or that failed.
//
// The parser is libpg_query, compiled to WebAssembly. The first Parse of a process compiles it, which takes more than a
// second of CPU; each later one takes microseconds. So callers ask the catalog first, then Keyword, which reads only the
// beginning of a statement, and parse only what is left. The grammar is that of PostgreSQL 17: Parse refuses newer syntax
// although the server may accept it.
package sqltext

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/wasilibs/go-pgquery/parser"
	"google.golang.org/protobuf/encoding/protowire"
)

// Text is parsed SQL, usually one statement. It is safe for concurrent use.
type Text struct {
	sql        string
	statements []node // each has one entry, named by its kind: "IndexStmt"
}

// node is a part of a parse tree. Entries of a field that may hold several kinds of nodes are named by the kind, in upper case.
type node = map[string]any

// parsing prevents that two calls at the same time compile the parser two times.
var parsing sync.Mutex

// Parse fails with PostgreSQL's syntax error.
func Parse(sql string) (*Text, error) {
	parsing.Lock()
	tree, err := parser.ParseToJSON(sql)
	parsing.Unlock()
	if err != nil {
		return nil, fmt.Errorf("parse %q: %w", shorten(sql), err)
	}
	var parsed struct {
		Stmts []struct{ Stmt node }
	}
	if err := json.Unmarshal([]byte(tree), &parsed); err != nil {
		return nil, fmt.Errorf("read the parse tree of %q: %w", shorten(sql), err)
	}
	t := &Text{sql: sql}
	for _, s := range parsed.Stmts {
		t.statements = append(t.statements, s.Stmt)
	}
	return t, nil
}

func shorten(sql string) string {
	line := strings.Join(strings.Fields(sql), " ")
	if len(line) <= 80 {
		return line
	}
	return strings.ToValidUTF8(line[:80], "") + " …"
}

// Keyword is the first word of a statement, in lower case: "truncate". It is empty for a text without a statement.
func Keyword(sql string) string {
	rest := SkipBlank(sql)
	end := strings.IndexFunc(rest, func(r rune) bool { return r != '_' && !unicode.IsLetter(r) })
	if end < 0 {
		end = len(rest)
	}
	return strings.ToLower(rest[:end])
}

// SkipBlank returns the text from the first statement on, without the white space, comments and semicolons before it.
func SkipBlank(sql string) string {
	for {
		sql = strings.TrimLeft(sql, " \t\r\n\f\v;")
		switch {
		case strings.HasPrefix(sql, "--"):
			_, sql, _ = strings.Cut(sql, "\n")
		case strings.HasPrefix(sql, "/*"):
			sql = skipComment(sql)
		default:
			return sql
		}
	}
}

// skipComment skips a comment in /* */ with the comments in it.
func skipComment(sql string) string {
	for depth := 0; sql != ""; {
		switch {
		case strings.HasPrefix(sql, "/*"):
			depth, sql = depth+1, sql[2:]
		case strings.HasPrefix(sql, "*/"):
			if depth, sql = depth-1, sql[2:]; depth == 0 {
				return sql
			}
		default:
			_, size := utf8.DecodeRuneInString(sql)
			sql = sql[size:]
		}
	}
	return sql
}

// token is a part of the text that PostgreSQL's lexer returns.
type token struct {
	start, end int // in bytes
	word       bool
}

// tokens has the same failures as Parse.
func tokens(sql string) ([]token, error) {
	parsing.Lock()
	result, err := parser.ScanToProtobuf(sql)
	parsing.Unlock()
	if err != nil {
		return nil, fmt.Errorf("scan %q: %w", shorten(sql), err)
	}
	var all []token
	err = fields(result, func(field protowire.Number, _ uint64, message []byte) error {
		if field != 2 { // the tokens
			return nil
		}
		var t token
		all = append(all, t)
		return fields(message, func(field protowire.Number, value uint64, _ []byte) error {
			switch last := &all[len(all)-1]; field {
			case 1:
				last.start = int(value)
			case 2:
				last.end = int(value)
			case 5:
				last.word = value > 0 // a keyword, and not a quoted name
			}
			return nil
		})
	})
	return all, err
}

// fields reads the fields of a message that are numbers or messages.
func fields(message []byte, field func(protowire.Number, uint64, []byte) error) error {
	for len(message) > 0 {
		number, kind, n := protowire.ConsumeTag(message)
		if n < 0 {
			return protowire.ParseError(n)
		}
		message = message[n:]
		var value uint64
		var bytes []byte
		if kind == protowire.BytesType {
			bytes, n = protowire.ConsumeBytes(message)
		} else {
			value, n = protowire.ConsumeVarint(message)
		}
		if n < 0 {
			return protowire.ParseError(n)
		}
		message = message[n:]
		if err := field(number, value, bytes); err != nil {
			return err
		}
	}
	return nil
}
