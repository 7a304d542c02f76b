package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/uuid"
)

// checker holds values against schemas, as lenient and as talkative as the reference. kin-openapi's
// own VisitJSON cannot stand in for it: it neither coerces ("12" for 12) nor says what was coerced,
// and its errors do not carry the types and messages clients know.
type checker struct {
	faults Faults
}

func (k *checker) fault(loc []any, kind, msg string) {
	if len(k.faults) < maxFaults {
		k.faults = append(k.faults, Fault{Loc: loc, Msg: msg, Type: kind})
	}
}

// check returns v as the schema has it: integers as int64, numbers as float64, UUIDs in their usual
// spelling, objects without the keys the schema does not know, defaults filled in. What does not fit
// is reported; the value returned then means nothing.
func (k *checker) check(loc []any, ref *openapi3.SchemaRef, v any) any {
	s, nullable := resolve(ref)
	if v == nil && nullable {
		return nil
	}
	switch {
	case s.Type.IsEmpty():
		return k.anything(loc, v)
	case s.Type.Permits(openapi3.TypeObject):
		return k.object(loc, s, v)
	case s.Type.Permits(openapi3.TypeArray):
		return k.array(loc, s, v)
	case s.Type.Permits(openapi3.TypeInteger):
		return k.integer(loc, s, v)
	case s.Type.Permits(openapi3.TypeNumber):
		return k.number(loc, s, v)
	case s.Type.Permits(openapi3.TypeBoolean):
		return k.boolean(loc, v)
	case len(s.Enum) > 0:
		return k.enum(loc, s, v)
	default:
		return k.text(loc, s, v)
	}
}

// resolve looks through the allOf of one that OpenAPI 3.0 needs to make a reference nullable.
func resolve(ref *openapi3.SchemaRef) (s *openapi3.Schema, nullable bool) {
	s = ref.Value
	nullable = s.Nullable || s.Type.IncludesNull()
	for len(s.AllOf) == 1 {
		s = s.AllOf[0].Value
		nullable = nullable || s.Nullable || s.Type.IncludesNull()
	}
	return s, nullable
}

func (k *checker) object(loc []any, s *openapi3.Schema, v any) any {
	object, ok := v.(map[string]any)
	if !ok {
		k.fault(loc, "model_attributes_type", "Input should be a valid dictionary or object to extract fields from")
		return nil
	}
	result := make(map[string]any, len(object))
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		property := s.Properties[name]
		value, given := object[name]
		switch {
		case given:
			result[name] = k.check(at(loc, name), property, value)
		case slices.Contains(s.Required, name):
			k.fault(at(loc, name), "missing", "Field required")
		default:
			if schema, _ := resolve(property); schema.Default != nil {
				result[name] = schema.Default
			}
		}
	}
	more := s.AdditionalProperties
	for _, name := range slices.Sorted(maps.Keys(object)) {
		if _, known := s.Properties[name]; known {
			continue
		}
		here := at(loc, echo(name))
		switch {
		case more.Schema != nil:
			k.storable(here, name)
			result[name] = k.check(here, more.Schema, object[name])
		case more.Has != nil && !*more.Has:
			k.fault(here, "extra_forbidden", "Extra inputs are not permitted")
		case more.Has != nil || len(s.Properties) == 0:
			k.storable(here, name)
			result[name] = k.anything(here, object[name])
		}
	}
	return result
}

