package api

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"docket/internal/convert"
)

// The contract lists the columns of CSV, in their order.
func TestFactColumnsAreDescribed(t *testing.T) {
	t.Parallel()
	doc, err := Contract()
	require.NoError(t, err)
	require.Len(t, factLineColumns(false), len(factColumns))
	var described []string
	for line := range strings.Lines(doc.Paths.Value("/export/facts").Get.Description) {
		if cells := strings.Split(line, " | "); strings.HasPrefix(line, "| `") {
			for _, name := range regexp.MustCompile("`(\\w+)`").FindAllStringSubmatch(cells[0], -1) {
				described = append(described, name[1])
			}
		}
	}
	require.Equal(t, convert.Each(factLineColumns(true), func(c column[factLine]) string { return c.name }), described)
}
