package sample

import (
	"testing"

	"github.com/stretchr/testify/require"

	"docket/internal/db/sampledb"
)

// halves counts votes in halves: a user's vote is two of them, an anonymous session's is one.
type halves[V comparable] map[int32]map[V]int

func (h halves[V]) add(url int32, value V, n int) {
	if h[url] == nil {
		h[url] = make(map[V]int)
	}
	h[url][value] += n
}

// agreed returns the value with the most votes, if it has two votes and more than any other value.
func (h halves[V]) agreed(url int32) (value V, ok bool) {
	most, tie := 0, false
	for v, n := range h[url] {
		switch {
		case n > most:
			value, most, tie = v, n, false
		case n == most:
			tie = true
		}
	}
	return value, most >= 4 && !tie
}

func TestOutcomesFollowFromTheAnswers(t *testing.T) {
	t.Parallel()
	page := collect(newWorld(20_000, 11, testStates))

	types, records := make(halves[sampledb.URLType]), make(halves[sampledb.RecordType])
	agencies, locations, names := make(halves[int32]), make(halves[int64]), make(halves[string])
	for _, r := range page.UserURLTypes {
		types.add(r.URLID, r.Type, 2)
	}
	for _, r := range page.AnonymousURLTypes {
		types.add(r.URLID, r.URLType, 1)
	}
	for _, r := range page.UserRecordTypes {
		records.add(r.URLID, r.RecordType, 2)
	}
	for _, r := range page.AnonymousRecordTypes {
		records.add(r.URLID, r.RecordType, 1)
	}
	for _, r := range page.UserAgencies {
		agencies.add(r.URLID, *r.AgencyID, 2)
	}
	for _, r := range page.AnonymousAgencies {
		agencies.add(r.URLID, r.AgencyID, 1)
	}
	for _, r := range page.UserLocations {
		locations.add(r.URLID, r.LocationID, 2)
	}
	for _, r := range page.AnonymousLocations {
		locations.add(r.URLID, r.LocationID, 1)
	}
	suggested := make(map[int32]sampledb.NameSuggestionInsertManyParams)
	for _, r := range page.NameSuggestions {
		suggested[r.ID] = r
	}
	for _, r := range page.NameEndorsements {
		names.add(suggested[r.SuggestionID].URLID, suggested[r.SuggestionID].Suggestion, 2)
	}

	validated := make(map[int32]sampledb.URLType)
	for _, r := range page.Validated {
		validated[r.URLID] = r.Type
	}
	auto := set(page.AutoValidated, func(r sampledb.AutoValidatedFlagInsertManyParams) int32 { return r.URLID })
	suspended := set(page.Suspended, func(r sampledb.SuspendedFlagInsertManyParams) int32 { return r.URLID })
	agreedAgency, agreedRecord := make(map[int32]int32), make(map[int32]sampledb.RecordType)
	for _, r := range page.AgreedAgencies {
		agreedAgency[r.URLID] = r.AgencyID
	}
	for _, r := range page.AgreedRecordTypes {
		agreedRecord[r.URLID] = r.RecordType
	}
	missing := make(map[int32][2]int)
	for _, r := range page.AgencyNotFound {
		n := missing[r.URLID]
		missing[r.URLID] = [2]int{n[0] + 1, n[1]}
	}
	for _, r := range page.LocationNotFound {
		n := missing[r.URLID]
		missing[r.URLID] = [2]int{n[0], n[1] + 1}
	}

	kinds := make(map[sampledb.URLType]int)
	for _, url := range page.URLs {
		id := url.ID
		urlType, hasType := types.agreed(id)
		record, hasRecord := records.agreed(id)
		agency, hasAgency := agencies.agreed(id)
		_, hasLocation := locations.agreed(id)
		name, hasName := names.agreed(id)
		settled := hasType
		switch urlType {
		case sampledb.URLTypeDatasource:
			settled = settled && hasAgency && hasLocation && hasRecord && hasName
		case sampledb.URLTypeMetaurl, sampledb.URLTypeIndividualrecord:
			settled = settled && hasAgency && hasLocation && hasName
		case sampledb.URLTypeBrokenpage:
			settled = false
		}
		kind, isValidated := validated[id]
		require.True(t, isValidated || !settled, "URL %d: agreed on, but not validated", id)
		if auto[id] {
			require.True(t, settled, "URL %d: validated without agreement", id)
			require.Equal(t, urlType, kind)
			require.Equal(t, name, *url.Name)
			kinds[kind]++
			if kind != sampledb.URLTypeNotrelevant {
				require.Equal(t, agency, agreedAgency[id])
			}
			if kind == sampledb.URLTypeDatasource {
				require.Equal(t, record, agreedRecord[id])
			} else {
				require.Empty(t, agreedRecord[id])
			}
		}
		if isValidated {
			require.NotNil(t, url.Name)
			require.Equal(t, kind != sampledb.URLTypeNotrelevant, agreedAgency[id] != 0)
		} else {
			require.Nil(t, url.Name)
			require.Zero(t, agreedAgency[id])
			require.Equal(t, suspended[id], max(missing[id][0], missing[id][1]) >= 2, "URL %d: %v", id, missing[id])
		}
		require.False(t, isValidated && suspended[id])
	}
	require.Len(t, kinds, 4, "every kind that agreement can validate")
}

