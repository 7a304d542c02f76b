package consensus

import "slices"

// Open returns what is not agreed on yet, in the order of Attributes: of what the type needs, if the type is agreed on, or else of
// everything. It is empty if the votes make a fact, or if the agreed type is never validated automatically.
func (r Rule) Open(votes Votes) []Attribute {
	if urlType, agreed := r.Agreed(votes[URLType]); agreed {
		missing, _ := r.Missing(votes, urlType)
		return missing
	}
	return slices.DeleteFunc(slices.Clone(Attributes), func(attribute Attribute) bool {
		_, agreed := r.Agreed(votes[attribute])
		return agreed
	})
}
