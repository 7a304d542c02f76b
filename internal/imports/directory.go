package imports

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

// directory is what the database knows of agencies.
type directory struct {
	known  map[string][]*knownAgency // by name in lower case
	pieces int                       // of the name with the most "|" inside, were it cut there; at least 1
}

type knownAgency struct {
	id        int32 // 0 while it is being imported
	name      string
	states    []string // postal codes, empty for the nation; none at all when the agency has no location
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

// add notes an agency that is about to be stored, and returns false if it is known already.
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

// separator stands between the names of a list, and inside some names.
const separator = "|"

// split takes a list of names apart. From the left, the longest text that is the name of a known agency is one, be
// it the whole list; where there is none, the text up to the next separator is one.
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

// find returns the agency that a file means by a name: the one spelled so or, if there is none, the one that
// differs in letter case only. Where several would do it returns what is wrong.
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
