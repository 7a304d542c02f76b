package imports

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"docket/internal/csvfile"
	"docket/internal/db"
)

// place is the place of an agency in a file: a locality of a county of a state, or as much of that as the file gives. The zero
// value is the nation.
type place struct {
	state      string // postal code
	countyFIPS string
	county     string
	locality   string
}

// homonyms are the independent cities with the same name as a county of their state. Like the Census Bureau, the import adds
// "city" to their names, also when they are stored before the county.
var homonyms = []string{
	"24510", // Baltimore
	"29510", // St. Louis
	"51600", // Fairfax
	"51620", // Franklin
	"51760", // Richmond
	"51770", // Roanoke
}

const (
	reasonCountyName   = "the county is unknown and its name belongs to another county of the state: linked to the state"
	reasonCountyNoName = "the county is unknown and the file does not name it: linked to the state"
)

// gazetteer holds the places of the database.
type gazetteer struct {
	national   int64 // location, 0 if there is none
	states     map[string]knownPlace
	counties   map[string]knownPlace // by FIPS code
	countyName map[nameWithin]string // the FIPS code, by state and name in lower case
	localities map[nameWithin]knownPlace
}

type knownPlace struct {
	id       int64
	location int64 // 0 if it has none yet
}

type nameWithin struct {
	parent int64
	name   string // in lower case
}

func loadGazetteer(ctx context.Context, tx pgx.Tx) (*gazetteer, error) {
	locations, err := queries.LocationListAll(ctx, tx)
	if err != nil {
		return nil, fmt.Errorf("list locations: %w", err)
	}
	states, err := queries.StateListAll(ctx, tx)
	if err != nil {
		return nil, fmt.Errorf("list states: %w", err)
	}
	counties, err := queries.CountyListAll(ctx, tx)
	if err != nil {
		return nil, fmt.Errorf("list counties: %w", err)
	}
	localities, err := queries.LocalityListAll(ctx, tx)
	if err != nil {
		return nil, fmt.Errorf("list localities: %w", err)
	}
	type located struct {
		kind  db.LocationType
		place int64
	}
	location := make(map[located]int64, len(locations))
	for _, l := range locations {
		location[located{l.Type, l.PlaceID}] = l.ID
	}
	g := &gazetteer{
		national:   location[located{kind: db.LocationTypeNational}],
		states:     make(map[string]knownPlace, len(states)),
		counties:   make(map[string]knownPlace, len(counties)),
		countyName: make(map[nameWithin]string, len(counties)),
		localities: make(map[nameWithin]knownPlace, len(localities)),
	}
	for _, s := range states {
		g.states[s.StateIso] = knownPlace{s.ID, location[located{db.LocationTypeState, s.ID}]}
	}
	for _, c := range counties {
		g.counties[c.Fips] = knownPlace{c.ID, location[located{db.LocationTypeCounty, c.ID}]}
		g.countyName[nameWithin{c.StateID, strings.ToLower(c.Name)}] = c.Fips
	}
	for _, l := range localities {
		name := nameWithin{int64(l.CountyID), strings.ToLower(l.Name)}
		g.localities[name] = knownPlace{l.ID, location[located{db.LocationTypeLocality, l.ID}]}
	}
	return g, nil
}

// location returns the location of the place, 0 if it has none.
func (g *gazetteer) location(p place) int64 {
	switch {
	case p.state == "":
		return g.national
	case p.countyFIPS == "":
		return g.states[p.state].location
	case p.locality == "":
		return g.counties[p.countyFIPS].location
	default:
		return g.locality(p).location
	}
}

// locality returns the locality of the place, or the zero value if the gazetteer has none.
func (g *gazetteer) locality(p place) knownPlace {
	return g.localities[nameWithin{g.counties[p.countyFIPS].id, strings.ToLower(p.locality)}]
}

// placesCreated counts what an import stored.
type placesCreated struct {
	states, counties, localities, locations int64
}

// settle creates the places of agencies that are missing, and locations for them; in a database with triggers for that, the
// triggers create the locations. An agency whose county cannot be created is linked to its state, with a note. It returns a
// gazetteer with all places.
func settle(ctx context.Context, tx pgx.Tx, agencies []agencyRow, note csvfile.NoteFunc) (*gazetteer, placesCreated, error) {
	var created placesCreated
	g, err := loadGazetteer(ctx, tx)
	if err != nil {
		return nil, created, err
	}
	// Each kind needs the ids of the kind above it. The places are read again after each step, because a writer that does not
	// take the import lock may have stored the same place.
	steps := []struct {
		what  string
		count *int64
		add   func() (tried bool, n int64, err error)
	}{
		{"states", &created.states, func() (bool, int64, error) { return g.addStates(ctx, tx, agencies) }},
		{"counties", &created.counties, func() (bool, int64, error) { return g.addCounties(ctx, tx, agencies, note) }},
		{"localities", &created.localities, func() (bool, int64, error) { return g.addLocalities(ctx, tx, agencies) }},
		{"locations", &created.locations, func() (bool, int64, error) { return g.addLocations(ctx, tx, agencies) }},
	}
	for _, step := range steps {
		tried, n, err := step.add()
		if err != nil {
			return nil, created, fmt.Errorf("add %s: %w", step.what, err)
		}
		if !tried {
			continue
		}
		*step.count = n
		if g, err = loadGazetteer(ctx, tx); err != nil {
			return nil, created, err
		}
	}
	for _, a := range agencies {
		if g.location(a.place) == 0 {
			return nil, created, fmt.Errorf("another transaction changed the place of line %d during the import; try again", a.line)
		}
	}
	return g, created, nil
}

