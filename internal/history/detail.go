package history

import (
	"encoding/json"
	"fmt"
)

// Cause is why an event happened, if it was not the usual request.
type Cause string

// The causes.
const (
	Submission Cause = "submission" // of the URL
	Migration  Cause = "migration"  // of a session to a user
)

// Answer is all that an annotator says about a URL after the event. It replaces what earlier events of the annotator say. What the
// annotator does not say is left out.
type Answer struct {
	URLType          string   `json:"url_type,omitempty"`
	RecordType       string   `json:"record_type,omitempty"`
	AgencyIDs        []int32  `json:"agency_ids,omitempty"`
	LocationIDs      []int64  `json:"location_ids,omitempty"`
	Name             string   `json:"name,omitempty"`        // the one endorsed last
	OtherNames       []string `json:"other_names,omitempty"` // endorsed earlier: by a submission, or by a session that was migrated
	AgencyNotFound   bool     `json:"agency_not_found,omitempty"`
	LocationNotFound bool     `json:"location_not_found,omitempty"`
	Cause            Cause    `json:"cause,omitempty"`
	Before           *Answer  `json:"before,omitempty"` // of a changed answer, what it replaced
}

// JSON returns the answer as it is stored, for statements that append an event themselves.
func (a Answer) JSON() []byte {
	text, _ := json.Marshal(a) // never fails: there are only texts, numbers and booleans
	return text
}

// ParseAnswer returns the answer that JSON has encoded.
func ParseAnswer(text []byte) (answer Answer, err error) {
	if err := json.Unmarshal(text, &answer); err != nil {
		return Answer{}, fmt.Errorf("read an answer: %w", err)
	}
	return answer, nil
}

// TakeBack says why an annotator has no answer any more.
type TakeBack struct {
	Cause  Cause   `json:"cause,omitempty"`
	Before *Answer `json:"before,omitempty"` // what the annotator had said
}

// Skip is why an annotator has put a URL off.
type Skip struct {
	Reason string `json:"reason"`
	Note   string `json:"note,omitempty"`
}

// Suggestions are what robots stated about a URL in one call, by attribute, as far as something about the attribute was new. A null
// among the values of agencies or locations means that a search found none.
type Suggestions map[string][]any

// Validation is how a URL became a fact.
type Validation struct {
	Rule       Rule   `json:"rule"`
	URLType    string `json:"url_type"`
	RecordType string `json:"record_type,omitempty"`
	AgencyID   int32  `json:"agency_id,omitempty"`
	LocationID int64  `json:"location_id,omitempty"`
	Name       string `json:"name,omitempty"`
	Users      int32  `json:"users"`
	Sessions   int32  `json:"sessions"`
	Added      Added  `json:"added"`
}

// Rule is the rule that made a fact.
type Rule struct {
	Version         int32   `json:"version"`
	Threshold       float64 `json:"threshold"`
	AnonymousWeight float64 `json:"anonymous_weight"`
}

// Added is what the fact added to what was stored about the URL. Reopening takes exactly that back.
type Added struct {
	RecordType   bool    `json:"record_type,omitempty"`
	Agency       bool    `json:"agency,omitempty"`
	Location     bool    `json:"location,omitempty"`
	Name         bool    `json:"name,omitempty"`          // the URL had another name, or none
	PreviousName *string `json:"previous_name,omitempty"` // nil for none
}

// Reopening is why a validation was taken back.
type Reopening struct {
	Reason    string `json:"reason"`
	URLType   string `json:"url_type"`   // as which the URL was validated
	TakenBack Added  `json:"taken_back"` // what was removed with it
}

// Suspension is why annotators are not offered a URL any more.
type Suspension struct {
	Reason string `json:"reason"`
}
