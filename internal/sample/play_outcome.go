package sample

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"docket/internal/consensus"
	"docket/internal/db/sampledb"
)

// Outcome is what came of a play.
type Outcome struct {
	Open    int // URLs that could be annotated at the beginning
	Answers int
	// Decidable counts the answers about URLs that can become facts, and Surplus how often an annotator was offered a URL that as many
	// others were working on as it needed answers.
	Decidable, Surplus int
	Took               time.Duration

	Facts       int // of the URLs with answers
	True        int // of them, those whose every value is true
	Attributes  []AttributeOutcome
	Needed      int // answers about the facts, each until the one that made a consensus
	Late        int // answers about the facts after that: their annotators had been offered the URL before it was validated
	Annotators  int // of all facts: those who had voted when it was validated, also before the play
	StillOpen   int // URLs that are not facts
	Undecidable int // of them, broken pages, which are never validated automatically

	// Overdue are the URLs whose votes make a consensus, and that were not validated in time, by id.
	Overdue []int32
	// Latencies are the times from the storing of the answer that decided a fact to the moment when its validation was seen, sorted. A
	// fact of which this is not known, because answers were stored in another order than they were acknowledged, has none.
	Latencies []time.Duration
}

// AttributeOutcome counts the facts that have a value of an attribute, and those in which it is true.
type AttributeOutcome struct {
	Attribute   consensus.Attribute
	Facts, True int
}

// Latency returns the percentile of the latencies, by the nearest rank; 0 without any.
func (o Outcome) Latency(percent int) time.Duration {
	if len(o.Latencies) == 0 {
		return 0
	}
	return o.Latencies[(len(o.Latencies)*percent+99)/100-1]
}

func (p *play) outcome(ctx context.Context, took time.Duration) (Outcome, error) {
	o := Outcome{Open: p.open, Undecidable: p.undecidable, Surplus: p.surplus, Took: took}
	for _, attribute := range consensus.Attributes {
		o.Attributes = append(o.Attributes, AttributeOutcome{Attribute: attribute})
	}
	facts, err := queries.FactList(ctx, p.pool, slices.Sorted(maps.Keys(p.urls)))
	if err != nil {
		return Outcome{}, fmt.Errorf("read facts: %w", err)
	}
	o.Facts, o.StillOpen = len(facts), p.open-len(facts)
	validated := map[int32]bool{}
	for _, fact := range facts {
		validated[fact.URLID] = true
		if !p.decidable(fact.URLID) {
			o.Undecidable--
		}
		o.add(fact, p.truths[fact.URLID], p.urls[fact.URLID])
	}
	slices.Sort(o.Latencies)
	for id, url := range p.urls {
		o.Answers += url.answers
		if p.decidable(id) {
			o.Decidable += url.answers
		}
		if !validated[id] && !url.decided.IsZero() && !url.undone {
			o.Overdue = append(o.Overdue, id)
		}
	}
	slices.Sort(o.Overdue)
	return o, nil
}

func (o *Outcome) add(fact sampledb.FactListRow, t *truth, url *annotated) {
	o.Annotators += int(fact.Annotators)
	needed := url.needed
	if url.decided.IsZero() {
		needed = url.answers
	}
	o.Needed += needed
	o.Late += url.answers - needed
	if !url.decided.IsZero() && !url.validated.IsZero() {
		o.Latencies = append(o.Latencies, url.validated.Sub(url.decided))
	}
	values, truths := valuesOf(fact), t.values()
	allTrue := true
	for i, attribute := range consensus.Attributes {
		if values[attribute] == "" {
			continue
		}
		o.Attributes[i].Facts++
		if values[attribute] == truths[attribute] {
			o.Attributes[i].True++
		} else {
			allTrue = false
		}
	}
	if allTrue {
		o.True++
	}
}

// valuesOf returns what was decided, as votes have it; empty where nothing was.
func valuesOf(fact sampledb.FactListRow) map[consensus.Attribute]string {
	values := map[consensus.Attribute]string{consensus.URLType: string(fact.URLType)}
	if fact.AgencyID != nil {
		values[consensus.Agency] = strconv.Itoa(int(*fact.AgencyID))
	}
	if fact.LocationID != nil {
		values[consensus.Location] = strconv.FormatInt(*fact.LocationID, 10)
	}
	if fact.RecordType != nil {
		values[consensus.RecordType] = string(*fact.RecordType)
	}
	if fact.Name != nil {
		values[consensus.Name] = *fact.Name
	}
	return values
}

// values are the true ones, as votes have them.
func (t *truth) values() map[consensus.Attribute]string {
	return map[consensus.Attribute]string{
		consensus.URLType:    string(t.urlType),
		consensus.Agency:     strconv.Itoa(int(t.agencyID)),
		consensus.Location:   strconv.FormatInt(t.locationID, 10),
		consensus.RecordType: string(t.recordType),
		consensus.Name:       t.name,
	}
}
