package consensus

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"docket/internal/convert"
	"docket/internal/db"
	"docket/internal/postgres"
	"docket/internal/unknown"
	"docket/internal/urlform"
)

// Explainer explains decisions about URLs and tries other rules. It only reads, and is safe for concurrent use.
type Explainer struct{ pool *postgres.Pool }

// NewExplainer returns an Explainer on the database of pool, which must be migrated.
func NewExplainer(pool *postgres.Pool) *Explainer { return &Explainer{pool} }

// Status is what the votes about a URL have led to.
type Status string

// The statuses.
const (
	Validated Status = "validated"
	Decided   Status = "decided"  // the votes make a fact, which is validated within a second if a process runs jobs
	Obstacle  Status = "obstacle" // the votes make a fact that something stored contradicts
	Undecided Status = "undecided"
	Reopened  Status = "reopened" // the votes make a fact, which was taken back, and there is no newer vote
)

// Explanation is why a URL is a fact, or what is missing until it is one.
type Explanation struct {
	URLID    int32
	URL      string // with scheme and trailing slash, where known
	Status   Status
	Rule     Rule  // the current one
	People   Count // who have voted about the URL
	Votes    []Tally
	Types    []TypeNeeds
	Decision *Fact    // what the votes decide by the current rule; nil if nothing. It has no effect on a URL that is validated
	Against  []string // what contradicts the decision, in words; empty for a validated URL

	Suspended  bool
	ReopenedAt *time.Time     // nil unless its validation was taken back; nil again once a consensus has validated it
	Validation *Validation    // nil if the URL is not validated
	Fact       *StoredFact    // nil unless a consensus validated the URL
	Error      *ReportedError // that of the last attempt to validate the URL; nil if there was none
}

// Validation is the validation of a URL.
type Validation struct {
	URLType   string
	At        time.Time
	Automatic bool // by agreement; otherwise by hand or by another program
}

// StoredFact is the fact that was stored when a consensus validated a URL, with the votes of that moment.
type StoredFact struct {
	Fact
	AgencyName, LocationName string // empty if it has none, or it was deleted
	At                       time.Time
	Rule                     Rule // that made it
	People                   Count
	Votes                    []Tally
}

// ReportedError is why the last attempt to validate a URL failed.
type ReportedError struct {
	Text   string
	TaskID int32
	At     time.Time
}

// Tally is what was voted on an attribute, and what that means by a rule.
type Tally struct {
	Attribute Attribute
	Outcome   Outcome
	Agreed    string       // the value, if there is an agreement
	Lacking   float64      // votes that a leading value lacks to reach the threshold
	Values    []ValueVotes // most votes first, then by value; an empty name, which cannot be agreed on, last
}

// Outcome is the result of a vote on an attribute.
type Outcome string

// The outcomes.
const (
	Agreement Outcome = "agreed"
	Tie       Outcome = "tie" // several values have the most votes, and the threshold
	TooFew    Outcome = "too few votes"
)

// ValueVotes are the votes for a value.
type ValueVotes struct {
	Value string
	Text  string // the name of an agency or a location, empty if it was deleted; that of another value is the value
	Count Count
	Votes float64 // as the rule weighs them
}

// TypeNeeds is what is missing before a URL is validated as a type.
type TypeNeeds struct {
	URLType  string
	Possible bool        // false: no agreement ever validates a URL as this type
	Missing  []Attribute // what is not agreed on, in the order of Attributes
}

// Explain explains one URL, as of one snapshot. It returns an unknown.Error if the URL does not exist.
func (e *Explainer) Explain(ctx context.Context, urlID int32) (found Explanation, err error) {
	err = postgres.InSnapshot(ctx, e.pool, func(tx pgx.Tx) error {
		found, err = explain(ctx, tx, urlID)
		return err
	})
	if _, missing := errors.AsType[*unknown.Error](err); missing {
		return Explanation{}, err
	}
	if err != nil {
		return Explanation{}, fmt.Errorf("explain URL %d: %w", urlID, err)
	}
	return found, nil
}

func explain(ctx context.Context, tx pgx.Tx, urlID int32) (found Explanation, err error) {
	row, err := queries.ConsensusURLGet(ctx, tx, urlID)
	if errors.Is(err, pgx.ErrNoRows) {
		return found, unknown.New(unknown.URL, urlID)
	}
	if err != nil {
		return found, fmt.Errorf("read the URL: %w", err)
	}
	found = explanationFrom(row)
	if found.Rule, err = CurrentRule(ctx, tx); err != nil {
		return found, err
	}
	rows, err := queries.ConsensusVoteList(ctx, tx, urlID)
	if err != nil {
		return found, fmt.Errorf("read the votes: %w", err)
	}
	votes, texts := Votes{}, texts{}
	for _, row := range rows {
		votes.Add(Attribute(row.Attribute), row.Value, Count{row.Users, row.Sessions})
		texts.add(Attribute(row.Attribute), row.Value, row.Text)
	}
	found.Votes = found.Rule.tallies(votes, texts)
	found.Types = convert.Each(URLTypes, func(urlType string) TypeNeeds {
		missing, possible := found.Rule.Missing(votes, urlType)
		return TypeNeeds{urlType, possible, missing}
	})
	if fact, decided := found.Rule.Decide(votes); decided {
		found.Decision = &fact
	}
	if found.Fact, err = storedFact(ctx, tx, urlID, texts); err != nil {
		return found, err
	}
	reopened, err := reopenedOf(ctx, tx, []int32{urlID})
	if err != nil {
		return found, err
	}
	found.conclude(confirmedFrom(row.RecordType, row.AgencyIDs, row.LocationIDs), reopened.contain(urlID))
	return found, nil
}

