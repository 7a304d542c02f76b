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
	"github.com/spf13/pflag"

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
	cmd.AddCommand(exportAnnotationsCommand(cfg), exportFactsCommand(cfg))
	return cmd
}

// exportFlags are the flags of every export.
type exportFlags struct {
	format, since, output string
}

func (f *exportFlags) register(flags *pflag.FlagSet, since string) {
	flags.StringVar(&f.format, "format", string(api.Jsonl), "csv or jsonl, which is a JSON object on each line")
	flags.StringVar(&f.since, "since", "", since+", as 2026-01-31 or 2026-01-31T12:00:00 (UTC)")
	flags.StringVarP(&f.output, "output", "o", "-", "`file` to write; - is standard output")
}

// check checks the flags, and returns the time of --since; nil without one.
func (f *exportFlags) check() (*time.Time, error) {
	if !api.ExportFormat(f.format).Valid() {
		return nil, usageError{fmt.Errorf("--format: %q is neither csv nor jsonl", f.format)}
	}
	if f.since == "" {
		return nil, nil
	}
	since, err := export.ParseSince(f.since)
	if err != nil {
		return nil, usageError{fmt.Errorf("--since: %q %w", f.since, err)}
	}
	return &since, nil
}

func exportAnnotationsCommand(cfg *config) *cobra.Command {
	var flags exportFlags
	var pseudonymous bool
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
		RunE: func(cmd *cobra.Command, _ []string) error {
			since, err := flags.check()
			if err != nil {
				return err
			}
			var key []byte
			if pseudonymous {
				if key, err = cfg.secretKey(); err != nil {
					return err
				}
			}
			return runExport(cmd, cfg, flags, func(ctx context.Context, pool *postgres.Pool, out *exportOutput) error {
				lines := export.New(pool, key).Lines(ctx, export.Options{
					Since: since, Pseudonymous: pseudonymous, Progress: out.bar.report,
				})
				return writeExport(out, lines, api.WriteAnnotations)
			})
		},
	}
	flags.register(cmd.Flags(), "only lines with this `time` or a later one")
	cmd.Flags().BoolVar(&pseudonymous, "pseudonymous", false, "show pseudonyms instead of the ids of users")
	return cmd
}

func exportFactsCommand(cfg *config) *cobra.Command {
	var flags exportFlags
	var urlType string
	cmd := &cobra.Command{
		Use:   "facts",
		Short: "Export every validated URL, and why it was validated",
		Long: `Export every validated URL from one snapshot of the database, one line for each, by URL: type, record type, agencies,
locations, name, when and how it was validated, by which rule, the votes for and against, and how many annotators voted. The
columns are those of GET /export/facts, which api/openapi.yaml describes. No line says who voted.

Without --output the lines are written to standard output. A file appears when it is complete: until then it has a temporary
name in the same directory.

With --since only facts that may have changed since then are exported. A line replaces an earlier one with the same url_id. A fact
that was taken back since then has a line with withdrawn true, when, and the reason; it ends what earlier lines say. Let the periods
of two exports overlap by an hour: a fact has the time at which its transaction began. URLs that were deleted are missing from an
export without --since.

Texts are as they are stored: a spreadsheet program may read a text that begins with "=" as a formula.`,
		Example: `  docket export facts --format csv --output facts.csv
  docket export facts --since 2026-01-31 --type 'data source' | jq 'select(.rule.version == 1)'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			since, err := flags.check()
			if err != nil {
				return err
			}
			options := export.FactOptions{Since: since}
			if urlType != "" {
				if !api.SuggestedURLType(urlType).Valid() {
					return usageError{fmt.Errorf("--type: %q is not a type of URL, such as %q", urlType, api.SuggestedURLTypeDataSource)}
				}
				options.Type = &urlType
			}
			return runExport(cmd, cfg, flags, func(ctx context.Context, pool *postgres.Pool, out *exportOutput) error {
				options.Progress = out.bar.report
				return writeExport(out, export.New(pool, nil).Facts(ctx, options), api.WriteFacts(since != nil))
			})
		},
	}
	flags.register(cmd.Flags(), "only facts that may have changed at this `time` or later")
	cmd.Flags().StringVar(&urlType, "type", "", "only URLs validated as this `type`, such as 'data source'")
	return cmd
}

// exportOutput is what an export writes to.
type exportOutput struct {
	file   io.Writer
	format api.ExportFormat
	bar    *progressBar
	lines  int // written so far
}

func runExport(
	cmd *cobra.Command, cfg *config, flags exportFlags, write func(context.Context, *postgres.Pool, *exportOutput) error,
) (err error) {
	file, err := outputfile.Open(flags.output, cmd.OutOrStdout())
	if errors.Is(err, outputfile.ErrDirectory) {
		return usageError{err}
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Abandon()) }() // deletes an unfinished file

	return cfg.withPoolToRead(cmd, func(ctx context.Context, pool *postgres.Pool) error {
		begin := time.Now()
		out := exportOutput{file: file, format: api.ExportFormat(flags.format), bar: newProgressBar("exporting")}
		defer out.bar.finish()
		err := write(ctx, pool, &out)
		if err == nil {
			err = file.Finish()
		}
		if errors.Is(err, syscall.EPIPE) {
			return errors.New("the program that reads the output closed it before the end")
		}
		if err != nil || flags.output == "-" {
			return err
		}
		out.bar.finish()
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "%d lines in %.1f seconds: %s\n", out.lines, time.Since(begin).Seconds(), flags.output)
		return err
	})
}

func writeExport[Line any](
	out *exportOutput, lines iter.Seq2[Line, error], write func(io.Writer, api.ExportFormat, iter.Seq2[Line, error]) error,
) error {
	buffered := bufio.NewWriterSize(out.file, 64<<10)
	if err := write(buffered, out.format, counted(lines, &out.lines)); err != nil {
		return err
	}
	return buffered.Flush()
}

// counted counts the lines that are written.
func counted[Line any](lines iter.Seq2[Line, error], count *int) iter.Seq2[Line, error] {
	return func(yield func(Line, error) bool) {
		for line, err := range lines {
			*count++
			if !yield(line, err) {
				return
			}
		}
	}
}
