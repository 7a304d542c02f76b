package sample

import (
	"slices"
	"testing"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"docket/internal/annotation"
	"docket/internal/consensus"
	"docket/internal/urlform"
)

func TestTruthsAreAboutTheURLsThatAnnotatorsAreOffered(t *testing.T) {
	t.Parallel()
	w := newWorld(5000, 2, testStates)
	page, truths := collect(w), w.truths()
	decided := map[int32]bool{}
	for _, flag := range page.Validated {
		decided[flag.URLID] = true
	}
	for _, flag := range page.Suspended {
		decided[flag.URLID] = true
	}
	titles := map[int32]string{}
	for _, name := range page.NameSuggestions {
		if *name.Source != userSource {
			titles[name.URLID] = name.Suggestion
		}
	}
	types := map[annotation.URLType]int{}
	for _, url := range page.URLs {
		truth := truths[url.ID]
		require.Equal(t, decided[url.ID], truth == nil, "URL %d", url.ID)
		if truth == nil {
			continue
		}
		types[truth.urlType]++
		require.Equal(t, urlform.Full(url.Scheme, url.URL, url.TrailingSlash), truth.url)
		require.Equal(t, truth.urlType == annotation.DataSource, truth.recordType != "", "URL %d", url.ID)
		require.NotEmpty(t, truth.name)
		require.LessOrEqual(t, utf8.RuneCountInString(truth.name), 100, "an answer may not have a longer name")
		if title := titles[url.ID]; title != "" {
			require.Equal(t, title, truth.name, "a robot's name is true")
		}
	}
	require.Len(t, types, len(urlTypes), "every type occurs")
	require.Len(t, truths, len(page.URLs)-len(decided))
}

// offerOf returns an offer that shows right and wrong suggestions, so that an annotator can choose among them.
func offerOf(truth *truth) *annotation.Next {
	return &annotation.Next{
		URLID: truth.urlID, URL: truth.url,
		Agencies: annotation.EntitySuggestions{Entities: []annotation.EntitySuggestion{{ID: int64(truth.agencyID)}, {ID: 77}}},
		Names:    []annotation.NameSuggestion{{ID: 5, Name: "Shown"}, {ID: 6, Name: truth.name}},
	}
}

func TestAnnotatorsStateTheTruthAsOftenAsTheirAccuracySays(t *testing.T) {
	t.Parallel()
	for _, accuracy := range []float64{0, 0.3, 0.9, 1} {
		w := newWorld(2000, 4, testStates)
		annotators := w.simulate(PlayOptions{Seed: 4, Annotators: 5, Accuracy: accuracy})
		right, all := map[consensus.Attribute]int{}, map[consensus.Attribute]int{}
		for _, truth := range w.truths() {
			for _, annotator := range annotators {
				offer := offerOf(truth)
				said := consensus.Votes{}
				addVotes(said, consensus.Count{Users: 1}, annotator.answer(truth, offer), offer.Names)
				for attribute, values := range said {
					require.Len(t, values, 1)
					all[attribute]++
					if truths := truth.values(); values[truths[attribute]].Users == 1 {
						right[attribute]++
					}
				}
			}
		}
		require.Len(t, all, len(consensus.Attributes))
		for attribute, n := range all {
			want := accuracy * float64(n)
			if attribute == consensus.RecordType {
				// A page without records that is taken for a data source has no true record type.
				require.LessOrEqual(t, float64(right[attribute]), want+1, attribute)
				continue
			}
			require.InDelta(t, want, right[attribute], 0.03*float64(n), "%s with accuracy %v", attribute, accuracy)
		}
	}
}

func TestAnnotatorsChooseWhatIsShownAndElseWhatIsNear(t *testing.T) {
	t.Parallel()
	w := newWorld(500, 4, testStates)
	annotator := w.simulate(PlayOptions{Seed: 4, Annotators: 1, Accuracy: 0})[0]
	for _, truth := range w.truths() {
		shown := annotator.answer(truth, offerOf(truth))
		require.Equal(t, shown, annotator.answer(truth, offerOf(truth)), "the same offer has the same answer")
		bare := annotator.answer(truth, &annotation.Next{URLID: truth.urlID})
		require.Equal(t, shown.URLType, bare.URLType)
		if len(shown.AgencyIDs) == 0 {
			require.Contains(t, []annotation.URLType{annotation.NotRelevant, annotation.BrokenPage}, shown.URLType)
			require.Equal(t, annotation.Answer{URLType: shown.URLType}, shown)
			continue
		}
		require.Equal(t, []int32{77}, shown.AgencyIDs)
		require.EqualValues(t, 5, *shown.ExistingNameID)
		require.Nil(t, shown.NewName)
		near := int(bare.AgencyIDs[0]-firstAgencyID) - truth.agency
		require.True(t, near >= 1 && near <= neighbors || near < neighbors-len(w.agencies)+1, "%d agencies away", near)
		require.NotEqual(t, truth.locationID, bare.LocationIDs[0])
		require.NotEqual(t, truth.name, *bare.NewName)
	}
}

func TestSimulatedAnnotatorsAreUsersAndSessions(t *testing.T) {
	t.Parallel()
	w := newWorld(100, 4, testStates)
	ids := func(o PlayOptions) (users []int32, sessions []uuid.UUID) {
		for _, a := range w.simulate(o) {
			if a.UserID != 0 {
				require.Zero(t, a.Session)
				users = append(users, a.UserID)
			} else {
				sessions = append(sessions, a.Session)
			}
		}
		return users, sessions
	}
	users, sessions := ids(PlayOptions{Seed: 4, Annotators: 20, Sessions: 0.2})
	require.Len(t, users, 16)
	require.Len(t, sessions, 4)
	require.Greater(t, slices.Min(users), int32(maxAnnotators), "the users of the sample data have other ids")
	againUsers, againSessions := ids(PlayOptions{Seed: 4, Annotators: 20, Sessions: 0.2})
	require.Equal(t, users, againUsers)
	require.Equal(t, sessions, againSessions)

	_, others := ids(PlayOptions{Seed: 5, Annotators: 20, Sessions: 0.2})
	require.NotEqual(t, sessions, others)
	users, sessions = ids(PlayOptions{Seed: 4, Annotators: 3, Sessions: 1})
	require.Empty(t, users)
	require.Len(t, sessions, 3)
	users, _ = ids(PlayOptions{Seed: 4, Annotators: 3})
	require.Len(t, users, 3)
}
