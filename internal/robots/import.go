package robots

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/jackc/pgx/v5"

	"docket/internal/csvfile"
	"docket/internal/postgres"
)

// ImportOptions say how to import a file of suggestions.
type ImportOptions struct {
	// Decode decodes the lines of the file; nil means that the file is CSV.
	Decode DecodeFunc

	// Rejected, if not nil, is called for every rejected line, in the order of the file.
	Rejected func(line int64, detail string)
	// Progress, if not nil, is called whenever a part of the file is stored.
	Progress func()
}

// ImportSummary counts what an import of suggestions did: Stored + Unchanged + Rejected == Rows.
type ImportSummary struct {
	Rows      int64 // without the header and blank lines
	Stored    int64 // new or changed
	Unchanged int64
	Rejected  int64
	Tasks     int64 // created

	Rejections csvfile.Problems // why lines were rejected
	Notes      csvfile.Problems // what was ignored
}

// Import stores the suggestions in a file of any length as Suggest does, and rejects single lines. The file is stored in parts,
// each in one transaction. After an error, including the end of ctx, the parts that were stored remain, the summary counts them,
// and the import may be repeated. A file that contradicts itself changes something whenever it is imported; its last suggestion
// remains.
func (s *Service) Import(ctx context.Context, file io.Reader, o ImportOptions) (ImportSummary, error) {
	i := suggestionImport{service: s, options: o}
	err := i.run(ctx, file)
	i.summary.Rows, i.summary.Rejected = i.rows.Rows, i.rows.Rejected
	i.summary.Rejections, i.summary.Notes = i.rows.Rejections, i.rows.Notes
	if err != nil {
		return i.summary, fmt.Errorf("import suggestions: %w", err)
	}
	return i.summary, nil
}

// partLines is how many lines of a file are stored in one transaction.
const partLines = 5000

type suggestionImport struct {
	service *Service
	options ImportOptions
	rows    csvfile.Accounting
	summary ImportSummary
	tasks   map[string]int32
}

func (i *suggestionImport) run(ctx context.Context, file io.Reader) (err error) {
	next := suggestionsFromLines(file, i.options.Decode)
	if i.options.Decode == nil {
		if next, err = suggestionsFromCSV(file, i.rows.Note); err != nil {
			return err
		}
	}
	part := make([]suggestionLine, 0, partLines)
	for !errors.Is(err, io.EOF) {
		var read suggestionLine
		read, err = next()
		switch {
		case err == nil:
			part = append(part, read)
		case !errors.Is(err, io.EOF):
			return err
		}
		if len(part) == partLines || err != nil {
			if err := i.store(ctx, part); err != nil {
				return err
			}
			part = part[:0]
		}
	}
	if i.summary.Stored == 0 {
		return nil
	}
	return postgres.InTx(ctx, i.service.pool, func(tx pgx.Tx) error { return queries.TablesAnalyze(ctx, tx) })
}

// store stores a part of the file.
func (i *suggestionImport) store(ctx context.Context, part []suggestionLine) error {
	var (
		correct  []suggestion
		rejected []rejection
	)
	for index, line := range part {
		var s suggestion
		d := line.defect
		if d == nil {
			s, d = check(line.given)
		}
		if d != nil {
			rejected = append(rejected, rejection{index, d})
			continue
		}
		s.index = index
		correct = append(correct, s)
	}
	done, err := i.service.store(ctx, correct, i.tasks)
	if err != nil {
		return err
	}
	i.tasks = done.tasks
	rejected = inOrder(rejected, done.rejected)
	for _, r := range rejected {
		line := part[r.index].line
		i.rows.Reject(line, r.defect)
		if i.options.Rejected != nil {
			i.options.Rejected(line, detail(r.defect))
		}
	}
	i.rows.Rows += int64(len(part))
	i.summary.Stored += int64(done.stored())
	i.summary.Unchanged += int64(len(part) - len(rejected) - done.stored())
	i.summary.Tasks += int64(done.newTasks)
	if i.options.Progress != nil {
		i.options.Progress()
	}
	return nil
}
