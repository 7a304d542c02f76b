package sample

import (
	"fmt"
	"strings"

	"docket/internal/db/sampledb"
	"docket/internal/imports"
)

// firstCountyCode is above the codes of real counties within a state.
const firstCountyCode = 901

const (
	localitiesPerCounty = 4
	firstAgencyID       = 23191 // the start of the sequence in the schema
	nationalLocation    = 1
)

// agency is what other parts of the generator use of an agency.
type agency struct {
	id       int32
	name     string
	host     string
	location int64
	parent   int64 // the location one level up
	records  []sampledb.RecordType
}

// span is a range of agencies, by index. Agencies with close indexes are close on the map.
type span struct{ from, to int }

// layOut generates states, counties, localities and their agencies.
func (w *World) layOut(d dice, states []imports.State) {
	counties := min(5+w.urls/25_000, 40)
	w.Locations = append(w.Locations, sampledb.LocationInsertManyParams{
		ID: nationalLocation, Type: sampledb.LocationTypeNational,
	})
	for _, name := range []string{"Park Police", "Mint Police", "Capitol Police"} {
		w.addAgency(agency{
			name:     "United States " + name,
			host:     "www.us" + strings.ReplaceAll(strings.ToLower(name), " ", "") + ".gov",
			location: nationalLocation,
			parent:   nationalLocation,
			records:  policeRecords,
		}, sampledb.AgencyTypeEnumLawenforcement, sampledb.JurisdictionTypeEnumFederal)
	}
	for _, state := range states {
		from := len(w.agencies)
		w.layOutState(d, state, counties)
		w.stateSpans = append(w.stateSpans, span{from, len(w.agencies)})
	}
}

func (w *World) layOutState(d dice, state imports.State, counties int) {
	id := int64(len(w.States) + 1)
	w.States = append(w.States, sampledb.StateInsertManyParams{ID: id, StateIso: state.ISO, StateName: &state.Name})
	place := w.addLocation(sampledb.LocationInsertManyParams{Type: sampledb.LocationTypeState, StateID: &id})
	w.stateLocations = append(w.stateLocations, place)

	iso := strings.ToLower(state.ISO)
	w.addAgency(agency{
		name: state.Name + " State Police", host: "statepolice." + iso + ".gov",
		location: place, parent: nationalLocation, records: policeRecords,
	}, sampledb.AgencyTypeEnumLawenforcement, sampledb.JurisdictionTypeEnumState)
	w.addAgency(agency{
		name: state.Name + " Department of Corrections", host: "corrections." + iso + ".gov",
		location: place, parent: nationalLocation, records: jailRecords,
	}, sampledb.AgencyTypeEnumIncarceration, sampledb.JurisdictionTypeEnumState)

	names := placeNames(d, counties*(1+localitiesPerCounty))
	for i := range counties {
		fips := fmt.Sprintf("%s%03d", state.FIPS, firstCountyCode+i)
		w.layOutCounty(d, state, county{stateID: id, state: place, fips: fips, number: i}, names[:1+localitiesPerCounty])
		names = names[1+localitiesPerCounty:]
	}
}

type county struct {
	stateID, state int64 // the state and its location
	fips           string
	number         int // within the state
}

// layOutCounty generates a county, its localities and their agencies. The names are that of the county and those of its
// localities.
func (w *World) layOutCounty(d dice, state imports.State, c county, names []string) {
	id, stateID, name := int64(len(w.Counties)+1), int32(c.stateID), names[0]
	population := int64(2_000 + d.skewed(600_000))
	w.Counties = append(w.Counties, sampledb.CountyInsertManyParams{
		ID: id, Fips: c.fips, Name: &name, StateID: &stateID, Population: &population,
	})
	place := w.addLocation(sampledb.LocationInsertManyParams{
		Type: sampledb.LocationTypeCounty, StateID: &c.stateID, CountyID: &id,
	})

	iso := strings.ToLower(state.ISO)
	domain := strings.ToLower(name) + "county" + iso + ".gov"
	add := func(title, host string, records []sampledb.RecordType, kind sampledb.AgencyTypeEnum) {
		w.addAgency(agency{
			name: name + " County " + title + " - " + state.ISO, host: host + "." + domain,
			location: place, parent: c.state, records: records,
		}, kind, sampledb.JurisdictionTypeEnumCounty)
	}
	add("Sheriff's Office", "sheriff", policeRecords, sampledb.AgencyTypeEnumLawenforcement)
	if c.number%2 == 0 {
		add("Court", "courts", courtRecords, sampledb.AgencyTypeEnumCourt)
	}
	if c.number%3 == 0 {
		add("Jail", "jail", jailRecords, sampledb.AgencyTypeEnumIncarceration)
	}

	for i, name := range names[1:] {
		locality := int64(len(w.Localities) + 1)
		w.Localities = append(w.Localities, sampledb.LocalityInsertManyParams{
			ID: locality, Name: name, CountyID: int32(id),
		})
		at := w.addLocation(sampledb.LocationInsertManyParams{
			Type: sampledb.LocationTypeLocality, StateID: &c.stateID, CountyID: &id, LocalityID: &locality,
		})
		title, jurisdiction := " Police Department - ", sampledb.JurisdictionTypeEnumLocal
		if locality%10 == 0 {
			title, jurisdiction = " School District Police - ", sampledb.JurisdictionTypeEnumSchool
		}
		w.addAgency(agency{
			name: name + title + state.ISO, host: "www." + strings.ToLower(name) + iso + ".gov",
			location: at, parent: place, records: policeRecords,
		}, sampledb.AgencyTypeEnumLawenforcement, jurisdiction)
		if i > 0 && locality%7 == 0 { // serves the neighboring locality as well
			last := w.agencies[len(w.agencies)-1]
			w.AgencyLocations = append(w.AgencyLocations, sampledb.AgencyLocationInsertManyParams{
				AgencyID: last.id, LocationID: at - 1,
			})
		}
	}
}

func (w *World) addLocation(row sampledb.LocationInsertManyParams) int64 {
	row.ID = int64(len(w.Locations) + 1)
	w.Locations = append(w.Locations, row)
	return row.ID
}

func (w *World) addAgency(a agency, kind sampledb.AgencyTypeEnum, jurisdiction sampledb.JurisdictionTypeEnum) {
	a.id = int32(firstAgencyID + len(w.agencies))
	w.agencies = append(w.agencies, a)
	w.Agencies = append(w.Agencies, sampledb.AgencyInsertManyParams{
		ID: a.id, Name: a.name, AgencyType: kind, JurisdictionType: jurisdiction, CreatedAt: epoch, UpdatedAt: epoch,
	})
	w.AgencyLocations = append(w.AgencyLocations, sampledb.AgencyLocationInsertManyParams{
		AgencyID: a.id, LocationID: a.location,
	})
	if len(w.agencies)%10 != 0 { // the newest are not yet in the outward application
		w.AgencyOutwardLinks = append(w.AgencyOutwardLinks, sampledb.AgencyOutwardLinkInsertManyParams{
			AgencyID: &a.id, DsAgencyID: int32(len(w.agencies)), CreatedAt: epoch, LastSyncedAt: epoch,
		})
	}
}
