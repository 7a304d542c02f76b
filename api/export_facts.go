package api

import (
	"bytes"
	"encoding/json"
	"io"
	"iter"
	"strconv"
	"strings"

	"docket/internal/consensus"
	"docket/internal/convert"
	"docket/internal/export"
)

// WriteFacts returns a function that writes exported facts in a format and stops at the first error. In CSV, an increment has more
// columns than an export of all facts.
func WriteFacts(increment bool) func(io.Writer, ExportFormat, iter.Seq2[export.FactLine, error]) error {
	columns := factLineColumns(increment)
	return func(w io.Writer, format ExportFormat, lines iter.Seq2[export.FactLine, error]) error {
		return writeLines(w, format, lines, factLineFrom, columns)
	}
}

// factLine is a line of an export of facts. One of both is nil.
type factLine struct {
	fact      *ExportedFact
	withdrawn *WithdrawnFact
}

// MarshalJSON encodes the one of both that is not nil.
func (l factLine) MarshalJSON() ([]byte, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false) // as in all exports
	if l.withdrawn != nil {
		err := encoder.Encode(l.withdrawn)
		return text.Bytes(), err
	}
	err := encoder.Encode(l.fact)
	return text.Bytes(), err
}

func factLineFrom(l export.FactLine) factLine {
	if l.Fact != nil {
		return factLine{fact: new(factFrom(*l.Fact))}
	}
	return factLine{withdrawn: &WithdrawnFact{
		URLID: l.Withdrawn.URLID, URL: l.Withdrawn.URL, UpdatedAt: timestampFrom(l.Withdrawn.At), Withdrawn: true, Reason: l.Withdrawn.Reason,
	}}
}

// factLineColumns are the columns of a fact, and in an increment those of facts that were taken back, which share the first ones.
func factLineColumns(increment bool) []column[factLine] {
	shared := map[string]func(WithdrawnFact) string{
		"url_id":     func(w WithdrawnFact) string { return strconv.Itoa(int(w.URLID)) },
		"url":        func(w WithdrawnFact) string { return w.URL },
		"updated_at": func(w WithdrawnFact) string { return w.UpdatedAt },
	}
	columns := convert.Each(factColumns, func(c column[ExportedFact]) column[factLine] {
		return column[factLine]{c.name, func(l factLine) string {
			if l.fact != nil {
				return c.text(*l.fact)
			}
			if text := shared[c.name]; text != nil {
				return text(*l.withdrawn)
			}
			return ""
		}}
	})
	if !increment {
		return columns
	}
	return append(columns,
		column[factLine]{"withdrawn", func(l factLine) string { return strconv.FormatBool(l.withdrawn != nil) }},
		column[factLine]{"reason", func(l factLine) string {
			if l.withdrawn == nil {
				return ""
			}
			return l.withdrawn.Reason
		}})
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
