package imports

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

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

// contains reports whether other is a smaller place within p.
func (p place) contains(other place) bool {
	switch {
	case p.state == "" || p.state != other.state || p.locality != "":
		return false
	case p.countyFIPS == "":
		return other.countyFIPS != ""
	default:
		return p.countyFIPS == other.countyFIPS && other.locality != ""
	}
}

// gazetteer holds the places of the database.
type gazetteer struct {
	national   int64 // location, 0 if there is none
	states     map[string]knownPlace
	counties   map[string]knownPlace // by FIPS code
	countyName map[nameWithin]string // the FIPS code, by state and name
	localities map[nameWithin]knownPlace
}

type knownPlace struct {
	id       int64
	location int64 // 0 if it has none yet
}

// located is what a location is of; the place of the nation is 0.
type located struct {
	kind  db.LocationType
	place int64
}

type nameWithin struct {
	parent int64
	name   string // as nameForm
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
		g.countyName[nameWithin{c.StateID, nameForm(c.Name)}] = c.Fips
	}
	for _, l := range localities {
		name := nameWithin{int64(l.CountyID), nameForm(l.Name)}
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
	return g.localities[nameWithin{g.counties[p.countyFIPS].id, nameForm(p.locality)}]
}

// placesCreated counts what an import stored.
type placesCreated struct {
	states, counties, localities, locations int64
}

// settle creates the places of agencies that are missing, and locations for them; in a database with triggers for that, the
// triggers create the locations. The places are added to the gazetteer, which must not be used any more if the transaction is
// rolled back.
func (g *gazetteer) settle(ctx context.Context, tx pgx.Tx, agencies []agencyRow) (created placesCreated, err error) {
	// Each kind needs the ids of the kind above it. What is missing is read after it was stored, because a writer that does not
	// take the import lock may have stored the same place.
	steps := []struct {
		what  string
		count *int64
		add   func() (n int64, err error)
	}{
		{"states", &created.states, func() (int64, error) { return g.addStates(ctx, tx, agencies) }},
		{"counties", &created.counties, func() (int64, error) { return g.addCounties(ctx, tx, agencies) }},
		{"localities", &created.localities, func() (int64, error) { return g.addLocalities(ctx, tx, agencies) }},
		{"locations", &created.locations, func() (int64, error) { return g.addLocations(ctx, tx, agencies) }},
	}
	for _, step := range steps {
		if *step.count, err = step.add(); err != nil {
			return created, fmt.Errorf("add %s: %w", step.what, err)
		}
	}
	for _, a := range agencies {
		if g.location(a.place) == 0 {
			return created, fmt.Errorf("another transaction changed the place of line %d during the import; try again", a.line)
		}
	}
	return created, nil
}

// The add methods store what is missing of one kind, add it to the gazetteer, and return how many rows they stored.

func (g *gazetteer) addStates(ctx context.Context, tx pgx.Tx, agencies []agencyRow) (n int64, err error) {
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
		return 0, nil
	}
	if n, err = queries.StateInsertMany(ctx, tx, add); err != nil {
		return 0, err
	}
	states, err := queries.StateListAll(ctx, tx)
	for _, s := range states {
		if slices.Contains(add.StateIsos, s.StateIso) {
			g.states[s.StateIso] = knownPlace{id: s.ID}
		}
	}
	return n, err
}

func (g *gazetteer) addCounties(ctx context.Context, tx pgx.Tx, agencies []agencyRow) (n int64, err error) {
	var add db.CountyInsertManyParams
	for _, a := range agencies {
		p := a.place
		if _, known := g.counties[p.countyFIPS]; known || p.countyFIPS == "" {
			continue
		}
		g.counties[p.countyFIPS] = knownPlace{}
		add.Fips = append(add.Fips, p.countyFIPS)
		add.Names = append(add.Names, p.county)
		add.StateIds = append(add.StateIds, int32(g.states[p.state].id))
	}
	if len(add.Fips) == 0 {
		return 0, nil
	}
	if n, err = queries.CountyInsertMany(ctx, tx, add); err != nil {
		return 0, err
	}
	counties, err := queries.CountyListByFIPS(ctx, tx, add.Fips)
	for _, c := range counties {
		g.counties[c.Fips] = knownPlace{id: c.ID}
	}
	return n, err
}

func (g *gazetteer) addLocalities(ctx context.Context, tx pgx.Tx, agencies []agencyRow) (n int64, err error) {
	var add db.LocalityInsertManyParams
	for _, a := range agencies {
		if a.place.locality == "" || g.locality(a.place).id != 0 {
			continue
		}
		county := g.counties[a.place.countyFIPS].id
		g.localities[nameWithin{county, nameForm(a.place.locality)}] = knownPlace{id: -1} // being added
		add.Names = append(add.Names, a.place.locality)
		add.CountyIds = append(add.CountyIds, int32(county))
	}
	if len(add.Names) == 0 {
		return 0, nil
	}
	if n, err = queries.LocalityInsertMany(ctx, tx, add); err != nil {
		return 0, err
	}
	localities, err := queries.LocalityListByName(ctx, tx, db.LocalityListByNameParams(add))
	for _, l := range localities {
		g.localities[nameWithin{int64(l.CountyID), nameForm(l.Name)}] = knownPlace{id: l.ID}
	}
	return n, err
}

// addLocations stores the missing locations of the places of agencies, and of the state and the county around each.
func (g *gazetteer) addLocations(ctx context.Context, tx pgx.Tx, agencies []agencyRow) (n int64, err error) {
	missing := make(map[located]func(location int64)) // what adds each to the gazetteer
	lack := func(kind db.LocationType, p knownPlace, add func(knownPlace)) {
		if p.id != 0 && p.location == 0 {
			missing[located{kind, p.id}] = func(location int64) { add(knownPlace{p.id, location}) }
		}
	}
	for _, a := range agencies {
		p, locality := a.place, nameWithin{g.counties[a.place.countyFIPS].id, nameForm(a.place.locality)}
		if p.state == "" && g.national == 0 {
			missing[located{kind: db.LocationTypeNational}] = func(location int64) { g.national = location }
		}
		lack(db.LocationTypeState, g.states[p.state], func(known knownPlace) { g.states[p.state] = known })
		lack(db.LocationTypeCounty, g.counties[p.countyFIPS], func(known knownPlace) { g.counties[p.countyFIPS] = known })
		lack(db.LocationTypeLocality, g.localities[locality], func(known knownPlace) { g.localities[locality] = known })
	}
	if len(missing) == 0 {
		return 0, nil
	}
	var add db.LocationInsertMissingParams
	for of := range missing {
		switch of.kind {
		case db.LocationTypeNational:
			add.National = true
		case db.LocationTypeState:
			add.StateIds = append(add.StateIds, of.place)
		case db.LocationTypeCounty:
			add.CountyIds = append(add.CountyIds, of.place)
		case db.LocationTypeLocality:
			add.LocalityIds = append(add.LocalityIds, of.place)
		}
	}
	if n, err = queries.LocationInsertMissing(ctx, tx, add); err != nil {
		return 0, err
	}
	locations, err := queries.LocationListByPlace(ctx, tx, db.LocationListByPlaceParams(add))
	for _, l := range locations {
		missing[located{l.Type, l.PlaceID}](l.ID)
	}
	return n, err
}