func (e *Explanation) conclude(stored confirmed, reopened bool) {
	switch {
	case e.Validation != nil:
		e.Status = Validated
		return
	case e.Decision == nil:
		e.Status = Undecided
		return
	case reopened:
		e.Status = Reopened
		return
	}
	e.Status = Decided
	if e.Against = stored.against(*e.Decision); len(e.Against) > 0 {
		e.Status = Obstacle
	}
}

func explanationFrom(row db.ConsensusURLGetRow) Explanation {
	e := Explanation{
		URLID:     row.ID,
		URL:       urlform.Full(row.Scheme, row.URL, row.TrailingSlash),
		People:    Count{row.Users, row.Sessions},
		Suspended: row.Suspended, ReopenedAt: row.ReopenedAt,
	}
	if row.ValidatedType != nil {
		e.Validation = &Validation{string(*row.ValidatedType), *row.ValidatedAt, row.Automatic}
	}
	if row.Error != nil {
		e.Error = &ReportedError{*row.Error, *row.FailedTaskID, *row.FailedAt}
	}
	return e
}

func storedFact(ctx context.Context, tx pgx.Tx, urlID int32, texts texts) (*StoredFact, error) {
	row, err := queries.ConsensusFactGet(ctx, tx, urlID)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the fact: %w", err)
	}
	stored := row.ConsensusFact
	fact := &StoredFact{
		Fact:         factFrom(stored.URLType, stored.RecordType, stored.AgencyID, stored.LocationID, stored.Name),
		AgencyName:   row.Agency,
		LocationName: row.Location,
		At:           stored.CreatedAt,
		Rule:         Rule{stored.RuleVersion, stored.Threshold, stored.AnonymousWeight},
		People:       Count{stored.Users, stored.Sessions},
	}
	votes, err := votesFromJSON(stored.Votes)
	if err != nil {
		return nil, err
	}
	texts.add(Agency, fact.Agency, row.Agency)
	texts.add(Location, fact.Location, row.Location)
	fact.Votes = fact.Rule.tallies(votes, texts)
	return fact, nil
}

func votesFromJSON(stored []byte) (votes Votes, err error) {
	if err := json.Unmarshal(stored, &votes); err != nil {
		return nil, fmt.Errorf("read the votes of the fact: %w", err)
	}
	return votes, nil
}

// factFrom returns the fact of a row of consensus_facts.
func factFrom(urlType db.URLType, recordType *db.RecordType, agencyID *int32, locationID *int64, name *string) Fact {
	fact := Fact{URLType: string(urlType)}
	if recordType != nil {
		fact.RecordType = string(*recordType)
	}
	if agencyID != nil {
		fact.Agency = strconv.Itoa(int(*agencyID))
	}
	if locationID != nil {
		fact.Location = strconv.FormatInt(*locationID, 10)
	}
	if name != nil {
		fact.Name = *name
	}
	return fact
}

// texts are the names of agencies and locations by their ids.
type texts map[Attribute]map[string]string

func (t texts) add(attribute Attribute, value, text string) {
	if t[attribute] == nil {
		t[attribute] = map[string]string{}
	}
	t[attribute][value] = text
}

func (t texts) of(attribute Attribute, value string) string {
	if attribute == Agency || attribute == Location {
		return t[attribute][value]
	}
	return value
}

// tallies returns a Tally of each attribute, in the order of Attributes.
func (r Rule) tallies(votes Votes, texts texts) []Tally {
	return convert.Each(Attributes, func(attribute Attribute) Tally {
		counts := votes[attribute]
		tally := Tally{Attribute: attribute, Outcome: TooFew}
		for value, count := range counts {
			tally.Values = append(tally.Values, ValueVotes{value, texts.of(attribute, value), count, r.Weigh(count)})
		}
		slices.SortFunc(tally.Values, byVotes)
		_, most := r.Leading(counts)
		value, agreed := r.Agreed(counts)
		switch {
		case agreed:
			tally.Outcome, tally.Agreed = Agreement, value
		case most >= r.Threshold:
			tally.Outcome = Tie
		default:
			tally.Lacking = rounded(r.Threshold - most)
		}
		return tally
	})
}

// byVotes orders values as a Tally has them.
func byVotes(a, b ValueVotes) int {
	if (a.Value == "") != (b.Value == "") {
		return cmp.Compare(b.Value, a.Value)
	}
	return cmp.Or(cmp.Compare(b.Votes, a.Votes), cmp.Compare(a.Value, b.Value))
}
