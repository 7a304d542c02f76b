package sample

import (
	"time"

	"docket/internal/db/sampledb"
)

var (
	titleSource    = sampledb.SuggestionSourceEnumHTMLMetadataTitle
	userSource     = sampledb.SuggestionSourceEnumUser
	relevanceModel = "url-relevance-2025-03"
)

// agencyMethods are the methods that do not require a link of the batch.
var agencyMethods = []sampledb.AgencyAutoSuggestionMethod{
	sampledb.AgencyAutoSuggestionMethodHomepageMatch, sampledb.AgencyAutoSuggestionMethodNlpLocationMatch,
	sampledb.AgencyAutoSuggestionMethodMuckrockMatch, sampledb.AgencyAutoSuggestionMethodCkanMatch,
}

// robots adds suggestions for half of the URLs. They are correct more often than not, and then with a higher confidence.
func (g *generator) robots(u *draft) {
	if !g.percent(50) {
		return
	}
	at := u.created.Add(6 * time.Hour)
	g.robotAgencies(u, pick(g.dice, agencyMethods), at)
	if g.percent(15) {
		g.robotAgencies(u, sampledb.AgencyAutoSuggestionMethodNlpLocationMatch, at.Add(time.Minute))
	}
	g.link(g.agencyTask, u)
	g.robotLocations(u, at)
	g.link(g.locationTask, u)

	if g.percent(80) {
		record := pick(g.dice, g.agencies[u.agency].records)
		if u.record != "" && g.percent(70) {
			record = u.record
		}
		g.page.RobotRecordTypes = append(g.page.RobotRecordTypes, sampledb.RobotRecordTypeInsertManyParams{
			URLID: u.id, RecordType: record, CreatedAt: at, UpdatedAt: at,
		})
	}
	if g.percent(90) {
		relevant := u.urlType != sampledb.URLTypeNotrelevant
		confidence := float64(600+g.IntN(400)) / 1000
		if !g.percent(85) {
			relevant, confidence = !relevant, confidence-0.25
		}
		g.page.RobotRelevance = append(g.page.RobotRelevance, sampledb.RobotRelevanceInsertManyParams{
			URLID: u.id, Relevant: relevant, Confidence: &confidence, ModelName: &relevanceModel,
			CreatedAt: at, UpdatedAt: at,
		})
	}
	if u.title != "" && g.percent(70) {
		u.robotName = g.suggestName(u, u.title, &titleSource, at)
	}
}

func (g *generator) robotAgencies(u *draft, method sampledb.AgencyAutoSuggestionMethod, at time.Time) {
	var found []int
	if g.percent(80) {
		found = g.guesses(u.agency, 1+g.IntN(3))
	}
	detail := sampledb.AgencyIDSubtaskDetailCodeNodetails
	if method == sampledb.AgencyAutoSuggestionMethodHomepageMatch {
		switch len(found) {
		case 0:
		case 1:
			detail = sampledb.AgencyIDSubtaskDetailCodeHomepageSingleagency
		default:
			detail = sampledb.AgencyIDSubtaskDetailCodeHomepageMultiagency
		}
	}
	subtask := next(&g.last.agencySubtask)
	g.page.AgencySubtasks = append(g.page.AgencySubtasks, sampledb.AgencySubtaskInsertManyParams{
		ID: subtask, TaskID: g.agencyTask, URLID: u.id, Type: method,
		AgenciesFound: len(found) > 0, Detail: detail, CreatedAt: at,
	})
	for _, guess := range found {
		g.page.AgencySubtaskSuggestions = append(g.page.AgencySubtaskSuggestions,
			sampledb.AgencySubtaskSuggestionInsertManyParams{
				ID: next(&g.last.agencySubtaskSuggestion), SubtaskID: subtask, AgencyID: g.agencies[guess].id,
				Confidence: int32(g.confidence(guess == u.agency)), CreatedAt: at,
			})
	}
}

// guesses returns different agencies: with a high probability the true one first, then neighbors of it.
func (g *generator) guesses(truth, n int) []int {
	guesses := make([]int, 0, n)
	if g.percent(75) {
		guesses = append(guesses, truth)
	}
	for guess := g.neighbor(truth); len(guesses) < n; guess = (guess + 1) % len(g.agencies) {
		if guess != truth {
			guesses = append(guesses, guess)
		}
	}
	return guesses
}

// neighbors is how many agencies are close to one.
const neighbors = 4

// neighbor returns another agency close to this one.
func (g *generator) neighbor(agency int) int {
	return (agency + 1 + g.IntN(neighbors)) % len(g.agencies)
}

// confidence is a whole number of percent; a few are 0.
func (g *generator) confidence(right bool) int {
	switch {
	case g.percent(3):
		return 0
	case right:
		return 50 + g.IntN(51)
	default:
		return 5 + g.IntN(60)
	}
}

func (g *generator) robotLocations(u *draft, at time.Time) {
	add := func(method sampledb.AutoLocationIDSubtaskType, found ...int64) {
		subtask := next(&g.last.locationSubtask)
		g.page.LocationSubtasks = append(g.page.LocationSubtasks, sampledb.LocationSubtaskInsertManyParams{
			ID: subtask, TaskID: g.locationTask, URLID: u.id, Type: method,
			LocationsFound: len(found) > 0, CreatedAt: at,
		})
		for _, location := range found {
			g.page.LocationSubtaskSuggestions = append(g.page.LocationSubtaskSuggestions,
				sampledb.LocationSubtaskSuggestionInsertManyParams{
					SubtaskID: subtask, LocationID: location, CreatedAt: at,
					Confidence: float64(g.confidence(location == g.agencies[u.agency].location)),
				})
		}
	}
	agency, elsewhere := g.agencies[u.agency], g.agencies[g.neighbor(u.agency)].location
	method := sampledb.AutoLocationIDSubtaskTypeNlpLocationFrequency
	switch throw := g.IntN(100); {
	case throw < 20:
		add(method)
	case throw < 60 || agency.parent == agency.location:
		add(method, agency.location)
	case throw < 85:
		add(method, agency.location, agency.parent)
	case elsewhere != agency.parent:
		add(method, agency.parent, elsewhere)
	default:
		add(method, agency.parent)
	}
	if u.batch.id != 0 && u.batch.state != noState {
		add(sampledb.AutoLocationIDSubtaskTypeBatchLink, g.stateLocations[u.batch.state])
	}
}
