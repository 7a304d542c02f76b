package api

import (
	"context"

	"docket/internal/catalog"
	"docket/internal/convert"
)

// searchHandlers find URLs, agencies and locations.
type searchHandlers struct {
	catalog *catalog.Service
}

func (h searchHandlers) SearchURL(ctx context.Context, req SearchURLRequestObject) (SearchURLResponseObject, error) {
	id, err := h.catalog.FindURL(ctx, req.Params.URL)
	if err != nil {
		return nil, err
	}
	return SearchURL200JSONResponse{Found: id != nil, URLID: id}, nil
}

func (h searchHandlers) SearchAgency(ctx context.Context, req SearchAgencyRequestObject) (SearchAgencyResponseObject, error) {
	found, err := h.catalog.SearchAgencies(ctx, catalog.Search{
		LocationID:       req.Params.LocationID,
		Query:            req.Params.Query,
		JurisdictionType: (*string)(req.Params.JurisdictionType),
		Page:             pageFrom(req.Params.Page),
	})
	if err != nil {
		return nil, err
	}
	return SearchAgency200JSONResponse(convert.Each(found, func(a catalog.FoundAgency) AgencySearchResult {
		return AgencySearchResult{
			AgencyID:            a.ID,
			AgencyName:          a.Name,
			JurisdictionType:    JurisdictionType(a.JurisdictionType),
			AgencyType:          AgencyType(a.Type),
			LocationDisplayName: a.LocationName,
		}
	})), nil
}

func (h searchHandlers) TypeaheadAgencies(
	ctx context.Context, req TypeaheadAgenciesRequestObject,
) (TypeaheadAgenciesResponseObject, error) {
	suggested, err := h.catalog.SuggestAgencies(ctx, req.Params.Query)
	if err != nil {
		return nil, err
	}
	return TypeaheadAgencies200JSONResponse{Suggestions: convert.Each(suggested, func(a catalog.SuggestedAgency) AgencyTypeahead {
		return AgencyTypeahead{
			ID:               a.ID,
			DisplayName:      a.Name,
			JurisdictionType: JurisdictionType(a.JurisdictionType),
			StateName:        a.Location.StateName,
			StateIso:         a.Location.StateISO,
			CountyName:       a.Location.CountyName,
			LocalityName:     a.Location.LocalityName,
		}
	})}, nil
}

func (h searchHandlers) TypeaheadLocations(
	ctx context.Context, req TypeaheadLocationsRequestObject,
) (TypeaheadLocationsResponseObject, error) {
	suggested, err := h.catalog.SuggestLocations(ctx, req.Params.Query)
	if err != nil {
		return nil, err
	}
	return TypeaheadLocations200JSONResponse{Suggestions: convert.Each(suggested, locationTypeaheadFrom)}, nil
}

func locationTypeaheadFrom(l catalog.SuggestedLocation) LocationTypeahead {
	return LocationTypeahead{
		LocationID:   l.ID,
		DisplayName:  l.Name,
		Type:         LocationType(l.Type),
		StateName:    l.Parts.StateName,
		StateIso:     l.Parts.StateISO,
		CountyName:   l.Parts.CountyName,
		LocalityName: l.Parts.LocalityName,
	}
}

// pageFrom returns the requested page, by default the first.
func pageFrom(page *Page) int32 {
	if page == nil {
		return 1
	}
	return *page
}
