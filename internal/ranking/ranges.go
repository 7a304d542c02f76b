package ranking

import (
	"context"
	"errors"
	"fmt"
	"io"

	"docket/internal/db"
	"docket/internal/postgres"
)

// urlRanges returns a function that returns the ids of all URLs as ranges, ascending: above after, and up to upto. A range has so
// many URLs at most. The error after the last range is io.EOF. Statements about a range end soon and their results fit into
// memory, however many URLs there are.
func urlRanges(ctx context.Context, pool *postgres.Pool, together int32) func() (after, upto int32, err error) {
	end := int32(0)
	return func() (after, upto int32, err error) {
		after = end
		end, err = queries.URLRangeGet(ctx, pool, db.URLRangeGetParams{After: after, Most: together})
		switch {
		case err != nil:
			return 0, 0, fmt.Errorf("read URL ids: %w", err)
		case end == 0:
			return 0, 0, io.EOF
		}
		return after, end, nil
	}
}

// OfURLs returns a function that returns what list returns for all URLs, one by one, and then io.EOF. It is the Next of
// postgres.Parts. List is called for ranges of the ids of URLs, above after and up to upto, ascending, with so many URLs at most.
func OfURLs[T any](
	ctx context.Context, pool *postgres.Pool, together int32, list func(after, upto int32) ([]T, error),
) func() (T, error) {
	next := urlRanges(ctx, pool, together)
	var items []T
	return func() (item T, err error) {
		for len(items) == 0 {
			after, upto, err := next()
			if err != nil {
				return item, err
			}
			if items, err = list(after, upto); err != nil {
				return item, fmt.Errorf("read URLs %d to %d: %w", after+1, upto, err)
			}
		}
		item, items = items[0], items[1:]
		return item, nil
	}
}

// eachRange calls fn for each range of urlRanges.
func eachRange(ctx context.Context, pool *postgres.Pool, together int32, fn func(after, upto int32) error) error {
	next := urlRanges(ctx, pool, together)
	for {
		after, upto, err := next()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		if err := fn(after, upto); err != nil {
			return err
		}
	}
}
