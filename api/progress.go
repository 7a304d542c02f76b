package api

import (
	"context"
	"time"

	"docket/internal/auth"
	"docket/internal/convert"
	"docket/internal/progress"
)

// progressHandlers serve contributions and metrics.
type progressHandlers struct {
	progress *progress.Service
}

func (h progressHandlers) ContributionsLeaderboard(
	ctx context.Context, _ ContributionsLeaderboardRequestObject,
) (ContributionsLeaderboardResponseObject, error) {
	contributors, err := h.progress.Leaderboard(ctx)
	if err != nil {
		return nil, err
	}
	return ContributionsLeaderboard200JSONResponse{Body: LeaderboardResponse{
		Leaderboard: convert.Each(contributors, func(c progress.Contributor) LeaderboardEntry {
			return LeaderboardEntry{UserID: c.UserID, Count: c.Votes}
		}),
	}}, nil
}

func (h progressHandlers) ContributionsUser(
	ctx context.Context, _ ContributionsUserRequestObject,
) (ContributionsUserResponseObject, error) {
	did, err := h.progress.Contribution(ctx, auth.UserFrom(ctx).UserID)
	if err != nil {
		return nil, err
	}
	return ContributionsUser200JSONResponse{Body: ContributionsResponse{
		CountValidated: did.Votes,
		Agreement:      Agreement{URLType: did.URLType, RecordType: did.RecordType, Agency: did.Agency},
	}}, nil
}

func (h progressHandlers) MetricsBatchesAggregated(
	ctx context.Context, _ MetricsBatchesAggregatedRequestObject,
) (MetricsBatchesAggregatedResponseObject, error) {
	strategies, err := h.progress.BatchesByStrategy(ctx)
	if err != nil {
		return nil, err
	}
	body := BatchesAggregatedResponse{ByStrategy: map[string]StrategyCounts{}}
	for _, of := range strategies {
		body.TotalBatches += of.Batches
		body.ByStrategy[of.Strategy] = StrategyCounts{
			CountSuccessfulBatches: of.Successful,
			CountFailedBatches:     of.Failed,
			CountUrls:              of.URLs.Total,
			CountUrlsPending:       of.URLs.Pending,
			CountUrlsValidated:     of.URLs.Validated,
			CountUrlsSubmitted:     of.URLs.Submitted,
			CountUrlsRejected:      of.URLs.Rejected,
			CountUrlsErrors:        of.URLs.Errors,
		}
	}
	return MetricsBatchesAggregated200JSONResponse{Body: body}, nil
}

func (h progressHandlers) MetricsBatchesBreakdown(
	ctx context.Context, req MetricsBatchesBreakdownRequestObject,
) (MetricsBatchesBreakdownResponseObject, error) {
	batches, err := h.progress.Batches(ctx, pageFrom(req.Params.Page))
	if err != nil {
		return nil, err
	}
	return MetricsBatchesBreakdown200JSONResponse{Body: BatchesBreakdownResponse{
		Batches: convert.Each(batches, func(b progress.Batch) BatchBreakdown {
			return BatchBreakdown{
				BatchID:           b.ID,
				Strategy:          b.Strategy,
				Status:            BatchStatus(b.Status),
				CreatedAt:         timestampFrom(b.CreatedAt),
				CountURLTotal:     b.URLs.Total,
				CountURLPending:   b.URLs.Pending,
				CountURLSubmitted: b.URLs.Submitted,
				CountURLRejected:  b.URLs.Rejected,
				CountURLError:     b.URLs.Errors,
				CountURLValidated: b.URLs.Validated,
			}
		}),
	}}, nil
}

