package imports

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"

	"docket/internal/convert"
	"docket/internal/csvfile"
	"docket/internal/db"
	"docket/internal/postgres"
)

// AgencyColumns are the columns that a file of agencies must have, AgencyOptionalColumns those that it may have, in any order.
var (
	AgencyColumns         = []string{"agency", "jurisdiction_type", "state"}
	AgencyOptionalColumns = []string{"county_fips", "county", "locality"}
)

// jurisdictionTypes are the values of jurisdiction_type_enum.
var jurisdictionTypes = []string{"school", "county", "local", "port", "tribal", "transit", "state", federal}

const federal = "federal"

const (
	maxAgencyName   = 500 // characters
	maxLocalityName = 255 // characters, as of the column
)

const (
	reasonNoAgency     = "the agency has no name"
	reasonAgencyName   = "the name of the agency is longer than 500 characters"
	reasonJurisdiction = "not a jurisdiction type"
	reasonState        = "not the postal code of a state or territory"
	reasonNoState      = "an agency that is not federal needs a state"
	reasonFIPS         = "not the FIPS code of a county (five digits): linked to the state"
	reasonFIPSState    = "the county is in another state than the agency: linked to the agency's state"
	reasonNoCounty     = "a locality needs a county: linked to the state"
	reasonCountyNoFIPS = "a county needs a FIPS code: linked to the state"
	reasonLocality     = "not the name of a locality (at most 255 characters, no comma): linked to the county"
)

// AgencySummary counts what an import of agencies did.
type AgencySummary struct {
	csvfile.Accounting
	States, Counties, Localities int64 // created
	Locations                    int64 // created
	Links                        int64 // of agencies to locations, created
}

// Unchanged reports whether the import changed nothing in the database.
func (s AgencySummary) Unchanged() bool {
	return s.Created+s.States+s.Counties+s.Localities+s.Locations+s.Links == 0
}

// agencyRow is an accepted row.
type agencyRow struct {
	line         int64
	name         string
	jurisdiction string
	place        place
}

// Agencies stores the agencies of a CSV file with the columns AgencyColumns, each linked to the smallest place that the file
// gives: locality, county, state, or the nation for a federal agency without a state. Unknown places are created. An agency
// with the same name, in any letter case, in the same state is a duplicate and changes nothing; a known agency without a place
// counts as being in every state.
//
// The column homepage_url is allowed and not read, because agencies have no such column: home pages are imported as URLs of
// type "meta url".
//
// The import stores all rows that were not rejected or, with an error, nothing. The summary counts the rows that were read in
// both cases.
func Agencies(ctx context.Context, pool *postgres.Pool, file io.Reader, o Options) (AgencySummary, error) {
	read, rows, err := readAgencies(file)
	if err != nil {
		return AgencySummary{}, err
	}
	if err := o.refuse(read); err != nil {
		return AgencySummary{Accounting: read}, err
	}
	var summary AgencySummary
	err = postgres.InTx(ctx, pool, func(tx pgx.Tx) error {
		summary = AgencySummary{Accounting: read.Clone()}
		if err := storeAgencies(ctx, tx, rows, o, &summary); err != nil || summary.Unchanged() {
			return err
		}
		return analyze(ctx, tx)
	})
	if err != nil {
		return AgencySummary{Accounting: read}, fmt.Errorf("import agencies: %w", err)
	}
	return summary, nil
}

