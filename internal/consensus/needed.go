package consensus

import "math"

// Needed returns how many more users must answer until the votes make a fact, if all of them agree with what most annotators say.
// It is at least 1, even if the votes make a fact already. Each further answer lowers it by one at most. Without a vote on the type it
// does not depend on the votes: a URL that is not relevant needs no others.
func (r Rule) Needed(votes Votes) int {
	fewest := math.MaxInt32
	for urlType, required := range requirements {
		needed := max(1, r.untilAgreed(votes[URLType], urlType))
		for _, attribute := range required {
			leader := ""
			if values, _ := r.Leading(votes[attribute]); len(values) > 0 {
				leader = values[0]
			}
			needed = max(needed, r.untilAgreed(votes[attribute], leader))
		}
		fewest = min(fewest, needed)
	}
	return fewest
}

// untilAgreed returns how many more users must vote for a value until annotators agree on it. An empty text is a value that has no
// votes yet.
func (r Rule) untilAgreed(counts map[string]Count, value string) int {
	var own Count
	if value != "" {
		own = counts[value]
	}
	var rival float64 // the most votes of another value
	for other, count := range counts {
		if other != value && other != "" {
			rival = max(rival, r.Weigh(count))
		}
	}
	votes := float64(own.Users) + r.AnonymousWeight*float64(own.Sessions)
	missing := max(math.Ceil(max(r.Threshold, rival)-votes)-1, 0) // or up to two more: a tie is no agreement, and votes are rounded
	for range 3 {
		if sum := rounded(votes + missing); sum >= r.Threshold && sum > rival {
			return int(min(missing, math.MaxInt32))
		}
		missing++
	}
	return math.MaxInt32 // numbers that are too large to be exact
}
