package imports

import (
	"cmp"
	"crypto/sha256"
	"io"
	"slices"
	"strings"

	"docket/internal/csvfile"
	"docket/internal/db"
	"docket/internal/robots"
	"docket/internal/urlform"
)

// webPage is one URL of a file, with what all of its rows say about it.
type webPage struct {
	form        urlform.Form
	line        int64 // of the first row
	rows        int64
	urlType     string // the first that decides the relevance, empty if there is none
	recordType  string // the first that is one
	name        string
	description string
	named       map[string]bool // agencies, while the rows are read
	entities    []entity        // the known ones, and their locations

	id int32 // set when stored
}

// entity is an agency or a location that a line of the file names.
type entity struct {
	line      int64
	attribute string // robots.Agency or robots.Location
	id        int64
}

// urlRow is an accepted row of a file of URLs.
type urlRow struct {
	line     int64
	previous int64 // offset of the previous row of the same URL, -1 if this is the first one
	slash    int64 // 1 if the URL has a trailing slash

	id, scheme, urlType, recordType, name, description, agencies string
}

func (r *urlRow) numbers() []*int64 { return []*int64{&r.line, &r.previous, &r.slash} }

func (r *urlRow) texts() []*string {
	return []*string{&r.id, &r.scheme, &r.urlType, &r.recordType, &r.name, &r.description, &r.agencies}
}

func (r *urlRow) form() urlform.Form {
	form := urlform.Form{ID: r.id, TrailingSlash: r.slash == 1}
	if r.scheme != "" {
		form.Scheme = &r.scheme
	}
	return form
}

// pages are the URLs of a file in the order of their first rows. The rows are in a spool, and only 8 bytes for each URL in memory.
type pages struct {
	rows *spool
	last []int64 // for each URL the offset of its last row
}

func (p *pages) close() { p.rows.close() }

// urlKey identifies an id form among those of a file, in less memory than the form. It is half a SHA-256: two forms with
// the same key cannot be found.
type urlKey [sha256.Size / 2]byte

func urlKeyOf(id string) urlKey {
	sum := sha256.Sum256([]byte(id))
	return urlKey(sum[:len(urlKey{})])
}

// readURLs reads the whole file. Defects of what it says about URLs are noted only when that becomes suggestions. The caller must
// close the pages, unless there is an error.
func readURLs(r io.Reader, suggest bool) (a csvfile.Accounting, p *pages, err error) {
	rows, err := openSpool()
	if err != nil {
		return a, nil, err
	}
	defer func() {
		if err != nil {
			rows.close()
		}
	}()
	p = &pages{rows: rows}
	var failed error
	index := make(map[urlKey]uint32) // of last
	err = csvfile.ReadAll(r, csvfile.Columns{Required: URLColumns, Optional: URLOptionalColumns}, &a, func(row csvfile.Row) *csvfile.Defect {
		form, err := urlform.Parse(row.Fields[0])
		if err != nil {
			return csvfile.NewDefect("url", row.Fields[0], err.Error())
		}
		if failed != nil {
			return nil
		}
		accepted := acceptedRow(form, row)
		if suggest {
			noteDefects(row, a.Note)
		}
		key := urlKeyOf(form.ID)
		number, known := index[key]
		if known {
			accepted.previous = p.last[number]
		}
		var offset int64
		offset, failed = rows.add(accepted.numbers(), accepted.texts())
		if known {
			p.last[number] = offset
		} else {
			index[key] = uint32(len(p.last))
			p.last = append(p.last, offset)
		}
		return nil
	})
	if err = cmp.Or(err, failed); err != nil {
		return a, nil, err
	}
	return a, p, rows.flush()
}

func acceptedRow(form urlform.Form, row csvfile.Row) *urlRow {
	accepted := urlRow{
		line: row.Line, previous: -1, id: form.ID, scheme: form.SchemeText(), name: shortenName(row.Fields[3]),
		description: row.Fields[4], agencies: row.Fields[5],
	}
	if form.TrailingSlash {
		accepted.slash = 1
	}
	if urlType := strings.ToLower(row.Fields[1]); isURLType(urlType) {
		accepted.urlType = urlType
	}
	if recordType := db.RecordType(row.Fields[2]); recordType.Valid() {
		accepted.recordType = string(recordType)
	}
	return &accepted
}

