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

// MaxName is the largest number of characters of a suggested name, as of the column url_name_suggestions.suggestion.
const MaxName = 100

// The attributes of a URL that robots suggest, in the words of the wire.
const (
	attributeAgency     = "agency"
	attributeLocation   = "location"
	attributeRecordType = "record_type"
	attributeRelevant   = "relevant"
	attributeName       = "name"
)

// Suggestion is what a robot says of one URL, named by its id or by itself in any spelling. Value is a text, a
// whole number or a truth, as the attribute wants it, any of them possibly in the spelling of a text; nil says of an agency or a
// location that the robot looked and found none.
type Suggestion struct {
	URLID      *int32
	URL        *string
	Attribute  string
	Value      any
	Confidence *float64 // 0 to 100, whole for agencies; of relevance 0 to 1
	Source     *string  // the method that found an agency or a location; the model that judged relevance
}

// The values of the database's types of the same purpose; a test compares them.
var (
	agencyMethods   = []string{"homepage_match", "nlp_location_match", "muckrock_match", "ckan_match", "batch_link"}
	locationMethods = []string{"nlp_location_frequency", "batch_link"}
)

const (
	reasonOneURL         = "must be one of url_id and url"
	reasonURLUnknown     = "does not exist"
	reasonAttribute      = "is none of agency, location, record_type, relevant and name"
	reasonNeeded         = "is needed"
	reasonNothingFound   = "is needed: only an agency or a location can be looked for in vain"
	reasonID             = "is not the id of an agency or a location"
	reasonAgencyUnknown  = "is the id of no agency"
	reasonPlaceUnknown   = "is the id of no location"
	reasonNoRecordType   = "is not a record type"
	reasonTruth          = "is neither true nor false"
	reasonText           = "is not a text"
	reasonBlank          = "is blank"
	reasonNameLong       = "is longer than 100 characters"
	reasonNUL            = "has a character in it that cannot be stored"
	reasonWholePercent   = "is not a whole number from 0 to 100"
	reasonPercent        = "is not a number from 0 to 100"
	reasonShare          = "is not a number from 0 to 1"
	reasonUnused         = "has no meaning for this attribute"
	reasonAgencyMethod   = "is not a method of finding agencies"
	reasonLocationMethod = "is not a method of finding locations"
	reasonModelLong      = "is longer than 100 characters"
)

// suggestion is a Suggestion that is in order, as far as can be seen without the database. Of the values, the fields
// that the attribute wants are filled.
type suggestion struct {
	index     int
	url       int32  // 0 until it is known
	form      string // the id form, unless the URL was named by its id
	attribute string

	entity     int64   // agency or location; 0 when none was found
	text       string  // record type or name
	relevant   bool    // relevance
	confidence float64 // -1 for none
	source     string  // method or model; may be empty for the latter
}

// checkSuggestion says what is wrong with a suggestion, first of all.
func checkSuggestion(given Suggestion) (s suggestion, f *csvfile.Defect) {
	s = suggestion{attribute: given.Attribute, confidence: -1}
	switch {
	case (given.URLID == nil) == (given.URL == nil):
		return s, csvfile.NewDefect("", "", reasonOneURL)
	case given.URLID != nil:
		s.url = *given.URLID
	default:
		form, err := urlform.Parse(*given.URL)
		if err != nil {
			return s, csvfile.NewDefect("url", *given.URL, "cannot be taken: "+err.Error())
		}
		s.form = form.ID
	}
	switch given.Attribute {
	case attributeAgency:
		f = s.takeEntity(given, agencyMethods, reasonAgencyMethod)
		if f == nil && s.entity > math.MaxInt32 {
			f = csvfile.NewDefect("value", show(given.Value), reasonAgencyUnknown)
		}
		if f == nil && s.confidence != math.Trunc(s.confidence) {
			f = csvfile.NewDefect("confidence", number(s.confidence), reasonWholePercent)
		}
	case attributeLocation:
		f = s.takeEntity(given, locationMethods, reasonLocationMethod)
	case attributeRelevant:
		f = s.takeRelevance(given)
	case attributeRecordType, attributeName:
		f = s.takeText(given)
	default:
		f = csvfile.NewDefect("attribute", given.Attribute, reasonAttribute)
	}
	return s, f
}

// takeEntity takes an agency or a location, or that there is none. The first of the methods is meant when none is named.
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
		if !(s.confidence >= 0 && s.confidence <= 100) { // NaN neither
			return csvfile.NewDefect("confidence", number(s.confidence), reasonPercent)
		}
	case s.entity != 0:
		return csvfile.NewDefect("confidence", "", reasonNeeded)
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

// takeText takes a record type or a name.
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
	if s.attribute == attributeRecordType {
		if s.text = text; !db.RecordType(text).Valid() {
			return csvfile.NewDefect("value", text, reasonNoRecordType)
		}
		return nil
	}
	s.text = strings.TrimSpace(text)
	switch {
	case s.text == "":
		return csvfile.NewDefect("value", text, reasonBlank)
	case utf8.RuneCountInString(s.text) > MaxName:
		return csvfile.NewDefect("value", text, reasonNameLong)
	case strings.ContainsRune(s.text, 0) || !utf8.ValidString(s.text):
		return csvfile.NewDefect("value", text, reasonNUL)
	}
	return nil
}

// wholeNumber takes a number in any of the ways in which formats give one.
func wholeNumber(value any) (int64, bool) {
	switch value := value.(type) {
	case float64:
		// Beyond this, neighbours are one and the same.
		return int64(value), value == math.Trunc(value) && math.Abs(value) < 1<<53
	case string:
		n, err := strconv.ParseInt(value, 10, 64)
		return n, err == nil
	case interface{ Int64() (int64, error) }: // a number as it was written
		n, err := value.Int64()
		return n, err == nil
	}
	return 0, false
}

// show makes a value fit to be repeated.
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
