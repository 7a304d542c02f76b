package ranking

// Tests go to both sides of these limits.
const (
	ReadAtMost   = readAtMost
	WarmFrom     = warmFrom
	RecountAfter = recountAfter
	WindowSize   = windowSize
)

// NewWarmQueue returns a Queue that keeps a cursor for each annotator, even for one who has done nothing.
func NewWarmQueue() *Queue { return newQueue(0) }
