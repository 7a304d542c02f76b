package follows

import (
	"context"
	"errors"
	"fmt"

	"docket/internal/convert"
	"docket/internal/dsapp"
	"docket/internal/unknown"
)

// Sync makes the follows equal to those of the data-sources application, in one transaction. It fails, and changes nothing, if the
// application does not send all of them, or if a location does not exist here; the error names it.
func (s *Service) Sync(ctx context.Context, from *dsapp.Client) (Result, error) {
	given, err := from.Follows(ctx)
	if err != nil {
		return Result{}, fmt.Errorf("get follows: %w", err)
	}
	result, err := s.Replace(ctx, convert.Each(given, func(f dsapp.Follow) Follow { return Follow(f) }))
	if _, missing := errors.AsType[*unknown.Error](err); missing {
		return Result{}, fmt.Errorf("%w; import the locations that the data-sources application has, and run the job again", err)
	}
	return result, err
}
