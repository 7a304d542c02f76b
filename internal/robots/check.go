package robots

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"docket/internal/csvfile"
	"docket/internal/db"
	"docket/internal/urlform"
)

// MaxName is the largest number of characters of a suggested name, as of the column annotation__name__suggestions.suggestion.
const MaxName = 100

// The values of the enum types of the database; a test compares them. The first one is used when no method is named.
var (
	agencyMethods   = []string{"homepage_match", "nlp_location_match", "muckrock_match", "ckan_match", "batch_link"}
	locationMethods = []string{"nlp_location_frequency", "batch_link"}
)

const (
	reasonOneURL          = "give either url_id or url"
	reasonURLUnknown      = "does not exist"
	reasonAttribute       = "is not one of agency, location, record_type, relevant and name"
	reasonMissing         = "is missing"
	reasonNothingFound    = "is missing: only an agency or a location may be null, which means that none was found"
	reasonID              = "is not the id of an agency or a location"
	reasonAgencyUnknown   = "is the id of no agency"
	reasonLocationUnknown = "is the id of no location"
	reasonNoRecordType    = "is not a record type"
	reasonTruth           = "is neither true nor false"
	reasonText            = "is not a text"
	reasonBlank           = "is blank"
	reasonNameLong        = "is longer than 100 characters"
	reasonNUL             = "contains a character that cannot be stored"
	reasonWholePercent    = "is not a whole number from 0 to 100"
	reasonPercent         = "is not a number from 0 to 100"
	reasonShare           = "is not a number from 0 to 1"
	reasonUnused          = "has no meaning for this attribute"
	reasonAgencyMethod    = "is not a method of finding agencies"
	reasonLocationMethod  = "is not a method of finding locations"
	reasonModelLong       = "is longer than 100 characters"
)

// suggestion is a correct Suggestion, as far as the database is not needed to know. Only the values of its attribute are set.
type suggestion struct {
	index     int             // in the list
	url       int32           // 0 until it is known
	forms     []string        // the id forms, the preferred one first, unless the URL was named by its id
	noPage    *csvfile.Defect // the URL's, which counts unless the URL is stored
	attribute string

	entity     int64   // agency or location; 0 when none was found
	text       string  // record type or name
	relevant   bool    // relevance
	confidence float64 // -1 for none
	source     string  // method or model; the latter may be empty
}

// value is what the suggestion is, as the history keeps it.
func (s suggestion) value() any {
	switch {
	case s.attribute == Relevant:
		return s.relevant
	case s.attribute != Agency && s.attribute != Location:
		return s.text
	case s.entity == 0:
		return nil
	}
	return s.entity
}

// checkAll returns the correct suggestions, and why the others are rejected.
func checkAll(given []Suggestion) (correct []suggestion, rejected []rejection) {
	for i, g := range given {
		s, defect := check(g)
		s.index = i
		if defect != nil {
			rejected = append(rejected, rejection{i, defect})
			continue
		}
		correct = append(correct, s)
	}
	return correct, rejected
}

// check returns the first defect of a suggestion, if it has one.
func check(given Suggestion) (s suggestion, d *csvfile.Defect) {
	s = suggestion{attribute: given.Attribute, confidence: -1}
	switch {
	case (given.URLID == nil) == (given.URL == nil):
		return s, csvfile.NewDefect("", "", reasonOneURL)
	case given.URLID != nil:
		s.url = *given.URLID
	default:
		if _, err := urlform.Parse(*given.URL); err != nil {
			s.noPage = csvfile.NewDefect("url", *given.URL, "is not accepted: "+err.Error())
		}
		if s.forms = urlform.IDs(*given.URL); s.forms == nil {
			return s, s.noPage
		}
	}
	switch given.Attribute {
	case Agency:
		d = s.takeEntity(given, agencyMethods, reasonAgencyMethod)
		if d == nil && s.entity > math.MaxInt32 {
			d = csvfile.NewDefect("value", show(given.Value), reasonAgencyUnknown)
		}
		if d == nil && s.confidence != math.Trunc(s.confidence) {
			d = csvfile.NewDefect("confidence", number(s.confidence), reasonWholePercent)
		}
	case Location:
		d = s.takeEntity(given, locationMethods, reasonLocationMethod)
	case Relevant:
		d = s.takeRelevance(given)
	case RecordType, Name:
		d = s.takeText(given)
	default:
		d = csvfile.NewDefect("attribute", given.Attribute, reasonAttribute)
	}
	return s, d
}

