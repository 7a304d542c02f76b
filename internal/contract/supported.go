package contract

import (
	"errors"
	"fmt"
	"slices"

	"github.com/getkin/kin-openapi/openapi3"
)

// formats lists the formats that the checker enforces, and those that add no rule to the type.
var formats = map[string][]string{
	openapi3.TypeString:  {"", "uuid", "date", "uri"},
	openapi3.TypeInteger: {"", "int32", "int64"},
	openapi3.TypeNumber:  {"", "float", "double"},
}

// supported returns an error when the schema of a request has a rule that the checker does not enforce. Such a rule
// would let a value through to code that cannot handle it.
func supported(ref *openapi3.SchemaRef, above []*openapi3.Schema) error {
	s := ref.Value
	if slices.Contains(above, s) {
		return errors.New("schema contains itself")
	}
	above = append(above[:len(above):len(above)], s)
	switch {
	case len(s.OneOf) > 0 || len(s.AnyOf) > 0 || s.Not != nil || len(s.AllOf) > 1,
		s.Pattern != "" || s.MultipleOf != nil || s.Const != nil || s.MinProps > 0 || s.MaxProps != nil,
		s.ExclusiveMin.IsSet() || s.ExclusiveMax.IsSet():
		return errors.New("schema has a rule that is not enforced " +
			"(oneOf, anyOf, not, several allOf, pattern, multipleOf, const, min/maxProperties, exclusive bounds)")
	case len(s.AllOf) == 1:
		if !s.Type.IsEmpty() || len(s.Properties) > 0 || len(s.Enum) > 0 || s.Default != nil {
			return errors.New("schema has both allOf and rules of its own")
		}
		return supported(s.AllOf[0], above)
	case s.Type.IsEmpty():
		return nil
	}
	kinds := slices.DeleteFunc(slices.Clone(s.Type.Slice()), func(kind string) bool { return kind == openapi3.TypeNull })
	if len(kinds) != 1 {
		return fmt.Errorf("schema has %d types", len(kinds))
	}
	switch kind := kinds[0]; kind {
	case openapi3.TypeObject:
		for name, property := range s.Properties {
			if err := supported(property, above); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
		for _, name := range s.Required {
			if s.Properties[name] == nil {
				return fmt.Errorf("required property %s is not described", name)
			}
		}
		if more := s.AdditionalProperties.Schema; more != nil {
			return supported(more, above)
		}
	case openapi3.TypeArray:
		items, _ := resolve(s.Items)
		plain := !items.Type.IsEmpty() && !items.Type.Permits(openapi3.TypeObject) && !items.Type.Permits(openapi3.TypeArray)
		if s.UniqueItems && !plain {
			return errors.New("uniqueItems is enforced on plain values only")
		}
		return supported(s.Items, above)
	default:
		if allowed, ok := formats[kind]; ok && !slices.Contains(allowed, s.Format) {
			return fmt.Errorf("format %s is not enforced", s.Format)
		}
		for _, value := range s.Enum {
			if _, ok := value.(string); kind != openapi3.TypeString || !ok && value != nil {
				return errors.New("enum is enforced on texts only")
			}
		}
	}
	return nil
}
