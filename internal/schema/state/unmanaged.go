package state

import (
	"cmp"
	"context"
	"slices"
)

func (r *reader) readUnmanaged(ctx context.Context) error {
	slices.SortFunc(r.Unmanaged, compareObjects)
	slices.SortFunc(r.Excluded, compareObjects)
	return nil
}

func compareObjects(a, b Object) int {
	return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name))
}
