package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"docket/internal/postgres"
	"docket/internal/robots"
)

func importSuggestionsCommand(cfg *config) *cobra.Command {
	var (
		format string
		asJSON bool
	)
	cmd := &cobra.Command{
		Use:   "suggestions FILE.csv|FILE.jsonl",
		Short: "Import suggestions of robots about URLs",
		Long: `Import suggestions of robots about URLs: agencies, locations, record types, relevance and names. A CSV file has the columns
` + strings.Join(robots.Columns, ", ") + `, and may have the columns
` + strings.Join(robots.OptionalColumns, ", ") + `, in any order. A JSONL file has an object with these keys on each line, like
POST /suggestions. A URL is named by its id or in any spelling. An agency or a location without a value means that the robot
searched and found none.

The file is stored in parts, so it may be of any length, and parts that were stored remain when a later one fails. Importing
the file again changes nothing. Rejected lines are printed on standard error with their number and the reason; the others are
stored, and the exit status is 3. "-" reads standard input.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			decode, err := suggestionFormat(format, args[0])
			if err != nil {
				return err
			}
			return runSuggestions(cmd, cfg, args[0], decode, asJSON)
		},
	}
	cmd.Flags().StringVar(&format, "format", "", "`csv or jsonl`; by default the extension of the file name")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the summary as JSON")
	return cmd
}

// suggestionFormat returns the function that decodes the lines of the file, nil for CSV.
func suggestionFormat(format, name string) (robots.DecodeFunc, error) {
	if format == "" {
		format = strings.TrimPrefix(strings.ToLower(filepath.Ext(unpackedName(name))), ".")
	}
	switch format {
	case "jsonl", "ndjson":
		return decodeObject, nil
	case "csv":
		return nil, nil
	}
	return nil, usageError{fmt.Errorf("--format: is %s csv or jsonl?", name)}
}

// unpackedName returns the name of a file without the extension of gzip.
func unpackedName(name string) string {
	if strings.EqualFold(filepath.Ext(name), ".gz") {
		return name[:len(name)-len(".gz")]
	}
	return name
}

// fileTitle returns the name of a file without its folder and its extensions.
func fileTitle(name string) string {
	name = filepath.Base(unpackedName(name))
	return strings.TrimSuffix(name, filepath.Ext(name))
}

// decodeObject decodes a line with one JSON object.
func decodeObject(line string) (fields map[string]any, err error) {
	decoder := json.NewDecoder(strings.NewReader(line))
	decoder.UseNumber()
	if err := decoder.Decode(&fields); err != nil {
		return nil, err
	}
	if fields == nil || decoder.InputOffset() != int64(len(line)) {
		return nil, errors.New("the line is not one JSON object")
	}
	return fields, nil
}

// suggestionsResult is the result of an import of suggestions, printed as JSON.
type suggestionsResult struct {
	Rows       int64        `json:"rows"`
	Stored     int64        `json:"stored"`
	Unchanged  int64        `json:"unchanged"`
	Rejected   int64        `json:"rejected"`
	Tasks      int64        `json:"tasks"`
	Seconds    float64      `json:"seconds"`
	Rejections problemsList `json:"rejections"`
	Notes      problemsList `json:"notes"`
}

func runSuggestions(cmd *cobra.Command, cfg *config, name string, decode robots.DecodeFunc, asJSON bool) error {
	input, size, err := openInput(cmd, name)
	if err != nil {
		return err
	}
	defer input.Close()

	return cfg.withPool(cmd, func(ctx context.Context, pool *postgres.Pool) error {
		begin := time.Now()
		read := &countedInput{Reader: input}
		progress := newProgressBar("importing")
		summary, err := robots.New(pool).Import(ctx, read, robots.ImportOptions{
			Decode:   decode,
			Progress: func() { progress.report(read.bytes, size) },
			Rejected: func(line int64, detail string) {
				fmt.Fprintf(cmd.ErrOrStderr(), "%s:%d: %s\n", name, line, detail)
			},
		})
		progress.finish()
		result := suggestionsResult{
			Rows: summary.Rows, Stored: summary.Stored, Unchanged: summary.Unchanged, Rejected: summary.Rejected,
			Tasks: summary.Tasks, Seconds: time.Since(begin).Seconds(),
			Rejections: problemsOf(summary.Rejections), Notes: problemsOf(summary.Notes),
		}
		if err != nil {
			err = fmt.Errorf("%s: %w", name, err)
		} else {
			err = rejectedError(name, summary.Rejected)
		}
		if asJSON {
			return errors.Join(err, writeJSON(cmd.OutOrStdout(), result))
		}
		return errors.Join(err, result.print(cmd.OutOrStdout()))
	})
}

// print writes the result as text. The rejected lines were printed during the import.
func (r suggestionsResult) print(out io.Writer) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(table, "%d\trows\t\n%d\tstored\t\n%d\tunchanged\t\n%d\trejected\t\n", r.Rows, r.Stored, r.Unchanged, r.Rejected)
	if err := table.Flush(); err != nil {
		return err
	}
	r.Notes.print(out, "accepted with a note")
	for _, reason := range r.Rejections.Reasons {
		fmt.Fprintf(out, "  rejected %d: %s\n", reason.Rows, reason.Reason)
	}
	_, err := fmt.Fprintf(out, "%.1f seconds\n", r.Seconds)
	return err
}

// countedInput counts the bytes that are read.
type countedInput struct {
	io.Reader
	bytes  int64
	report func(bytes int64) // after each read, unless nil
}

func (c *countedInput) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.bytes += int64(n)
	if c.report != nil {
		c.report(c.bytes)
	}
	return n, err
}

// openInput opens a file, or standard input for "-", and returns its size, -1 if it is unknown.
func openInput(cmd *cobra.Command, name string) (file io.ReadCloser, size int64, err error) {
	if name == "-" {
		return io.NopCloser(cmd.InOrStdin()), -1, nil
	}
	opened, err := os.Open(name)
	if err != nil {
		return nil, 0, err
	}
	size = -1
	if info, err := opened.Stat(); err == nil && info.Mode().IsRegular() {
		size = info.Size()
	}
	return opened, size, nil
}
