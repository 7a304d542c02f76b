package robots

import (
	"cmp"
	"context"
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

	partLines int // for tests; 0 means the constant
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

// partLines is how many lines of a file are stored in one transaction. Other writers of the same URLs wait for one part, some tenths
// of a second. The number is fixed, so that a file which contradicts itself has the same result in every run.
const partLines = 1000

type suggestionImport struct {
	service *Service
	options ImportOptions
	rows    csvfile.Accounting
	summary ImportSummary
	tasks   map[string]int32
}

func (i *suggestionImport) run(ctx context.Context, file io.Reader) (err error) {
	read := suggestionsFromLines(file, i.options.Decode)
	if i.options.Decode == nil {
		if read, err = suggestionsFromCSV(file, i.rows.Note); err != nil {
			return err
		}
	}
	parts := postgres.Parts[checkedLine]{
		Next: func() (checkedLine, error) {
			line, err := read()
			return checkLine(line), err
		},
		Store: func(tx pgx.Tx, part []checkedLine) (func() error, error) { return i.store(ctx, tx, part) },
		Size:  cmp.Or(i.options.partLines, partLines),
	}
	inTx := func(ctx context.Context, fn func(pgx.Tx) error) error { return postgres.InTx(ctx, i.service.pool, fn) }
	if err := parts.Run(ctx, inTx); err != nil || i.summary.Stored == 0 {
		return err
	}
	return queries.TablesAnalyze(ctx, i.service.pool)
}

// checkedLine is a suggestion that is correct, as far as the line shows, or its defect.
type checkedLine struct {
	line   int64
	given  suggestion
	defect *csvfile.Defect
}

// mostShown is more bytes of a value than any message shows.
const mostShown = 4 << 10

func checkLine(read suggestionLine) checkedLine {
	checked := checkedLine{line: read.line, defect: read.defect}
	if checked.defect == nil {
		checked.given, checked.defect = check(read.given)
	}
	if d := checked.defect; d != nil {
		d.Value = d.Value[:min(len(d.Value), mostShown)] // lines may be long, and a part of the file is kept in memory
	}
	return checked
}

// store stores a part of the file. Its result counts the part.
func (i *suggestionImport) store(ctx context.Context, tx pgx.Tx, part []checkedLine) (stored func() error, err error) {
	var (
		correct  []suggestion
		rejected []rejection
	)
	for index, line := range part {
		if line.defect != nil {
			rejected = append(rejected, rejection{index, line.defect})
			continue
		}
		line.given.index = index
		correct = append(correct, line.given)
	}
	done, err := store(ctx, tx, correct, i.tasks)
	if err != nil {
		return nil, err
	}
	return func() error {
		i.count(part, inOrder(rejected, done.rejected), done)
		return nil
	}, nil
}

// count adds a part that was stored to the summary.
func (i *suggestionImport) count(part []checkedLine, rejected []rejection, done *writer) {
	i.tasks = done.tasks
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
}
