package annotation

import (
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"docket/internal/ranking"
)

// memory keeps what was shown beside URLs, so that the URLs at the head of the queue, which everybody is given, are not
// looked up for each. What is kept is used only for the revision of the URL that the ranking has just read: Docket changes
// the revision in the transaction that changes anything shown, so on any instance what comes from memory is at least as
// fresh as the choice of the URL.
type memory struct {
	urls *lru.Cache[int32, remembered]
	now  func() time.Time
}

const (
	// rememberedURLs bounds the memory, at some kilobytes each.
	rememberedURLs = 2000
	// rememberedFor bounds how long a change shows late that does not change the revision: by writers outside Docket, or
	// of the name of an agency in the very moment in which it is first suggested for the URL.
	rememberedFor = 10 * time.Second
)

// remembered is what was shown of a URL, to be read only.
type remembered struct {
	revision int64
	until    time.Time
	shown    Next
}

func newMemory(now func() time.Time) memory {
	urls, err := lru.New[int32, remembered](rememberedURLs)
	if err != nil { // only for a size below one
		panic(err)
	}
	return memory{urls: urls, now: now}
}

// recall fills in what is kept of next's URL at the revision, and tells whether anything is.
func (m memory) recall(next *Next, revision int64) bool {
	kept, ok := m.urls.Get(next.URLID)
	if !ok || kept.revision != revision || m.now().After(kept.until) {
		return false
	}
	url := next.URL
	*next = kept.shown
	next.URL = url
	return true
}

func (m memory) keep(next *Next, revision int64) {
	if revision == ranking.UnknownRevision {
		return
	}
	shown := *next
	shown.Batch = nil
	m.urls.Add(next.URLID, remembered{revision: revision, until: m.now().Add(rememberedFor), shown: shown})
}