func TestAnswersAreWhatRequestsCouldHaveStored(t *testing.T) {
	t.Parallel()
	page := collect(newWorld(20_000, 5, testStates))

	type by struct{ url, user int32 }
	votes := make(map[by]sampledb.URLType)
	for _, r := range page.UserURLTypes {
		key := by{r.URLID, r.UserID}
		require.Empty(t, votes[key], "two votes")
		votes[key] = r.Type
	}
	for _, r := range page.UserRecordTypes {
		require.Equal(t, sampledb.URLTypeDatasource, votes[by{r.URLID, r.UserID}], "a record type for no records")
	}
	withAgency, withLocation := make(map[by]bool), make(map[by]bool)
	relevant := func(key by) {
		require.NotEmpty(t, votes[key], "an answer without a URL type")
		require.NotEqual(t, sampledb.URLTypeNotrelevant, votes[key])
	}
	for _, r := range page.UserAgencies {
		relevant(by{r.URLID, r.UserID})
		withAgency[by{r.URLID, r.UserID}] = true
	}
	for _, r := range page.UserLocations {
		relevant(by{r.URLID, r.UserID})
		withLocation[by{r.URLID, r.UserID}] = true
	}
	for _, r := range page.AgencyNotFound {
		relevant(by{r.URLID, r.UserID})
		require.False(t, withAgency[by{r.URLID, r.UserID}], "an agency given and not found")
	}
	for _, r := range page.LocationNotFound {
		relevant(by{r.URLID, r.UserID})
		require.False(t, withLocation[by{r.URLID, r.UserID}], "a location given and not found")
	}

	urlOf := make(map[int32]int32)
	unendorsed := make(map[int32]bool)
	for _, r := range page.NameSuggestions {
		urlOf[r.ID] = r.URLID
		if *r.Source == sampledb.SuggestionSourceEnumUser {
			unendorsed[r.ID] = true
		}
	}
	named := make(map[by]bool)
	for _, r := range page.NameEndorsements {
		key := by{urlOf[r.SuggestionID], r.UserID}
		require.NotEmpty(t, votes[key], "a name without a URL type")
		require.False(t, named[key], "two names by one user")
		named[key] = true
		delete(unendorsed, r.SuggestionID)
	}
	require.Empty(t, unendorsed, "a user's name that not even its author endorses")

	type session struct {
		url int32
		id  string
	}
	voted := make(map[session]bool)
	for _, r := range page.AnonymousURLTypes {
		key := session{r.URLID, r.SessionID.String()}
		require.False(t, voted[key], "two votes")
		voted[key] = true
	}
	for _, r := range page.AnonymousAgencies {
		require.True(t, voted[session{r.URLID, r.SessionID.String()}])
	}
	require.NotEmpty(t, voted)
}
