package annotation

import (
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"docket/internal/ranking"
)

// suggestionCache keeps what annotators were shown of URLs, because many annotators are offered the same URLs at the head of
// the queue. An entry is used only for the revision of the URL that the ranking has just read. Docket changes the revision in the
// transaction that changes anything shown, so an entry is never older than the choice of the URL, whichever process made it.
type suggestionCache struct {
	urls *lru.Cache[int32, cacheEntry]
	now  func() time.Time
}

const (
	// cachedURLs bounds the memory of the cache. An entry takes some kilobytes.
	cachedURLs = 2000
	// CachedFor bounds how long a change without a new revision stays unseen: one by a writer outside Docket, or a new name of
	// an agency that another transaction is suggesting for the URL for the first time. docket queue reconcile waits for it.
	CachedFor = 10 * time.Second
)

// cacheEntry is what was shown of a URL. It is never changed.
type cacheEntry struct {
	revision int64
	expires  time.Time
	shown    Next
	need     need
}

func newSuggestionCache(now func() time.Time) suggestionCache {
	urls, err := lru.New[int32, cacheEntry](cachedURLs)
	if err != nil { // only for a size below one
		panic(err)
	}
	return suggestionCache{urls: urls, now: now}
}

// get fills in what is cached of next's URL at the revision, and reports whether anything is.
func (c suggestionCache) get(next *Next, revision int64) (at need, ok bool) {
	entry, ok := c.urls.Get(next.URLID)
	if !ok || entry.revision != revision || c.now().After(entry.expires) {
		return need{}, false
	}
	url := next.URL
	*next = entry.shown
	next.URL = url
	return entry.need, true
}

// put stores what is shown of next's URL, except the progress of a batch, and what it needs. Both were read at the time readAt or
// later.
func (c suggestionCache) put(next *Next, revision int64, readAt time.Time, at need) {
	if revision == ranking.UnknownRevision {
		return
	}
	shown := *next
	shown.Batch = nil
	c.urls.Add(next.URLID, cacheEntry{revision: revision, expires: readAt.Add(CachedFor), shown: shown, need: at})
}

// rename is for a transaction that has given a URL another revision without changing what is shown of it, and what it needs.
func (c suggestionCache) rename(urlID int32, from, to int64) {
	entry, ok := c.urls.Peek(urlID)
	if ok && from != to && entry.revision == from {
		entry.revision, entry.need.revision = to, to
		c.urls.Add(urlID, entry)
	}
}
