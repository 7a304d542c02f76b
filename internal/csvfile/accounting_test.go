package csvfile

import (
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAccounting(t *testing.T) {
	t.Parallel()
	var a Accounting
	for line := range int64(3 * problemsListed) {
		a.Reject(line, NewDefect("url", "x", "bad"))
		a.Note(line, NewDefect("agencies", strconv.Itoa(int(line)/2), "odd"))
	}
	require.Len(t, a.Rejections.First, problemsListed, "memory is bounded")
	require.Len(t, a.Notes.First, problemsListed, "memory is bounded")
	require.Equal(t, []ReasonCount{{"bad", 3 * problemsListed}}, a.Rejections.Reasons)
	require.Equal(t, int64(3*problemsListed), a.Notes.Total)
	require.Equal(t, Problem{2, "agencies", "1", "odd", 2}, a.Notes.First[1], "equal notes are one")

	second := a.Clone()
	second.Note(1, NewDefect("agencies", "0", "odd"))
	require.Equal(t, int64(2), a.Notes.First[0].Rows, "a clone is independent")
	require.Equal(t, int64(3*problemsListed), a.Notes.Reasons[0].Rows, "a clone is independent")

	require.Equal(t, "x<U+0000>y<U+200B>z", Shorten("x\x00y\u200bz"))
	require.Equal(t, "a b "+strings.Repeat("é", 196)+"…", Shorten("a\nb\t"+strings.Repeat("é", 300)))
}
