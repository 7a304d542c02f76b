package contract

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

// checker validates values against schemas, as leniently as the reference and with its error types and messages.
// kin-openapi's own VisitJSON cannot do this: it does not coerce ("12" to 12), and clients do not know its messages.
type checker struct {
	faults Faults
}

func (c *checker) fault(loc []any, kind, msg string) {
	if len(c.faults) < maxFaults {
		c.faults = append(c.faults, Fault{Loc: loc, Msg: msg, Type: kind})
	}
}

// check returns v in the spelling of the schema: integers as int64, numbers as float64, UUIDs in lower case with
// hyphens, objects without the keys that the schema ignores and with its defaults. After a fault the returned value
// is meaningless.
func (c *checker) check(loc []any, ref *openapi3.SchemaRef, v any) any {
	s, nullable := resolve(ref)
	if v == nil && nullable {
		return nil
	}
	switch {
	case s.Type.IsEmpty():
		return c.anything(loc, v)
	case s.Type.Permits(openapi3.TypeObject):
		return c.object(loc, s, v)
	case s.Type.Permits(openapi3.TypeArray):
		return c.array(loc, s, v)
	case s.Type.Permits(openapi3.TypeInteger):
		return c.integer(loc, s, v)
	case s.Type.Permits(openapi3.TypeNumber):
		return c.number(loc, s, v)
	case s.Type.Permits(openapi3.TypeBoolean):
		return c.boolean(loc, v)
	case len(s.Enum) > 0:
		return c.enum(loc, s, v)
	default:
		return c.text(loc, s, v)
	}
}

// resolve returns the schema inside an allOf with one element, which OpenAPI 3.0 needs to make a reference nullable.
func resolve(ref *openapi3.SchemaRef) (s *openapi3.Schema, nullable bool) {
	s = ref.Value
	nullable = s.Nullable || s.Type.IncludesNull()
	for len(s.AllOf) == 1 {
		s = s.AllOf[0].Value
		nullable = nullable || s.Nullable || s.Type.IncludesNull()
	}
	return s, nullable
}

func (c *checker) object(loc []any, s *openapi3.Schema, v any) any {
	object, ok := v.(map[string]any)
	if !ok {
		c.fault(loc, "model_attributes_type", "Input should be a valid dictionary or object to extract fields from")
		return nil
	}
	result := make(map[string]any, len(object))
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		property := s.Properties[name]
		value, given := object[name]
		switch {
		case given:
			result[name] = c.check(at(loc, name), property, value)
		case slices.Contains(s.Required, name):
			c.fault(at(loc, name), "missing", "Field required")
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
		here := at(loc, Excerpt(name))
		switch {
		case more.Schema != nil:
			c.storable(here, name)
			result[name] = c.check(here, more.Schema, object[name])
		case more.Has != nil && !*more.Has:
			c.fault(here, "extra_forbidden", "Extra inputs are not permitted")
		case more.Has != nil || len(s.Properties) == 0:
			c.storable(here, name)
			result[name] = c.anything(here, object[name])
		}
	}
	return result
}

func (c *checker) array(loc []any, s *openapi3.Schema, v any) any {
	list, ok := v.([]any)
	if !ok {
		c.fault(loc, "list_type", "Input should be a valid list")
		return nil
	}
	if n := uint64(len(list)); n < s.MinItems {
		c.fault(loc, "too_short", fmt.Sprintf("List should have at least %s after validation, not %d", plural(s.MinItems, "item"), n))
	} else if s.MaxItems != nil && n > *s.MaxItems {
		c.fault(loc, "too_long", fmt.Sprintf("List should have at most %s after validation, not %d", plural(*s.MaxItems, "item"), n))
		return nil
	}
	result := make([]any, len(list))
	seen := make(map[any]bool)
	repeated := false
	for i, item := range list {
		before := len(c.faults)
		result[i] = c.check(at(loc, i), s.Items, item)
		if s.UniqueItems && len(c.faults) == before && len(c.faults) < maxFaults {
			repeated = repeated || seen[result[i]]
			seen[result[i]] = true
		}
	}
	if repeated {
		c.fault(loc, "value_error", "Value error, items must not repeat")
	}
	return result
}

func (c *checker) enum(loc []any, s *openapi3.Schema, v any) any {
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
	c.fault(loc, "enum", "Input should be "+expected)
	return nil
}

