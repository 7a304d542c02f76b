package annotation

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
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
}

// said is an answer in the history of a URL: the values that it has. The statement that stores the answer adds the text of an
// existing name.
type said struct {
	URLType          URLType     `json:"url_type"`
	RecordType       *RecordType `json:"record_type,omitempty"`
	AgencyIDs        []int32     `json:"agency_ids,omitempty"`
	AgencyNotFound   bool        `json:"agency_not_found,omitempty"`
	LocationIDs      []int64     `json:"location_ids,omitempty"`
	LocationNotFound bool        `json:"location_not_found,omitempty"`
	Name             *string     `json:"name,omitempty"`
}

// detail is what the history of the URL keeps of an answer that is stored with or without the two flags.
func (a Answer) detail(agencyNotFound, locationNotFound bool) []byte {
	text, _ := json.Marshal(said{ // never fails: there are only texts, numbers and booleans
		a.URLType, a.RecordType, a.AgencyIDs, agencyNotFound, a.LocationIDs, locationNotFound, a.NewName,
	})
	return text
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
