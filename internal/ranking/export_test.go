package ranking

// ReadAtMost and WarmFrom let tests go to both sides of the limits.
const (
	ReadAtMost = readAtMost
	WarmFrom   = warmFrom
)

// NewWarmQueue returns a Queue that keeps a cursor for each annotator, even for one who has done nothing.
func NewWarmQueue() *Queue { return newQueue(0) }
