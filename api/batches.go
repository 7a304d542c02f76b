package api

import (
	"context"

	"docket/internal/annotation"
	"docket/internal/convert"
	"docket/internal/submissions"
)

// batchHandlers serve batches of URLs.
type batchHandlers struct {
	submissions *submissions.Service
	annotations *annotation.Service
}

func (h batchHandlers) BatchList(ctx context.Context, req BatchListRequestObject) (BatchListResponseObject, error) {
	filter := submissions.BatchFilter{Strategy: (*string)(req.Params.CollectorType), URLStatus: (*string)(req.Params.Status)}
	page, err := h.submissions.Batches(ctx, filter, pageFrom(req.Params.Page))
	if err != nil {
		return nil, err
	}
	return BatchList200JSONResponse{Results: convert.Each(page, batchFrom)}, nil
}

func (h batchHandlers) BatchGet(ctx context.Context, req BatchGetRequestObject) (BatchGetResponseObject, error) {
	batch, err := h.submissions.Batch(ctx, req.BatchID)
	if err != nil {
		return nil, err
	}
	return BatchGet200JSONResponse(batchFrom(batch)), nil
}

func batchFrom(batch submissions.Batch) BatchSummary {
	return BatchSummary{
		ID:            batch.ID,
		Strategy:      batch.Strategy,
		Status:        BatchStatus(batch.Status),
		Parameters:    metadataFrom(batch.Parameters),
		UserID:        batch.UserID,
		ComputeTime:   batch.ComputeTime,
		DateGenerated: timestampFrom(batch.DateGenerated),
		URLCounts: BatchURLCounts{
			Total:       batch.URLs.Total,
			Pending:     batch.URLs.Pending,
			Duplicate:   0, // for clients of an older state of the reference, which had URLs with this status
			NotRelevant: batch.URLs.NotRelevant,
			Submitted:   batch.URLs.Submitted,
			Errored:     batch.URLs.Errored,
		},
	}
}

func (h batchHandlers) BatchURLList(ctx context.Context, req BatchURLListRequestObject) (BatchURLListResponseObject, error) {
	page, err := h.submissions.BatchURLs(ctx, req.BatchID, pageFrom(req.Params.Page))
	if err != nil {
		return nil, err
	}
	return BatchURLList200JSONResponse{Urls: convert.Each(page, func(u submissions.BatchURL) BatchURL {
		return BatchURL{
			ID:                u.ID,
			BatchID:           req.BatchID,
			URL:               u.URL,
			CollectorMetadata: metadataFrom(u.CollectorMetadata),
			Status:            URLStatus(u.Status),
			UpdatedAt:         timestampOrNull(u.UpdatedAt),
			CreatedAt:         timestampFrom(u.CreatedAt),
			Name:              u.Name,
			Source:            URLSource(u.Source),
		}
	})}, nil
}

func (h batchHandlers) BatchDuplicateList(
	ctx context.Context, req BatchDuplicateListRequestObject,
) (BatchDuplicateListResponseObject, error) {
	page, err := h.submissions.BatchDuplicates(ctx, req.BatchID, pageFrom(req.Params.Page))
	if err != nil {
		return nil, err
	}
	return BatchDuplicateList200JSONResponse{Duplicates: convert.Each(page, func(d submissions.BatchDuplicate) BatchDuplicate {
		return BatchDuplicate{
			OriginalURLID:     d.OriginalURLID,
			BatchID:           req.BatchID,
			SourceURL:         d.URL,
			OriginalBatchID:   d.OriginalBatchID,
			DuplicateMetadata: metadataFrom(d.Parameters),
			OriginalMetadata:  metadataFrom(d.OriginalParameters),
		}
	})}, nil
}

func (h batchHandlers) BatchLogList(ctx context.Context, req BatchLogListRequestObject) (BatchLogListResponseObject, error) {
	logs, err := h.submissions.BatchLogs(ctx, req.BatchID)
	if err != nil {
		return nil, err
	}
	return BatchLogList200JSONResponse{Logs: convert.Each(logs, func(l submissions.BatchLog) BatchLog {
		return BatchLog{ID: l.ID, Log: l.Text, CreatedAt: timestampFrom(l.At)}
	})}, nil
}

func (h batchHandlers) BatchAbort(ctx context.Context, req BatchAbortRequestObject) (BatchAbortResponseObject, error) {
	if err := h.submissions.AbortBatch(ctx, req.BatchID); err != nil {
		return nil, err
	}
	return BatchAbort200JSONResponse{Message: "Batch aborted."}, nil
}

func (h batchHandlers) BatchSuggestionsPut(
	ctx context.Context, req BatchSuggestionsPutRequestObject,
) (BatchSuggestionsPutResponseObject, error) {
	if err := h.annotations.HideSuggestionsOfBatch(ctx, req.BatchID, req.Body.Hidden); err != nil {
		return nil, err
	}
	if req.Body.Hidden {
		return BatchSuggestionsPut200JSONResponse{Message: "Suggestions are hidden."}, nil
	}
	return BatchSuggestionsPut200JSONResponse{Message: "Suggestions are shown."}, nil
}

// metadataFrom returns a JSON object as it is stored, or null.
func metadataFrom(object []byte) *Metadata {
	if object == nil {
		return nil
	}
	wire := Metadata(object)
	return &wire
}
