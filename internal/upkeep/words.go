package upkeep

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// counted returns "1 name" or "2 names".
func counted[N int | int32 | int64](n N, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// byKind returns "3 missing, 1 surplus": the kinds by name.
func byKind(counts map[string]int) string {
	var list []string
	for _, kind := range slices.Sorted(maps.Keys(counts)) {
		list = append(list, fmt.Sprintf("%d %s", counts[kind], kind))
	}
	return strings.Join(list, ", ")
}
