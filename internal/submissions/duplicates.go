package submissions

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"docket/internal/convert"
	"docket/internal/db"
	"docket/internal/extsort"
	"docket/internal/urlform"
)

// LikelyDuplicates are URLs that probably lead to the same page.
type LikelyDuplicates struct {
	Differences []urlform.Likeness // by which the URLs differ, in their order
	Count       int                // of the URLs
	URLs        []StoredURL        // the first ones by id, at most MostListed
}

// StoredURL is a URL in its full form.
type StoredURL struct {
	ID  int32
	URL string
}

// MostListed bounds how many URLs of a group are held in memory.
const MostListed = 1000

const (
	formsPerPage = 10_000
	sortMemory   = 16 << 20 // bytes, of each of two sorts
)

// EachLikelyDuplicates calls found for every group of stored URLs that differ only by an urlform.Likeness: first groups with a single
// difference, in the order of the differences, then those with several. It reads every URL, in pages and not in one snapshot, and
// changes nothing. The memory does not grow with the number of URLs. progress is called with the number of URLs that were
// read, and that of all. An error of found ends the search.
func (s *Service) EachLikelyDuplicates(
	ctx context.Context, progress func(done, total int64), found func(LikelyDuplicates) error,
) (err error) {
	urls, groups := extsort.New(sortMemory), extsort.New(sortMemory)
	defer func() { err = errors.Join(err, urls.Close(), groups.Close()) }()
	if err := s.sortByKey(ctx, urls, progress); err != nil {
		return fmt.Errorf("find duplicates: %w", err)
	}
	if err := sortGroups(urls, groups); err != nil {
		return fmt.Errorf("find duplicates: %w", err)
	}
	for record, err := range groups.Sorted() {
		if err != nil {
			return fmt.Errorf("find duplicates: %w", err)
		}
		if err := found(decodeGroup(record)); err != nil {
			return err
		}
	}
	return nil
}

// sortByKey passes every URL to a sorter, by its key without any difference.
func (s *Service) sortByKey(ctx context.Context, urls *extsort.Sorter, progress func(done, total int64)) error {
	total, err := queries.URLCountAll(ctx, s.pool)
	if err != nil {
		return fmt.Errorf("count URLs: %w", err)
	}
	page := db.URLFormListAfterParams{Most: formsPerPage}
	for done := int64(0); ; progress(done, max(done, total)) {
		rows, err := queries.URLFormListAfter(ctx, s.pool, page)
		if err != nil {
			return fmt.Errorf("list URLs: %w", err)
		}
		if len(rows) == 0 {
			return nil
		}
		for _, row := range rows {
			if err := urls.Add(encodeURL(row)); err != nil {
				return err
			}
		}
		page.AfterID = rows[len(rows)-1].ID
		done += int64(len(rows))
	}
}

// sortGroups reads URLs by their key, and passes those that share it to another sorter, by their differences.
func sortGroups(urls, groups *extsort.Sorter) error {
	var (
		group []db.URLFormListAfterRow
		key   []byte
		count int
	)
	flush := func() error {
		if count < 2 {
			return nil
		}
		return groups.Add(encodeGroup(group, count))
	}
	for record, err := range urls.Sorted() {
		if err != nil {
			return err
		}
		next, row := decodeURL(record)
		if !bytes.Equal(next, key) {
			if err := flush(); err != nil {
				return err
			}
			group, key, count = group[:0], next, 0
		}
		if count++; count <= MostListed {
			group = append(group, row)
		}
	}
	return flush()
}

// differences returns what the URLs, which have the same key, differ by: what some have and others have not, and what makes several
// equal when it is removed, as different tracking parameters.
func differences(group []db.URLFormListAfterRow) (differing []urlform.Likeness) {
	all := urlform.Likenesses()
	before := keysOf(group, nil)
	for i, l := range all {
		after := keysOf(group, all[:i+1])
		changed := 0
		for u := range group {
			if after[u] != before[u] {
				changed++
			}
		}
		if changed > 0 && changed < len(group) || number(after) < number(before) {
			differing = append(differing, l)
		}
		before = after
	}
	return differing
}

func keysOf(group []db.URLFormListAfterRow, removed []urlform.Likeness) []string {
	return convert.Each(group, func(row db.URLFormListAfterRow) string { return formOf(row).Key(removed...) })
}

// number returns how many different texts there are.
func number(texts []string) int { return len(slices.Compact(slices.Sorted(slices.Values(texts)))) }

func formOf(row db.URLFormListAfterRow) urlform.Form {
	return urlform.Form{ID: row.URL, Scheme: row.Scheme, TrailingSlash: row.TrailingSlash}
}

// encodeURL makes a record that sorts by key and id. PostgreSQL stores no text with a zero byte, which therefore ends texts.
func encodeURL(row db.URLFormListAfterRow) []byte {
	form := formOf(row)
	record := append([]byte(form.Key(urlform.Likenesses()...)), 0)
	record = binary.BigEndian.AppendUint32(record, uint32(row.ID))
	slash, scheme := byte(0), byte(0)
	if row.TrailingSlash {
		slash = 1
	}
	if row.Scheme != nil {
		scheme = 1
	}
	record = append(record, slash, scheme)
	record = append(append(record, form.SchemeText()...), 0)
	return append(record, row.URL...)
}

func decodeURL(record []byte) (key []byte, row db.URLFormListAfterRow) {
	key, rest, _ := bytes.Cut(record, []byte{0})
	row.ID = int32(binary.BigEndian.Uint32(rest))
	row.TrailingSlash = rest[4] == 1
	scheme, url, _ := bytes.Cut(rest[6:], []byte{0})
	if rest[5] == 1 {
		row.Scheme = new(string(scheme))
	}
	row.URL = string(url)
	return key, row
}

// encodeGroup makes a record that sorts by the number of differences, the differences and the first URL.
func encodeGroup(group []db.URLFormListAfterRow, count int) []byte {
	differing := differences(group)
	record := []byte{byte(len(differing))}
	for _, l := range differing {
		record = append(record, byte(l))
	}
	body := binary.BigEndian.AppendUint32(nil, uint32(count))
	for i, row := range group {
		full := urlform.Full(row.Scheme, &row.URL, row.TrailingSlash)
		if i == 0 {
			record = append(append(record, row.URL...), 0)
		}
		body = binary.BigEndian.AppendUint32(body, uint32(row.ID))
		body = append(append(body, full...), 0)
	}
	return append(record, body...)
}

func decodeGroup(record []byte) (group LikelyDuplicates) {
	number := int(record[0])
	for _, l := range record[1 : 1+number] {
		group.Differences = append(group.Differences, urlform.Likeness(l))
	}
	_, rest, _ := bytes.Cut(record[1+number:], []byte{0})
	group.Count = int(binary.BigEndian.Uint32(rest))
	for rest = rest[4:]; len(rest) > 0; {
		url := StoredURL{ID: int32(binary.BigEndian.Uint32(rest))}
		full, after, _ := bytes.Cut(rest[4:], []byte{0})
		url.URL, rest = string(full), after
		group.URLs = append(group.URLs, url)
	}
	return group
}