func (h progressHandlers) MetricsURLsAggregate(
	ctx context.Context, _ MetricsURLsAggregateRequestObject,
) (MetricsURLsAggregateResponseObject, error) {
	urls, err := h.progress.URLs(ctx)
	if err != nil {
		return nil, err
	}
	body := URLsAggregateResponse{
		CountUrlsTotal:      urls.Total,
		CountUrlsStatus:     urls.ByStatus,
		CountUrlsType:       urls.ByType,
		CountUrlsRecordType: urls.ByRecordType,
	}
	if oldest := urls.OldestPending; oldest != nil {
		body.OldestPendingURL = &OldestPendingURL{URLID: oldest.ID, CreatedAt: timestampFrom(oldest.CreatedAt)}
	}
	return MetricsURLsAggregate200JSONResponse{Body: body}, nil
}

func (h progressHandlers) MetricsURLsAggregatePending(
	ctx context.Context, _ MetricsURLsAggregatePendingRequestObject,
) (MetricsURLsAggregatePendingResponseObject, error) {
	pending, err := h.progress.Pending(ctx)
	if err != nil {
		return nil, err
	}
	return MetricsURLsAggregatePending200JSONResponse{Body: URLsAggregatePendingResponse{
		All:          pending.All,
		Relevant:     pending.URLType,
		RecordType:   pending.RecordType,
		Agency:       pending.Agency,
		Annotations0: pending.ByKinds[0],
		Annotations1: pending.ByKinds[1],
		Annotations2: pending.ByKinds[2],
		Annotations3: pending.ByKinds[3],
	}}, nil
}

func (h progressHandlers) MetricsURLsBreakdownSubmitted(
	ctx context.Context, _ MetricsURLsBreakdownSubmittedRequestObject,
) (MetricsURLsBreakdownSubmittedResponseObject, error) {
	months, err := h.progress.SubmittedByMonth(ctx)
	if err != nil {
		return nil, err
	}
	return MetricsURLsBreakdownSubmitted200JSONResponse{Body: URLsBreakdownSubmittedResponse{
		Entries: convert.Each(months, func(m progress.MonthCount) MonthSubmitted {
			return MonthSubmitted{Month: monthFrom(m.Month), CountSubmitted: m.Count}
		}),
	}}, nil
}

func (h progressHandlers) MetricsURLsBreakdownPending(
	ctx context.Context, _ MetricsURLsBreakdownPendingRequestObject,
) (MetricsURLsBreakdownPendingResponseObject, error) {
	months, err := h.progress.PendingByMonth(ctx)
	if err != nil {
		return nil, err
	}
	return MetricsURLsBreakdownPending200JSONResponse{Body: URLsBreakdownPendingResponse{
		Entries: convert.Each(months, func(m progress.PendingMonth) MonthPending {
			return MonthPending{
				Month:                      monthFrom(m.Month),
				CountPendingTotal:          m.All,
				CountPendingRelevantUser:   m.URLType,
				CountPendingRecordTypeUser: m.RecordType,
				CountPendingAgencyUser:     m.Agency,
			}
		}),
	}}, nil
}

func (h progressHandlers) MetricsURLsSkipped(
	ctx context.Context, _ MetricsURLsSkippedRequestObject,
) (MetricsURLsSkippedResponseObject, error) {
	reasons, err := h.progress.SkipsByReason(ctx)
	if err != nil {
		return nil, err
	}
	body := SkippedURLsResponse{ByReason: map[string]SkipCounts{}}
	for _, of := range reasons {
		body.ByReason[of.Reason] = SkipCounts{CountSkips: of.Skips, CountUrls: of.URLs}
	}
	return MetricsURLsSkipped200JSONResponse{Body: body}, nil
}

func (h progressHandlers) MetricsBacklog(
	ctx context.Context, _ MetricsBacklogRequestObject,
) (MetricsBacklogResponseObject, error) {
	months, err := h.progress.Backlog(ctx)
	if err != nil {
		return nil, err
	}
	return MetricsBacklog200JSONResponse{Body: BacklogResponse{
		Entries: convert.Each(months, func(m progress.MonthCount) MonthBacklog {
			return MonthBacklog{Month: monthFrom(m.Month), CountPendingTotal: m.Count}
		}),
	}}, nil
}

// monthFrom formats a month as the reference does: "January 2021".
func monthFrom(begin time.Time) string { return begin.Format("January 2006") }