// takeEntity checks an agency or a location, or that none was found.
func (s *suggestion) takeEntity(given Suggestion, methods []string, noMethod string) *csvfile.Defect {
	if given.Value != nil {
		id, ok := wholeNumber(given.Value)
		if !ok || id < 1 {
			return csvfile.NewDefect("value", show(given.Value), reasonID)
		}
		s.entity = id
	}
	switch {
	case given.Confidence != nil:
		s.confidence = *given.Confidence
		if !(s.confidence >= 0 && s.confidence <= 100) { // also refuses NaN
			return csvfile.NewDefect("confidence", number(s.confidence), reasonPercent)
		}
	case s.entity != 0:
		return csvfile.NewDefect("confidence", "", reasonMissing)
	}
	s.source = methods[0]
	if given.Source != nil {
		s.source = *given.Source
	}
	if !slices.Contains(methods, s.source) {
		return csvfile.NewDefect("source", s.source, noMethod)
	}
	return nil
}

func (s *suggestion) takeRelevance(given Suggestion) *csvfile.Defect {
	switch value := given.Value.(type) {
	case nil:
		return csvfile.NewDefect("value", "", reasonNothingFound)
	case bool:
		s.relevant = value
	default:
		text := strings.ToLower(show(value))
		if text != "true" && text != "false" {
			return csvfile.NewDefect("value", show(value), reasonTruth)
		}
		s.relevant = text == "true"
	}
	if given.Confidence != nil {
		s.confidence = *given.Confidence
		if !(s.confidence >= 0 && s.confidence <= 1) {
			return csvfile.NewDefect("confidence", number(s.confidence), reasonShare)
		}
	}
	if given.Source != nil {
		s.source = *given.Source
		switch {
		case utf8.RuneCountInString(s.source) > MaxName:
			return csvfile.NewDefect("source", s.source, reasonModelLong)
		case strings.ContainsRune(s.source, 0):
			return csvfile.NewDefect("source", s.source, reasonNUL)
		}
	}
	return nil
}

// takeText checks a record type or a name.
func (s *suggestion) takeText(given Suggestion) *csvfile.Defect {
	text, ok := given.Value.(string)
	switch {
	case given.Value == nil:
		return csvfile.NewDefect("value", "", reasonNothingFound)
	case !ok:
		return csvfile.NewDefect("value", show(given.Value), reasonText)
	case given.Confidence != nil:
		return csvfile.NewDefect("confidence", number(*given.Confidence), reasonUnused)
	case given.Source != nil:
		return csvfile.NewDefect("source", *given.Source, reasonUnused)
	}
	if s.attribute == RecordType {
		if s.text = text; !db.RecordType(text).Valid() {
			return csvfile.NewDefect("value", text, reasonNoRecordType)
		}
		return nil
	}
	s.text = strings.TrimSpace(text)
	switch {
	case urlform.IsBlank(s.text):
		return csvfile.NewDefect("value", text, reasonBlank)
	case utf8.RuneCountInString(s.text) > MaxName:
		return csvfile.NewDefect("value", text, reasonNameLong)
	case strings.ContainsRune(s.text, 0) || !utf8.ValidString(s.text):
		return csvfile.NewDefect("value", text, reasonNUL)
	}
	return nil
}

// wholeNumber converts a number from any of the types that callers and decoders use.
func wholeNumber(value any) (int64, bool) {
	switch value := value.(type) {
	case float64:
		// From 2^53 on, a float64 cannot represent every whole number.
		return int64(value), value == math.Trunc(value) && math.Abs(value) < 1<<53
	case int64:
		return value, true
	case string:
		n, err := strconv.ParseInt(value, 10, 64)
		return n, err == nil
	case interface{ Int64() (int64, error) }: // json.Number
		n, err := value.Int64()
		return n, err == nil
	}
	return 0, false
}

// show returns a value as a text for a message.
func show(value any) string {
	switch value := value.(type) {
	case string:
		return value
	case float64:
		return number(value)
	case []any:
		return "(a list)"
	case map[string]any:
		return "(an object)"
	}
	return fmt.Sprint(value)
}

func number(value float64) string { return strconv.FormatFloat(value, 'g', -1, 64) }

// detail describes a defect in one line.
func detail(d *csvfile.Defect) string {
	parts := []string{d.Column, csvfile.Shorten(d.Value), d.Reason}
	return strings.Join(strings.Fields(strings.Join(parts, " ")), " ")
}
