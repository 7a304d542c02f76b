package catalog

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"docket/internal/db"
)

// mostSuggestions is how many suggestions a typeahead gives.
const mostSuggestions = 10

// SuggestedAgency is an agency that somebody may mean who is typing.
type SuggestedAgency struct {
	ID               int32
	Name             string
	JurisdictionType string
	Place            Place // of the first of its locations
}

// SuggestedLocation is a place that somebody may mean who is typing.
type SuggestedLocation struct {
	ID    int64
	Name  string // in full
	Type  string // a value of location_type
	Place Place
}

// Place is the parts of a place's name, nil where it has none.
type Place struct {
	StateName, StateISO, CountyName, LocalityName *string
}

// SuggestAgencies returns at most ten agencies for what was typed so far: those whose name begins with it, then those with
// a later word that does, then those of a similar name, both for a text of 3 to 60 characters; each by similarity, then by id.
// Letter case and surplus blanks do not matter. A text without a letter or digit suggests none.
func (s *Service) SuggestAgencies(ctx context.Context, typed string) ([]SuggestedAgency, error) {
	agencies, err := s.suggestAgencies(ctx, typed)
	if err != nil {
		return nil, fmt.Errorf("suggest agencies: %w", err)
	}
	return agencies, nil
}

func (s *Service) suggestAgencies(ctx context.Context, typed string) ([]SuggestedAgency, error) {
	if !hasWord(typed) {
		return nil, nil
	}
	typed = tidy(typed)
	begins, err := queries.AgencyListByBeginning(ctx, s.pool, db.AgencyListByBeginningParams{Typed: typed, StartsLike: like("", typed)})
	if err != nil {
		return nil, err
	}
	found := converted(begins, func(row db.AgencyListByBeginningRow) agencyRow { return agencyRow(row) })
	if len(found) < mostSuggestions && likeNames(typed) {
		resembles, err := queries.AgencyListByResemblance(ctx, s.pool, db.AgencyListByResemblanceParams{
			Typed: typed, WordStartsLike: like("% ", typed),
		})
		if err != nil {
			return nil, err
		}
		found = append(found, converted(resembles, func(row db.AgencyListByResemblanceRow) agencyRow { return agencyRow(row) })...)
	}
	best := best(found, func(row agencyRow) int32 { return row.ID }, func(a, b agencyRow) int {
		return cmp.Or(cmp.Compare(a.Rank, b.Rank), cmp.Compare(a.Distance, b.Distance), cmp.Compare(a.ID, b.ID))
	})
	return s.describeAgencies(ctx, best)
}

// The rows of the two statements of each kind are alike.
type (
	agencyRow   db.AgencyListByResemblanceRow
	locationRow db.LocationListByResemblanceRow
)

// describeAgencies keeps the order of what was found.
func (s *Service) describeAgencies(ctx context.Context, found []agencyRow) ([]SuggestedAgency, error) {
	ids := converted(found, func(row agencyRow) int32 { return row.ID })
	rows, err := queries.AgencyListByID(ctx, s.pool, ids)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(rows, func(a, b db.AgencyListByIDRow) int {
		return cmp.Compare(slices.Index(ids, a.ID), slices.Index(ids, b.ID))
	})
	return converted(rows, func(row db.AgencyListByIDRow) SuggestedAgency {
		return SuggestedAgency{
			ID: row.ID, Name: row.Name, JurisdictionType: string(row.JurisdictionType),
			Place: Place{row.StateName, row.StateIso, row.CountyName, row.LocalityName},
		}
	}), nil
}

// nearest is how many places of a beginning or of a similar name are looked at: as many as can be asked for, or, when most of
// them may lie elsewhere than was typed, enough for the commonest of names.
const (
	nearest          = 40
	nearestOfCommons = 300
)

// SuggestLocations returns at most ten places for what was typed so far: those whose own name begins with it, then those with
// a later word of their name that does, then those of a similar name, both for a name of 3 to 60 characters; each by
// similarity, then the larger ones, then by id. What comes after a comma, or after the name, says where the place lies: "columbus, oh", "franklin county ohio". Letter case and
// surplus blanks do not matter. A text without a letter or digit suggests none.
func (s *Service) SuggestLocations(ctx context.Context, typed string) ([]SuggestedLocation, error) {
	found, err := s.suggestLocations(ctx, readings(typed))
	if err != nil {
		return nil, fmt.Errorf("suggest locations: %w", err)
	}
	return converted(found, func(row locationRow) SuggestedLocation {
		return SuggestedLocation{
			ID: row.ID, Name: row.DisplayName, Type: string(row.Type),
			Place: Place{row.StateName, row.StateIso, row.CountyName, row.LocalityName},
		}
	}), nil
}

