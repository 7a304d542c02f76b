package imports

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/jackc/pgx/v5"

	"docket/internal/csvfile"
	"docket/internal/follows"
	"docket/internal/postgres"
)

// FollowColumns are the columns a file of follows must have, in any order.
var FollowColumns = []string{"user_id", "location_id"}

// ErrNoFollows means that a file without an accepted row would have deleted all follows.
var ErrNoFollows = errors.New("no row can be stored, and all follows would be deleted")

const (
	reasonUserID          = "not the id of a user: a whole number up to 2147483647"
	reasonLocationID      = "not the id of a location: a whole number from 1 to 2147483647"
	reasonUnknownLocation = "the location does not exist"
)

// FollowOptions say how to import follows.
type FollowOptions struct {
	Options

	// Add keeps the follows that the file does not have. They are deleted otherwise.
	Add bool

	// AllowEmpty allows that a file without an accepted row deletes all follows.
	AllowEmpty bool
}

// FollowSummary counts what an import of follows did.
type FollowSummary struct {
	csvfile.Accounting
	Removed int64
}

// Unchanged reports whether the import changed nothing in the database.
func (s FollowSummary) Unchanged() bool { return s.Created+s.Removed == 0 }

// Follows stores the follows of a CSV file with the columns FollowColumns, deletes all others, and updates the order of URLs, in
// one transaction. A row is rejected if a field is not an id, or if the location does not exist. A row that repeats another one,
// or that is stored already, is a duplicate.
//
// The import stores all rows that were not rejected or, with an error, nothing. The summary counts the rows that were read in
// both cases. The error is ErrNoFollows if no row was accepted, unless the options allow that.
func Follows(ctx context.Context, pool *postgres.Pool, file io.Reader, o FollowOptions) (FollowSummary, error) {
	locations, err := queries.LocationIDListAll(ctx, pool)
	if err != nil {
		return FollowSummary{}, fmt.Errorf("read locations: %w", err)
	}
	known := make(map[int64]bool, len(locations))
	for _, id := range locations {
		known[id] = true
	}
	read, rows, err := readFollows(file, known)
	switch {
	case err != nil:
		return FollowSummary{}, err
	case o.refuse(read) != nil:
		return FollowSummary{Accounting: read}, o.refuse(read)
	case len(rows) == 0 && !o.Add && !o.AllowEmpty:
		return FollowSummary{Accounting: read}, ErrNoFollows
	}
	var summary FollowSummary
	err = postgres.InTx(ctx, pool, func(tx pgx.Tx) error {
		summary = FollowSummary{Accounting: read.Clone()}
		result, err := follows.Store(ctx, tx, rows, !o.Add)
		if err != nil {
			return err
		}
		summary.Created, summary.Removed = result.Added, result.Removed
		summary.Duplicate = int64(len(rows)) - result.Added
		return nil
	})
	if err != nil {
		return FollowSummary{Accounting: read}, fmt.Errorf("import follows: %w", err)
	}
	if o.Progress != nil {
		o.Progress(int64(len(rows)), int64(len(rows)))
	}
	if summary.Unchanged() {
		return summary, nil
	}
	// Not in the transaction: answers would wait for it.
	if err := queries.FollowsAnalyze(ctx, pool); err != nil {
		return summary, fmt.Errorf("the follows are stored, but analyze them: %w", err)
	}
	return summary, nil
}

// readFollows reads the whole file, and returns the accepted rows.
func readFollows(r io.Reader, locations map[int64]bool) (a csvfile.Accounting, rows []follows.Follow, err error) {
	err = csvfile.ReadAll(r, csvfile.Columns{Required: FollowColumns}, &a, func(row csvfile.Row) *csvfile.Defect {
		userID, err := strconv.ParseInt(row.Fields[0], 10, 32)
		if err != nil {
			return csvfile.NewDefect("user_id", row.Fields[0], reasonUserID)
		}
		locationID, err := strconv.ParseInt(row.Fields[1], 10, 32)
		switch {
		case err != nil || locationID < 1:
			return csvfile.NewDefect("location_id", row.Fields[1], reasonLocationID)
		case !locations[locationID]:
			return csvfile.NewDefect("location_id", row.Fields[1], reasonUnknownLocation)
		}
		rows = append(rows, follows.Follow{UserID: int32(userID), LocationID: int32(locationID)})
		return nil
	})
	return a, rows, err
}