func (c *checker) integer(loc []any, s *openapi3.Schema, v any) any {
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
			c.fault(loc, "int_from_float", invalid+", got a number with a fractional part")
			return nil
		}
	case string:
		digits, fraction, _ := strings.Cut(strings.TrimSpace(v), ".")
		n, err = strconv.ParseInt(digits, 10, 64)
		if errors.Is(err, strconv.ErrSyntax) || strings.Trim(fraction, "0") != "" {
			c.fault(loc, "int_parsing", invalid+", unable to parse string as an integer")
			return nil
		}
	default:
		c.fault(loc, "int_type", invalid)
		return nil
	}
	// When the number is outside of int64, n is the nearest int64 and err is not nil.
	switch {
	case n < low || err != nil && n < 0:
		c.fault(loc, "greater_than_equal", fmt.Sprintf("Input should be greater than or equal to %d", low))
	case n > high || err != nil:
		c.fault(loc, "less_than_equal", fmt.Sprintf("Input should be less than or equal to %d", high))
	}
	return n
}

// wholeNumber parses a JSON number without a fractional part in any spelling: 12, 12.0, 1.2e1. For a number outside of
// int64 it returns the nearest int64 and strconv.ErrRange; for one with a fractional part, strconv.ErrSyntax.
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

// bounds returns the smallest and the largest integer that the schema allows and its Go type can hold.
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

func (c *checker) number(loc []any, s *openapi3.Schema, v any) any {
	const invalid = "Input should be a valid number"
	text, isText := v.(string)
	if number, ok := v.(json.Number); ok {
		text = number.String()
	} else if !isText {
		c.fault(loc, "float_type", invalid)
		return nil
	}
	size := 64
	if s.Format == "float" {
		size = 32
	}
	f, err := strconv.ParseFloat(strings.TrimSpace(text), size)
	switch {
	case err != nil && !isText, err == nil && (math.IsInf(f, 0) || math.IsNaN(f)):
		c.fault(loc, "finite_number", "Input should be a finite number")
	case err != nil:
		c.fault(loc, "float_parsing", invalid+", unable to parse string as a number")
	case s.Min != nil && f < *s.Min:
		c.fault(loc, "greater_than_equal", fmt.Sprintf("Input should be greater than or equal to %v", *s.Min))
	case s.Max != nil && f > *s.Max:
		c.fault(loc, "less_than_equal", fmt.Sprintf("Input should be less than or equal to %v", *s.Max))
	}
	return f
}

func (c *checker) boolean(loc []any, v any) any {
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
		c.fault(loc, "bool_type", "Input should be a valid boolean")
		return nil
	}
	switch text {
	case "true", "1", "yes", "on", "t", "y":
		return true
	case "false", "0", "no", "off", "f", "n":
		return false
	}
	c.fault(loc, "bool_parsing", "Input should be a valid boolean, unable to interpret input")
	return nil
}

func (c *checker) text(loc []any, s *openapi3.Schema, v any) any {
	text, ok := v.(string)
	if !ok {
		kind, what := "string_type", "string"
		if s.Format == "uuid" {
			kind, what = "uuid_type", "UUID"
		}
		c.fault(loc, kind, "Input should be a valid "+what)
		return nil
	}
	if !c.storable(loc, text) {
		return nil
	}
	switch s.Format {
	case "uuid":
		if err := uuid.Validate(text); err != nil {
			c.fault(loc, "uuid_parsing", "Input should be a valid UUID, unable to parse string as a UUID")
			return nil
		}
		return uuid.MustParse(text).String()
	case "date":
		if day, err := time.Parse(time.DateOnly, text); err != nil || day.Year() == 0 { // Python, so the reference, has no year 0
			c.fault(loc, "date_parsing", "Input should be a valid date in the format YYYY-MM-DD")
		}
		return text
	}
	if n := uint64(utf8.RuneCountInString(text)); n < s.MinLength {
		c.fault(loc, "string_too_short", "String should have at least "+plural(s.MinLength, "character"))
	} else if s.MaxLength != nil && n > *s.MaxLength {
		c.fault(loc, "string_too_long", "String should have at most "+plural(*s.MaxLength, "character"))
	}
	return text
}

// anything accepts every value that PostgreSQL can store.
func (c *checker) anything(loc []any, v any) any {
	switch v := v.(type) {
	case string:
		c.storable(loc, v)
	case json.Number:
		if _, err := v.Float64(); err != nil {
			c.fault(loc, "finite_number", "Input should be a finite number")
		}
	case []any:
		for i, item := range v {
			c.anything(at(loc, i), item)
		}
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			here := at(loc, Excerpt(name))
			c.storable(here, name)
			c.anything(here, v[name])
		}
	}
	return v
}

// storable reports whether PostgreSQL can store a text, and adds a fault when it cannot.
func (c *checker) storable(loc []any, text string) bool {
	msg := ""
	switch {
	case strings.ContainsRune(text, 0):
		msg = "Value error, text must not contain NUL characters"
	case !utf8.ValidString(text):
		msg = "Value error, text must be UTF-8"
	default:
		return true
	}
	c.fault(loc, "value_error", msg)
	return false
}

func plural(n uint64, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}
