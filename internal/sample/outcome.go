package sample

import (
	"fmt"
	"time"

	"docket/internal/db/sampledb"
)

// suggestName adds a suggested name to the URL and returns its id.
func (g *generator) suggestName(u *draft, text string, source *sampledb.SuggestionSourceEnum, at time.Time) int32 {
	id := next(&g.last.name)
	g.page.NameSuggestions = append(g.page.NameSuggestions, sampledb.NameSuggestionInsertManyParams{
		ID: id, URLID: u.id, Suggestion: text, Source: source, CreatedAt: at,
	})
	return id
}

// nameInForm returns a plausible name. Every form gives another one.
func (g *generator) nameInForm(u *draft, form int) string {
	return nameInForm(form, u.subject, g.agencies[u.agency].name)
}

func nameInForm(form int, subject, agency string) string {
	return fmt.Sprintf(nameForms[form], subject, agency)
}

// nameURL adds the names that annotators give. The agreeing annotators, who are the first, give one name. About half of the
// others give a name and never agree: a name of their own is unique, and two other names are endorsed equally often.
func (g *generator) nameURL(u *draft, agreeing int) {
	suggest := func(form int, at time.Time) int32 {
		return g.suggestName(u, g.nameInForm(u, form), &userSource, at)
	}
	endorse := func(user, name int32, at time.Time) {
		g.page.NameEndorsements = append(g.page.NameEndorsements, sampledb.NameEndorsementInsertManyParams{
			UserID: user, SuggestionID: name, CreatedAt: at,
		})
	}

	name := u.robotName
	for i, user := range g.voters[:agreeing] {
		if name == 0 {
			name = suggest(0, answeredAt(u, i))
		}
		endorse(user, name, answeredAt(u, i))
	}
	switch {
	case agreeing > 0 && name == u.robotName:
		u.agreedName = u.title
	case agreeing > 0, u.fate == validatedByHand:
		u.agreedName = g.nameInForm(u, 0)
	}

	// Names 0 and 1 of pair are endorsed alternately; the first endorsement is added only together with the second.
	pair, waiting := [2]int32{u.robotName, 0}, -1
	own := len(pair) // the first form for an own name
	for i := agreeing; i < len(g.voters); i++ {
		at := answeredAt(u, i)
		switch throw := g.IntN(100); {
		case throw < 50:
		case throw < 60 || agreeing > 0:
			if own < len(nameForms) {
				endorse(g.voters[i], suggest(own, at), at)
				own++
			}
		case waiting < 0:
			waiting = i
		default:
			for side, voter := range []int{waiting, i} {
				at := answeredAt(u, voter)
				if pair[side] == 0 {
					pair[side] = suggest(side, at)
				}
				endorse(g.voters[voter], pair[side], at)
			}
			waiting = -1
		}
	}
}

// conclude adds the facts that follow from the answers.
func (g *generator) conclude(u *draft) {
	at := u.answered.Add(time.Hour)
	switch u.fate {
	case suspended:
		g.page.Suspended = append(g.page.Suspended, sampledb.SuspendedFlagInsertManyParams{URLID: u.id, CreatedAt: at})
		u.answered = at
	case autoValidated:
		g.page.AutoValidated = append(g.page.AutoValidated, sampledb.AutoValidatedFlagInsertManyParams{
			URLID: u.id, CreatedAt: at,
		})
		g.link(g.validationTask, u)
		g.validate(u, at)
	case validatedByHand:
		g.validate(u, at)
	case open, duplicate, broken:
	}
}

// validate adds the agreed facts and, for most URLs, the link to the outward application.
func (g *generator) validate(u *draft, at time.Time) {
	u.answered = at
	g.page.Validated = append(g.page.Validated, sampledb.ValidatedFlagInsertManyParams{
		URLID: u.id, Type: u.urlType, CreatedAt: at, UpdatedAt: at,
	})
	if u.urlType == sampledb.URLTypeNotrelevant {
		return
	}
	g.page.AgreedAgencies = append(g.page.AgreedAgencies, sampledb.AgreedAgencyInsertManyParams{
		ID: next(&g.last.agreedAgency), URLID: u.id, AgencyID: g.agencies[u.agency].id, CreatedAt: at, UpdatedAt: at,
	})
	if u.record != "" {
		g.page.AgreedRecordTypes = append(g.page.AgreedRecordTypes, sampledb.AgreedRecordTypeInsertManyParams{
			URLID: u.id, RecordType: u.record, CreatedAt: at, UpdatedAt: at,
		})
	}
	url, sent := u.id, at.AddDate(0, 0, 1)
	if !g.percent(70) {
		return
	}
	switch u.urlType {
	case sampledb.URLTypeDatasource:
		id := next(&g.last.dataSource)
		g.page.DataSourceLinks = append(g.page.DataSourceLinks, sampledb.DataSourceLinkInsertManyParams{
			ID: id, URLID: &url, DsDataSourceID: id, CreatedAt: sent, LastSyncedAt: sent,
		})
	case sampledb.URLTypeMetaurl:
		g.page.MetaURLLinks = append(g.page.MetaURLLinks, sampledb.MetaURLLinkInsertManyParams{
			URLID: &url, DsMetaURLID: next(&g.last.metaURL), CreatedAt: sent, LastSyncedAt: sent,
		})
	}
}
