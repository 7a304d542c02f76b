// Package ranking owns the order in which URLs are offered: who comes next for an annotator, by one of two rankings, and
// what has to be kept up for that. It owns the tables of 80_queue.sql, the materialized views of 75_materialized_views.sql
// and their refresh. It does not know what annotations say.
//
// Both rankings have one order: the number of annotations descending, then the URL's id. Queue is always fresh and costs
// the same whatever the number of URLs, but every writer has to do its part, see Recount. Matview asks nothing of the
// writers and is as fresh as the last refresh.
package ranking

import "docket/internal/db"

// Filter narrows the choice of the next URL. Both conditions must hold; nil means no condition.
type Filter struct {
	BatchID *int32
	URLID   *int32
}

// Choice is the URL to offer.
type Choice struct {
	URLID         int32
	URL           *string // in its id form
	Scheme        *string
	TrailingSlash bool

	// Revision changes with every change that Docket makes to what annotators are shown of the URL, in the transaction
	// that makes it. It is UnknownRevision where the ranking does not know.
	Revision int64
}

// UnknownRevision is no revision.
const UnknownRevision = -1

var queries = db.New()
