package sample

import (
	"docket/internal/annotation"
	"docket/internal/db/sampledb"
	"docket/internal/urlform"
)

// truth is what is true about a URL that annotators are offered. It has a value for every attribute, whether or not a fact of its type
// needs it.
type truth struct {
	urlID      int32
	url        string // as annotators see it
	urlType    annotation.URLType
	agencyID   int32
	locationID int64
	recordType annotation.RecordType // empty unless the URL is a data source
	name       string

	agency  int    // by index
	subject string // what names are made of
}

// truths returns the truth about the URLs that annotators are offered, by id of the URL. It takes the time of generating all URLs, and
// some hundred bytes for each.
func (w *World) truths() map[int32]*truth {
	g := newGenerator(w)
	g.learns = true
	for range g.pages() {
	}
	byID := make(map[int32]*truth, len(g.truths))
	for i := range g.truths {
		byID[g.truths[i].urlID] = &g.truths[i]
	}
	return byID
}

func (g *generator) completeTruth(u *draft, row sampledb.URLInsertManyParams) truth {
	t := truth{
		urlID: u.id, url: urlform.Full(row.Scheme, row.URL, row.TrailingSlash),
		urlType: annotation.URLType(u.urlType), recordType: annotation.RecordType(u.record),
		agencyID: g.agencies[u.agency].id, locationID: g.agencies[u.agency].location,
		name: u.title, agency: u.agency, subject: u.subject,
	}
	if u.robotName == 0 { // agreeing annotators endorse a robot's name, and give this one without it
		t.name = g.nameInForm(u, 0)
	}
	return t
}