func (s *Service) suggestLocations(ctx context.Context, readings []reading) ([]locationRow, error) {
	var found []locationRow
	for _, r := range readings {
		rows, err := queries.LocationListByBeginning(ctx, s.pool, db.LocationListByBeginningParams{
			Typed: r.name, StartsLike: like("", r.name), WithinLike: r.within, Most: r.most(),
		})
		if err != nil {
			return nil, err
		}
		found = append(found, converted(rows, func(row db.LocationListByBeginningRow) locationRow { return locationRow(row) })...)
	}
	if begin := bestLocations(found); len(begin) == mostSuggestions {
		return begin, nil
	}
	// A misspelt name may have its place behind it; it has not when a name with that place is there.
	misspelt := readings[:min(len(readings), 2)]
	if len(found) > 0 {
		misspelt = readings[:1]
	}
	for _, r := range misspelt {
		if !likeNames(r.name) {
			continue
		}
		rows, err := queries.LocationListByResemblance(ctx, s.pool, db.LocationListByResemblanceParams{
			Typed: r.name, WordStartsLike: like("% ", r.name), WithinLike: r.within, Most: r.most(),
		})
		if err != nil {
			return nil, err
		}
		found = append(found, converted(rows, func(row db.LocationListByResemblanceRow) locationRow { return locationRow(row) })...)
	}
	return bestLocations(found), nil
}

func bestLocations(found []locationRow) []locationRow {
	return best(found, func(row locationRow) int64 { return row.ID }, func(a, b locationRow) int {
		return cmp.Or(cmp.Compare(a.Rank, b.Rank), cmp.Compare(a.Distance, b.Distance),
			cmp.Compare(size(a.Type), size(b.Type)), cmp.Compare(a.ID, b.ID))
	})
}

// likeNames tells whether names are to be found that resemble a text. A shorter one is in too many names, and a longer one costs
// with its length and is like none.
func likeNames(text string) bool {
	length := utf8.RuneCountInString(text)
	return 3 <= length && length <= 60
}

// size orders the larger kinds of places before the smaller ones.
func size(kind db.LocationType) int {
	return slices.Index([]db.LocationType{
		db.LocationTypeNational, db.LocationTypeState, db.LocationTypeCounty, db.LocationTypeLocality,
	}, kind)
}

// reading is one way to understand what was typed: the name of a place, and patterns of the words that say where it lies.
type reading struct {
	name   string
	within []string
}

func (r reading) most() int32 {
	if len(r.within) == 0 {
		return nearest
	}
	return nearestOfCommons
}

// mostWithin is how many words at the end are tried as the county and the state.
const mostWithin = 3

// readings returns the ways to understand what was typed, the longest name first. A comma leaves but one.
func readings(typed string) []reading {
	if !hasWord(typed) {
		return nil
	}
	name, within, comma := strings.Cut(typed, ",")
	if comma && hasWord(name) {
		words := strings.FieldsFunc(within, func(r rune) bool { return r == ',' || unicode.IsSpace(r) })
		return []reading{{tidy(name), patterns(words)}}
	}
	words := strings.Fields(typed)
	var list []reading
	for n := len(words); n >= 1 && n >= len(words)-mostWithin; n-- {
		if name := strings.Join(words[:n], " "); hasWord(name) {
			list = append(list, reading{name, patterns(words[n:])})
		}
	}
	return list
}

// patterns returns a pattern for each word, which fits where a word begins with it.
func patterns(words []string) []string {
	return converted(words, func(word string) string { return like("% ", word) })
}

var likeSpecials = strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`)

// like is the pattern for a text as it stands, after what a pattern says may come before it, with anything behind it.
func like(before, text string) string { return before + likeSpecials.Replace(text) + "%" }

// tidy leaves one blank between words and none around them.
func tidy(text string) string { return strings.Join(strings.Fields(text), " ") }

// best returns the first ten rows in an order, each id once.
func best[Row any, ID cmp.Ordered](rows []Row, id func(Row) ID, order func(a, b Row) int) []Row {
	slices.SortFunc(rows, order)
	seen := make(map[ID]bool)
	rows = slices.DeleteFunc(rows, func(row Row) bool {
		repeated := seen[id(row)]
		seen[id(row)] = true
		return repeated
	})
	return rows[:min(len(rows), mostSuggestions)]
}
