// Package annotation is the heart of Docket: it hands a person the next URL to annotate, with what everybody and the robots
// suggested for it, and stores the answer. It owns the rules an answer has to keep and the queries suggestions.sql and
// submit.sql; which URL comes next is the ranking's to say. It decides nothing about agreement and never changes a URL
// itself.
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
	memory  memory
}

// New returns a Service on the database of pool, which must be migrated.
func New(pool *postgres.Pool, ranking Ranking) *Service {
	return &Service{pool: pool.WithRules(refusals...), ranking: ranking, memory: newMemory(time.Now)}
}

var queries = db.New()

// URLType says what a URL is; the texts are those of the database and of the wire.
type URLType string

const (
	DataSource       URLType = "data source"
	MetaURL          URLType = "meta url"
	NotRelevant      URLType = "not relevant"
	IndividualRecord URLType = "individual record"
	BrokenPage       URLType = "broken page"
)

// RecordType says which kind of record a data source holds, in the words of the database type record_type.
type RecordType string

// Filter narrows the choice of the next URL.
type Filter = ranking.Filter

// Session identifies an anonymous annotator.
type Session = uuid.UUID

// Next is a URL to annotate, with what its page says and what was suggested so far.
type Next struct {
	URLID       int32
	URL         string // with scheme and trailing slash, where known
	HTML        HTML
	URLTypes    []URLTypeVotes    // most votes first, then in the order of the database type; three at most
	RecordTypes []RecordTypeVotes // likewise
	Agencies    EntitySuggestions
	Locations   EntitySuggestions
	Names       []NameSuggestion // most endorsements first, then by id; three at most
	Batch       *BatchInfo       // nil unless a batch was asked for
}

// HTML holds the texts of a page; those not stored are empty.
type HTML struct {
	Title, Description, H1, H2, H3, H4, H5, H6, Div string
}

// URLTypeVotes counts the users who hold a URL to be of one type.
type URLTypeVotes struct {
	Type  URLType
	Votes int32
}

// RecordTypeVotes counts the users who hold a URL to be of one record type.
type RecordTypeVotes struct {
	Type  RecordType
	Votes int32
}

// EntitySuggestions lists agencies or locations by Users + RoboConfidence/100 descending, then by id.
type EntitySuggestions struct {
	Entities []EntitySuggestion
	NotFound int32 // users who looked and found none
}

// EntitySuggestion is an agency or a location that somebody, or a robot, holds to be the URL's.
type EntitySuggestion struct {
	ID             int64
	DisplayName    string
	Users          int32
	RoboConfidence int32 // the highest of the robots', 0 to 100; 0 when no robot suggests it
}

// NameSuggestion is a name for the URL.
type NameSuggestion struct {
	ID           int32
	Name         string
	Endorsements int32
	FromRobot    bool
}

// BatchInfo tells how far the URLs of a batch with status ok are: annotated ones have an agency suggested by any user.
type BatchInfo struct {
	Total     int32
	Annotated int32
}
