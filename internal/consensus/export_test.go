package consensus

import "slices"

// Requirements returns what must be agreed on, in addition to the type itself, before a URL is validated as this type; false if it
// never is.
func Requirements(urlType string) (attributes []Attribute, ok bool) {
	attributes, ok = requirements[urlType]
	return slices.Clone(attributes), ok
}
