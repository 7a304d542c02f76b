// Package convert turns a list of one type into a list of another.
package convert

// Each returns the results of to for the items of list, in their order. The result is never nil.
func Each[From, To any](list []From, to func(From) To) []To {
	converted := make([]To, len(list))
	for i, item := range list {
		converted[i] = to(item)
	}
	return converted
}
