package imports

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

// directory holds the agencies of the database.
type directory struct {
	known  map[string][]*knownAgency // by name in lower case
	pieces int                       // the largest number of parts between separators in a name, at least 1
}

type knownAgency struct {
	id        int32 // 0 while it is being imported
	name      string
	states    []string // a postal code for each location, empty for the nation
	locations []int64
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
			last = &knownAgency{id: row.ID, name: row.Name}
			d.put(last)
		}
		if row.LocationID != 0 {
			last.locations = append(last.locations, row.LocationID)
			last.states = append(last.states, row.StateIso)
		}
	}
	return d, nil
}

func (d *directory) put(agency *knownAgency) {
	key := strings.ToLower(agency.name)
	d.known[key] = append(d.known[key], agency)
	d.pieces = max(d.pieces, 1+strings.Count(key, separator))
}

// add adds an agency that the import will store. It returns false if the agency is known. One without a location counts as
// being in every state.
func (d *directory) add(name, state string) bool {
	for _, known := range d.known[strings.ToLower(name)] {
		if len(known.states) == 0 {
			return false
		}
		for _, s := range known.states {
			if s == state {
				return false
			}
		}
	}
	d.put(&knownAgency{name: name, states: []string{state}})
	return true
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
			if len(d.known[strings.ToLower(name)]) > 0 || length == 1 {
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
	candidates := d.known[strings.ToLower(name)]
	var exact []*knownAgency
	for _, known := range candidates {
		if known.name == name {
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
