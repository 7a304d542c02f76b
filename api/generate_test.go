package api_test

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"pgregory.net/rapid"
)

// texts lists, by a part of its name, texts for a property or parameter.
var texts = map[string][]string{
	"url": {
		"https://example.org", "http://example.org/a/", "example.org/a?b=c#d", "https://example.org/#x", "no url", "",
		"HTTPS://EXAMPLE.ORG//", "ftp://example.org", "https://exämple.org/ü", "https://example.org/%00", "//example.org", "a.b",
		"https://example.org\u00a0", "https://[::1]:80/x", "mailto:a@example.org", "://", "https://", "https:///x.y",
	},
	"since":      {"2026-01-31", "2026-01-31T12:00:00", "yesterday", "0000-00-00", "9999-12-31T23:59:59.999999", ""},
	"confidence": {"1", "0.5", "100"},
}

// integers lists the values for every integer property or parameter.
var integers = []int64{0, 1, 2, 3, -1, math.MaxInt32, math.MaxInt32 - 1, math.MinInt32, math.MaxInt64, math.MinInt64}

// generator draws values. Its ids are ids that exist, by a part of the name of a property or parameter.
type generator struct{ ids map[string][]int64 }

// value draws a value that a schema allows, in one of the spellings that the contract accepts.
func (g generator) value(t *rapid.T, name string, ref *openapi3.SchemaRef) any {
	s, nullable := resolved(ref)
	if nullable && rapid.IntRange(0, 9).Draw(t, name+" is null") == 0 {
		return nil
	}
	switch {
	case s.Type.IsEmpty():
		return rapid.SampledFrom([]any{nil, true, 1, 2, "Stops", "x", 0.5, []any{1}, map[string]any{"a": 1}}).Draw(t, name)
	case len(s.Enum) > 0:
		return rapid.SampledFrom(s.Enum).Draw(t, name)
	case s.Type.Permits(openapi3.TypeObject):
		return g.object(t, name, s)
	case s.Type.Permits(openapi3.TypeArray):
		return g.array(t, name, s)
	case s.Type.Permits(openapi3.TypeInteger):
		low, high := integerBounds(s)
		from := integers
		for part, ids := range g.ids {
			if strings.Contains(name, part) && rapid.IntRange(0, 3).Draw(t, name+" exists") > 0 {
				from = ids
			}
		}
		n := rapid.SampledFrom(from).Filter(func(n int64) bool { return low <= n && n <= high }).Draw(t, name)
		return rapid.SampledFrom([]any{n, n, n, fmt.Sprint(n)}).Draw(t, name+" spelled")
	case s.Type.Permits(openapi3.TypeNumber):
		return rapid.SampledFrom([]any{0, 1, 0.5, 100, 100.5, -1, 1e300, "0.25"}).Draw(t, name)
	case s.Type.Permits(openapi3.TypeBoolean):
		return rapid.SampledFrom([]any{true, false, "yes", "0"}).Draw(t, name)
	}
	return g.text(t, name, s)
}

func (g generator) object(t *rapid.T, name string, s *openapi3.Schema) any {
	object := map[string]any{}
	for _, key := range slices.Sorted(maps.Keys(s.Properties)) {
		if slices.Contains(s.Required, key) || rapid.Bool().Draw(t, key+" is given") {
			object[key] = g.value(t, key, s.Properties[key])
		}
	}
	if len(s.Properties) == 0 && rapid.Bool().Draw(t, name+" has something") {
		object["anything"] = []any{1, nil, map[string]any{"deep": "ü"}}
	}
	return object
}

func (g generator) array(t *rapid.T, name string, s *openapi3.Schema) any {
	list := []any{}
	seen := map[string]bool{}
	for range rapid.IntRange(int(s.MinItems), int(s.MinItems)+3).Draw(t, name+" items") {
		item := g.value(t, name, s.Items)
		if s.UniqueItems && seen[fmt.Sprint(item)] {
			continue
		}
		seen[fmt.Sprint(item)] = true
		list = append(list, item)
	}
	return list
}