func (k *checker) array(loc []any, s *openapi3.Schema, v any) any {
	list, ok := v.([]any)
	if !ok {
		k.fault(loc, "list_type", "Input should be a valid list")
		return nil
	}
	if n := uint64(len(list)); n < s.MinItems {
		k.fault(loc, "too_short", fmt.Sprintf("List should have at least %s after validation, not %d", plural(s.MinItems, "item"), n))
	} else if s.MaxItems != nil && n > *s.MaxItems {
		k.fault(loc, "too_long", fmt.Sprintf("List should have at most %s after validation, not %d", plural(*s.MaxItems, "item"), n))
		return nil
	}
	result := make([]any, len(list))
	seen := make(map[any]bool)
	repeated := false
	for i, item := range list {
		before := len(k.faults)
		result[i] = k.check(at(loc, i), s.Items, item)
		if s.UniqueItems && len(k.faults) == before && len(k.faults) < maxFaults {
			repeated = repeated || seen[result[i]]
			seen[result[i]] = true
		}
	}
	if repeated {
		k.fault(loc, "value_error", "Value error, items must not repeat")
	}
	return result
}

func (k *checker) enum(loc []any, s *openapi3.Schema, v any) any {
	if slices.Contains(s.Enum, v) && v != nil {
		return v
	}
	var names []string
	for _, value := range s.Enum {
		if text, ok := value.(string); ok {
			names = append(names, "'"+text+"'")
		}
	}
	expected := names[0]
	if last := len(names) - 1; last > 0 {
		expected = strings.Join(names[:last], ", ") + " or " + names[last]
	}
	k.fault(loc, "enum", "Input should be "+expected)
	return nil
}

func (k *checker) integer(loc []any, s *openapi3.Schema, v any) any {
	const invalid = "Input should be a valid integer"
	low, high := bounds(s)
	var (
		n   int64
		err error
	)
	switch v := v.(type) {
	case json.Number:
		n, err = wholeNumber(v.String())
		if errors.Is(err, strconv.ErrSyntax) {
			k.fault(loc, "int_from_float", invalid+", got a number with a fractional part")
			return nil
		}
	case string:
		digits, fraction, _ := strings.Cut(strings.TrimSpace(v), ".")
		n, err = strconv.ParseInt(digits, 10, 64)
		if errors.Is(err, strconv.ErrSyntax) || strings.Trim(fraction, "0") != "" {
			k.fault(loc, "int_parsing", invalid+", unable to parse string as an integer")
			return nil
		}
	default:
		k.fault(loc, "int_type", invalid)
		return nil
	}
	// Out of range of int64, n is the nearest bound of it and err not nil.
	switch {
	case n < low || err != nil && n < 0:
		k.fault(loc, "greater_than_equal", fmt.Sprintf("Input should be greater than or equal to %d", low))
	case n > high || err != nil:
		k.fault(loc, "less_than_equal", fmt.Sprintf("Input should be less than or equal to %d", high))
	}
	return n
}

// wholeNumber reads a JSON number without a fraction, however spelled: 12, 12.0, 1.2e1. Out of
// range, it returns the nearest int64 and strconv.ErrRange; with a fraction, strconv.ErrSyntax.
func wholeNumber(s string) (int64, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	if !errors.Is(err, strconv.ErrSyntax) {
		return n, err
	}
	f, err := strconv.ParseFloat(s, 64)
	switch {
	case err == nil && f != math.Trunc(f):
		return 0, strconv.ErrSyntax
	case f >= math.MaxInt64:
		return math.MaxInt64, strconv.ErrRange
	case f < math.MinInt64:
		return math.MinInt64, strconv.ErrRange
	}
	return int64(f), nil
}

// bounds are the smallest and the largest integer that both the schema allows and its Go type holds.
func bounds(s *openapi3.Schema) (low, high int64) {
	low, high = math.MinInt64, math.MaxInt64
	if s.Format == "int32" {
		low, high = math.MinInt32, math.MaxInt32
	}
	if s.Min != nil && *s.Min > float64(low) {
		low = int64(math.Ceil(*s.Min))
	}
	if s.Max != nil && *s.Max < float64(high) {
		high = int64(math.Floor(*s.Max))
	}
	return low, high
}

