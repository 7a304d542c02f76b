package robots

import (
	"context"
	"fmt"

	"docket/internal/convert"
	"docket/internal/db"
)

// writeSuggestions stores suggestions of one attribute, and returns how many of them changed something, and of which URLs.
func writeSuggestions(
	ctx context.Context, tx db.DBTX, task int32, attribute string, given []suggestion,
) (changed int, urls []int32, err error) {
	switch attribute {
	case attributeAgency:
		return writeAgencies(ctx, tx, task, given)
	case attributeLocation:
		return writeLocations(ctx, tx, task, given)
	case attributeRecordType:
		urls, err = queries.RobotRecordTypeUpsertMany(ctx, tx, db.RobotRecordTypeUpsertManyParams{
			URLIDs: convert.Each(given, suggestedURL), RecordTypes: convert.Each(given, suggestedText),
		})
	case attributeRelevant:
		urls, err = queries.RobotRelevanceUpsertMany(ctx, tx, db.RobotRelevanceUpsertManyParams{
			URLIDs:      convert.Each(given, suggestedURL),
			Relevant:    convert.Each(given, func(s suggestion) bool { return s.relevant }),
			Confidences: convert.Each(given, func(s suggestion) float64 { return s.confidence }),
			ModelNames:  convert.Each(given, func(s suggestion) string { return s.source }),
		})
	case attributeName:
		urls, err = queries.RobotNameInsertMany(ctx, tx, db.RobotNameInsertManyParams{
			URLIDs: convert.Each(given, suggestedURL), Suggestions: convert.Each(given, suggestedText),
		})
	}
	return len(urls), urls, err
}

func suggestedURL(s suggestion) int32   { return s.url }
func suggestedText(s suggestion) string { return s.text }

// look is what a method, looking for the agencies or the locations of a URL, found at all.
type look struct {
	url    int32
	method string
	found  bool
}

// looks tells what suggestions of agencies or locations say of looks, and which of them name something.
func looks(given []suggestion) (all []look, found []suggestion) {
	seen := make(map[look]bool, len(given))
	for _, s := range given {
		l := look{s.url, s.source, s.entity != 0}
		if !seen[l] {
			seen[l] = true
			all = append(all, l)
		}
		if l.found {
			found = append(found, s)
		}
	}
	return all, found
}

func writeAgencies(ctx context.Context, tx db.DBTX, task int32, given []suggestion) (changed int, urls []int32, err error) {
	all, found := looks(given)
	subtasks, err := queries.RobotAgencySubtaskInsertMany(ctx, tx, db.RobotAgencySubtaskInsertManyParams{
		TaskID:  task,
		URLIDs:  convert.Each(all, func(l look) int32 { return l.url }),
		Methods: convert.Each(all, func(l look) string { return l.method }),
		Found:   convert.Each(all, func(l look) bool { return l.found }),
	})
	if err != nil {
		return 0, nil, fmt.Errorf("store looks: %w", err)
	}
	for _, subtask := range subtasks {
		urls = append(urls, subtask.URLID)
		if !subtask.AgenciesFound {
			changed++
		}
	}
	if len(found) == 0 {
		return changed, urls, nil
	}
	update := db.RobotAgencySuggestionUpdateManyParams{
		URLIDs:      convert.Each(found, suggestedURL),
		Methods:     convert.Each(found, func(s suggestion) string { return s.source }),
		AgencyIDs:   convert.Each(found, func(s suggestion) int32 { return int32(s.entity) }),
		Confidences: convert.Each(found, func(s suggestion) int32 { return int32(s.confidence) }),
	}
	updated, err := queries.RobotAgencySuggestionUpdateMany(ctx, tx, update)
	if err != nil {
		return 0, nil, fmt.Errorf("change confidence: %w", err)
	}
	inserted, err := queries.RobotAgencySuggestionInsertMany(ctx, tx, db.RobotAgencySuggestionInsertManyParams(update))
	if err != nil {
		return 0, nil, err
	}
	return changed + len(updated) + len(inserted), append(append(urls, updated...), inserted...), nil
}

func writeLocations(ctx context.Context, tx db.DBTX, task int32, given []suggestion) (changed int, urls []int32, err error) {
	all, found := looks(given)
	subtasks, err := queries.RobotLocationSubtaskInsertMany(ctx, tx, db.RobotLocationSubtaskInsertManyParams{
		TaskID:  task,
		URLIDs:  convert.Each(all, func(l look) int32 { return l.url }),
		Methods: convert.Each(all, func(l look) string { return l.method }),
		Found:   convert.Each(all, func(l look) bool { return l.found }),
	})
	if err != nil {
		return 0, nil, fmt.Errorf("store looks: %w", err)
	}
	for _, subtask := range subtasks {
		urls = append(urls, subtask.URLID)
		if !subtask.LocationsFound {
			changed++
		}
	}
	if len(found) == 0 {
		return changed, urls, nil
	}
	stored, err := queries.RobotLocationSuggestionUpsertMany(ctx, tx, db.RobotLocationSuggestionUpsertManyParams{
		URLIDs:      convert.Each(found, suggestedURL),
		Methods:     convert.Each(found, func(s suggestion) string { return s.source }),
		LocationIDs: convert.Each(found, func(s suggestion) int64 { return s.entity }),
		Confidences: convert.Each(found, func(s suggestion) float64 { return s.confidence }),
	})
	return changed + len(stored), append(urls, stored...), err
}
