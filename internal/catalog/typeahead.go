package catalog

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"docket/internal/convert"
	"docket/internal/db"
	"docket/internal/postgres"
)

// maxSuggestions is the most suggestions that a typeahead returns.
const maxSuggestions = 10

// SuggestedAgency is an agency that the typed text may mean.
type SuggestedAgency struct {
	ID               int32
	Name             string
	JurisdictionType string
	Location         LocationParts // of the first of its locations
}

// SuggestedLocation is a location that the typed text may mean.
type SuggestedLocation struct {
	ID    int64
	Name  string // the full name
	Type  string // a value of location_type
	Parts LocationParts
}

// LocationParts are the parts of a location's name. A part that it does not have is nil.
type LocationParts struct {
	StateName, StateISO, CountyName, LocalityName *string
}

// SuggestAgencies returns at most ten agencies for a typed text: first those whose name begins with it, then those with a later
// word that begins with it, then those with a similar name. The last two kinds are returned only for a text of 3 to 60
// characters. Each kind is ordered by similarity, then by id. Letter case and extra spaces do not matter. A text without a
// letter or digit has no suggestions.
func (s *Service) SuggestAgencies(ctx context.Context, typed string) ([]SuggestedAgency, error) {
	agencies, err := postgres.Read(ctx, s.pool, func(ctx context.Context, conn *postgres.Conn) ([]SuggestedAgency, error) {
		return suggestAgencies(ctx, conn, typed)
	})
	if err != nil {
		return nil, fmt.Errorf("suggest agencies: %w", err)
	}
	return agencies, nil
}

func suggestAgencies(ctx context.Context, conn db.DBTX, typed string) ([]SuggestedAgency, error) {
	if !hasWord(typed) {
		return nil, nil
	}
	typed = tidy(typed)
	begins, err := queries.AgencyListByBeginning(ctx, conn, db.AgencyListByBeginningParams{
		Typed: typed, StartsLike: like("", typed),
	})
	if err != nil {
		return nil, err
	}
	found := convert.Each(begins, func(row db.AgencyListByBeginningRow) agencyRow { return agencyRow(row) })
	if len(found) < maxSuggestions && hasSimilarNames(typed) {
		resembles, err := queries.AgencyListByResemblance(ctx, conn, db.AgencyListByResemblanceParams{
			Typed: typed, WordStartsLike: like("% ", typed),
		})
		if err != nil {
			return nil, err
		}
		found = append(found, convert.Each(resembles, func(row db.AgencyListByResemblanceRow) agencyRow { return agencyRow(row) })...)
	}
	found = firstSuggestions(found, func(row agencyRow) int32 { return row.ID }, func(a, b agencyRow) int {
		return cmp.Or(cmp.Compare(a.Rank, b.Rank), cmp.Compare(a.Distance, b.Distance), cmp.Compare(a.ID, b.ID))
	})
	return describeAgencies(ctx, conn, found)
}

// The two statements for agencies return the same columns, and so do the two for locations.
type (
	agencyRow   db.AgencyListByResemblanceRow
	locationRow db.LocationListByResemblanceRow
)

// describeAgencies returns the agencies of the rows in the order of the rows.
func describeAgencies(ctx context.Context, conn db.DBTX, found []agencyRow) ([]SuggestedAgency, error) {
	ids := convert.Each(found, func(row agencyRow) int32 { return row.ID })
	rows, err := queries.AgencyListByID(ctx, conn, ids)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(rows, func(a, b db.AgencyListByIDRow) int {
		return cmp.Compare(slices.Index(ids, a.ID), slices.Index(ids, b.ID))
	})
	return convert.Each(rows, func(row db.AgencyListByIDRow) SuggestedAgency {
		return SuggestedAgency{
			ID: row.ID, Name: row.Name, JurisdictionType: string(row.JurisdictionType),
			Location: LocationParts{row.StateName, row.StateIso, row.CountyName, row.LocalityName},
		}
	}), nil
}

// candidates is how many locations with a matching name a statement reads. When words for the county or the state were typed
// too, most locations with the name may be elsewhere, so it reads candidatesWithin: enough for the most common names.
const (
	candidates       = 40
	candidatesWithin = 300
)

