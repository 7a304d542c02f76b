package api

import (
	"context"

	"docket/internal/intake"
)

// robots serves those who suggest without being asked.
type robots struct {
	intake *intake.Service
}

func (h robots) SuggestionsInsert(ctx context.Context, req SuggestionsInsertRequestObject) (SuggestionsInsertResponseObject, error) {
	done, err := h.intake.Suggest(ctx, each(req.Body.Suggestions, suggestionFrom))
	if err != nil {
		return nil, err
	}
	return SuggestionsInsert200JSONResponse{
		Stored:    int32(done.Stored),
		Unchanged: int32(done.Unchanged),
		Rejected: each(done.Rejected, func(r intake.RejectedSuggestion) RejectedSuggestion {
			return RejectedSuggestion{Index: int32(r.Index), Detail: r.Detail}
		}),
	}, nil
}

func suggestionFrom(wire RobotSuggestion) intake.RobotSuggestion {
	return intake.RobotSuggestion{
		URLID:      wire.URLID,
		URL:        wire.URL,
		Attribute:  string(wire.Attribute),
		Value:      wire.Value,
		Confidence: wire.Confidence,
		Source:     wire.Source,
	}
}