// The add methods store what is missing of one kind. They return whether anything was missing, and how many rows they stored.

func (g *gazetteer) addStates(ctx context.Context, tx pgx.Tx, agencies []agencyRow) (tried bool, n int64, err error) {
	var add db.StateInsertManyParams
	for _, a := range agencies {
		if _, known := g.states[a.place.state]; known || a.place.state == "" || slices.Contains(add.StateIsos, a.place.state) {
			continue
		}
		state, _ := stateByISO(a.place.state)
		add.StateIsos = append(add.StateIsos, state.ISO)
		add.Names = append(add.Names, state.Name)
	}
	if len(add.StateIsos) == 0 {
		return false, 0, nil
	}
	n, err = queries.StateInsertMany(ctx, tx, add)
	return true, n, err
}

func (g *gazetteer) addCounties(
	ctx context.Context, tx pgx.Tx, agencies []agencyRow, note csvfile.NoteFunc,
) (tried bool, n int64, err error) {
	var add db.CountyInsertManyParams
	for i := range agencies {
		p := &agencies[i].place
		if _, known := g.counties[p.countyFIPS]; known || p.countyFIPS == "" {
			continue
		}
		state := g.states[p.state].id
		name, reason := g.nameCounty(state, *p)
		if reason != "" {
			note(agencies[i].line, csvfile.NewDefect("county", p.county, reason))
			p.countyFIPS, p.locality = "", ""
			continue
		}
		g.counties[p.countyFIPS] = knownPlace{}
		g.countyName[nameWithin{state, strings.ToLower(name)}] = p.countyFIPS
		add.Fips = append(add.Fips, p.countyFIPS)
		add.Names = append(add.Names, name)
		add.StateIds = append(add.StateIds, int32(state))
	}
	if len(add.Fips) == 0 {
		return false, 0, nil
	}
	n, err = queries.CountyInsertMany(ctx, tx, add)
	return true, n, err
}

// nameCounty returns the name for a new county, or why there is none. Names are unique within a state.
func (g *gazetteer) nameCounty(state int64, p place) (name, reason string) {
	taken := func(name string) bool {
		_, ok := g.countyName[nameWithin{state, strings.ToLower(name)}]
		return ok
	}
	independentCity := p.countyFIPS[2:] >= "510" // the numbers of counties are lower
	name = p.county
	if slices.Contains(homonyms, p.countyFIPS) || independentCity && taken(name) {
		name += " city"
	}
	switch {
	case p.county == "":
		return "", reasonCountyNoName
	case taken(name):
		return "", reasonCountyName
	default:
		return name, ""
	}
}

func (g *gazetteer) addLocalities(ctx context.Context, tx pgx.Tx, agencies []agencyRow) (tried bool, n int64, err error) {
	var add db.LocalityInsertManyParams
	for _, a := range agencies {
		if a.place.locality == "" || g.locality(a.place).id != 0 {
			continue
		}
		county := g.counties[a.place.countyFIPS].id
		g.localities[nameWithin{county, strings.ToLower(a.place.locality)}] = knownPlace{id: -1} // being added
		add.Names = append(add.Names, a.place.locality)
		add.CountyIds = append(add.CountyIds, int32(county))
	}
	if len(add.Names) == 0 {
		return false, 0, nil
	}
	n, err = queries.LocalityInsertMany(ctx, tx, add)
	return true, n, err
}

// addLocations stores the missing locations of the places of agencies, and of the state and the county around each.
func (g *gazetteer) addLocations(ctx context.Context, tx pgx.Tx, agencies []agencyRow) (tried bool, n int64, err error) {
	var add db.LocationInsertMissingParams
	lack := func(ids []int64, p knownPlace) []int64 {
		if p.id == 0 || p.location != 0 {
			return ids
		}
		return append(ids, p.id)
	}
	for _, a := range agencies {
		add.National = add.National || a.place.state == "" && g.national == 0
		add.StateIds = lack(add.StateIds, g.states[a.place.state])
		add.CountyIds = lack(add.CountyIds, g.counties[a.place.countyFIPS])
		add.LocalityIds = lack(add.LocalityIds, g.locality(a.place))
	}
	if !add.National && len(add.StateIds)+len(add.CountyIds)+len(add.LocalityIds) == 0 {
		return false, 0, nil
	}
	n, err = queries.LocationInsertMissing(ctx, tx, add)
	return true, n, err
}
