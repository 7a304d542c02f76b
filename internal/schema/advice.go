package schema

import (
	"fmt"
	"strconv"
	"strings"
)

// Advice is the part of messages that names the program which uses this package. They name the next command: one of package
// schemacmd, which is the command line of this one.
type Advice struct {
	Program      string // how the program is called on the command line
	AdoptionPage string // page that explains how to adopt a database; empty: none
	DevURLFlag   string // flag that names a server for scratch databases; empty: none
}

// onServer adds the flag that names a server to an error about the server for scratch databases.
func (a Advice) onServer(err error) error {
	if err == nil || a.DevURLFlag == "" {
		return err
	}
	return fmt.Errorf("%w; the flag for it is %s", err, a.DevURLFlag)
}

// line is a command line of the program. Sessions have it as their application_name.
func (a Advice) line(args ...string) string {
	return strings.TrimSpace(a.Program + " " + strings.Join(args, " "))
}

// command is line in quotation marks.
func (a Advice) command(args ...string) string { return strconv.Quote(a.line(args...)) }
