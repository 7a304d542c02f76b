package sample

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"docket/internal/db/sampledb"
	"docket/internal/imports"
	"docket/internal/urlform"
)

var testStates = []imports.State{
	{Name: "Ohio", ISO: "OH", FIPS: "39"},
	{Name: "Northern Mariana Islands", ISO: "MP", FIPS: "69"},
	{Name: "Texas", ISO: "TX", FIPS: "48"},
}

// collect returns all pages as one.
func collect(w *World) *Page {
	all := new(Page)
	for p := range w.Pages() {
		all.Tasks = append(all.Tasks, p.Tasks...)
		all.URLs = append(all.URLs, p.URLs...)
		all.HTML = append(all.HTML, p.HTML...)
		all.BatchURLs = append(all.BatchURLs, p.BatchURLs...)
		all.AgencySubtasks = append(all.AgencySubtasks, p.AgencySubtasks...)
		all.UserURLTypes = append(all.UserURLTypes, p.UserURLTypes...)
		all.UserRecordTypes = append(all.UserRecordTypes, p.UserRecordTypes...)
		all.UserAgencies = append(all.UserAgencies, p.UserAgencies...)
		all.UserLocations = append(all.UserLocations, p.UserLocations...)
		all.NameSuggestions = append(all.NameSuggestions, p.NameSuggestions...)
		all.NameEndorsements = append(all.NameEndorsements, p.NameEndorsements...)
		all.AgencyNotFound = append(all.AgencyNotFound, p.AgencyNotFound...)
		all.LocationNotFound = append(all.LocationNotFound, p.LocationNotFound...)
		all.AnonymousURLTypes = append(all.AnonymousURLTypes, p.AnonymousURLTypes...)
		all.AnonymousRecordTypes = append(all.AnonymousRecordTypes, p.AnonymousRecordTypes...)
		all.AnonymousAgencies = append(all.AnonymousAgencies, p.AnonymousAgencies...)
		all.AnonymousLocations = append(all.AnonymousLocations, p.AnonymousLocations...)
		all.Validated = append(all.Validated, p.Validated...)
		all.AutoValidated = append(all.AutoValidated, p.AutoValidated...)
		all.Suspended = append(all.Suspended, p.Suspended...)
		all.AgreedRecordTypes = append(all.AgreedRecordTypes, p.AgreedRecordTypes...)
		all.AgreedAgencies = append(all.AgreedAgencies, p.AgreedAgencies...)
	}
	return all
}

// set returns the keys of rows.
func set[T any, K comparable](rows []T, key func(T) K) map[K]bool {
	keys := make(map[K]bool, len(rows))
	for _, row := range rows {
		keys[key(row)] = true
	}
	return keys
}

func TestURLsHaveTheirOwnIDForms(t *testing.T) {
	t.Parallel()
	page := collect(newWorld(5000, 1, testStates))
	seen := make(map[string]int32)
	for _, row := range page.URLs {
		full := urlform.Full(row.Scheme, row.URL, row.TrailingSlash)
		form, err := urlform.Parse(full)
		require.NoError(t, err, full)
		require.Equal(t, *row.URL, form.ID)
		require.Zero(t, seen[form.ID], "%s is URL %d too", form.ID, row.ID)
		seen[form.ID] = row.ID
	}
}

func TestSharesAreThoseOfTheRealWorld(t *testing.T) {
	t.Parallel()
	const n = 20_000
	w := newWorld(n, 3, testStates)
	page := collect(w)

	validated := set(page.Validated, func(r sampledb.ValidatedFlagInsertManyParams) int32 { return r.URLID })
	suspended := set(page.Suspended, func(r sampledb.SuspendedFlagInsertManyParams) int32 { return r.URLID })
	eligible := 0
	for _, row := range page.URLs {
		if !validated[row.ID] && !suspended[row.ID] {
			eligible++
		}
	}
	percent := func(part int) float64 { return 100 * float64(part) / n }
	require.InDelta(t, 83, percent(eligible), 1.5)
	require.InDelta(t, 14, percent(len(validated)), 1.5)
	require.InDelta(t, 3, percent(len(suspended)), 1)
	robots := set(page.AgencySubtasks, func(r sampledb.AgencySubtaskInsertManyParams) int32 { return r.URLID })
	require.InDelta(t, 50, percent(len(robots)), 2)

	votes, work := make(map[int32]int), make(map[int32]int)
	for _, row := range page.UserURLTypes {
		votes[row.URLID]++
		work[row.UserID]++
	}
	hottest := 0
	for _, n := range votes {
		hottest = max(hottest, n)
	}
	require.Greater(t, hottest, w.Annotators*2/3, "a URL that nearly all annotators annotated")
	require.Less(t, percent(len(votes)), 60.0, "many URLs without an annotation")
	require.Greater(t, work[1], len(page.UserURLTypes)/10, "an annotator who did much of the work")

	batches := make(map[int32]int)
	for _, row := range page.BatchURLs {
		batches[row.BatchID]++
	}
	require.Equal(t, tinyBatch, batches[1])
	require.InDelta(t, 50, percent(batches[2]), 3)
	require.InDelta(t, 95, percent(len(page.BatchURLs)), 1)
	require.Len(t, batches, len(w.Batches))
}

func TestTinyWorlds(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 2, 9, 10, 149, 150, pageSize, pageSize + 1} {
		w := newWorld(n, 1, testStates)
		page := collect(w)
		require.Len(t, page.URLs, n)
		require.NotEmpty(t, w.Agencies)
		require.Equal(t, n == 0, len(page.Tasks) == 0)
		require.Equal(t, n == 0, len(w.Batches) == 0)
		require.Less(t, w.Annotators, 1000)
	}
}

func TestNamesFitTheirColumns(t *testing.T) {
	t.Parallel()
	w := newWorld(0, 1, testStates)
	longest := append(singleCases, offTopics...)
	longest = append(longest, leadingPages...)
	for i := range longest {
		longest[i] += " 25-00001"
	}
	for _, a := range w.agencies {
		for _, subject := range longest {
			require.LessOrEqual(t, len(subject+" | "+a.name), 100)
		}
		for _, record := range a.records {
			for _, form := range nameForms {
				require.LessOrEqual(t, len(fmt.Sprintf(form, record, a.name)), 100)
			}
		}
	}
	for _, row := range w.Localities {
		require.NotContains(t, row.Name, ",")
	}
}

// digest returns a digest of all rows in order.
func digest(t *testing.T, w *World) string {
	t.Helper()
	sum := sha256.New()
	encoder := json.NewEncoder(sum)
	require.NoError(t, encoder.Encode(w))
	for page := range w.Pages() {
		require.NoError(t, encoder.Encode(page))
	}
	return fmt.Sprintf("%x", sum.Sum(nil)[:8])
}

func TestSameArgumentsSameRows(t *testing.T) {
	t.Parallel()
	first := newWorld(3000, 7, testStates)
	require.Equal(t, digest(t, first), digest(t, first), "ranged over twice")
	require.Equal(t, digest(t, first), digest(t, newWorld(3000, 7, testStates)))
	require.NotEqual(t, digest(t, first), digest(t, newWorld(3000, 8, testStates)))
	require.NotEqual(t, digest(t, first), digest(t, newWorld(3001, 7, testStates)))

	// The digest is the same on every machine. It changes only with the generator or its rows.
	require.Equal(t, "b8b7c19d9a823a0a", digest(t, newWorld(500, 1, testStates)))
}
