package state

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
)

// selector matches the end of a pattern that limits it to kinds of objects, such as "[type=table|view]".
var selector = regexp.MustCompile(`\[type=([a-z|_]+)\]$`)

// excludes reports whether a pattern of Atlas's "exclude" matches the whole object, whose kind is named as in a selector. Atlas
// applies the patterns for parts of tables ("urls.note").
func (r *reader) excludes(kind, name string) (bool, error) {
	if name == revisionsTable {
		return true, nil
	}
	for _, pattern := range r.exclude {
		glob := pattern
		if m := selector.FindStringSubmatch(pattern); m != nil {
			if !slices.Contains(strings.Split(m[1], "|"), kind) {
				continue
			}
			glob = strings.TrimSuffix(pattern, m[0])
		}
		match, err := path.Match(glob, name)
		if err != nil {
			return false, fmt.Errorf("pattern %q of exclude: %w", pattern, err)
		}
		if match {
			return true, nil
		}
	}
	return false, nil
}
