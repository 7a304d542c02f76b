package sample

import (
	"time"

	"docket/internal/db/sampledb"
)

// answer is what one annotator says about a URL in one request, without the name.
type answer struct {
	urlType              sampledb.URLType
	record               sampledb.RecordType // empty for none
	agencies             []int               // by index
	locations            []int64
	noAgency, noLocation bool // searched and not found
}

// annotate adds the answers of all annotators of the URL.
func (g *generator) annotate(u *draft) {
	g.chooseVoters(u)
	// The agreeing annotators give the true answer. The others are a minority.
	agreeing := 0
	if u.fate == autoValidated {
		agreeing = len(g.voters) - len(g.voters)/4
	}
	for i, user := range g.voters {
		u.answered = answeredAt(u, i)
		switch {
		case i < agreeing:
			g.store(u, user, g.truth(u))
		case u.fate == suspended && i < 2:
			g.store(u, user, g.missing(u))
		default:
			g.store(u, user, g.opinion(u))
		}
	}
	g.nameURL(u, agreeing)
}

func answeredAt(u *draft, i int) time.Time {
	return u.created.Add(24*time.Hour + time.Duration(i)*37*time.Minute + time.Duration(u.id%3600)*time.Second)
}

// chooseVoters fills g.voters with different users. Users with small ids give most answers.
func (g *generator) chooseVoters(u *draft) {
	n := 0
	switch u.fate {
	case open:
		n = g.tail(g.Annotators)
	case autoValidated, suspended:
		n = 2 + g.tail(min(6, g.Annotators-2))
	case validatedByHand, duplicate, broken:
		n = g.tail(3)
	}
	if u.urlType == sampledb.URLTypeNotrelevant && (u.fate == open || u.fate == duplicate) {
		n = min(n, 1) // two would have decided it
	}
	g.voters = g.voters[:0]
	for range n {
		user := g.skewed(g.Annotators)
		for g.votedOn[user] == u.id {
			user = (user + 1) % g.Annotators
		}
		g.votedOn[user] = u.id
		g.voters = append(g.voters, int32(user+1))
	}
}

// truth is the complete and correct answer.
func (g *generator) truth(u *draft) answer {
	if u.urlType == sampledb.URLTypeNotrelevant {
		return answer{urlType: u.urlType}
	}
	return answer{
		urlType: u.urlType, record: u.record,
		agencies: []int{u.agency}, locations: []int64{g.agencies[u.agency].location},
	}
}

// missing is the answer of an annotator who finds no agency for the URL, or no location.
func (g *generator) missing(u *draft) answer {
	if u.id%3 == 0 {
		return answer{urlType: u.urlType, record: u.record, agencies: []int{u.agency}, noLocation: true}
	}
	return answer{urlType: u.urlType, record: u.record, noAgency: true}
}

// opinion is a realistic answer: often correct, seldom complete, sometimes wrong.
func (g *generator) opinion(u *draft) answer {
	a := answer{urlType: u.urlType, record: u.record}
	if !g.percent(78) {
		a.urlType = pick(g.dice, []sampledb.URLType{
			sampledb.URLTypeDatasource, sampledb.URLTypeMetaurl, sampledb.URLTypeIndividualrecord, sampledb.URLTypeBrokenpage,
			sampledb.URLTypeNotrelevant,
		})
	}
	// One annotator may say that the URL is not relevant, or that there is no agency or location. A second one would change the
	// fate of the URL, which is decided already.
	if a.urlType == sampledb.URLTypeNotrelevant && u.urlType != sampledb.URLTypeNotrelevant && u.offTopic > 0 {
		a.urlType = u.urlType
	}
	switch a.urlType {
	case sampledb.URLTypeNotrelevant:
		return answer{urlType: a.urlType}
	case sampledb.URLTypeDatasource:
		if a.record == "" || !g.percent(70) {
			a.record = pick(g.dice, g.agencies[u.agency].records)
		}
		if !g.percent(85) {
			a.record = ""
		}
	default:
		a.record = ""
	}

	switch throw := g.IntN(100); {
	case throw < 72:
		a.agencies = []int{g.opinionOnAgency(u)}
		if second := g.neighbor(a.agencies[0]); g.percent(10) {
			a.agencies = append(a.agencies, second)
		}
	case throw < 82:
		a.noAgency = u.noAgency == 0
	}
	switch throw := g.IntN(100); {
	case throw < 70:
		believed := g.agencies[g.opinionOnAgency(u)]
		a.locations = []int64{believed.location}
		if believed.parent != believed.location && g.percent(15) {
			a.locations[0] = believed.parent
		}
	case throw < 78:
		a.noLocation = u.noLocation == 0
	}
	return a
}