func (k *checker) number(loc []any, s *openapi3.Schema, v any) any {
	const invalid = "Input should be a valid number"
	text, isText := v.(string)
	if number, ok := v.(json.Number); ok {
		text = number.String()
	} else if !isText {
		k.fault(loc, "float_type", invalid)
		return nil
	}
	size := 64
	if s.Format == "float" {
		size = 32
	}
	f, err := strconv.ParseFloat(strings.TrimSpace(text), size)
	switch {
	case err != nil && !isText, err == nil && (math.IsInf(f, 0) || math.IsNaN(f)):
		k.fault(loc, "finite_number", "Input should be a finite number")
	case err != nil:
		k.fault(loc, "float_parsing", invalid+", unable to parse string as a number")
	case s.Min != nil && f < *s.Min:
		k.fault(loc, "greater_than_equal", fmt.Sprintf("Input should be greater than or equal to %v", *s.Min))
	case s.Max != nil && f > *s.Max:
		k.fault(loc, "less_than_equal", fmt.Sprintf("Input should be less than or equal to %v", *s.Max))
	}
	return f
}

func (k *checker) boolean(loc []any, v any) any {
	text := ""
	switch v := v.(type) {
	case bool:
		return v
	case json.Number:
		n, _ := wholeNumber(v.String())
		text = strconv.FormatInt(n, 10)
		if f, err := v.Float64(); err != nil || f != float64(n) {
			text = v.String()
		}
	case string:
		text = strings.ToLower(v)
	default:
		k.fault(loc, "bool_type", "Input should be a valid boolean")
		return nil
	}
	switch text {
	case "true", "1", "yes", "on", "t", "y":
		return true
	case "false", "0", "no", "off", "f", "n":
		return false
	}
	k.fault(loc, "bool_parsing", "Input should be a valid boolean, unable to interpret input")
	return nil
}

func (k *checker) text(loc []any, s *openapi3.Schema, v any) any {
	text, ok := v.(string)
	if !ok {
		kind, what := "string_type", "string"
		if s.Format == "uuid" {
			kind, what = "uuid_type", "UUID"
		}
		k.fault(loc, kind, "Input should be a valid "+what)
		return nil
	}
	if !k.storable(loc, text) {
		return nil
	}
	switch s.Format {
	case "uuid":
		if err := uuid.Validate(text); err != nil {
			k.fault(loc, "uuid_parsing", "Input should be a valid UUID, unable to parse string as a UUID")
			return nil
		}
		return uuid.MustParse(text).String()
	case "date":
		if day, err := time.Parse(time.DateOnly, text); err != nil || day.Year() == 0 { // no calendar of the reference's has it
			k.fault(loc, "date_parsing", "Input should be a valid date in the format YYYY-MM-DD")
		}
		return text
	}
	if n := uint64(utf8.RuneCountInString(text)); n < s.MinLength {
		k.fault(loc, "string_too_short", "String should have at least "+plural(s.MinLength, "character"))
	} else if s.MaxLength != nil && n > *s.MaxLength {
		k.fault(loc, "string_too_long", "String should have at most "+plural(*s.MaxLength, "character"))
	}
	return text
}

// anything accepts every value that can be stored.
func (k *checker) anything(loc []any, v any) any {
	switch v := v.(type) {
	case string:
		k.storable(loc, v)
	case json.Number:
		if _, err := v.Float64(); err != nil {
			k.fault(loc, "finite_number", "Input should be a finite number")
		}
	case []any:
		for i, item := range v {
			k.anything(at(loc, i), item)
		}
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			here := at(loc, echo(name))
			k.storable(here, name)
			k.anything(here, v[name])
		}
	}
	return v
}

// storable reports a text that PostgreSQL cannot hold.
func (k *checker) storable(loc []any, text string) bool {
	msg := ""
	switch {
	case strings.ContainsRune(text, 0):
		msg = "Value error, text must not contain NUL characters"
	case !utf8.ValidString(text):
		msg = "Value error, text must be UTF-8"
	default:
		return true
	}
	k.fault(loc, "value_error", msg)
	return false
}

func plural(n uint64, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}
