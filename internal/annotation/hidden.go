package annotation

import (
	"context"
	"fmt"

	"docket/internal/db"
	"docket/internal/unknown"
)

// Showing changes how the next URL is shown.
type Showing func(*asking)

// HideSuggestions leaves out what annotators and robots have suggested for the URL.
func HideSuggestions(hidden bool) Showing { return func(a *asking) { a.hidden = hidden } }

// hideSuggestions leaves out the suggestions. The texts of the page stay.
func (n *Next) hideSuggestions() {
	n.URLTypes, n.RecordTypes, n.Names = nil, nil, nil
	n.Agencies, n.Locations = EntitySuggestions{}, EntitySuggestions{}
}

// HideSuggestionsOfBatch hides the suggestions for all URLs of a batch from all annotators, or shows them again. Other processes
// follow within CachedFor. The URLs get no new revision: that would rewrite all of them. The error is an *unknown.Error for an
// unknown batch.
func (s *Service) HideSuggestionsOfBatch(ctx context.Context, batchID int32, hidden bool) error {
	known, err := queries.BatchSuggestionsHide(ctx, s.pool, db.BatchSuggestionsHideParams{BatchID: batchID, Hidden: hidden})
	switch {
	case err != nil:
		return fmt.Errorf("hide suggestions of batch %d: %w", batchID, err)
	case !known:
		return unknown.New(unknown.Batch, batchID)
	}
	s.cache.urls.Purge()
	return nil
}
