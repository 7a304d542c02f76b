package sample

import (
	"encoding/binary"
	"fmt"
	"iter"
	"time"

	"github.com/google/uuid"

	"docket/internal/db/sampledb"
	"docket/internal/imports"
)

// epoch is when the first URLs are stored, storePeriod how long URLs continue to be stored.
var epoch = time.Date(2025, time.January, 6, 8, 0, 0, 0, time.UTC)

const storePeriod = 300 * 24 * time.Hour

// tinyBatch is the number of URLs of the smallest batch. All of them are open, so that a person who tries the product can
// finish the batch.
const tinyBatch = 5

// maxAnnotators is below 1000, so that users from 1000 on have annotated nothing.
const maxAnnotators = 900

// World holds the rows whose number hardly grows with the number of URLs; Pages has the others.
type World struct {
	States             []sampledb.StateInsertManyParams
	Counties           []sampledb.CountyInsertManyParams
	Localities         []sampledb.LocalityInsertManyParams
	Locations          []sampledb.LocationInsertManyParams
	Agencies           []sampledb.AgencyInsertManyParams
	AgencyLocations    []sampledb.AgencyLocationInsertManyParams
	AgencyOutwardLinks []sampledb.AgencyOutwardLinkInsertManyParams
	Batches            []sampledb.BatchInsertManyParams
	BatchLocations     []sampledb.BatchLocationInsertManyParams
	BatchAgencies      []sampledb.BatchAgencyInsertManyParams
	Follows            []sampledb.FollowInsertManyParams
	Sessions           []sampledb.AnonymousSessionInsertManyParams

	// Annotators is the number of users who annotate; their ids are 1 to this.
	Annotators int

	urls           int
	seed           uint64
	agencies       []agency
	stateSpans     []span  // by state
	stateLocations []int64 // by state
	batches        []batch
}

// batch is what URLs use of their batch.
type batch struct {
	id       int32
	strategy sampledb.BatchStrategy
	state    int   // by index; noState when the batch covers the whole country
	agency   int32 // 0 when the batch is not about one agency
}

const noState = -1

// newWorld generates a world with that many URLs. States must not be empty.
func newWorld(urls int, seed uint64, states []imports.State) *World {
	w := &World{urls: urls, seed: seed, Annotators: min(3+isqrt(urls)/3, maxAnnotators)}
	d := newDice(seed, 0)
	w.layOut(d, states)
	w.openBatches(d)
	w.openSessions(d)
	w.follow(d)
	return w
}

// Pages returns all URLs in the order of their ids, with the rows that belong to them. A page refers to rows of the world, its
// own and earlier pages. It is valid until the next one. Every range over Pages gives the same rows.
func (w *World) Pages() iter.Seq[*Page] {
	return func(yield func(*Page) bool) { newGenerator(w).pages()(yield) }
}

// createdAt distributes the URLs evenly over the period.
func (w *World) createdAt(url int) time.Time {
	return epoch.Add(storePeriod / time.Duration(w.urls) * time.Duration(url)).Truncate(time.Second)
}

// openBatches adds a tiny batch, a huge one, and several between them that each cover one state.
func (w *World) openBatches(d dice) {
	if w.urls >= 1 {
		w.addBatch(batch{strategy: sampledb.BatchStrategyManual, state: noState}, "Pilot")
	}
	if w.urls >= 2*tinyBatch {
		w.addBatch(batch{strategy: sampledb.BatchStrategyCommonCrawler, state: noState}, "Everything on police.*")
	}
	strategies := []sampledb.BatchStrategy{
		sampledb.BatchStrategyAutoGoogler, sampledb.BatchStrategyMuckrockCountySearch, sampledb.BatchStrategyCkan,
	}
	for i := range min(w.urls/150, 40) {
		state := d.IntN(len(w.stateSpans))
		b := batch{strategy: strategies[i%len(strategies)], state: state}
		if i%3 == 0 {
			agencies := w.stateSpans[state]
			b.agency = w.agencies[agencies.from+d.IntN(agencies.to-agencies.from)].id
		}
		w.addBatch(b, *w.States[state].StateName+" police records")
	}
}

func (w *World) addBatch(b batch, name string) {
	b.id = int32(len(w.batches) + 1)
	w.batches = append(w.batches, b)
	user, seconds := int32(1+int(b.id)%w.Annotators), float64(20+7*b.id)
	started := epoch.Add(-time.Duration(b.id) * time.Hour)
	w.Batches = append(w.Batches, sampledb.BatchInsertManyParams{
		ID: b.id, Strategy: b.strategy, UserID: &user, Status: sampledb.BatchStatusReadytolabel,
		DateGenerated: started, ComputeTime: &seconds, Parameters: fmt.Appendf(nil, `{"name": %q}`, name),
	})
	if b.state != noState {
		w.BatchLocations = append(w.BatchLocations, sampledb.BatchLocationInsertManyParams{
			BatchID: b.id, LocationID: w.stateLocations[b.state], CreatedAt: started,
		})
	}
	if b.agency != 0 {
		w.BatchAgencies = append(w.BatchAgencies, sampledb.BatchAgencyInsertManyParams{
			BatchID: b.id, AgencyID: b.agency, CreatedAt: started,
		})
	}
}

// follow makes every fourth annotator follow some states. Only the batches that cover one of them are offered first.
func (w *World) follow(d dice) {
	for user := 4; user <= w.Annotators; user += 4 {
		first := d.IntN(len(w.stateLocations))
		for i := range min(1+d.IntN(3), len(w.stateLocations)) {
			w.Follows = append(w.Follows, sampledb.FollowInsertManyParams{
				LocationID: int32(w.stateLocations[(first+i)%len(w.stateLocations)]), UserID: int32(user), CreatedAt: epoch,
			})
		}
	}
}

// openSessions adds some anonymous sessions, if there are URLs.
func (w *World) openSessions(d dice) {
	if w.urls == 0 {
		return
	}
	for i := range 2 + w.Annotators/4 {
		var id uuid.UUID
		binary.BigEndian.PutUint64(id[:8], d.Uint64())
		binary.BigEndian.PutUint64(id[8:], d.Uint64())
		id[6] = id[6]&0x0f | 0x40 // version 4
		id[8] = id[8]&0x3f | 0x80 // variant of RFC 9562
		w.Sessions = append(w.Sessions, sampledb.AnonymousSessionInsertManyParams{
			ID: id, CreatedAt: epoch.Add(time.Duration(i) * time.Hour),
		})
	}
}
