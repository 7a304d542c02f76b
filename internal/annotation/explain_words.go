package annotation

import (
	"fmt"
	"strings"
)

// Words says in a sentence what the reason means.
func (r Reason) Words() string {
	return map[Reason]string{
		NextInOrder:     "It is the first in the order of the annotator.",
		ReservedByYou:   "The annotator has asked for it before, and it is still reserved for the annotator.",
		Requested:       "It is the URL that was asked about.",
		Shared:          "Others work on all URLs that are left; this one has the fewest annotators.",
		SkippedByYou:    "Nothing else is left, so the URL that the annotator skipped first comes back.",
		NoneLeft:        "No URL is left: all are validated or suspended.",
		AllReserved:     "Others work on all URLs that are left.",
		AllDoneByYou:    "The annotator has annotated all URLs that are left.",
		FilteredOut:     "Only the filter excludes the URLs that are left.",
		NothingImported: "No URL is stored.",
	}[r]
}

// Words says in a sentence what the cause means for a URL.
func (c Cause) Words() string {
	return map[Cause]string{
		NotQueued:     "Another program has stored or changed it, and it is ranked by the next docket queue reconcile.",
		OutsideBatch:  "It is not in the batch of the filter.",
		IsValidated:   "It is validated, so no annotator is offered it.",
		IsSuspended:   "It is suspended, because annotators found no agency or location for it, so no annotator is offered it.",
		DoneByYou:     "The annotator has annotated it.",
		PutOff:        "The annotator has skipped it, so it comes after all others.",
		FullyReserved: "As many others work on it as it needs answers.",
		Offered:       "It is in the order of the annotator.",
	}[c]
}

// Order says what decides the place of the URL, first to last, one sentence for each.
func (u ExplainedURL) Order() []string {
	own := "The annotator does not follow a location of its batch."
	switch {
	case u.BatchID == nil:
		own = "It is in no batch, so no location of it can be followed."
	case u.OwnFollow:
		own = fmt.Sprintf("The annotator follows %s, to which batch %d is linked.", strings.Join(u.OwnLocations, "; "), *u.BatchID)
	}
	followed, source := "No user follows a location of its batch.", "Its source is not manual."
	if u.Followed {
		followed = "A user follows a location of its batch."
	}
	if u.Manual {
		source = "Its source is manual."
	}
	sentences := []string{own, followed, source, fmt.Sprintf("It has URL types by %s, %s and %s.",
		counted(u.URLTypes.Users, "user"), counted(u.URLTypes.Sessions, "session"), counted(u.URLTypes.Robots, "robot"))}
	if u.BatchID == nil {
		sentences = append(sentences[:1], sentences[2:]...)
	}
	return append(sentences, fmt.Sprintf("Its id is %d.", u.ID))
}

func counted(n int32, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}
