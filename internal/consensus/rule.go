package consensus

import (
	"errors"
	"maps"
	"math"
	"slices"
)

// Attribute is what annotators vote on. The values are those of the view annotation_votes.
type Attribute string

// Attributes.
const (
	URLType    Attribute = "url_type"
	Agency     Attribute = "agency"
	Location   Attribute = "location"
	RecordType Attribute = "record_type"
	Name       Attribute = "name"
)

// Attributes are all attributes, in the order in which they are shown.
var Attributes = []Attribute{URLType, Agency, Location, RecordType, Name}

// URLTypes are the types of URLs, in the order of the database type.
var URLTypes = []string{"data source", "meta url", "not relevant", "individual record", "not found", "broken page"}

// Rule says how many votes make a fact. A rule that has other numbers has another version.
type Rule struct {
	Version         int32
	Threshold       float64 // a value needs at least so many votes
	AnonymousWeight float64 // what the vote of an anonymous session counts; a user's counts 1
}

// The numbers that a rule must not have.
var (
	ErrThreshold = errors.New("the threshold must be a finite number above 0")
	ErrWeight    = errors.New("the weight of anonymous votes must be a finite number, 0 or more")
)

// Check returns ErrThreshold or ErrWeight if the numbers of the rule make no sense.
func (r Rule) Check() error {
	finite := func(number float64) bool { return !math.IsNaN(number) && !math.IsInf(number, 0) }
	switch {
	case !finite(r.Threshold) || r.Threshold <= 0:
		return ErrThreshold
	case !finite(r.AnonymousWeight) || r.AnonymousWeight < 0:
		return ErrWeight
	}
	return nil
}

// Count is how many annotators voted for a value.
type Count struct {
	Users    int32 `json:"users"`
	Sessions int32 `json:"sessions"`
}

// Votes are the votes about one URL, by value: a type, an id in decimal digits, or the text of a name.
type Votes map[Attribute]map[string]Count

// Add adds votes for a value.
func (v Votes) Add(attribute Attribute, value string, count Count) {
	if v[attribute] == nil {
		v[attribute] = map[string]Count{}
	}
	had := v[attribute][value]
	v[attribute][value] = Count{had.Users + count.Users, had.Sessions + count.Sessions}
}

// Weigh returns the votes that a count is worth, rounded to a millionth, so that decimal weights add up exactly: three votes of 0.7
// reach a threshold of 2.1, which they would miss as sums of binary fractions.
func (r Rule) Weigh(c Count) float64 {
	return rounded(float64(c.Users) + r.AnonymousWeight*float64(c.Sessions))
}

func rounded(votes float64) float64 {
	const parts = 1e6
	return math.Round(votes*parts) / parts
}

// Leading returns the values with the most votes, sorted, and their votes; none and 0 without a vote. An empty text, which is
// stored when an annotator leaves a name empty, is not a value.
func (r Rule) Leading(counts map[string]Count) (values []string, votes float64) {
	for _, value := range slices.Sorted(maps.Keys(counts)) {
		switch weight := r.Weigh(counts[value]); {
		case value == "" || weight <= 0 || weight < votes:
		case weight > votes:
			values, votes = []string{value}, weight
		default:
			values = append(values, value)
		}
	}
	return values, votes
}

// Agreed returns the value that annotators agree on. They do if it has at least the threshold of votes and more than any other value.
func (r Rule) Agreed(counts map[string]Count) (value string, agreed bool) {
	values, votes := r.Leading(counts)
	if len(values) != 1 || votes < r.Threshold {
		return "", false
	}
	return values[0], true
}

// requirements are the URL types that a consensus can validate, and what else must be agreed on for each. An agreement on anything
// else is surplus. A page that is broken or was not found may work again, so these types are never validated automatically.
var requirements = map[string][]Attribute{
	"data source":       {Agency, Location, RecordType, Name},
	"meta url":          {Agency, Location, Name},
	"individual record": {Agency, Location, Name},
	"not relevant":      {},
}

// ValidatedTypes are the URL types that a consensus can validate, sorted.
func ValidatedTypes() []string { return slices.Sorted(maps.Keys(requirements)) }

// Fact is what a consensus decides about a URL. A value that the type does not need is empty; a name is kept for every type.
type Fact struct {
	URLType, Agency, Location, RecordType, Name string
}

// Value returns what a fact says about an attribute; empty if it says nothing.
func (f Fact) Value(attribute Attribute) string { return *f.field(attribute) }

func (f *Fact) field(attribute Attribute) *string {
	return map[Attribute]*string{
		URLType: &f.URLType, Agency: &f.Agency, Location: &f.Location, RecordType: &f.RecordType, Name: &f.Name,
	}[attribute]
}

// Decide returns the fact that the votes make; false if they make none yet. The order of the votes does not matter, and one more vote
// for what was agreed on never undoes a fact.
func (r Rule) Decide(votes Votes) (fact Fact, decided bool) {
	urlType, agreed := r.Agreed(votes[URLType])
	if !agreed {
		return Fact{}, false
	}
	missing, possible := r.Missing(votes, urlType)
	if !possible || len(missing) > 0 {
		return Fact{}, false
	}
	for _, attribute := range append([]Attribute{URLType, Name}, requirements[urlType]...) {
		*fact.field(attribute), _ = r.Agreed(votes[attribute])
	}
	return fact, true
}

// Missing returns what is not agreed on yet of what a URL of this type needs, in the order of Attributes; false if the type is never
// validated automatically.
func (r Rule) Missing(votes Votes, urlType string) (missing []Attribute, possible bool) {
	required, possible := requirements[urlType]
	if !possible {
		return nil, false
	}
	for _, attribute := range Attributes {
		needed := slices.Contains(required, attribute)
		if attribute == URLType {
			value, agreed := r.Agreed(votes[URLType])
			needed = !agreed || value != urlType
		} else if needed {
			_, agreed := r.Agreed(votes[attribute])
			needed = !agreed
		}
		if needed {
			missing = append(missing, attribute)
		}
	}
	return missing, true
}
