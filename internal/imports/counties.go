package imports

import "slices"

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

// mostCountyNames bounds how many different names of a county in a file are tried.
const mostCountyNames = 4

// namedCounties are the counties of a file. All of it decides which of them can be created and how they are named, before the
// first agency is stored: so it does not matter in which order rows are, and a second import changes nothing.
type namedCounties struct {
	counties map[string]*namedCounty // by FIPS code
	order    []string                // codes in the order of the file
}

type namedCounty struct {
	state string   // postal code
	names []string // in the order of the file, different ones

	known bool   // in the database
	name  string // of a county to be created, empty if it cannot be
}

// add adds the county of a place, if it has one.
func (n *namedCounties) add(p place) {
	if p.countyFIPS == "" {
		return
	}
	if n.counties == nil {
		n.counties = make(map[string]*namedCounty)
	}
	county, ok := n.counties[p.countyFIPS]
	if !ok {
		county = &namedCounty{state: p.state}
		n.counties[p.countyFIPS] = county
		n.order = append(n.order, p.countyFIPS)
	}
	if p.county != "" && len(county.names) < mostCountyNames && !slices.Contains(county.names, p.county) {
		county.names = append(county.names, p.county)
	}
}

// settle decides the names of the counties that the gazetteer does not have. Names are unique within a state: a county gets the
// first of its names that no other county has.
func (n *namedCounties) settle(g *gazetteer) {
	type nameIn struct{ state, name string }
	given := make(map[nameIn]bool)
	for _, code := range n.order {
		county := n.counties[code]
		if _, county.known = g.counties[code]; county.known {
			continue
		}
		state, stateKnown := g.states[county.state]
		taken := func(name string) bool {
			_, ok := g.countyName[nameWithin{state.id, nameForm(name)}]
			return stateKnown && ok || given[nameIn{county.state, nameForm(name)}]
		}
		independentCity := code[2:] >= "510" // the numbers of counties are lower
		for _, name := range county.names {
			if slices.Contains(homonyms, code) || independentCity && taken(name) {
				name += " city"
			}
			if !taken(name) {
				county.name = name
				given[nameIn{county.state, nameForm(name)}] = true
				break
			}
		}
	}
}

// place returns the place of a row with the name of its county, or its state and the reason why the county cannot be created.
func (n *namedCounties) place(p place) (_ place, reason string) {
	county := n.counties[p.countyFIPS]
	switch {
	case county == nil || county.known:
		return p, ""
	case county.name != "":
		p.county = county.name
		return p, ""
	case p.county == "":
		return place{state: p.state}, reasonCountyNoName
	default:
		return place{state: p.state}, reasonCountyName
	}
}