func storeAgencies(ctx context.Context, tx pgx.Tx, rows []agencyRow, o Options, summary *AgencySummary) error {
	if err := queries.ImportLock(ctx, tx); err != nil {
		return fmt.Errorf("wait for the import lock: %w", err)
	}
	directory, err := loadDirectory(ctx, tx)
	if err != nil {
		return err
	}
	var fresh []agencyRow
	for _, row := range rows {
		if !directory.add(row.name, row.place.state) {
			summary.Duplicate++
			continue
		}
		fresh = append(fresh, row)
	}
	gazetteer, created, err := settle(ctx, tx, fresh, summary.Note)
	if err != nil {
		return err
	}
	summary.States, summary.Counties = created.states, created.counties
	summary.Localities, summary.Locations = created.localities, created.locations

	work := progress{report: o.Progress, total: len(fresh)}
	return inChunks(fresh, func(chunk []agencyRow) error {
		links, err := queries.AgencyInsertMany(ctx, tx, db.AgencyInsertManyParams{
			Names:             convert.Each(chunk, func(a agencyRow) string { return a.name }),
			JurisdictionTypes: convert.Each(chunk, func(a agencyRow) string { return a.jurisdiction }),
			LocationIDs:       convert.Each(chunk, func(a agencyRow) int64 { return gazetteer.location(a.place) }),
		})
		if err != nil {
			return fmt.Errorf("store agencies: %w", err)
		}
		summary.Created += int64(len(chunk))
		summary.Links += links
		work.add(len(chunk))
		return nil
	})
}

// readAgencies reads the whole file.
func readAgencies(r io.Reader) (a csvfile.Accounting, rows []agencyRow, err error) {
	columns := csvfile.Columns{Required: AgencyColumns, Optional: AgencyOptionalColumns, Ignored: []string{"homepage_url"}}
	err = csvfile.ReadAll(r, columns, &a, func(row csvfile.Row) *csvfile.Defect {
		agency, defect := agencyFromRow(row, a.Note)
		if defect == nil {
			rows = append(rows, agency)
		}
		return defect
	})
	return a, rows, err
}

// agencyFromRow checks a row. A defect of the agency or its state rejects the row; a smaller place with a defect is left out
// with a note.
func agencyFromRow(row csvfile.Row, note csvfile.NoteFunc) (agencyRow, *csvfile.Defect) {
	name, jurisdiction, iso := row.Fields[0], strings.ToLower(row.Fields[1]), strings.ToUpper(row.Fields[2])
	fips, county, locality := row.Fields[3], row.Fields[4], row.Fields[5]

	agency := agencyRow{line: row.Line, name: name, jurisdiction: jurisdiction}
	state, stateKnown := stateByISO(iso)
	switch {
	case name == "":
		return agency, csvfile.NewDefect("agency", "", reasonNoAgency)
	case utf8.RuneCountInString(name) > maxAgencyName:
		return agency, csvfile.NewDefect("agency", name, reasonAgencyName)
	case !slices.Contains(jurisdictionTypes, jurisdiction):
		return agency, csvfile.NewDefect("jurisdiction_type", row.Fields[1], reasonJurisdiction)
	case iso == "" && jurisdiction != federal:
		return agency, csvfile.NewDefect("state", "", reasonNoState)
	case iso != "" && !stateKnown:
		return agency, csvfile.NewDefect("state", row.Fields[2], reasonState)
	case iso == "":
		return agency, nil
	}

	agency.place.state = iso
	locality = strings.TrimRight(locality, ", ")
	switch {
	case fips == "" && county != "":
		note(row.Line, csvfile.NewDefect("county", county, reasonCountyNoFIPS))
	case fips == "" && locality != "":
		note(row.Line, csvfile.NewDefect("locality", locality, reasonNoCounty))
	case fips == "":
	case !isFIPS(fips):
		note(row.Line, csvfile.NewDefect("county_fips", fips, reasonFIPS))
	case fips[:2] != state.FIPS:
		note(row.Line, csvfile.NewDefect("county_fips", fips, reasonFIPSState))
	case strings.Contains(locality, ",") || utf8.RuneCountInString(locality) > maxLocalityName:
		note(row.Line, csvfile.NewDefect("locality", locality, reasonLocality))
		agency.place.countyFIPS, agency.place.county = fips, county
	default:
		agency.place.countyFIPS, agency.place.county, agency.place.locality = fips, county, locality
	}
	return agency, nil
}

func isFIPS(code string) bool {
	if len(code) != 5 {
		return false
	}
	for i := range len(code) {
		if code[i] < '0' || code[i] > '9' {
			return false
		}
	}
	return true
}
