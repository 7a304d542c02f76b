// Package ranking owns the order in which URLs are offered to an annotator, by one of two rankings, and the tables of
// 80_queue.sql that one of them needs. It does not know what annotations say.
//
// Both rankings have one order: URLs of a batch linked to a location that the user follows; those of a location that any user
// follows; those whose source is manual; then by the number of URL types that users, sessions and robots gave the URL,
// descending; then by id. Anonymous sessions follow nothing. Queue sees every commit, and its cost does not depend on the
// number of URLs, but every writer must call Recount. Matview requires nothing of the writers, and its three counts are as old
// as the last refresh of the count view.
//
// Neither ranking offers a URL that the annotator has annotated or put off, or that annotation_queue.reserved keeps for others.
// Only a request for one URL by its id gets it although it is put off or reserved. What sets and clears reserved writes
// changed_xid.
package ranking

import "docket/internal/db"

// Filter narrows the choice of the next URL. All conditions must hold; nil means no condition.
type Filter struct {
	BatchID *int32
	URLID   *int32
	// Skip is how many URLs of the annotator's order to skip, at least 0. Beyond the end no URL is left.
	Skip int32
}

// Choice is the URL to offer.
type Choice struct {
	URLID         int32
	URL           *string // in its id form: without scheme and trailing slash
	Scheme        *string
	TrailingSlash bool

	// Revision changes in each transaction of Docket that changes what annotators are shown of the URL. It is UnknownRevision
	// if the ranking does not read it.
	Revision int64
}

// UnknownRevision means that no revision of the URL was read.
const UnknownRevision = -1

var queries = db.New()