func isURLType(urlType string) bool {
	_, ok := relevant[urlType]
	return ok
}

// noteDefects notes what of a row cannot become a suggestion, except for its agencies.
func noteDefects(row csvfile.Row, note csvfile.NoteFunc) {
	if urlType := row.Fields[1]; urlType != "" && !isURLType(strings.ToLower(urlType)) {
		note(row.Line, csvfile.NewDefect("url_type", urlType, reasonURLType))
	}
	if recordType := row.Fields[2]; recordType != "" && !db.RecordType(recordType).Valid() {
		note(row.Line, csvfile.NewDefect("record_type", recordType, reasonRecordType))
	}
}

// pageReader reads the pages in order.
type pageReader struct {
	*pages
	directory *directory // nil if agencies do not matter
	note      csvfile.NoteFunc

	inOrder *spoolReader
	single  *spoolReader // of rows that are not the first of their page
	at      int64
	number  int
}

// reader returns a reader of the pages. It notes agencies that are not in the directory, if there is one.
func (p *pages) reader(d *directory, note csvfile.NoteFunc) *pageReader {
	return &pageReader{
		pages: p, directory: d, note: note, inOrder: p.rows.reader(readAhead), single: p.rows.reader(readSingle),
	}
}

// next returns the next page, or io.EOF after the last one.
func (r *pageReader) next() (*webPage, error) {
	for r.number < len(r.last) {
		offset := r.at
		var (
			row urlRow
			err error
		)
		if r.at, err = r.inOrder.read(offset, row.numbers(), row.texts()); err != nil {
			return nil, err
		}
		if row.previous >= 0 {
			continue // a row of an earlier page
		}
		page := &webPage{form: row.form(), line: row.line, named: make(map[string]bool)}
		r.learn(page, &row)
		others, err := r.between(offset, r.last[r.number])
		if err != nil {
			return nil, err
		}
		for _, offset := range others {
			var row urlRow
			if _, err := r.single.read(offset, row.numbers(), row.texts()); err != nil {
				return nil, err
			}
			r.learn(page, &row)
		}
		r.number++
		page.named = nil
		return page, nil
	}
	return nil, io.EOF
}

// between returns the offsets of the rows of a page after its first one.
func (r *pageReader) between(first, last int64) (offsets []int64, err error) {
	for offset := last; offset != first; {
		offsets = append(offsets, offset)
		var row urlRow
		if _, err := r.single.read(offset, row.numbers(), nil); err != nil {
			return nil, err
		}
		offset = row.previous
	}
	slices.Reverse(offsets)
	return offsets, nil
}

// learn adds what one more row says about the page.
func (r *pageReader) learn(p *webPage, row *urlRow) {
	p.rows++
	p.urlType = cmp.Or(p.urlType, row.urlType)
	p.recordType = cmp.Or(p.recordType, row.recordType)
	p.name = cmp.Or(p.name, row.name)
	p.description = cmp.Or(p.description, row.description)
	if r.directory == nil || row.agencies == "" {
		return
	}
	for _, name := range r.directory.split(row.agencies) {
		if p.named[name] {
			continue
		}
		p.named[name] = true
		known, reason := r.directory.find(name)
		if reason != "" {
			r.note(row.line, csvfile.NewDefect("agencies", name, reason))
			continue
		}
		p.entities = append(p.entities, entity{row.line, robots.Agency, int64(known.id)})
		for _, id := range known.locations {
			p.entities = append(p.entities, entity{row.line, robots.Location, id})
		}
	}
}

// shortenName makes a title fit as a suggested name.
func shortenName(name string) string {
	runes := []rune(name)
	if len(runes) <= robots.MaxName {
		return name
	}
	return strings.TrimSpace(string(runes[:robots.MaxName-3])) + "..."
}
