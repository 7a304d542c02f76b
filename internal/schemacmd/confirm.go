package schemacmd

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/mattn/go-isatty"
	"github.com/spf13/cobra"
)

// errDeclined ends a command when the reply to its question was not yes.
var errDeclined = errors.New("not confirmed: nothing was changed")

// confirm asks on the terminal and returns nil only for yes. With autoApprove it does not ask. It refuses when standard
// input or standard error is not a terminal, so that a script neither waits for a reply nor takes silence for one. Callers
// print what the question is about first, and change nothing before the reply.
func (c *commands) confirm(cmd *cobra.Command, question string, autoApprove bool) error {
	if autoApprove {
		return nil
	}
	if !isTerminal(cmd.InOrStdin()) || !isTerminal(cmd.ErrOrStderr()) {
		return c.usagef("%s: there is no terminal to ask %q on; --auto-approve replies yes", cmd.CommandPath(), question)
	}
	return ask(cmd.Context(), cmd.InOrStdin(), cmd.ErrOrStderr(), question)
}

// ask returns nil for yes, errDeclined for any other reply, and the reason when ctx ends before the reply.
func ask(ctx context.Context, in io.Reader, out io.Writer, question string) error {
	fmt.Fprintf(out, "%s [y/N] ", question)
	replies := make(chan string, 1)
	go func() { // a terminal cannot be read with a deadline: after an interrupt this ends with the process
		line, _ := bufio.NewReader(in).ReadString('\n')
		replies <- line
	}()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case reply := <-replies:
		switch strings.ToLower(strings.TrimSpace(reply)) {
		case "y", "yes":
			return nil
		}
		return errDeclined
	}
}

func isTerminal(stream any) bool {
	file, ok := stream.(*os.File)
	return ok && isatty.IsTerminal(file.Fd())
}
