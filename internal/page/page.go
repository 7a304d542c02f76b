// Package page holds the size of the pages in which lists are returned.
package page

// The number of rows on a page. The statements in sql/queries repeat these as literals, because for a LIMIT in a parameter
// the planner assumes that a tenth of the rows is read. A test compares them.
const (
	Size       = 100 // of a list
	SearchSize = 10  // of a search
)

// Offset returns the number of rows before page, which counts from 1, when each page has size rows.
func Offset(page int32, size int64) int64 { return (int64(page) - 1) * size }
