package robots

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"docket/internal/convert"
	"docket/internal/db"
)

// changes are what statements have changed.
type changes struct {
	suggestions int
	urls        []int32 // of all changes, some of them more than once
	searched    []int32 // of the searches that were not known
}

// write stores suggestions of one attribute. A search for agencies or locations is part of the task.
func (w *writer) write(
	ctx context.Context, tx pgx.Tx, task int32, attribute string, given []suggestion,
) (all changes, err error) {
	for part := range slices.Chunk(given, partRows) {
		var c changes
		switch attribute {
		case Agency:
			c, err = w.writeEntities(ctx, tx, task, part, agencyStatements)
		case Location:
			c, err = w.writeEntities(ctx, tx, task, part, locationStatements)
		case RecordType:
			c.urls, err = queries.RobotRecordTypeUpsertMany(ctx, tx, db.RobotRecordTypeUpsertManyParams{
				URLIDs: convert.Each(part, urlOf), RecordTypes: convert.Each(part, textOf), Keep: w.Keep,
			})
			c.suggestions = len(c.urls)
		case Relevant:
			c.urls, err = queries.RobotRelevanceUpsertMany(ctx, tx, db.RobotRelevanceUpsertManyParams{
				URLIDs:      convert.Each(part, urlOf),
				Relevant:    convert.Each(part, func(s suggestion) bool { return s.relevant }),
				Confidences: convert.Each(part, confidenceOf),
				ModelNames:  convert.Each(part, sourceOf),
				Keep:        w.Keep,
			})
			c.suggestions = len(c.urls)
		case Name:
			c.urls, err = queries.RobotNameInsertMany(ctx, tx, db.RobotNameInsertManyParams{
				URLIDs: convert.Each(part, urlOf), Suggestions: convert.Each(part, textOf), Keep: w.Keep,
			})
			c.suggestions = len(c.urls)
		}
		if err != nil {
			return changes{}, err
		}
		all.suggestions += c.suggestions
		all.urls = append(all.urls, c.urls...)
		all.searched = append(all.searched, c.searched...)
	}
	return all, nil
}

func urlOf(s suggestion) int32          { return s.url }
func textOf(s suggestion) string        { return s.text }
func sourceOf(s suggestion) string      { return s.source }
func confidenceOf(s suggestion) float64 { return s.confidence }

// searchRow is a search that was stored.
type searchRow = db.RobotAgencySubtaskInsertManyRow

// entityStatements store agencies or locations. Their parameters and rows differ only in the names of their types.
type entityStatements struct {
	searches func(context.Context, db.DBTX, db.RobotAgencySubtaskInsertManyParams) ([]searchRow, error)
	upsert   func(context.Context, db.DBTX, db.RobotAgencyUpsertManyParams) ([]int32, error)
}

var agencyStatements = entityStatements{queries.RobotAgencySubtaskInsertMany, queries.RobotAgencyUpsertMany}

var locationStatements = entityStatements{
	func(ctx context.Context, conn db.DBTX, p db.RobotAgencySubtaskInsertManyParams) ([]searchRow, error) {
		rows, err := queries.RobotLocationSubtaskInsertMany(ctx, conn, db.RobotLocationSubtaskInsertManyParams(p))
		return convert.Each(rows, func(row db.RobotLocationSubtaskInsertManyRow) searchRow {
			return searchRow(row)
		}), err
	},
	func(ctx context.Context, conn db.DBTX, p db.RobotAgencyUpsertManyParams) ([]int32, error) {
		return queries.RobotLocationUpsertMany(ctx, conn, db.RobotLocationUpsertManyParams(p))
	},
}

// search is what a method found when it searched for the agencies or the locations of a URL.
type search struct {
	url    int32
	method string
	found  bool
}

// searchesOf returns the searches that suggestions are from, and the suggestions that name an agency or a location.
func searchesOf(given []suggestion) (searches []search, found []suggestion) {
	seen := make(map[search]bool, len(given))
	for _, s := range given {
		from := search{s.url, s.source, s.entity != 0}
		if !seen[from] {
			seen[from] = true
			searches = append(searches, from)
		}
		if from.found {
			found = append(found, s)
		}
	}
	return searches, found
}

func (w *writer) writeEntities(
	ctx context.Context, tx pgx.Tx, task int32, given []suggestion, statements entityStatements,
) (c changes, err error) {
	searches, found := searchesOf(given)
	stored, err := statements.searches(ctx, tx, db.RobotAgencySubtaskInsertManyParams{
		TaskID:  task,
		URLIDs:  convert.Each(searches, func(s search) int32 { return s.url }),
		Methods: convert.Each(searches, func(s search) string { return s.method }),
		Found:   convert.Each(searches, func(s search) bool { return s.found }),
	})
	if err != nil {
		return changes{}, fmt.Errorf("store searches: %w", err)
	}
	for _, search := range stored {
		c.searched = append(c.searched, search.URLID)
		if !search.Found {
			c.suggestions++
		}
	}
	if len(found) == 0 {
		c.urls = c.searched
		return c, nil
	}
	urls, err := statements.upsert(ctx, tx, db.RobotAgencyUpsertManyParams{
		URLIDs:      convert.Each(found, urlOf),
		Methods:     convert.Each(found, sourceOf),
		EntityIDs:   convert.Each(found, func(s suggestion) int64 { return s.entity }),
		Confidences: convert.Each(found, confidenceOf),
		Keep:        w.Keep,
	})
	c.suggestions += len(urls)
	c.urls = slices.Concat(c.searched, urls)
	return c, err
}
