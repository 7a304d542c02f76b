package consensus

import (
	"maps"
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

// Rule says how many votes make a fact. A rule that has other numbers has another version.
type Rule struct {
	Version         int32
	Threshold       float64 // a value needs at least so many votes
	AnonymousWeight float64 // what the vote of an anonymous session counts; a user's counts 1
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

// Weigh returns the votes that a count is worth.
func (r Rule) Weigh(c Count) float64 {
	return float64(c.Users) + r.AnonymousWeight*float64(c.Sessions)
}

// Leading returns the values with the most votes, sorted, and their votes; none and 0 without a vote.
func (r Rule) Leading(counts map[string]Count) (values []string, votes float64) {
	for _, value := range slices.Sorted(maps.Keys(counts)) {
		switch weight := r.Weigh(counts[value]); {
		case weight <= 0 || weight < votes:
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

// Requirements returns what must be agreed on, beside the type itself, before a URL is validated as this type; false if it never is.
func Requirements(urlType string) (attributes []Attribute, ok bool) {
	attributes, ok = requirements[urlType]
	return attributes, ok
}

// ValidatedTypes are the URL types that a consensus can validate, sorted.
func ValidatedTypes() []string { return slices.Sorted(maps.Keys(requirements)) }

// Fact is what a consensus decides about a URL. A value that the type does not need is empty; a name is kept for every type.
type Fact struct {
	URLType, Agency, Location, RecordType, Name string
}

// Decide returns the fact that the votes make; false if they make none yet. The order of the votes does not matter, and one more vote
// for what was agreed on never undoes a fact.
func (r Rule) Decide(votes Votes) (Fact, bool) {
	urlType, agreed := r.Agreed(votes[URLType])
	if !agreed {
		return Fact{}, false
	}
	missing, possible := r.Missing(votes, urlType)
	if !possible || len(missing) > 0 {
		return Fact{}, false
	}
	fact := Fact{URLType: urlType}
	fact.Name, _ = r.Agreed(votes[Name])
	for _, attribute := range requirements[urlType] {
		value, _ := r.Agreed(votes[attribute])
		switch attribute {
		case Agency:
			fact.Agency = value
		case Location:
			fact.Location = value
		case RecordType:
			fact.RecordType = value
		}
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
