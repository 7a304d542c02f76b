package imports

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

// tidy returns a name without white space around it, and with one blank for each run of white space inside.
func tidy(name string) string { return strings.Join(strings.Fields(name), " ") }

// nameForm is the form in which names are compared, regardless of letter case and runs of white space. The view agency_identity
// compares agencies and proposals in the same form.
func nameForm(name string) string { return strings.ToLower(tidy(name)) }

// directory holds the agencies of the database, and those that the import will store.
type directory struct {
	known  map[string][]*knownAgency // by nameForm
	pieces int                       // the largest number of parts between separators in a name, at least 1
}

type knownAgency struct {
	id           int32 // 0 until it is stored
	name         string
	jurisdiction string
	places       []place // of the locations
	locations    []int64 // without those of this import
}

func newDirectory(size int) directory {
	return directory{known: make(map[string][]*knownAgency, size), pieces: 1}
}

func loadDirectory(ctx context.Context, tx pgx.Tx) (directory, error) {
	rows, err := queries.AgencyListAll(ctx, tx)
	if err != nil {
		return directory{}, fmt.Errorf("list agencies: %w", err)
	}
	d := newDirectory(len(rows))
	var last *knownAgency
	for _, row := range rows {
		if last == nil || last.id != row.ID {
			last = &knownAgency{id: row.ID, name: row.Name, jurisdiction: string(row.JurisdictionType)}
			d.put(last)
		}
		if row.LocationID != 0 {
			last.locations = append(last.locations, row.LocationID)
			last.places = append(last.places, place{state: row.StateIso, countyFIPS: row.CountyFips, locality: row.LocalityName})
		}
	}
	return d, nil
}

func (d *directory) put(agency *knownAgency) {
	key := nameForm(agency.name)
	d.known[key] = append(d.known[key], agency)
	d.pieces = max(d.pieces, 1+strings.Count(key, separator))
}

// arrival is what an import has to do about an agency of a file.
type arrival struct {
	agency *knownAgency
	isNew  bool
	from   *place // the place that the agency is moved from, to the one of the row
	placed bool   // the agency had no place, and gets the one of the row
}

// duplicate reports whether there is nothing to do.
func (a arrival) duplicate() bool { return !a.isNew && !a.placed && a.from == nil }

// meet compares an agency of a file with the known ones, and records what the import will do about it. An agency of the same name
// in the same state is known. It moves to the place of the row if that is within its only place: an earlier file did not name the
// smaller place, or named it wrongly. An agency of another jurisdiction does not move. One without a place counts as being in every
// state, and gets the place of the row.
func (d *directory) meet(row agencyRow) arrival {
	candidates := d.known[nameForm(row.name)]
	for _, known := range candidates {
		for i, p := range known.places {
			if p.state != row.place.state {
				continue
			}
			met := arrival{agency: known}
			if known.jurisdiction == row.jurisdiction && len(known.places) == 1 && p.contains(row.place) {
				met.from = &p
				known.places[i] = row.place
			}
			return met
		}
	}
	for _, known := range candidates {
		if len(known.places) == 0 {
			known.places = []place{row.place}
			return arrival{agency: known, placed: true}
		}
	}
	fresh := &knownAgency{name: row.name, jurisdiction: row.jurisdiction, places: []place{row.place}}
	d.put(fresh)
	return arrival{agency: fresh, isNew: true}
}

// separator is between the names of a list, and can be part of a name.
const separator = "|"

// split splits a list of names. From the left, each name is the longest text between separators that is the name of a known
// agency, or, if there is none, the text up to the next separator.
func (d directory) split(list string) []string {
	var names []string
	for rest := strings.Split(list, separator); len(rest) > 0; {
		var name string
		length := min(d.pieces, len(rest))
		for ; length > 0; length-- {
			name = strings.TrimSpace(strings.Join(rest[:length], separator))
			if len(d.known[nameForm(name)]) > 0 || length == 1 {
				break
			}
		}
		if name != "" {
			names = append(names, name)
		}
		rest = rest[length:]
	}
	return names
}

// find returns the agency with a name in the same letter case or, if there is none, in another one. If there are several or
// none it returns the reason why none is meant.
func (d directory) find(name string) (agency *knownAgency, reason string) {
	candidates := d.known[nameForm(name)]
	var exact []*knownAgency
	for _, known := range candidates {
		if tidy(known.name) == tidy(name) {
			exact = append(exact, known)
		}
	}
	if len(exact) > 0 {
		candidates = exact
	}
	switch len(candidates) {
	case 0:
		return nil, reasonUnknownAgency
	case 1:
		return candidates[0], ""
	default:
		return nil, reasonSeveralAgencies
	}
}
