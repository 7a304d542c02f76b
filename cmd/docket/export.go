package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"docket/api"
	"docket/internal/export"
	"docket/internal/outputfile"
	"docket/internal/postgres"
)

func exportCommand(cfg *config) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Write data of Docket to a file",
		Args:  cobra.NoArgs,
	}
	cmd.AddCommand(exportAnnotationsCommand(cfg))
	return cmd
}

// exportFlags are the flags of export annotations.
type exportFlags struct {
	format, since, output string
	pseudonymous          bool
}

func exportAnnotationsCommand(cfg *config) *cobra.Command {
	var flags exportFlags
	cmd := &cobra.Command{
		Use:   "annotations",
		Short: "Export every answer of every annotator",
		Long: `Export every answer of every annotator from one snapshot of the database, one line for each attribute: by URL, then user,
attribute and value. The columns are those of GET /export/annotations, which api/openapi.yaml describes.

Without --output the lines are written to standard output. A file appears when it is complete: until then it has a temporary
name in the same directory. With --pseudonymous users have pseudonyms, which are the same in every export with the same token
key; docket serve describes how the key is found. Anonymous sessions always have a pseudonym.

Texts are as annotators wrote them: a spreadsheet program may read a text that begins with "=" as a formula.`,
		Example: `  docket export annotations --format csv --output annotations.csv
  docket export annotations --since 2026-01-31 | jq 'select(.validated)'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runExport(cmd, cfg, flags) },
	}
	cmd.Flags().StringVar(&flags.format, "format", string(api.Jsonl), "csv or jsonl, which is a JSON object on each line")
	cmd.Flags().StringVar(&flags.since, "since", "",
		"only lines with this `time` or a later one, as 2026-01-31 or 2026-01-31T12:00:00 (UTC)")
	cmd.Flags().BoolVar(&flags.pseudonymous, "pseudonymous", false, "show pseudonyms instead of the ids of users")
	cmd.Flags().StringVarP(&flags.output, "output", "o", "-", "`file` to write; - is standard output")
	return cmd
}

// options checks the flags. The key is nil unless users have pseudonyms.
func (f exportFlags) options(cfg *config) (o export.Options, key []byte, err error) {
	if !api.ExportFormat(f.format).Valid() {
		return o, nil, usageError{fmt.Errorf("--format: %q is neither csv nor jsonl", f.format)}
	}
	if f.since != "" {
		since, err := export.ParseSince(f.since)
		if err != nil {
			return o, nil, usageError{fmt.Errorf("--since: %q %w", f.since, err)}
		}
		o.Since = &since
	}
	if o.Pseudonymous = f.pseudonymous; o.Pseudonymous {
		if key, err = cfg.secretKey(); err != nil {
			return o, nil, err
		}
	}
	return o, key, nil
}

func runExport(cmd *cobra.Command, cfg *config, flags exportFlags) (err error) {
	options, key, err := flags.options(cfg)
	if err != nil {
		return err
	}
	out, err := outputfile.Open(flags.output, cmd.OutOrStdout())
	if errors.Is(err, outputfile.ErrDirectory) {
		return usageError{err}
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Abandon()) }() // deletes an unfinished file

	return cfg.withPoolToRead(cmd, func(ctx context.Context, pool *postgres.Pool) error {
		begin := time.Now()
		bar := newProgressBar("exporting")
		defer bar.finish()
		options.Progress = bar.report
		count := 0
		err := writeAnnotations(out, api.ExportFormat(flags.format), counted(export.New(pool, key).Lines(ctx, options), &count))
		if err == nil {
			err = out.Finish()
		}
		if errors.Is(err, syscall.EPIPE) {
			return errors.New("the program that reads the output closed it before the end")
		}
		if err != nil || flags.output == "-" {
			return err
		}
		bar.finish()
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "%d lines in %.1f seconds: %s\n", count, time.Since(begin).Seconds(), flags.output)
		return err
	})
}

func writeAnnotations(w io.Writer, format api.ExportFormat, lines iter.Seq2[export.Line, error]) error {
	buffered := bufio.NewWriterSize(w, 64<<10)
	if err := api.WriteAnnotations(buffered, format, lines); err != nil {
		return err
	}
	return buffered.Flush()
}

// counted counts the lines that are written.
func counted(lines iter.Seq2[export.Line, error], count *int) iter.Seq2[export.Line, error] {
	return func(yield func(export.Line, error) bool) {
		for line, err := range lines {
			*count++
			if !yield(line, err) {
				return
			}
		}
	}
}
