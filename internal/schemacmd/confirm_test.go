package schemacmd

import (
	"context"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"
)

func TestAsk(t *testing.T) {
	t.Parallel()
	for reply, want := range map[string]error{
		"y\n": nil, "Yes\n": nil, " yes \r\n": nil, "yes": nil,
		"n\n": errDeclined, "\n": errDeclined, "": errDeclined, "yesterday\n": errDeclined,
	} {
		var out strings.Builder
		require.ErrorIs(t, ask(t.Context(), strings.NewReader(reply), &out, "Go on?"), want, "%q", reply)
		require.Equal(t, "Go on? [y/N] ", out.String())
	}
}

func TestAskEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	silent, hold := io.Pipe()
	defer hold.Close()
	require.ErrorIs(t, ask(ctx, silent, io.Discard, "Go on?"), context.Canceled)
}

type usageError struct{ error }

func TestConfirmWithoutATerminal(t *testing.T) {
	t.Parallel()
	null, err := os.Open(os.DevNull)
	require.NoError(t, err)
	defer null.Close()
	c := commands{Program{UsageError: func(err error) error { return usageError{err} }}}
	cmd := &cobra.Command{Use: "down"}
	cmd.SetErr(io.Discard)
	for _, in := range []io.Reader{null, strings.NewReader("yes\n")} {
		cmd.SetIn(in)
		err := c.confirm(cmd, "Go on?", false)
		require.ErrorAs(t, err, &usageError{})
		require.ErrorContains(t, err, "--auto-approve")
		require.NoError(t, c.confirm(cmd, "Go on?", true))
	}
}
