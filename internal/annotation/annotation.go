// Package annotation returns the next URL to annotate, with what users, sessions and robots suggested, and stores the
// answer. It owns anonymous sessions, the rules for answers, and the queries in suggestions.sql, submit.sql and session.sql.
// Package ranking chooses the next URL. Annotation does not decide whether answers agree and never changes a URL.
package annotation

import (
	"time"

	"github.com/google/uuid"

	"docket/internal/db"
	"docket/internal/postgres"
	"docket/internal/ranking"
)

// Service serves signed-in users and anonymous sessions. It is safe for concurrent use.
type Service struct {
	pool    *postgres.Pool
	ranking Ranking
	cache   suggestionCache
	onDue   func()
	report  func(error)
	skipFor time.Duration
	reserve ReservePolicy
	ids     *SessionIDs
	holders holders
	seekers seekers
	claims  func(db.DBTX) db.DBTX // executes changed claims in a test; nil does not
	time    func() *time.Time     // replaces the clock of the database in reservations; nil does not
}

// Option changes a Service.
type Option func(*Service)

// OnDue has a Service call a function after each commit of votes that may make a fact: the URL is in consensus_due. It must
// return at once.
func OnDue(call func()) Option { return func(s *Service) { s.onDue = call } }

// Report has a Service call a function with errors that concern no caller: those of what follows an answer that is stored.
func Report(call func(error)) Option { return func(s *Service) { s.report = call } }

// New returns a Service on the database of pool, which must be migrated.
func New(pool *postgres.Pool, ranking Ranking, options ...Option) *Service {
	s := &Service{
		pool: pool.WithRules(refusals...), ranking: ranking, cache: newSuggestionCache(time.Now), onDue: func() {},
		report: func(error) {}, holders: newHolders(time.Now),
		skipFor: DefaultSkipFor, ids: randomSessionIDs(),
		time: func() *time.Time { return nil },
	}
	for _, option := range options {
		option(s)
	}
	return s
}

var queries = db.New()

// URLType is what an annotator says a URL is. The texts are those of the database and of the REST contract.
type URLType string

const (
	DataSource       URLType = "data source"
	MetaURL          URLType = "meta url"
	NotRelevant      URLType = "not relevant"
	IndividualRecord URLType = "individual record"
	BrokenPage       URLType = "broken page"
)

// RecordType is the kind of record that a data source has: a value of the database type record_type.
type RecordType string

// Filter narrows the choice of the next URL.
type Filter = ranking.Filter

// Session identifies an anonymous annotator.
type Session = uuid.UUID

// Offer is what an annotator is offered: a URL, or none and why.
type Offer struct {
	Next          *Next         // nil when there is none
	Reason        Reason        // why this URL, or why none
	ReservedUntil time.Time     // when the reservation of the URL ends; zero when it is not reserved
	RetryAfter    time.Duration // when to ask again; zero unless the reason is AllReserved
}

// Reason is why an annotator is offered a URL, or none. The texts are those of the REST contract.
type Reason string

const (
	NextInOrder   Reason = "next"            // the first in the annotator's order
	ReservedByYou Reason = "reserved-by-you" // the URL that the annotator has asked for before
	Requested     Reason = "requested"       // the URL with the id that was asked for
	Shared        Reason = "shared"          // all others are reserved, so the annotator shares one
	SkippedByYou  Reason = "skipped-by-you"  // nothing else is left

	NoneLeft        Reason = "none-left"
	AllReserved     Reason = "all-reserved"
	AllDoneByYou    Reason = "all-done-by-you"
	FilteredOut     Reason = "filtered-out"
	NothingImported Reason = "nothing-imported"
)

// Next is a URL to annotate, with the texts of its page and what was suggested so far.
type Next struct {
	URLID       int32
	URL         string // with scheme and trailing slash, where known
	HTML        HTML
	URLTypes    []URLTypeVotes    // most votes before rounding first, then in the order of the database type; three at most
	RecordTypes []RecordTypeVotes // likewise
	Agencies    EntitySuggestions
	Locations   EntitySuggestions
	Names       []NameSuggestion // most endorsements before rounding first, then by id; three at most
	Batch       *BatchInfo       // nil unless the filter has a batch

	// SuggestionsHidden is whether types, record types, agencies, locations and names are left out, because the caller or the batch of
	// the URL asks for that.
	SuggestionsHidden bool
}

// HTML has the texts of a page; a text that is not stored is empty.
type HTML struct {
	Title, Description, H1, H2, H3, H4, H5, H6, Div string
}

// URLTypeVotes counts the votes for one type of a URL: 1 for a user's, half for a session's, their sum rounded down. It is 0 for
// the vote of one session alone.
type URLTypeVotes struct {
	Type  URLType
	Votes int32
}

// RecordTypeVotes counts the votes for one record type of a URL, as URLTypeVotes does.
type RecordTypeVotes struct {
	Type  RecordType
	Votes int32
}

// EntitySuggestions lists agencies or locations by Votes + RoboConfidence/100 descending, then by id.
type EntitySuggestions struct {
	Entities []EntitySuggestion
	NotFound int32 // users who answered that there is none to choose
}

// EntitySuggestion is an agency or a location that users, sessions or robots suggest for the URL. Votes and the endorsements of a
// name are counted as in URLTypeVotes.
type EntitySuggestion struct {
	ID             int64
	DisplayName    string
	Votes          int32
	RoboConfidence int32 // the highest confidence of a robot, 0 to 100; 0 when no robot suggests it
}

// NameSuggestion is a name for the URL.
type NameSuggestion struct {
	ID           int32
	Name         string
	Endorsements int32
	FromRobot    bool
}

// BatchInfo counts the URLs of a batch, validated and suspended ones included. A URL is annotated when any user has suggested an
// agency for it.
type BatchInfo struct {
	Total     int32
	Annotated int32
}
