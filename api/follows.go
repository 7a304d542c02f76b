package api

import (
	"context"

	"docket/internal/convert"
	"docket/internal/follows"
)

// followHandlers serve follows.
type followHandlers struct {
	follows *follows.Service
}

func (h followHandlers) FollowsReplace(ctx context.Context, req FollowsReplaceRequestObject) (FollowsReplaceResponseObject, error) {
	result, err := h.follows.Replace(ctx, convert.Each(req.Body.Follows, func(f Follow) follows.Follow {
		return follows.Follow{UserID: f.UserID, LocationID: f.LocationID}
	}))
	if err != nil {
		return nil, err
	}
	return FollowsReplace200JSONResponse(result), nil
}
