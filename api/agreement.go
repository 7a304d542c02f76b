package api

import (
	"context"

	"docket/internal/agreement"
	"docket/internal/convert"
)

// agreementHandlers serve the agreement of annotators.
type agreementHandlers struct {
	agreement *agreement.Service
}

func (h agreementHandlers) MetricsAgreement(
	ctx context.Context, req MetricsAgreementRequestObject,
) (MetricsAgreementResponseObject, error) {
	report, err := h.agreement.Measure(ctx, agreement.Request{BatchID: req.Params.BatchID})
	if err != nil {
		return nil, err
	}
	return MetricsAgreement200JSONResponse{Body: AgreementFrom(report)}, nil
}

// AgreementFrom returns a report as it is sent.
func AgreementFrom(report agreement.Report) AgreementResponse {
	return AgreementResponse{Level: agreement.Level, Attributes: convert.Each(report, attributeFrom)}
}

func attributeFrom(r agreement.AttributeReport) AttributeAgreement {
	return AttributeAgreement{
		Attribute:         AttributeAgreementAttribute(r.Attribute),
		Urls:              int32(r.URLs),
		ComparedUrls:      int32(r.Compared),
		Answers:           int32(r.Ratings),
		Users:             int32(r.Users),
		Sessions:          int32(r.Sessions),
		Values:            int32(r.Values),
		RawAgreement:      estimateFrom(r.Raw),
		FleissKappa:       estimateFrom(r.Fleiss),
		KrippendorffAlpha: estimateFrom(r.Alpha),
		GwetAc1:           estimateFrom(r.AC1),
		CohenKappa: PairAgreement{
			MinCommonUrls:  int32(r.Pairs.LeastCommon),
			Pairs:          int32(r.Pairs.Pairs),
			UndefinedPairs: int32(r.Pairs.Undefined),
			Mean:           estimateFrom(r.Pairs.Mean),
			Min:            r.Pairs.Min,
			Max:            r.Pairs.Max,
		},
		Robots: RobotAgreement(r.Robots),
		Influence: SuggestionInfluence{
			Shown: RobotAgreement(r.Shown), Hidden: RobotAgreement(r.Hidden), Difference: estimateFrom(r.Difference),
		},
	}
}

func estimateFrom(e agreement.Estimate) AgreementEstimate {
	estimate := AgreementEstimate{Value: e.Value, Low: e.Low, High: e.High, Replicates: int32(e.Replicates)}
	if e.Reason != "" {
		estimate.Reason = &e.Reason
	}
	return estimate
}
