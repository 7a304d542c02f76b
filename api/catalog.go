package api

import (
	"context"

	"docket/internal/catalog"
	"docket/internal/convert"
)

// catalogHandlers serve agencies and their locations.
type catalogHandlers struct {
	catalog *catalog.Service
}

func (h catalogHandlers) AgencyList(ctx context.Context, req AgencyListRequestObject) (AgencyListResponseObject, error) {
	page, err := h.catalog.Agencies(ctx, pageFrom(req.Params.Page))
	if err != nil {
		return nil, err
	}
	return AgencyList200JSONResponse(convert.Each(page, func(a catalog.Agency) Agency {
		return Agency{
			ID:               a.ID,
			Name:             a.Name,
			Type:             AgencyType(a.Type),
			JurisdictionType: JurisdictionType(a.JurisdictionType),
			Locations:        convert.Each(a.Locations, agencyLocationFrom),
		}
	})), nil
}

func (h catalogHandlers) AgencyInsert(ctx context.Context, req AgencyInsertRequestObject) (AgencyInsertResponseObject, error) {
	id, err := h.catalog.AddAgency(ctx, catalog.NewAgency{
		Name:             req.Body.Name,
		Type:             string(req.Body.Type),
		JurisdictionType: string(req.Body.JurisdictionType),
		LocationIDs:      req.Body.LocationIds,
	})
	if err != nil {
		return nil, err
	}
	return AgencyInsert200JSONResponse{AgencyID: id}, nil
}

func (h catalogHandlers) AgencyUpdate(ctx context.Context, req AgencyUpdateRequestObject) (AgencyUpdateResponseObject, error) {
	if err := h.catalog.ChangeAgency(ctx, req.AgencyID, agencyChangeFrom(req.Body)); err != nil {
		return nil, err
	}
	return AgencyUpdate200JSONResponse{Message: "Agency updated."}, nil
}

func (h catalogHandlers) AgencyDelete(ctx context.Context, req AgencyDeleteRequestObject) (AgencyDeleteResponseObject, error) {
	if err := h.catalog.DeleteAgency(ctx, req.AgencyID); err != nil {
		return nil, err
	}
	return AgencyDelete200JSONResponse{Message: "Agency deleted."}, nil
}

func (h catalogHandlers) AgencyLocationList(
	ctx context.Context, req AgencyLocationListRequestObject,
) (AgencyLocationListResponseObject, error) {
	locations, err := h.catalog.AgencyLocations(ctx, req.AgencyID)
	if err != nil {
		return nil, err
	}
	return AgencyLocationList200JSONResponse(convert.Each(locations, agencyLocationFrom)), nil
}

func (h catalogHandlers) AgencyLocationInsert(
	ctx context.Context, req AgencyLocationInsertRequestObject,
) (AgencyLocationInsertResponseObject, error) {
	if err := h.catalog.AddAgencyLocation(ctx, req.AgencyID, req.LocationID); err != nil {
		return nil, err
	}
	return AgencyLocationInsert200JSONResponse{Message: "Location added to agency."}, nil
}

func (h catalogHandlers) AgencyLocationDelete(
	ctx context.Context, req AgencyLocationDeleteRequestObject,
) (AgencyLocationDeleteResponseObject, error) {
	if err := h.catalog.RemoveAgencyLocation(ctx, req.AgencyID, req.LocationID); err != nil {
		return nil, err
	}
	return AgencyLocationDelete200JSONResponse{Message: "Location removed from agency."}, nil
}

func (h catalogHandlers) LocalityInsert(
	ctx context.Context, req LocalityInsertRequestObject,
) (LocalityInsertResponseObject, error) {
	id, err := h.catalog.AddLocality(ctx, req.Body.LocalityName, req.Body.CountyID)
	if err != nil {
		return nil, err
	}
	return LocalityInsert200JSONResponse{LocationID: id}, nil
}

func agencyChangeFrom(body *AgencyChange) catalog.AgencyChange {
	return catalog.AgencyChange{
		Name:             body.Name,
		Type:             (*string)(body.Type),
		JurisdictionType: (*string)(body.JurisdictionType),
	}
}

func agencyLocationFrom(l catalog.Location) AgencyLocation {
	return AgencyLocation{LocationID: l.ID, FullDisplayName: l.Name}
}
