package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
)

// errDeclined is what a command ends with when its question was not answered with yes.
var errDeclined = errors.New("not confirmed: nothing was changed")

// confirm asks on the terminal and returns nil for yes only. With autoApprove it does not ask. Without a terminal on both
// standard input and standard error it refuses, so that no script waits for an answer or takes silence for one. Callers
// have printed what the question is about, and touch nothing before it is answered.
func confirm(cmd *cobra.Command, question string, autoApprove bool) error {
	if autoApprove {
		return nil
	}
	if !isTerminal(cmd.InOrStdin()) || !isTerminal(cmd.ErrOrStderr()) {
		return usageError{fmt.Errorf("%s: there is no terminal to ask %q on; --auto-approve answers yes", cmd.CommandPath(), question)}
	}
	return ask(cmd.Context(), cmd.InOrStdin(), cmd.ErrOrStderr(), question)
}

// ask returns nil for yes, errDeclined for anything else, and the reason when ctx ends before the answer comes.
func ask(ctx context.Context, in io.Reader, out io.Writer, question string) error {
	fmt.Fprintf(out, "%s [y/N] ", question)
	answers := make(chan string, 1)
	go func() { // a terminal cannot be read with a deadline: after an interrupt this ends with the process
		line, _ := bufio.NewReader(in).ReadString('\n')
		answers <- line
	}()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case answer := <-answers:
		switch strings.ToLower(strings.TrimSpace(answer)) {
		case "y", "yes":
			return nil
		}
		return errDeclined
	}
}

func isTerminal(stream any) bool {
	file, ok := stream.(*os.File)
	return ok && terminal(file)
}