// SuggestLocations returns at most ten locations for a typed text: first those whose own name begins with it, then those with a
// later word of their name that begins with it, then those with a similar name. The last two kinds are returned only for a name
// of 3 to 60 characters. Each kind is ordered by similarity, then larger locations first, then by id. Words after a comma, or
// after the name, are those of the county and the state: "columbus, oh", "franklin county ohio". Letter case and extra spaces do
// not matter. A text without a letter or digit has no suggestions.
func (s *Service) SuggestLocations(ctx context.Context, typed string) ([]SuggestedLocation, error) {
	found, err := postgres.Read(ctx, s.pool, func(ctx context.Context, conn *postgres.Conn) ([]locationRow, error) {
		return suggestLocations(ctx, conn, readings(typed))
	})
	if err != nil {
		return nil, fmt.Errorf("suggest locations: %w", err)
	}
	return convert.Each(found, func(row locationRow) SuggestedLocation {
		return SuggestedLocation{
			ID: row.ID, Name: row.DisplayName, Type: string(row.Type),
			Parts: LocationParts{row.StateName, row.StateIso, row.CountyName, row.LocalityName},
		}
	}), nil
}

func suggestLocations(ctx context.Context, conn db.DBTX, readings []reading) ([]locationRow, error) {
	var found []locationRow
	for _, r := range readings {
		rows, err := queries.LocationListByBeginning(ctx, conn, db.LocationListByBeginningParams{
			Typed: r.name, StartsLike: like("", r.name), WithinLike: r.within, Most: r.candidates(),
		})
		if err != nil {
			return nil, err
		}
		found = append(found, convert.Each(rows, func(row db.LocationListByBeginningRow) locationRow { return locationRow(row) })...)
	}
	if first := firstLocations(found); len(first) == maxSuggestions {
		return first, nil
	}
	// A misspelt name may be followed by its county or state. If a location with such a name and county or state was found, the
	// name is not misspelt.
	misspelt := readings[:min(len(readings), 2)]
	if len(found) > 0 {
		misspelt = readings[:1]
	}
	for _, r := range misspelt {
		if !hasSimilarNames(r.name) {
			continue
		}
		rows, err := queries.LocationListByResemblance(ctx, conn, db.LocationListByResemblanceParams{
			Typed: r.name, WordStartsLike: like("% ", r.name), WithinLike: r.within, Most: r.candidates(),
		})
		if err != nil {
			return nil, err
		}
		found = append(found, convert.Each(rows, func(row db.LocationListByResemblanceRow) locationRow { return locationRow(row) })...)
	}
	return firstLocations(found), nil
}

func firstLocations(found []locationRow) []locationRow {
	return firstSuggestions(found, func(row locationRow) int64 { return row.ID }, func(a, b locationRow) int {
		return cmp.Or(cmp.Compare(a.Rank, b.Rank), cmp.Compare(a.Distance, b.Distance),
			cmp.Compare(size(a.Type), size(b.Type)), cmp.Compare(a.ID, b.ID))
	})
}

// hasSimilarNames reports whether a text has the length for a search for similar names. A shorter text is part of too many names.
// A longer text takes more time and is similar to none.
func hasSimilarNames(text string) bool {
	length := utf8.RuneCountInString(text)
	return 3 <= length && length <= 60
}

// size orders larger kinds of locations before smaller ones.
func size(kind db.LocationType) int {
	return slices.Index([]db.LocationType{
		db.LocationTypeNational, db.LocationTypeState, db.LocationTypeCounty, db.LocationTypeLocality,
	}, kind)
}

// reading is one meaning of a typed text: the name of a location, and patterns for the names of its county and state.
type reading struct {
	name   string
	within []string
}

func (r reading) candidates() int32 {
	if len(r.within) == 0 {
		return candidates
	}
	return candidatesWithin
}

// maxWithin is the most words at the end that are read as those of the county and the state.
const maxWithin = 3

// readings returns the possible meanings of a typed text, the longest name first. A text with a comma has only one.
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
	for n := len(words); n >= 1 && n >= len(words)-maxWithin; n-- {
		if name := strings.Join(words[:n], " "); hasWord(name) {
			list = append(list, reading{name, patterns(words[n:])})
		}
	}
	return list
}

// patterns returns a pattern for each word, which matches texts with a word that begins with it.
func patterns(words []string) []string {
	return convert.Each(words, func(word string) string { return like("% ", word) })
}

var likeSpecials = strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`)

// like returns a LIKE pattern: a prefix, which is a pattern itself, then the text literally, then anything.
func like(prefix, text string) string { return prefix + likeSpecials.Replace(text) + "%" }

// tidy leaves one space between words and none at the ends.
func tidy(text string) string { return strings.Join(strings.Fields(text), " ") }

// firstSuggestions returns the first ten rows in an order, each id once. It leaves rows as it is: the caller adds more to it.
func firstSuggestions[Row any, ID cmp.Ordered](rows []Row, id func(Row) ID, order func(a, b Row) int) []Row {
	seen := make(map[ID]bool)
	first := slices.DeleteFunc(slices.SortedFunc(slices.Values(rows), order), func(row Row) bool {
		repeated := seen[id(row)]
		seen[id(row)] = true
		return repeated
	})
	return first[:min(len(first), maxSuggestions)]
}
