package api

import (
	"io"
	"iter"
	"strconv"
	"strings"

	"docket/internal/consensus"
	"docket/internal/convert"
	"docket/internal/export"
)

// WriteFacts writes exported facts in a format and stops at the first error.
func WriteFacts(w io.Writer, format ExportFormat, facts iter.Seq2[export.Fact, error]) error {
	return writeLines(w, format, facts, factFrom, factColumns)
}

// listSeparator separates the items of a list in a CSV field.
const listSeparator = "|"

// escapeItem makes a name readable in a list.
var escapeItem = strings.NewReplacer(`\`, `\\`, listSeparator, `\`+listSeparator)

var factColumns = []column[ExportedFact]{
	{"url_id", func(f ExportedFact) string { return strconv.Itoa(int(f.URLID)) }},
	{"url", func(f ExportedFact) string { return f.URL }},
	{"type", func(f ExportedFact) string { return string(f.Type) }},
	{"record_type", func(f ExportedFact) string { return textOrEmpty(f.RecordType) }},
	{"name", func(f ExportedFact) string { return textOrEmpty(f.Name) }},
	{"agency_ids", agencyList(func(a FactAgency) string { return strconv.Itoa(int(a.AgencyID)) })},
	{"agency_names", agencyList(func(a FactAgency) string { return escapeItem.Replace(a.Name) })},
	{"location_ids", locationList(func(l FactLocation) string { return strconv.FormatInt(l.LocationID, 10) })},
	{"location_types", locationList(func(l FactLocation) string { return string(l.Type) })},
	{"location_names", locationList(func(l FactLocation) string { return escapeItem.Replace(l.FullDisplayName) })},
	{"state_isos", locationList(func(l FactLocation) string { return textOrEmpty(l.StateIso) })},
	{"county_fips", locationList(func(l FactLocation) string { return textOrEmpty(l.CountyFips) })},
	{"validated_at", func(f ExportedFact) string { return f.ValidatedAt }},
	{"updated_at", func(f ExportedFact) string { return f.UpdatedAt }},
	{"validated_by", func(f ExportedFact) string { return string(f.ValidatedBy) }},
	{"rule_version", ofRule(func(r FactRule) string { return strconv.Itoa(int(r.Version)) })},
	{"threshold", ofRule(func(r FactRule) string { return decimal(r.Threshold) })},
	{"anonymous_weight", ofRule(func(r FactRule) string { return decimal(r.AnonymousWeight) })},
	{"users", func(f ExportedFact) string { return strconv.Itoa(int(f.Users)) }},
	{"sessions", func(f ExportedFact) string { return strconv.Itoa(int(f.Sessions)) }},
	{"url_type_votes_for", votesFor(urlTypeVotes)},
	{"url_type_votes_against", votesAgainst(urlTypeVotes)},
	{"agency_votes_for", votesFor(agencyVotes)},
	{"agency_votes_against", votesAgainst(agencyVotes)},
	{"location_votes_for", votesFor(locationVotes)},
	{"location_votes_against", votesAgainst(locationVotes)},
	{"record_type_votes_for", votesFor(recordTypeVotes)},
	{"record_type_votes_against", votesAgainst(recordTypeVotes)},
	{"name_votes_for", votesFor(nameVotes)},
	{"name_votes_against", votesAgainst(nameVotes)},
}

func agencyList(text func(FactAgency) string) func(ExportedFact) string {
	return func(f ExportedFact) string { return strings.Join(convert.Each(f.Agencies, text), listSeparator) }
}

func locationList(text func(FactLocation) string) func(ExportedFact) string {
	return func(f ExportedFact) string { return strings.Join(convert.Each(f.Locations, text), listSeparator) }
}

func ofRule(text func(FactRule) string) func(ExportedFact) string {
	return func(f ExportedFact) string {
		if f.Rule == nil {
			return ""
		}
		return text(*f.Rule)
	}
}

func urlTypeVotes(v FactVotes) *FactVoteCount    { return &v.URLType }
func agencyVotes(v FactVotes) *FactVoteCount     { return v.Agency }
func locationVotes(v FactVotes) *FactVoteCount   { return v.Location }
func recordTypeVotes(v FactVotes) *FactVoteCount { return v.RecordType }
func nameVotes(v FactVotes) *FactVoteCount       { return v.Name }

func votesFor(of func(FactVotes) *FactVoteCount) func(ExportedFact) string {
	return countedVotes(of, func(c FactVoteCount) float64 { return c.For })
}

func votesAgainst(of func(FactVotes) *FactVoteCount) func(ExportedFact) string {
	return countedVotes(of, func(c FactVoteCount) float64 { return c.Against })
}

func countedVotes(of func(FactVotes) *FactVoteCount, which func(FactVoteCount) float64) func(ExportedFact) string {
	return func(f ExportedFact) string {
		count := of(f.Votes)
		if count == nil {
			return ""
		}
		return decimal(which(*count))
	}
}

// decimal formats a number as short as possible, without an exponent.
func decimal(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

func factFrom(f export.Fact) ExportedFact {
	by := ExportedFactValidatedByHand
	if f.ByAgreement {
		by = ExportedFactValidatedByAgreement
	}
	return ExportedFact{
		URLID:       f.URLID,
		URL:         f.URL,
		Type:        SuggestedURLType(f.URLType),
		RecordType:  (*RecordType)(f.RecordType),
		Agencies:    convert.Each(f.Agencies, func(a export.FactAgency) FactAgency { return FactAgency{AgencyID: a.ID, Name: a.Name} }),
		Locations:   convert.Each(f.Locations, factLocationFrom),
		Name:        f.Name,
		ValidatedAt: timestampFrom(f.ValidatedAt),
		UpdatedAt:   timestampFrom(f.UpdatedAt),
		ValidatedBy: by,
		Rule:        factRuleFrom(f.Rule),
		Votes: FactVotes{
			URLType:    *factVotesFrom(&f.Votes.URLType),
			Agency:     factVotesFrom(f.Votes.Agency),
			Location:   factVotesFrom(f.Votes.Location),
			RecordType: factVotesFrom(f.Votes.RecordType),
			Name:       factVotesFrom(f.Votes.Name),
		},
		Users:    f.Users,
		Sessions: f.Sessions,
	}
}

func factLocationFrom(l export.FactLocation) FactLocation {
	return FactLocation{
		LocationID:      l.ID,
		Type:            LocationType(l.Type),
		FullDisplayName: l.Name,
		StateIso:        nullIfEmpty(l.StateISO),
		CountyFips:      nullIfEmpty(l.CountyFIPS),
	}
}

func nullIfEmpty(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

func factRuleFrom(r *consensus.Rule) *FactRule {
	if r == nil {
		return nil
	}
	return &FactRule{Version: r.Version, Threshold: r.Threshold, AnonymousWeight: r.AnonymousWeight}
}

func factVotesFrom(c *export.VoteCount) *FactVoteCount {
	if c == nil {
		return nil
	}
	return &FactVoteCount{For: c.For, Against: c.Against}
}
