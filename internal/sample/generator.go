package sample

import (
	"fmt"
	"iter"
	"time"

	"docket/internal/db/sampledb"
)

// generator fills one page after another. Between pages it keeps ids, and nothing that grows.
type generator struct {
	*World
	dice
	page      Page
	homepages []int // agencies in the order of their home pages
	last      ids

	agencyTask, locationTask, validationTask int32 // of this page

	truths  []truth // of the URLs that can be annotated, if learns
	learns  bool
	voters  []int32 // of the current URL
	votedOn []int32 // by user: the last URL that the user was chosen for
}

// ids holds the last id used in each table.
type ids struct {
	task, batchURL, agencySubtask, agencySubtaskSuggestion, locationSubtask int32
	userAgency, name, agreedAgency, dataSource, metaURL                     int32
}

func next(id *int32) int32 {
	*id++
	return *id
}

func newGenerator(w *World) *generator {
	g := &generator{World: w, dice: newDice(w.seed, 1), votedOn: make([]int32, w.Annotators)}
	g.homepages = g.Perm(len(w.agencies))
	return g
}

// fate is the final state of a URL.
type fate int

const (
	open fate = iota // still to be annotated
	autoValidated
	validatedByHand
	suspended
	duplicate
	broken
)

// annotatable returns whether annotators are offered URLs of this fate.
func (f fate) annotatable() bool { return f == open || f == duplicate || f == broken }

// draft is the current URL: the truth about it, and what has been said about it so far.
type draft struct {
	id      int32
	fate    fate
	created time.Time
	batch   batch // its id is 0 when the URL is in none

	urlType  sampledb.URLType
	agency   int                 // the agency whose page it is, by index
	record   sampledb.RecordType // empty when the page holds no records
	subject  string              // what the page is about, in words
	title    string              // empty when the page was not fetched
	homepage bool

	robotName                      int32 // the name a robot suggested, 0 when none did
	agreedName                     string
	answered                       time.Time // the last answer
	offTopic, noAgency, noLocation int       // answers that say so
}

// pages generates all pages, one after another.
func (g *generator) pages() iter.Seq[*Page] {
	return func(yield func(*Page) bool) {
		for first := 0; first < g.urls; first += pageSize {
			g.fill(first, min(first+pageSize, g.urls))
			if !yield(&g.page) {
				return
			}
		}
	}
}

// fill generates the page of URLs first+1 to end.
func (g *generator) fill(first, end int) {
	g.page.reset()
	finished := g.createdAt(end-1).AddDate(0, 0, 1)
	g.agencyTask = g.task(sampledb.TaskTypeAgencyIdentification, finished)
	g.locationTask = g.task(sampledb.TaskTypeLocationID, finished)
	g.validationTask = g.task(sampledb.TaskTypeAutoValidate, finished.AddDate(0, 0, 14))
	for i := first; i < end; i++ {
		u := g.draft(i)
		row := g.address(&u)
		g.content(&u)
		g.robots(&u)
		g.annotate(&u)
		g.anonymous(&u)
		g.conclude(&u)

		row.Source = g.source(&u)
		row.CreatedAt, row.UpdatedAt = u.created, &u.answered
		if u.agreedName != "" {
			row.Name = &u.agreedName
		}
		g.page.URLs = append(g.page.URLs, row)
		if g.learns && u.fate.annotatable() {
			g.truths = append(g.truths, g.completeTruth(&u, row))
		}
	}
}

func (g *generator) task(kind sampledb.TaskType, finished time.Time) int32 {
	id := next(&g.last.task)
	g.page.Tasks = append(g.page.Tasks, sampledb.TaskInsertManyParams{
		ID: id, TaskType: kind, TaskStatus: sampledb.TaskStatusEnumComplete, UpdatedAt: finished,
	})
	return id
}

func (g *generator) link(task int32, u *draft) {
	g.page.TaskURLs = append(g.page.TaskURLs, sampledb.TaskURLInsertManyParams{TaskID: task, URLID: u.id})
}

// draft decides the truth about a URL and its fate.
func (g *generator) draft(i int) draft {
	u := draft{id: int32(i + 1), created: g.createdAt(i), fate: g.fate(i)}
	u.answered = u.created
	if b := g.batchOf(i); b != nil {
		u.batch = *b
		g.page.BatchURLs = append(g.page.BatchURLs, sampledb.BatchURLInsertManyParams{
			ID: next(&g.last.batchURL), BatchID: b.id, URLID: u.id, CreatedAt: u.created, UpdatedAt: u.created,
		})
	}

	// Every twelfth URL is the home page of an agency, as long as there are agencies left.
	if i%12 == 0 && i/12 < len(g.homepages) {
		u.homepage, u.agency, u.urlType, u.subject = true, g.homepages[i/12], sampledb.URLTypeMetaurl, "Home page"
		if u.fate == broken {
			u.urlType = sampledb.URLTypeBrokenpage
		}
		return u
	}
	u.agency = g.IntN(len(g.agencies))
	if u.batch.id != 0 && u.batch.state != noState {
		agencies := g.stateSpans[u.batch.state]
		u.agency = agencies.from + g.IntN(agencies.to-agencies.from)
	}
	switch throw := g.IntN(100); {
	case u.fate == broken || throw < 5 && u.fate == open:
		u.urlType, u.subject = sampledb.URLTypeBrokenpage, pick(g.dice, leadingPages)
	case throw < 65 || u.fate == suspended:
		u.urlType, u.record = sampledb.URLTypeDatasource, pick(g.dice, g.agencies[u.agency].records)
		u.subject = string(u.record)
	case throw < 75:
		u.urlType, u.subject = sampledb.URLTypeMetaurl, pick(g.dice, leadingPages)
	case throw < 87:
		u.urlType = sampledb.URLTypeIndividualrecord
		u.subject = fmt.Sprintf("%s %02d-%05d", pick(g.dice, singleCases), 15+g.IntN(11), g.IntN(100_000))
	default:
		u.urlType, u.subject = sampledb.URLTypeNotrelevant, pick(g.dice, offTopics)
	}
	return u
}

func (g *generator) fate(i int) fate {
	switch throw := g.IntN(1000); {
	case i < tinyBatch:
		return open
	case throw < 112:
		return autoValidated
	case throw < 140:
		return validatedByHand
	case throw < 170:
		return suspended
	case throw < 195:
		return duplicate
	case throw < 220:
		return broken
	default:
		return open
	}
}

// batchOf returns nil for a URL that is in no batch.
func (g *generator) batchOf(i int) *batch {
	throw := g.IntN(100)
	switch {
	case i < tinyBatch:
		return &g.batches[0]
	case len(g.batches) < 2 || throw < 5:
		return nil
	case throw < 55 || len(g.batches) == 2:
		return &g.batches[1]
	default:
		return &g.batches[2+g.IntN(len(g.batches)-2)]
	}
}

func (g *generator) source(u *draft) sampledb.URLSource {
	switch throw := g.IntN(100); {
	case u.homepage:
		return sampledb.URLSourceRootURL
	case u.batch.id == 0 || u.batch.strategy == sampledb.BatchStrategyManual:
		return sampledb.URLSourceManual
	case throw < 8:
		return sampledb.URLSourceRedirect
	case throw < 16:
		return sampledb.URLSourceDataSourcesApp
	default:
		return sampledb.URLSourceCollector
	}
}
