package intake

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"docket/internal/postgres"
)

// SuggestionOptions say how to import suggestions.
type SuggestionOptions struct {
	// Decode, if not nil, takes the lines of the file, which is CSV otherwise.
	Decode DecodeFunc

	// Rejected, if not nil, is told of every line that is rejected, in the order of the file.
	Rejected func(line int64, detail string)
	// Progress, if not nil, is called whenever a part of the file is stored.
	Progress func()
}

// SuggestionSummary says what an import of suggestions did: Stored + Unchanged + Rejected == Rows.
type SuggestionSummary struct {
	Rows      int64 // without the header and blank lines
	Stored    int64 // new or changed
	Unchanged int64
	Rejected  int64
	Tasks     int64 // created

	Rejections Problems // why lines were rejected
	Notes      Problems // what was ignored
}

// ImportSuggestions stores what robots suggest, as Service.Suggest does, line by line of a file of any length. The file is
// stored in parts, each as a whole or not at all: with an error, and that includes the end of ctx, what was stored before
// stays, the summary tells of it, and the import may be repeated. A file that contradicts itself changes something each time, and
// what it says last stays.
func ImportSuggestions(ctx context.Context, pool *pgxpool.Pool, file io.Reader, o SuggestionOptions) (SuggestionSummary, error) {
	i := suggestionImport{pool: pool, options: o}
	err := i.run(ctx, file)
	i.summary.Rows, i.summary.Rejected = i.rows.Rows, i.rows.Rejected
	i.summary.Rejections, i.summary.Notes = i.rows.Rejections, i.rows.Notes
	if err != nil {
		return i.summary, fmt.Errorf("import suggestions: %w", err)
	}
	return i.summary, nil
}

type suggestionImport struct {
	pool    *pgxpool.Pool
	options SuggestionOptions
	rows    Accounting
	summary SuggestionSummary
	tasks   map[string]int32
}

func (i *suggestionImport) run(ctx context.Context, file io.Reader) (err error) {
	next := suggestionsFromLines(file, i.options.Decode)
	if i.options.Decode == nil {
		if next, err = suggestionsFromCSV(file, i.rows.note); err != nil {
			return err
		}
	}
	part := make([]suggestionLine, 0, chunkRows)
	for !errors.Is(err, io.EOF) {
		var read suggestionLine
		read, err = next()
		switch {
		case err == nil:
			part = append(part, read)
		case !errors.Is(err, io.EOF):
			return err
		}
		if len(part) == chunkRows || err != nil {
			if err := i.store(ctx, part); err != nil {
				return err
			}
			part = part[:0]
		}
	}
	if i.summary.Stored == 0 {
		return nil
	}
	return postgres.InTx(ctx, i.pool, func(tx pgx.Tx) error { return analyze(ctx, tx) })
}

// store stores a part of the file.
func (i *suggestionImport) store(ctx context.Context, part []suggestionLine) error {
	var (
		taken    []suggestion
		rejected []rejection
	)
	for at, line := range part {
		var s suggestion
		f := line.fault
		if f == nil {
			s, f = checkSuggestion(line.given)
		}
		if f != nil {
			rejected = append(rejected, rejection{at, *f})
			continue
		}
		s.index = at
		taken = append(taken, s)
	}
	stored, err := storeSuggestions(ctx, i.pool, taken, i.tasks)
	if err != nil {
		return err
	}
	i.tasks = stored.tasks
	rejected = append(rejected, stored.rejected...)
	slices.SortFunc(rejected, func(a, b rejection) int { return cmp.Compare(a.index, b.index) })
	for _, r := range rejected {
		line := part[r.index].line
		i.rows.reject(line, r.fault)
		if i.options.Rejected != nil {
			i.options.Rejected(line, r.detail())
		}
	}
	i.rows.Rows += int64(len(part))
	i.summary.Stored += int64(stored.count)
	i.summary.Unchanged += int64(len(part) - len(rejected) - stored.count)
	i.summary.Tasks += stored.newTasks
	if i.options.Progress != nil {
		i.options.Progress()
	}
	return nil
}
