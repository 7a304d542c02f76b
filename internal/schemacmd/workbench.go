package schemacmd

import (
	"context"
	"errors"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"docket/internal/schema"
)

// devURL is the URL of the server for scratch databases: --dev-url, else that of the program's own server if the command
// works on it or it runs. Empty means that a server has to be started.
func (c *commands) devURL(cmd *cobra.Command, flags *projectFlags, own string) string {
	if flags.devURL != "" || c.databaseURL(cmd) != "" {
		return flags.devURL
	}
	if own != "" {
		return own
	}
	return c.RunningURL()
}

func (c *commands) withWorkbench(devURL string, fn func(*schema.Workbench) error) (err error) {
	bench := &schema.Workbench{DevURL: devURL, Start: c.StartScratch, Advice: c.advice(), RefreshTable: c.RefreshTable}
	defer func() { err = errors.Join(err, bench.Close()) }()
	return fn(bench)
}

// withSource runs a command on the named source, or on the database when there is no name.
func (c *commands) withSource(
	cmd *cobra.Command, flags *projectFlags, name string, fn func(context.Context, *schema.Workbench, schema.Source) error,
) error {
	if name == "" {
		return c.withDatabase(cmd, flags, func(ctx context.Context, bench *schema.Workbench, url string) error {
			return fn(ctx, bench, schema.Live(url))
		})
	}
	source, err := c.parseSource(name)
	if err != nil {
		return err
	}
	return c.withWorkbench(c.devURL(cmd, flags, ""), func(bench *schema.Workbench) error {
		return fn(cmd.Context(), bench, source)
	})
}

func (c *commands) parseSource(text string) (schema.Source, error) {
	source, err := schema.ParseSource(text)
	if err != nil {
		return source, c.UsageError(err)
	}
	return source, nil
}

// targetSchema is the named source, else the schema of the checkout in the working directory, else the one that is built in.
func (c *commands) targetSchema(name string) (schema.Source, error) {
	if name != "" {
		return c.parseSource(name)
	}
	_, err := os.Stat(c.Schema.Checkout)
	if errors.Is(err, fs.ErrNotExist) {
		return schema.Folder(c.Schema.BuiltIn, c.Schema.Checkout+" of "+c.Name+" "+c.Version), nil
	}
	if err != nil {
		return schema.Source{}, err
	}
	return schema.Folder(os.DirFS(c.Schema.Checkout), c.Schema.Checkout), nil
}

// targetFiles is targetSchema for commands that change something. Everything in files is managed; a database may hold more.
func (c *commands) targetFiles(name string) (schema.Source, error) {
	source, err := c.targetSchema(name)
	if err == nil && source.IsLive() {
		err = c.usagef("--to: the target must be files here, file://FOLDER; %s schema inspect writes those of a database", c.Name)
	}
	return source, err
}
