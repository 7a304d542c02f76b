package api

import (
	"context"
	"strconv"

	"docket/internal/auth"
	"docket/internal/consensus"
	"docket/internal/convert"
)

// consensusHandlers explain how votes become facts, and take facts back.
type consensusHandlers struct {
	consensus *consensus.Explainer
	reopener  *consensus.Reopener
}

func (h consensusHandlers) URLReopen(ctx context.Context, req URLReopenRequestObject) (URLReopenResponseObject, error) {
	if err := h.reopener.Reopen(ctx, auth.UserFrom(ctx).UserID, req.URLID, req.Body.Reason); err != nil {
		return nil, err
	}
	return URLReopen200JSONResponse{Message: "URL reopened."}, nil
}

func (h consensusHandlers) URLConsensus(ctx context.Context, req URLConsensusRequestObject) (URLConsensusResponseObject, error) {
	explanation, err := h.consensus.Explain(ctx, req.URLID)
	if err != nil {
		return nil, err
	}
	return URLConsensus200JSONResponse(ConsensusFrom(explanation)), nil
}

// ConsensusFrom returns an explanation as clients see it.
func ConsensusFrom(e consensus.Explanation) Consensus {
	wire := Consensus{
		URLID:      e.URLID,
		URL:        e.URL,
		Status:     ConsensusStatus(e.Status),
		Rule:       consensusRuleFrom(e.Rule),
		Users:      e.People.Users,
		Sessions:   e.People.Sessions,
		Votes:      convert.Each(e.Votes, consensusVotesFrom),
		Types:      convert.Each(e.Types, consensusNeedsFrom),
		Obstacles:  append([]string{}, e.Against...),
		Suspended:  e.Suspended,
		ReopenedAt: timestampOrNull(e.ReopenedAt),
	}
	if e.Decision != nil {
		wire.Decision = new(ConsensusDecisionFrom(*e.Decision))
	}
	if v := e.Validation; v != nil {
		wire.Validation = &ConsensusValidation{
			URLType: SuggestedURLType(v.URLType), CreatedAt: timestampFrom(v.At), Automatic: v.Automatic,
		}
	}
	if e.Fact != nil {
		wire.Fact = new(consensusFactFrom(*e.Fact))
	}
	if e.Error != nil {
		wire.Error = &ConsensusError{Text: e.Error.Text, TaskID: e.Error.TaskID, CreatedAt: timestampFrom(e.Error.At)}
	}
	return wire
}

func consensusRuleFrom(r consensus.Rule) ConsensusRule {
	return ConsensusRule{Version: r.Version, Threshold: r.Threshold, AnonymousWeight: r.AnonymousWeight}
}

func consensusVotesFrom(t consensus.Tally) ConsensusVotes {
	return ConsensusVotes{
		Attribute: ConsensusAttribute(t.Attribute),
		Outcome:   ConsensusVotesOutcome(t.Outcome),
		Agreed:    textOrNull(t.Agreed),
		Lacking:   t.Lacking,
		Values: convert.Each(t.Values, func(v consensus.ValueVotes) ConsensusValue {
			return ConsensusValue{Value: v.Value, Text: v.Text, Users: v.Count.Users, Sessions: v.Count.Sessions, Votes: v.Votes}
		}),
	}
}

func consensusNeedsFrom(n consensus.TypeNeeds) ConsensusNeeds {
	return ConsensusNeeds{
		URLType:  SuggestedURLType(n.URLType),
		Possible: n.Possible,
		Missing:  convert.Each(n.Missing, func(a consensus.Attribute) ConsensusAttribute { return ConsensusAttribute(a) }),
	}
}

func consensusFactFrom(f consensus.StoredFact) ConsensusFact {
	return ConsensusFact{
		Decision:     ConsensusDecisionFrom(f.Fact),
		AgencyName:   textOrNull(f.AgencyName),
		LocationName: textOrNull(f.LocationName),
		CreatedAt:    timestampFrom(f.At),
		Rule:         consensusRuleFrom(f.Rule),
		Users:        f.People.Users,
		Sessions:     f.People.Sessions,
		Votes:        convert.Each(f.Votes, consensusVotesFrom),
	}
}

// ConsensusDecisionFrom returns a fact as clients see it.
func ConsensusDecisionFrom(f consensus.Fact) ConsensusDecision {
	wire := ConsensusDecision{
		URLType: SuggestedURLType(f.URLType), RecordType: (*RecordType)(textOrNull(f.RecordType)), Name: textOrNull(f.Name),
	}
	if id, err := strconv.ParseInt(f.Agency, 10, 32); err == nil {
		wire.AgencyID = new(int32(id))
	}
	if id, err := strconv.ParseInt(f.Location, 10, 64); err == nil {
		wire.LocationID = &id
	}
	return wire
}

// textOrNull returns nil for an empty text.
func textOrNull(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}