func (g generator) text(t *rapid.T, name string, s *openapi3.Schema) any {
	switch s.Format {
	case "uuid":
		return rapid.SampledFrom([]string{knownSession, "6ba7b810-9dad-11d1-80b4-00c04fd430c8"}).Draw(t, name)
	case "date":
		return rapid.SampledFrom([]string{"2024-02-29", "0001-01-01", "9999-12-31"}).Draw(t, name)
	}
	longest := 20
	if s.MaxLength != nil {
		longest = min(longest, int(*s.MaxLength))
	}
	choices := []*rapid.Generator[string]{
		rapid.SampledFrom([]string{"Ohio", "police", "%", "_", `\`, "'; --", "a, b", "💥", "é", " "}),
		rapid.Map(rapid.StringN(int(s.MinLength), longest, -1), storable),
	}
	for part, list := range texts {
		if strings.Contains(name, part) {
			choices = append(choices, rapid.SampledFrom(list), rapid.SampledFrom(list))
		}
	}
	if s.MaxLength != nil {
		choices = append(choices, rapid.Just(strings.Repeat("ä", int(*s.MaxLength))))
	}
	return rapid.OneOf(choices...).Filter(func(text string) bool {
		n := uint64(len([]rune(text)))
		return n >= s.MinLength && (s.MaxLength == nil || n <= *s.MaxLength)
	}).Draw(t, name)
}

// storable removes from a text what the contract refuses in every text.
func storable(text string) string {
	return strings.ToValidUTF8(strings.ReplaceAll(text, "\x00", "x"), "x")
}

// brokenOf draws a value that a schema refuses, if there is one.
func brokenOf(t *rapid.T, name string, ref *openapi3.SchemaRef) (any, bool) {
	s, _ := resolved(ref)
	var choices []any
	switch {
	case s.Type.IsEmpty():
		return nil, false
	case len(s.Enum) > 0:
		choices = []any{"no such", ""}
	case s.Type.Permits(openapi3.TypeObject):
		choices = []any{"x", []any{}, 1, true}
	case s.Type.Permits(openapi3.TypeArray):
		items, _ := resolved(s.Items)
		choices = []any{map[string]any{}, "x", 1}
		if item, ok := brokenOf(t, name, s.Items); ok {
			choices = append(choices, []any{item})
		}
		if s.UniqueItems && items.Type.Permits(openapi3.TypeInteger) {
			choices = append(choices, []any{1, "1"})
		}
		if s.MaxItems != nil {
			choices = append(choices, slices.Repeat([]any{nil}, int(*s.MaxItems)+1))
		}
	case s.Type.Permits(openapi3.TypeInteger):
		choices = []any{"x", "", "1.5", "99999999999999999999", "0x1", "1e", "-99999999999999999999", "٣"}
	case s.Type.Permits(openapi3.TypeNumber):
		choices = []any{"x", "", "Infinity", "1e999"}
	case s.Type.Permits(openapi3.TypeBoolean):
		choices = []any{"maybe", "", "2"}
	case s.Format != "":
		choices = []any{"x", "", "2023-02-30", "6ba7b810-9dad-11d1-80b4-00c04fd430cg"}
	default:
		choices = []any{"\x00", "a\x00b"}
		if s.MinLength > 0 {
			choices = append(choices, "")
		}
		if s.MaxLength != nil {
			choices = append(choices, strings.Repeat("ä", int(*s.MaxLength)+1))
		}
	}
	return rapid.SampledFrom(choices).Draw(t, "broken "+name), true
}

func integerBounds(s *openapi3.Schema) (low, high int64) {
	low, high = math.MinInt64, math.MaxInt64
	if s.Format == "int32" {
		low, high = math.MinInt32, math.MaxInt32
	}
	if s.Min != nil {
		low = max(low, int64(*s.Min))
	}
	if s.Max != nil {
		high = min(high, int64(*s.Max))
	}
	return low, high
}

// resolved returns the schema inside an allOf with one element, which makes a reference nullable.
func resolved(ref *openapi3.SchemaRef) (s *openapi3.Schema, nullable bool) {
	s = ref.Value
	nullable = s.Nullable
	for len(s.AllOf) == 1 {
		s = s.AllOf[0].Value
		nullable = nullable || s.Nullable
	}
	return s, nullable
}
