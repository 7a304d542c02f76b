package imports

import (
	"cmp"
	"context"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"

	"docket/internal/csvfile"
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
	Moved                        int64 // known agencies that were linked to a smaller place, or for the first time
}

// Unchanged reports whether the import changed nothing in the database.
func (s AgencySummary) Unchanged() bool {
	return s.Created+s.States+s.Counties+s.Localities+s.Locations+s.Links+s.Moved == 0
}

// agencyRow is an accepted row.
type agencyRow struct {
	line         int64
	name         string
	jurisdiction string
	place        place

	number int // among the accepted rows, from 1
	met    arrival
}

func (r *agencyRow) numbers() []*int64 { return []*int64{&r.line} }

func (r *agencyRow) texts() []*string {
	return []*string{&r.name, &r.jurisdiction, &r.place.state, &r.place.countyFIPS, &r.place.county, &r.place.locality}
}

// Agencies stores the agencies of a CSV file with the columns AgencyColumns, each linked to the smallest place that the file
// gives: locality, county, state, or the nation for a federal agency without a state. Unknown places are created. An agency
// with the same name in the same state, regardless of letter case and runs of white space, is a duplicate. It gets the place of
// the row if that is smaller, within the only place that it has, or if it has none. So a better file corrects the places that an
// earlier one did not name or named wrongly, and their order does not matter.
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
	var counties namedCounties
	read, err := readAgencies(file, rows, &counties)
	if err != nil {
		return AgencySummary{}, err
	}
	if err := o.refuse(read); err != nil {
		return AgencySummary{Accounting: read}, err
	}
	i := agencyImport{
		importer: importer{options: o, what: "agencies", total: read.Rows - read.Rejected},
		summary:  AgencySummary{Accounting: read}, rows: rows.reader(readAhead), counties: counties,
	}
	err = i.run(ctx, pool, func() error { return i.store(ctx) })
	return i.summary, err
}

// agencyImport stores the agencies of a file.
type agencyImport struct {
	importer
	summary   AgencySummary
	counties  namedCounties
	directory directory  // of the database and of the rows that next returned
	gazetteer *gazetteer // of the database, nil if it must be read

	rows   *spoolReader
	offset int64 // of the next row
	number int   // of the last row
}

func (i *agencyImport) store(ctx context.Context) error {
	err := i.conn.InTx(ctx, func(tx pgx.Tx) (err error) {
		if i.gazetteer, err = loadGazetteer(ctx, tx); err != nil {
			return err
		}
		i.directory, err = loadDirectory(ctx, tx)
		return err
	})
	if err != nil {
		return err
	}
	i.counties.settle(i.gazetteer)
	err = inParts(ctx, &i.importer, i.next, func(tx pgx.Tx, agencies []agencyRow) (func() error, error) {
		part := agencyPart{agencies: agencies}
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

// next returns the next agency that changes something, or io.EOF after the last one. It counts the others, which are duplicates.
// An agency whose county cannot be created is linked to its state, with a note.
func (i *agencyImport) next() (row agencyRow, err error) {
	for i.offset < i.rows.size {
		if i.offset, err = i.rows.read(i.offset, row.numbers(), row.texts()); err != nil {
			return row, err
		}
		i.number++
		county := row.place.county
		var reason string
		row.place, reason = i.counties.place(row.place)
		if row.met = i.directory.meet(row); row.met.duplicate() {
			i.summary.Duplicate++
			continue
		}
		if reason != "" {
			i.summary.Note(row.line, csvfile.NewDefect("county", county, reason))
		}
		row.number = i.number
		return row, nil
	}
	return row, io.EOF
}

// agencyPart is a part of the agencies of a file, and what storing it has done.
type agencyPart struct {
	agencies  []agencyRow
	gazetteer *gazetteer
	created   placesCreated
	stored    int64 // agencies that are new
	moved     int64 // agencies that were known
}

func (i *agencyImport) storePart(ctx context.Context, tx pgx.Tx, part *agencyPart) (err error) {
	known := i.gazetteer
	i.gazetteer = nil // it contains places that are not stored, until the part is
	if known == nil {
		if known, err = loadGazetteer(ctx, tx); err != nil {
			return err
		}
	}
	part.gazetteer = known
	if part.created, err = known.settle(ctx, tx, part.agencies); err != nil {
		return err
	}
	part.stored, part.moved, err = storeAgencyRows(ctx, tx, part.agencies, part.gazetteer)
	return err
}

// count adds the part to the summary, once it is committed, and returns how many rows of the database changed.
func (p *agencyPart) count(s *AgencySummary) (changed int64) {
	s.Created += p.stored
	s.Links += p.stored
	s.Duplicate += int64(len(p.agencies)) - p.stored
	s.Moved += p.moved
	s.States += p.created.states
	s.Counties += p.created.counties
	s.Localities += p.created.localities
	s.Locations += p.created.locations
	return 2*p.stored + p.moved + p.created.states + p.created.counties + p.created.localities + p.created.locations
}

// readAgencies reads the whole file, and adds the accepted rows to the spool and their counties to the counties.
func readAgencies(r io.Reader, rows *spool, counties *namedCounties) (a csvfile.Accounting, err error) {
	columns := csvfile.Columns{Required: AgencyColumns, Optional: AgencyOptionalColumns, Ignored: []string{"homepage_url"}}
	var failed error
	err = csvfile.ReadAll(r, columns, &a, func(row csvfile.Row) *csvfile.Defect {
		agency, defect := agencyFromRow(row, a.Note)
		if defect == nil && failed == nil {
			counties.add(agency.place)
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
	name, jurisdiction, iso := tidy(row.Fields[0]), strings.ToLower(row.Fields[1]), strings.ToUpper(row.Fields[2])
	county, locality := tidy(row.Fields[4]), tidy(row.Fields[5])

	agency := agencyRow{line: row.Line, name: name, jurisdiction: jurisdiction}
	state, stateKnown := stateByISO(iso)
	fips := countyCode(row.Fields[3], state)
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
		note(row.Line, csvfile.NewDefect("county_fips", row.Fields[3], reasonFIPS))
	case fips[:2] != state.FIPS:
		note(row.Line, csvfile.NewDefect("county_fips", row.Fields[3], reasonFIPSState))
	case strings.Contains(locality, ",") || utf8.RuneCountInString(locality) > maxLocalityName:
		note(row.Line, csvfile.NewDefect("locality", locality, reasonLocality))
		agency.place.countyFIPS, agency.place.county = fips, county
	default:
		agency.place.countyFIPS, agency.place.county, agency.place.locality = fips, county, locality
	}
	return agency, nil
}

// countyCode restores a county code that a program took for a number: without its leading zero if the state has one, or with the
// decimal ".0" at its end.
func countyCode(code string, state State) string {
	restored := strings.TrimSuffix(code, ".0")
	if len(restored) == 4 {
		restored = "0" + restored
	}
	if isFIPS(restored) && restored[:2] == state.FIPS {
		return restored
	}
	return code
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
