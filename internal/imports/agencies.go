package imports

import (
	"cmp"
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

	number int // among the accepted rows, from 1
}

func (r *agencyRow) numbers() []*int64 { return []*int64{&r.line} }

func (r *agencyRow) texts() []*string {
	return []*string{&r.name, &r.jurisdiction, &r.place.state, &r.place.countyFIPS, &r.place.county, &r.place.locality}
}

// Agencies stores the agencies of a CSV file with the columns AgencyColumns, each linked to the smallest place that the file
// gives: locality, county, state, or the nation for a federal agency without a state. Unknown places are created. An agency
// with the same name, in any letter case, in the same state is a duplicate and changes nothing; a known agency without a place
// counts as being in every state.
//
// The column homepage_url is allowed and not read, because agencies have no such column: home pages are imported as URLs of
// type "meta url".
//
// The file is read to its end before anything is stored, into a temporary file of about its size. Then the agencies are stored in
// parts, each in a transaction with its places, so that other writers wait for some tenths of a second at most. After an error,
// including the end of ctx, the parts that were stored remain, the summary counts them, and importing the file again stores the
// others. A strict import stores nothing if a row is rejected.
func Agencies(ctx context.Context, pool *postgres.Pool, file io.Reader, o Options) (AgencySummary, error) {
	rows, err := openSpool()
	if err != nil {
		return AgencySummary{}, err
	}
	defer rows.close()
	read, err := readAgencies(file, rows)
	if err != nil {
		return AgencySummary{}, err
	}
	if err := o.refuse(read); err != nil {
		return AgencySummary{Accounting: read}, err
	}
	i := agencyImport{
		importer: importer{options: o, what: "agencies", total: read.Rows - read.Rejected},
		summary:  AgencySummary{Accounting: read}, rows: rows.reader(readAhead),
	}
	err = i.run(ctx, pool, func() error { return i.store(ctx) })
	return i.summary, err
}

// agencyImport stores the agencies of a file.
type agencyImport struct {
	importer
	summary   AgencySummary
	directory directory  // of the database and of the rows that next returned
	gazetteer *gazetteer // of the database, nil if it must be read

	rows   *spoolReader
	offset int64 // of the next row
	number int   // of the last row
}

func (i *agencyImport) store(ctx context.Context) error {
	err := i.conn.InTx(ctx, func(tx pgx.Tx) (err error) {
		i.directory, err = loadDirectory(ctx, tx)
		return err
	})
	if err != nil {
		return err
	}
	err = inParts(ctx, &i.importer, i.next, func(tx pgx.Tx, agencies []agencyRow) (func() error, error) {
		part := agencyPart{agencies: slices.Clone(agencies)} // places change while they are stored
		err := i.storePart(ctx, tx, &part)
		return func() error {
			i.gazetteer = part.gazetteer
			return i.stored(ctx, agencies[len(agencies)-1].number-int(i.done), part.count(&i.summary))
		}, err
	})
	if err != nil {
		return err
	}
	return i.stored(ctx, i.number-int(i.done), 0) // duplicates at the end
}

// next returns the next agency that is unknown, or io.EOF after the last one. It counts the duplicates.
func (i *agencyImport) next() (row agencyRow, err error) {
	for i.offset < i.rows.size {
		if i.offset, err = i.rows.read(i.offset, row.numbers(), row.texts()); err != nil {
			return row, err
		}
		i.number++
		if i.directory.add(row.name, row.place.state) {
			row.number = i.number
			return row, nil
		}
		i.summary.Duplicate++
	}
	return row, io.EOF
}

// agencyPart is a part of the agencies of a file, and what storing it has done.
type agencyPart struct {
	agencies  []agencyRow
	gazetteer *gazetteer
	created   placesCreated
	links     int64
	notes     []csvfile.Problem
}

func (i *agencyImport) storePart(ctx context.Context, tx pgx.Tx, part *agencyPart) (err error) {
	note := func(line int64, d *csvfile.Defect) {
		part.notes = append(part.notes, csvfile.Problem{Line: line, Column: d.Column, Value: d.Value, Reason: d.Reason})
	}
	known := i.gazetteer
	i.gazetteer = nil // it contains places that are not stored, until the part is
	if known == nil {
		if known, err = loadGazetteer(ctx, tx); err != nil {
			return err
		}
	}
	part.gazetteer = known
	if part.created, err = known.settle(ctx, tx, part.agencies, note); err != nil {
		return err
	}
	part.links, err = queries.AgencyInsertMany(ctx, tx, db.AgencyInsertManyParams{
		Names:             convert.Each(part.agencies, func(a agencyRow) string { return a.name }),
		JurisdictionTypes: convert.Each(part.agencies, func(a agencyRow) string { return a.jurisdiction }),
		LocationIDs:       convert.Each(part.agencies, func(a agencyRow) int64 { return part.gazetteer.location(a.place) }),
	})
	if err != nil {
		return fmt.Errorf("store agencies: %w", err)
	}
	return nil
}

// count adds the part to the summary, once it is committed, and returns how many rows of the database changed.
func (p *agencyPart) count(s *AgencySummary) (changed int64) {
	for _, n := range p.notes {
		s.Note(n.Line, csvfile.NewDefect(n.Column, n.Value, n.Reason))
	}
	created := int64(len(p.agencies))
	s.Created += created
	s.Links += p.links
	s.States += p.created.states
	s.Counties += p.created.counties
	s.Localities += p.created.localities
	s.Locations += p.created.locations
	return created + p.links + p.created.states + p.created.counties + p.created.localities + p.created.locations
}

// readAgencies reads the whole file, and adds the accepted rows to the spool.
func readAgencies(r io.Reader, rows *spool) (a csvfile.Accounting, err error) {
	columns := csvfile.Columns{Required: AgencyColumns, Optional: AgencyOptionalColumns, Ignored: []string{"homepage_url"}}
	var failed error
	err = csvfile.ReadAll(r, columns, &a, func(row csvfile.Row) *csvfile.Defect {
		agency, defect := agencyFromRow(row, a.Note)
		if defect == nil && failed == nil {
			_, failed = rows.add(agency.numbers(), agency.texts())
		}
		return defect
	})
	if err = cmp.Or(err, failed); err != nil {
		return a, err
	}
	return a, rows.flush()
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
