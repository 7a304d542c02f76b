package intake

import (
	"context"
	"fmt"
	"strings"

	"docket/internal/db"
)

// directory is what the database knows of agencies, by name in lower case.
type directory map[string][]*knownAgency

type knownAgency struct {
	id        int32 // 0 while it is being imported
	name      string
	states    []string // postal codes, empty for the nation; none at all when the agency has no location
	locations []int64
}

func loadDirectory(ctx context.Context, tx db.DBTX) (directory, error) {
	rows, err := queries.AgencyListAll(ctx, tx)
	if err != nil {
		return nil, fmt.Errorf("list agencies: %w", err)
	}
	d := make(directory, len(rows))
	var last *knownAgency
	for _, row := range rows {
		if last == nil || last.id != row.ID {
			last = &knownAgency{id: row.ID, name: row.Name}
			key := strings.ToLower(row.Name)
			d[key] = append(d[key], last)
		}
		if row.LocationID != 0 {
			last.locations = append(last.locations, row.LocationID)
			last.states = append(last.states, row.StateIso)
		}
	}
	return d, nil
}

// add notes an agency that is about to be stored, and returns false if it is known already.
func (d directory) add(name, state string) bool {
	key := strings.ToLower(name)
	for _, known := range d[key] {
		if len(known.states) == 0 {
			return false
		}
		for _, s := range known.states {
			if s == state {
				return false
			}
		}
	}
	d[key] = append(d[key], &knownAgency{name: name, states: []string{state}})
	return true
}

// find returns the agency that a file means by a name: the one spelled so or, if there is none, the one that
// differs in letter case only. Where several would do it returns what is wrong.
func (d directory) find(name string) (agency *knownAgency, reason string) {
	candidates := d[strings.ToLower(name)]
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
