package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"docket/internal/imports"
	"docket/internal/postgres"
)

func importCommand(cfg *config) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "import",
		Short: "Import agencies, URLs, suggestions of robots or follows from a file",
		Long: `Import agencies, URLs, suggestions of robots or follows from a file.

A file may be UTF-8 or UTF-16, and packed with gzip. A CSV file has the names of its columns in the first line. Its fields are
separated by commas, semicolons or tabs, or as a line before the first says, like sep=;. Rows without any text in them are
skipped. The line of a rejected row is the one that an editor shows.

Exit status: 0 every row is stored, or was stored before; 3 rows were rejected, and the others are stored; 1 the import failed,
or --strict stopped it because of a rejected row; 2 wrong usage.`,
		Args: cobra.NoArgs,
	}
	cmd.AddCommand(importAgenciesCommand(cfg), importURLsCommand(cfg), importSuggestionsCommand(cfg), importFollowsCommand(cfg))
	return cmd
}

// importFlags are the flags of imports that can be strict.
type importFlags struct{ strict, json bool }

func (f *importFlags) add(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&f.strict, "strict", false, "import nothing when a row is rejected")
	cmd.Flags().BoolVar(&f.json, "json", false, "print the summary as JSON")
}

func importAgenciesCommand(cfg *config) *cobra.Command {
	var flags importFlags
	cmd := &cobra.Command{
		Use:   "agencies FILE.csv",
		Short: "Import agencies and their places",
		Long: `Import agencies from a CSV file with the columns ` + strings.Join(imports.AgencyColumns, ", ") + `.
It may have the columns ` + strings.Join(imports.AgencyOptionalColumns, ", ") + `, in any order. Missing states, counties and
localities are created, with their locations. An agency whose name is known in its state, regardless of letter case and runs of
white space, is a duplicate. If it is linked to no place, or to one that contains the place in the file, it is linked to that in
the file: a better file corrects an earlier one. County codes may lack their leading zero. The column homepage_url is not read:
import home pages as URLs.

The whole file is checked before the first row is stored; a temporary file in TMPDIR holds its rows meanwhile. They are stored
in parts of some tenths of a second, so that people can annotate and submit URLs during an import of any size. If the import is
interrupted, the parts that were stored remain, and importing the file again stores the others. Every row is created, a
duplicate, or rejected with its line and the reason. "-" reads standard input.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			agencies := func(ctx context.Context, pool *postgres.Pool, file io.Reader, o imports.Options) (importResult, error) {
				summary, err := imports.Agencies(ctx, pool, file, o)
				return agenciesResult(summary), err
			}
			return runImport(cmd, cfg, args[0], flags, agencies)
		},
	}
	flags.add(cmd)
	return cmd
}

func importURLsCommand(cfg *config) *cobra.Command {
	var (
		flags importFlags
		o     imports.URLOptions
	)
	cmd := &cobra.Command{
		Use:   "urls FILE.csv",
		Short: "Import URLs, and what the file says about them as suggestions",
		Long: `Import URLs from a CSV file with the column ` + strings.Join(imports.URLColumns, ", ") + `. It may have the columns
` + strings.Join(imports.URLOptionalColumns, ", ") + `, in any order; several agencies are separated by "|".
URLs are the same if they differ only in scheme, trailing slashes and fragment. With --robo, URL type, record type, name,
agencies and the locations of these become suggestions of robots, where no robot has made any; import the agencies first. With
--batch-location, users who follow the location are offered the URLs of the batch first.

The whole file is checked before the first row is stored; a temporary file in TMPDIR holds its rows meanwhile. They are stored
in parts of some tenths of a second, so that people can annotate and submit URLs during an import of any size. If the import is
interrupted, the parts that were stored remain, and importing the file again stores the others. Every row is created, a
duplicate, or rejected with its line and the reason. "-" reads standard input.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !cmd.Flags().Changed("batch") {
				if len(o.BatchLocations) > 0 {
					return usageError{errors.New("--batch-location needs --batch, the name of the batch to link to the location")}
				}
				o.Batch = fileTitle(args[0])
			}
			if o.Confidence < 1 || o.Confidence > 100 {
				return usageError{fmt.Errorf("--confidence: %d is not from 1 to 100", o.Confidence)}
			}
			urls := func(ctx context.Context, pool *postgres.Pool, file io.Reader, shared imports.Options) (importResult, error) {
				o.Options = shared
				summary, err := imports.URLs(ctx, pool, file, o)
				return urlsResult(summary), err
			}
			return runImport(cmd, cfg, args[0], flags, urls)
		},
	}
	flags.add(cmd)
	cmd.Flags().StringVar(&o.Batch, "batch", "", "`name` of the batch for new URLs; by default the file name without its extension")
	cmd.Flags().Int64SliceVar(&o.BatchLocations, "batch-location", nil,
		"`id` of a location to link the batch to, if it exists or gets a new URL; may be repeated")
	cmd.Flags().BoolVar(&o.Robots, "robo", false, "store what the file says about the URLs as suggestions of robots")
	cmd.Flags().IntVar(&o.Confidence, "confidence", imports.DefaultConfidence, "confidence of these suggestions, 1 to 100")
	return cmd
}

