package api

import (
	"context"

	"docket/internal/convert"
	"docket/internal/robots"
)

// robotHandlers store the suggestions of robots.
type robotHandlers struct {
	robots *robots.Service
}

func (h robotHandlers) SuggestionsInsert(
	ctx context.Context, req SuggestionsInsertRequestObject,
) (SuggestionsInsertResponseObject, error) {
	done, err := h.robots.Suggest(ctx, convert.Each(req.Body.Suggestions, suggestionFrom))
	if err != nil {
		return nil, err
	}
	return SuggestionsInsert200JSONResponse{
		Stored:    int32(done.Stored),
		Unchanged: int32(done.Unchanged),
		Rejected: convert.Each(done.Rejected, func(r robots.Rejection) RejectedSuggestion {
			return RejectedSuggestion{Index: int32(r.Index), Detail: r.Detail}
		}),
	}, nil
}

func suggestionFrom(wire RobotSuggestion) robots.Suggestion {
	return robots.Suggestion{
		URLID:      wire.URLID,
		URL:        wire.URL,
		Attribute:  string(wire.Attribute),
		Value:      wire.Value,
		Confidence: wire.Confidence,
		Source:     wire.Source,
	}
}
