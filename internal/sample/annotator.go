package sample

import (
	"context"
	"encoding/binary"

	"github.com/google/uuid"

	"docket/internal/annotation"
	"docket/internal/convert"
	"docket/internal/db/sampledb"
)

// Annotator is a simulated annotator: a user or, without a UserID, an anonymous session.
type Annotator struct {
	UserID  int32
	Session annotation.Session
}

// Client is how simulated annotators use Docket. It must be safe for concurrent use.
type Client interface {
	// Next returns nil when no URL is left for the annotator.
	Next(context.Context, Annotator) (*annotation.Next, error)
	// Submit returns nil only when the answer is stored.
	Submit(context.Context, Annotator, int32, annotation.Answer) error
}

// UseCases is the Client that calls the use cases in this process.
type UseCases struct{ *annotation.Service }

// Next implements Client.
func (c UseCases) Next(ctx context.Context, a Annotator) (*annotation.Next, error) {
	if a.UserID == 0 {
		offer, err := c.Service.NextAnonymous(ctx, a.Session, 0)
		return offer.Next, err
	}
	offer, err := c.Service.Next(ctx, a.UserID, annotation.Filter{})
	return offer.Next, err
}

// Submit implements Client.
func (c UseCases) Submit(ctx context.Context, a Annotator, urlID int32, answer annotation.Answer) error {
	if a.UserID == 0 {
		return c.Service.SubmitAnonymous(ctx, a.Session, urlID, answer)
	}
	return c.Service.Submit(ctx, a.UserID, urlID, answer)
}

// firstSimulated is the user id of the first simulated annotator. The sample data have no users from 1000 on, and tests and examples use
// the first of these.
const firstSimulated = 100_000

// annotatorStream is the first of the streams of dice that simulated annotators use, and thinkingStream that for how long they
// think; those below are the generator's.
const (
	annotatorStream = 1 << 32
	thinkingStream  = 1 << 33
)

// simulated is an annotator, and how it decides.
type simulated struct {
	Annotator
	seed     uint64
	accuracy float64
	world    *World
}

// simulate returns annotators: users, and among them, evenly distributed, anonymous sessions. The same arguments return the same ones.
func (w *World) simulate(o PlayOptions) []*simulated {
	annotators := make([]*simulated, o.Annotators)
	for i := range annotators {
		a := &simulated{seed: o.Seed ^ uint64(i+1)<<32, accuracy: o.Accuracy, world: w}
		if sessionsUpTo(i+1, o.Sessions) > sessionsUpTo(i, o.Sessions) {
			binary.BigEndian.PutUint64(a.Session[:8], o.Seed)
			binary.BigEndian.PutUint64(a.Session[8:], uint64(i))
			a.Session = uuid.NewSHA1(uuid.NameSpaceOID, a.Session[:])
		} else {
			a.UserID = int32(firstSimulated + i)
		}
		annotators[i] = a
	}
	return annotators
}

// sessionsUpTo returns how many of the first n annotators are anonymous sessions.
func sessionsUpTo(n int, share float64) int { return int(float64(n)*share + 0.5) }

// answer returns what the annotator says about a URL. With the probability of its accuracy it states the truth, for each attribute
// independently. Otherwise it states something plausible: what others suggested, or what is near the truth. It says nothing else about a
// page that it takes for broken or not relevant. The same annotator gives the same answer to the same offer.
func (a *simulated) answer(t *truth, offer *annotation.Next) annotation.Answer {
	d := newDice(a.seed, annotatorStream+uint64(t.urlID))
	answer := annotation.Answer{URLType: choose(a, d, t.urlType, nil, urlTypes)}
	if answer.URLType == annotation.NotRelevant || answer.URLType == annotation.BrokenPage {
		return answer
	}
	agencies, locations := a.near(t)
	agency := choose(a, d, t.agencyID, convert.Each(offer.Agencies.Entities, agencyID), agencies)
	answer.AgencyIDs = []int32{agency}
	answer.LocationIDs = []int64{choose(a, d, t.locationID, convert.Each(offer.Locations.Entities, locationID), locations)}
	if answer.URLType == annotation.DataSource {
		published := a.world.agencies[t.agency].records
		records := convert.Each(published, func(r sampledb.RecordType) annotation.RecordType { return annotation.RecordType(r) })
		record := choose(a, d, t.recordType, convert.Each(offer.RecordTypes, recordType), records)
		answer.RecordType = &record
	}
	a.name(&answer, d, t, offer)
	return answer
}

// urlTypes are what annotators can say about a page.
var urlTypes = []annotation.URLType{
	annotation.DataSource, annotation.MetaURL, annotation.IndividualRecord, annotation.BrokenPage, annotation.NotRelevant,
}

// choose returns the truth with the probability of the annotator's accuracy, else a suggested value that is wrong, if there is one, else
// another wrong value. The others must include one. An empty truth means that there is none, and that every value is wrong.
func choose[V comparable](a *simulated, d dice, truth V, suggested, others []V) V {
	var none V
	right := d.Float64() < a.accuracy
	if right && truth != none {
		return truth
	}
	for _, values := range [][]V{suggested, others} {
		var wrong []V
		for _, value := range values {
			if value != truth {
				wrong = append(wrong, value)
			}
		}
		if len(wrong) > 0 {
			return pick(d, wrong)
		}
	}
	panic("sample: every value is the truth")
}

// near returns agencies next to that of the URL, and their locations.
func (a *simulated) near(t *truth) (agencies []int32, locations []int64) {
	own := a.world.agencies[t.agency]
	locations = []int64{own.parent}
	for i := range neighbors {
		neighbor := a.world.agencies[(t.agency+1+i)%len(a.world.agencies)]
		agencies = append(agencies, neighbor.id)
		locations = append(locations, neighbor.location)
	}
	return agencies, locations
}

// name endorses a name that is shown, or states a new one.
func (a *simulated) name(answer *annotation.Answer, d dice, t *truth, offer *annotation.Next) {
	shown := convert.Each(offer.Names, func(name annotation.NameSuggestion) string { return name.Name })
	var others []string
	for form := range nameForms {
		others = append(others, nameInForm(form, t.subject, a.world.agencies[t.agency].name))
	}
	chosen := choose(a, d, t.name, shown, others)
	for _, name := range offer.Names {
		if name.Name == chosen {
			answer.ExistingNameID = &name.ID
			return
		}
	}
	answer.NewName = &chosen
}

func agencyID(agency annotation.EntitySuggestion) int32 { return int32(agency.ID) }

func locationID(location annotation.EntitySuggestion) int64 { return location.ID }

func recordType(votes annotation.RecordTypeVotes) annotation.RecordType { return votes.Type }