func (g *generator) opinionOnAgency(u *draft) int {
	switch throw := g.IntN(100); {
	case throw < 65:
		return u.agency
	case throw < 80:
		return g.neighbor(u.agency)
	default:
		return g.IntN(len(g.agencies))
	}
}

// store adds the rows that a request with this answer would have stored.
func (g *generator) store(u *draft, user int32, a answer) {
	at := u.answered
	g.page.UserURLTypes = append(g.page.UserURLTypes, sampledb.UserURLTypeInsertManyParams{
		URLID: u.id, UserID: user, Type: a.urlType, CreatedAt: at, UpdatedAt: at,
	})
	if a.urlType == sampledb.URLTypeNotrelevant {
		u.offTopic++
	}
	for _, location := range a.locations {
		g.page.UserLocations = append(g.page.UserLocations, sampledb.UserLocationInsertManyParams{
			URLID: u.id, UserID: user, LocationID: location, CreatedAt: at,
		})
	}
	if a.record != "" {
		g.page.UserRecordTypes = append(g.page.UserRecordTypes, sampledb.UserRecordTypeInsertManyParams{
			URLID: u.id, UserID: user, RecordType: a.record, CreatedAt: at, UpdatedAt: at,
		})
	}
	for _, i := range a.agencies {
		agency := g.agencies[i].id
		g.page.UserAgencies = append(g.page.UserAgencies, sampledb.UserAgencyInsertManyParams{
			ID: next(&g.last.userAgency), AgencyID: &agency, URLID: u.id, UserID: user,
		})
	}
	if a.noLocation {
		u.noLocation++
		g.page.LocationNotFound = append(g.page.LocationNotFound, sampledb.LocationNotFoundInsertManyParams{
			UserID: user, URLID: u.id, CreatedAt: at,
		})
	}
	if a.noAgency {
		u.noAgency++
		g.page.AgencyNotFound = append(g.page.AgencyNotFound, sampledb.AgencyNotFoundInsertManyParams{
			UserID: user, URLID: u.id, CreatedAt: at,
		})
	}
}

// anonymous adds the answers of one or two sessions about a few URLs. They never decide a fact: each is true, and none says
// that a URL is not relevant.
func (g *generator) anonymous(u *draft) {
	if !g.percent(3) || u.urlType == sampledb.URLTypeNotrelevant {
		return
	}
	at := u.created.Add(40 * time.Hour)
	first := g.IntN(len(g.Sessions))
	for i := range 1 + g.IntN(2) {
		session := g.Sessions[(first+i)%len(g.Sessions)].ID
		a := g.truth(u)
		g.page.AnonymousURLTypes = append(g.page.AnonymousURLTypes, sampledb.AnonymousURLTypeInsertManyParams{
			URLID: u.id, URLType: a.urlType, SessionID: session, CreatedAt: at,
		})
		if a.record != "" && g.percent(80) {
			g.page.AnonymousRecordTypes = append(g.page.AnonymousRecordTypes, sampledb.AnonymousRecordTypeInsertManyParams{
				URLID: u.id, RecordType: a.record, SessionID: session, CreatedAt: at,
			})
		}
		if g.percent(70) {
			g.page.AnonymousAgencies = append(g.page.AnonymousAgencies, sampledb.AnonymousAgencyInsertManyParams{
				URLID: u.id, AgencyID: g.agencies[a.agencies[0]].id, SessionID: session, CreatedAt: at,
			})
		}
		if g.percent(60) {
			g.page.AnonymousLocations = append(g.page.AnonymousLocations, sampledb.AnonymousLocationInsertManyParams{
				URLID: u.id, LocationID: a.locations[0], SessionID: session, CreatedAt: at,
			})
		}
		if u.robotName != 0 && g.percent(50) {
			g.page.AnonymousNames = append(g.page.AnonymousNames, sampledb.AnonymousNameEndorsementInsertManyParams{
				SessionID: session, SuggestionID: u.robotName, CreatedAt: at,
			})
		}
	}
}