func importFollowsCommand(cfg *config) *cobra.Command {
	var (
		flags importFlags
		o     imports.FollowOptions
	)
	cmd := &cobra.Command{
		Use:   "follows FILE.csv",
		Short: "Import which locations users follow",
		Long: `Import which locations users follow from a CSV file with the columns ` + strings.Join(imports.FollowColumns, ", ") + `,
in any order. Users are offered the URLs of batches that are linked to these locations first. Follows that are not in the file
are deleted, also those of rejected rows; with --add they are kept. A file without a row that can be stored is refused, unless
--allow-empty says that all follows are to be deleted.

The import is one transaction: all rows that are not rejected are stored, or nothing. Answers about URLs that become followed, or
stop being followed, wait for it: about a second for 50,000 URLs, and longer on a busy machine. Those that would wait longer than
2 seconds get 503 and may be repeated. Every row is created, a duplicate, or rejected with its line and the reason. "-" reads
standard input.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			follows := func(ctx context.Context, pool *postgres.Pool, file io.Reader, shared imports.Options) (importResult, error) {
				o.Options = shared
				summary, err := imports.Follows(ctx, pool, file, o)
				if errors.Is(err, imports.ErrNoFollows) {
					err = fmt.Errorf("%w; --allow-empty allows that", err)
				}
				return followsResult(summary), err
			}
			return runImport(cmd, cfg, args[0], flags, follows)
		},
	}
	flags.add(cmd)
	cmd.Flags().BoolVar(&o.Add, "add", false, "keep the follows that are not in the file")
	cmd.Flags().BoolVar(&o.AllowEmpty, "allow-empty", false, "delete all follows if no row can be stored")
	return cmd
}

type importFunc func(context.Context, *postgres.Pool, io.Reader, imports.Options) (importResult, error)

// runImport opens the file and the database, shows the progress, and prints the result. Rejected rows are printed also when the
// import is refused because of them.
func runImport(cmd *cobra.Command, cfg *config, name string, flags importFlags, run importFunc) error {
	file, size, err := openInput(cmd, name)
	if err != nil {
		return err
	}
	defer file.Close()

	return cfg.withPool(cmd, func(ctx context.Context, pool *postgres.Pool) error {
		begin := time.Now()
		reading, storing := newProgressBar("reading"), newProgressBar("importing")
		read := &countedInput{Reader: file, report: func(bytes int64) { reading.report(bytes, size) }}
		result, err := run(ctx, pool, read, imports.Options{
			Strict: flags.strict,
			Waiting: func() {
				reading.finish()
				fmt.Fprintln(cmd.ErrOrStderr(), "another import is running; waiting until it has ended")
			},
			Progress: func(done, total int64) {
				reading.finish()
				storing.report(done, total)
			},
		})
		reading.finish()
		storing.finish()
		if err != nil && !errors.Is(err, imports.ErrRejected) && !errors.Is(err, imports.ErrNoFollows) {
			return fmt.Errorf("import %s: %w", name, err)
		}
		result.Seconds = time.Since(begin).Seconds()
		stored := err == nil
		if stored {
			err = rejectedError(name, result.Rejected)
		}
		if flags.json {
			return errors.Join(writeJSON(cmd.OutOrStdout(), result), err)
		}
		return errors.Join(result.print(cmd.OutOrStdout(), stored), err)
	})
}
