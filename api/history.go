package api

import (
	"context"

	"docket/internal/convert"
	"docket/internal/export"
	"docket/internal/history"
	"docket/internal/page"
)

// historyHandlers list what happened to URLs.
type historyHandlers struct {
	history *history.Reader
}

func (h historyHandlers) URLHistory(ctx context.Context, req URLHistoryRequestObject) (URLHistoryResponseObject, error) {
	events, err := h.history.List(ctx, req.URLID, orZero(req.Params.After))
	if err != nil {
		return nil, err
	}
	response := URLHistory200JSONResponse{Events: convert.Each(events, URLEventFrom)}
	if len(events) == page.Size {
		response.Next = &events[page.Size-1].ID
	}
	return response, nil
}

// URLEventFrom returns an event as clients see it. The id of a session, which is a secret, is replaced by its pseudonym.
func URLEventFrom(e history.Stored) URLEvent {
	wire := URLEvent{
		ID:               e.ID,
		Event:            URLEventEvent(e.Kind),
		CreatedAt:        timestampFrom(e.At),
		UserID:           e.UserID,
		SuggestionsShown: e.SuggestionsShown,
		Robots:           metadataFrom(e.Robots),
		Detail:           Metadata(e.Detail),
	}
	if e.Session != nil {
		wire.Session = new(export.SessionPseudonym(*e.Session))
	}
	return wire
}
