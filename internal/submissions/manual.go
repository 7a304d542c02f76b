package submissions

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"docket/internal/changelog"
	"docket/internal/convert"
	"docket/internal/db"
	"docket/internal/idempotency"
	"docket/internal/ranking"
	"docket/internal/urlform"
)

// ManualEntry is a URL of a batch entered by hand, with what is known about it. An empty text means nothing.
type ManualEntry struct {
	URL               string
	Name              string
	Description       string
	CollectorMetadata []byte // a JSON object, or nil
	RecordType        string // a fact, not a suggestion
	RecordFormats     []string
	DataPortalType    string
	SupplyingEntity   string
}

// BatchResult is the result of entering a batch by hand.
type BatchResult struct {
	BatchID int32
	URLIDs  []int32  // of the new URLs, ascending, in the order they were given
	LeftOut []string // URLs as given that are invalid, known or repeated
	Invalid []InvalidEntry
}

// InvalidEntry is an entry whose URL is invalid.
type InvalidEntry struct {
	Index  int // of the entry, from 0
	URL    string
	Reason string // for the person who entered it
}

// manualURL is an entry that can be stored unless it is known.
type manualURL struct {
	ManualEntry
	form urlform.Form
	id   int32 // set when stored
}

// EnterBatch stores the new ones of the URLs in a batch of the user, with what is known about them, and adds them to the
// queue, in one transaction. A batch without a new URL is stored as well.
func (s *Service) EnterBatch(ctx context.Context, userID int32, name string, entries []ManualEntry) (BatchResult, error) {
	given := make([]*manualURL, len(entries)) // nil where the entry is left out
	var urls []*manualURL
	seen := make(map[string]bool, len(entries))
	var invalid []InvalidEntry
	for i, entry := range entries {
		form, err := urlform.Parse(entry.URL)
		if err != nil {
			invalid = append(invalid, InvalidEntry{i, entry.URL, err.Error()})
		} else if !seen[form.ID] {
			seen[form.ID] = true
			given[i] = &manualURL{ManualEntry: entry, form: form}
			urls = append(urls, given[i])
		}
	}
	entered, err := idempotency.Once(ctx, s.pool, func(tx pgx.Tx) (entered BatchResult, err error) {
		entered.BatchID, err = queries.ManualBatchInsert(ctx, tx, db.ManualBatchInsertParams{UserID: userID, Name: name})
		if err != nil {
			return entered, fmt.Errorf("store batch: %w", err)
		}
		fresh, err := s.storeManual(ctx, tx, urls)
		if err != nil {
			return entered, err
		}
		entered.Invalid = invalid
		for i, url := range given {
			if url == nil || url.id == 0 {
				entered.LeftOut = append(entered.LeftOut, entries[i].URL)
			}
		}
		if len(fresh) == 0 {
			return entered, nil
		}
		entered.URLIDs = convert.Each(fresh, func(url *manualURL) int32 { return url.id })
		if err := describeManual(ctx, tx, entered.BatchID, fresh); err != nil {
			return entered, err
		}
		return entered, ranking.Recount(ctx, tx, entered.URLIDs)
	})
	if err != nil {
		return BatchResult{}, fmt.Errorf("enter batch: %w", err)
	}
	return entered, nil
}

// storeManual stores the new ones of the URLs, sets their ids and returns them.
func (s *Service) storeManual(ctx context.Context, tx pgx.Tx, urls []*manualURL) (fresh []*manualURL, err error) {
	known, err := queries.URLListByIDForm(ctx, tx, convert.Each(urls, func(url *manualURL) string { return url.form.ID }))
	if err != nil {
		return nil, fmt.Errorf("look up URLs: %w", err)
	}
	byForm := make(map[string]*manualURL, len(urls))
	for _, url := range urls {
		url.id = 0 // may be set by an attempt that was rolled back
		byForm[url.form.ID] = url
	}
	for _, url := range known {
		delete(byForm, url.URL)
	}
	var missing []*manualURL
	for _, url := range urls {
		if byForm[url.form.ID] != nil {
			missing = append(missing, url)
		}
	}
	stored, err := queries.ManualURLInsertMany(ctx, tx, db.ManualURLInsertManyParams{
		Urls:              convert.Each(missing, func(url *manualURL) string { return url.form.ID }),
		Schemes:           convert.Each(missing, func(url *manualURL) string { return url.form.SchemeText() }),
		TrailingSlashes:   convert.Each(missing, func(url *manualURL) bool { return url.form.TrailingSlash }),
		Names:             convert.Each(missing, func(url *manualURL) string { return url.Name }),
		Descriptions:      convert.Each(missing, func(url *manualURL) string { return url.Description }),
		CollectorMetadata: convert.Each(missing, func(url *manualURL) string { return string(url.CollectorMetadata) }),
	})
	if err != nil {
		return nil, fmt.Errorf("store URLs: %w", err)
	}
	changes := changelog.New(db.OperationTypeINSERT, changelog.URLs)
	for _, row := range stored {
		url := byForm[row.URL]
		url.id = row.ID
		fresh = append(fresh, url)
		changes.Add(row.ID, nil, row.NewData)
	}
	return fresh, s.changes.Write(ctx, tx, changes)
}

// describeManual puts new URLs into their batch and stores what is known about them.
func describeManual(ctx context.Context, tx pgx.Tx, batchID int32, urls []*manualURL) error {
	var (
		types    db.URLRecordTypeInsertManyParams
		metadata db.ManualMetadataInsertManyParams
	)
	for _, url := range urls {
		if url.RecordType != "" {
			types.URLIDs, types.RecordTypes = append(types.URLIDs, url.id), append(types.RecordTypes, url.RecordType)
		}
		metadata.URLIDs = append(metadata.URLIDs, url.id)
		metadata.DataPortalTypes = append(metadata.DataPortalTypes, url.DataPortalType)
		metadata.SupplyingEntities = append(metadata.SupplyingEntities, url.SupplyingEntity)
		for i, format := range url.RecordFormats {
			metadata.FormatURLIDs = append(metadata.FormatURLIDs, url.id)
			metadata.FormatPositions = append(metadata.FormatPositions, int32(i))
			metadata.Formats = append(metadata.Formats, format)
		}
	}
	link := db.BatchURLInsertManyParams{BatchID: batchID, URLIDs: metadata.URLIDs}
	if err := queries.BatchURLInsertMany(ctx, tx, link); err != nil {
		return fmt.Errorf("put URLs into batch: %w", err)
	}
	if err := queries.URLRecordTypeInsertMany(ctx, tx, types); err != nil {
		return fmt.Errorf("store record types: %w", err)
	}
	if err := queries.ManualMetadataInsertMany(ctx, tx, metadata); err != nil {
		return fmt.Errorf("store metadata: %w", err)
	}
	return nil
}
