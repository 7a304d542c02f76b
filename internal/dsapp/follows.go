package dsapp

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
)

// Follow is a location that a user follows. Both ids are above 0.
type Follow struct {
	UserID, LocationID int32
}

// Follows returns which locations users follow. The list may be empty, and may repeat a follow. A response that is not complete or
// has another shape is an error, so that it is never taken for an empty list. The error never contains the token.
func (c *Client) Follows(ctx context.Context) (follows []Follow, err error) {
	err = c.get(ctx, "v3/sync/follows", func(body []byte) (err error) {
		follows, err = decodeFollows(body)
		return err
	})
	return follows, err
}

func decodeFollows(body []byte) ([]Follow, error) {
	var response struct {
		Follows *[]struct {
			UserID     *int32 `json:"user_id"`
			LocationID *int32 `json:"location_id"`
		} `json:"follows"`
	}
	err := json.Unmarshal(body, &response)
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return nil, fmt.Errorf("the response has another shape: %s is unexpected at %s, near byte %d",
			wrong.Value, cmp.Or(wrong.Field, "its beginning"), wrong.Offset)
	}
	switch {
	case err != nil:
		return nil, fmt.Errorf("the response is not JSON: %w", err)
	case response.Follows == nil:
		return nil, errors.New("the response has another shape: it has no list of follows")
	}
	follows := make([]Follow, len(*response.Follows))
	for i, follow := range *response.Follows {
		switch {
		case follow.UserID == nil || *follow.UserID < 1:
			return nil, fmt.Errorf("the response has another shape: follow %d has no user_id above 0", i+1)
		case follow.LocationID == nil || *follow.LocationID < 1:
			return nil, fmt.Errorf("the response has another shape: follow %d has no location_id above 0", i+1)
		}
		follows[i] = Follow{*follow.UserID, *follow.LocationID}
	}
	return follows, nil
}
