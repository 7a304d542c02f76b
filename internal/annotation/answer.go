package annotation

import (
	"errors"
	"slices"
	"strings"

	"docket/internal/history"
	"docket/internal/origin"
)

// Answer is what one annotator says about one URL.
type Answer struct {
	URLType          URLType
	RecordType       *RecordType
	AgencyIDs        []int32 // without repeats
	AgencyNotFound   bool
	LocationIDs      []int64 // without repeats
	LocationNotFound bool
	NewName          *string // at most 100 characters; ignored when ExistingNameID is given
	ExistingNameID   *int32  // one of the names suggested for the URL

	// SuggestionsHidden is whether the annotator asked for the URL without suggestions. The reservation of the URL, if the annotator
	// has one, and the batch of the URL take precedence. It is recorded with the answer, and is not part of what the annotator says.
	SuggestionsHidden bool

	// Origin is from where an anonymous session answers. If it is known, of several sessions with one Origin only the first one's
	// answer about a URL has votes.
	Origin origin.Origin
}

// detail is what the history of the URL keeps of the answer. The statement that stores the answer adds the text of an existing
// name.
func (a Answer) detail(before *history.Answer) []byte {
	kept := a.said()
	kept.Before = before
	return kept.JSON()
}

// said is the answer as the history has it. The contract ignores the two flags of an irrelevant page.
func (a Answer) said() history.Answer {
	return history.Answer{
		URLType: string(a.URLType), RecordType: string(orEmpty(a.RecordType)), Name: orEmpty(a.NewName),
		AgencyIDs: a.AgencyIDs, AgencyNotFound: a.AgencyNotFound && a.URLType != NotRelevant,
		LocationIDs: a.LocationIDs, LocationNotFound: a.LocationNotFound && a.URLType != NotRelevant,
	}
}

func orEmpty[T ~string](text *T) T {
	if text == nil {
		return ""
	}
	return *text
}

// ErrAlreadyAnnotated refuses an answer that differs from what its annotator has said about the URL before.
var ErrAlreadyAnnotated = errors.New("this annotator has annotated the URL before")

// RuleError refuses an answer or a request whose fields do not fit together. Its text is for the annotator.
type RuleError struct{ Text string }

func (e *RuleError) Error() string { return e.Text }

// FieldError describes a field that contradicts itself.
type FieldError struct {
	Field string // as in the REST contract
	Text  string
}

// FieldErrors refuses an answer because of all fields that contradict themselves.
type FieldErrors []FieldError

func (e FieldErrors) Error() string {
	texts := make([]string, len(e))
	for i, field := range e {
		texts[i] = field.Field + ": " + field.Text
	}
	return strings.Join(texts, "; ")
}

// check applies the rules between fields in the order that the REST contract promises: first all contradictions within a
// field, then the first broken rule of the URL type.
func (a Answer) check() error {
	var contradictions FieldErrors
	if a.AgencyNotFound && len(a.AgencyIDs) > 0 {
		contradictions = append(contradictions,
			FieldError{Field: "agency_info", Text: "not_found must be False if agency_ids is not empty"})
	}
	if a.LocationNotFound && len(a.LocationIDs) > 0 {
		contradictions = append(contradictions,
			FieldError{Field: "location_info", Text: "not_found must be False if location_ids is not empty"})
	}
	if len(contradictions) > 0 {
		return contradictions
	}

	switch {
	case slices.Contains([]URLType{MetaURL, IndividualRecord}, a.URLType) && a.RecordType != nil:
		return &RuleError{"record_type must be None if suggested_status is META_URL"}
	case a.URLType != NotRelevant:
		return nil
	case a.RecordType != nil:
		return &RuleError{"record_type must be None if suggested_status is NOT RELEVANT"}
	case len(a.AgencyIDs) > 0:
		return &RuleError{"agency_info must be empty if suggested_status is NOT RELEVANT"}
	case len(a.LocationIDs) > 0:
		return &RuleError{"location_ids must be empty if suggested_status is NOT RELEVANT"}
	}
	return nil
}
