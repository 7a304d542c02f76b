package robots

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"docket/internal/convert"
	"docket/internal/csvfile"
	"docket/internal/db"
	"docket/internal/postgres"
	"docket/internal/ranking"
)

// Result says what became of robots' suggestions. Each is in one of the three counts.
type Result struct {
	Stored    int // new or changed
	Unchanged int // known, or contradicted by a later one of the same request
	Rejected  []Rejection
}

// Rejection says why a suggestion was not taken.
type Rejection struct {
	Index  int // where it stood, from 0
	Detail string
}

// Suggest stores what robots suggest, each suggestion that is in order and about something that exists; the others are
// rejected one by one, in the order they were given. To suggest the same again changes nothing. What was suggested before:
//
//   - An agency or a location of the same URL and method gets the new confidence. Others of that method stay.
//   - That a method found none is stored where nothing is known of it, and forgotten when it finds one.
//   - Record type and relevance are replaced.
//   - Names stay, for people may have endorsed them; a name that the URL has already, from whomever, is known.
//
// Of several suggestions for the same thing the last one counts.
func (s *Service) Suggest(ctx context.Context, given []Suggestion) (Result, error) {
	var (
		taken    []suggestion
		rejected []rejection
	)
	for i, g := range given {
		checked, d := checkSuggestion(g)
		checked.index = i
		if d != nil {
			rejected = append(rejected, rejection{i, d})
			continue
		}
		taken = append(taken, checked)
	}
	stored, err := storeSuggestions(ctx, s.pool, taken, nil)
	if err != nil {
		return Result{}, fmt.Errorf("store suggestions of robots: %w", err)
	}
	rejected = append(rejected, stored.rejected...)
	slices.SortFunc(rejected, func(a, b rejection) int { return cmp.Compare(a.index, b.index) })
	return Result{
		Stored:    stored.count,
		Unchanged: len(given) - len(rejected) - stored.count,
		Rejected: convert.Each(rejected, func(r rejection) Rejection {
			return Rejection{r.index, detail(r.defect)}
		}),
	}, nil
}

type rejection struct {
	index  int
	defect *csvfile.Defect
}

// storedSuggestions is what one transaction did.
type storedSuggestions struct {
	count    int
	rejected []rejection
	tasks    map[string]int32 // by attribute: those there were, and new ones
	newTasks int64
	touched  []int32 // URLs, some of them more than once
}

// storeSuggestions stores suggestions in one transaction. What they change is linked to a task for each attribute, that of
// the given ones or a new one.
func storeSuggestions(
	ctx context.Context, pool *pgxpool.Pool, given []suggestion, tasks map[string]int32,
) (stored storedSuggestions, err error) {
	if len(given) == 0 {
		return storedSuggestions{tasks: tasks}, nil
	}
	err = postgres.InTx(ctx, pool, func(tx pgx.Tx) error {
		stored = storedSuggestions{tasks: make(map[string]int32)}
		maps.Copy(stored.tasks, tasks)
		return stored.store(ctx, tx, slices.Clone(given))
	})
	return stored, err
}

func (r *storedSuggestions) store(ctx context.Context, tx pgx.Tx, given []suggestion) error {
	given, err := r.findURLs(ctx, tx, given)
	if err != nil || len(given) == 0 {
		return err
	}
	if given, err = r.findEntities(ctx, tx, given); err != nil {
		return err
	}
	byAttribute := latest(given)
	// The order of every writer of suggestions.
	for _, attribute := range []string{attributeRelevant, attributeRecordType, attributeName, attributeAgency, attributeLocation} {
		if given := byAttribute[attribute]; len(given) > 0 {
			if err := r.storeAttribute(ctx, tx, attribute, given); err != nil {
				return fmt.Errorf("store %s: %w", attribute, err)
			}
		}
	}
	if len(r.touched) == 0 {
		return nil
	}
	return ranking.Recount(ctx, tx, r.touched)
}

// findURLs fills in the ids of URLs, locks these, and rejects what is about no URL.
func (r *storedSuggestions) findURLs(ctx context.Context, tx pgx.Tx, given []suggestion) ([]suggestion, error) {
	var forms []string
	for _, s := range given {
		if s.form != "" {
			forms = append(forms, s.form)
		}
	}
	byForm := make(map[string]int32, len(forms))
	if len(forms) > 0 {
		known, err := queries.URLListByIDForm(ctx, tx, forms)
		if err != nil {
			return nil, fmt.Errorf("look up URLs: %w", err)
		}
		for _, url := range known {
			byForm[url.URL] = url.ID
		}
	}
	for i := range given {
		if s := &given[i]; s.form != "" {
			s.url = byForm[s.form]
		}
	}
	known, err := queries.RobotURLLockMany(ctx, tx, convert.Each(given, func(s suggestion) int32 { return s.url }))
	if err != nil {
		return nil, fmt.Errorf("lock URLs: %w", err)
	}
	return r.reject(given, func(s suggestion) *csvfile.Defect {
		_, found := slices.BinarySearch(known, s.url)
		switch {
		case found:
			return nil
		case s.form != "":
			return csvfile.NewDefect("url", s.form, reasonURLUnknown)
		default:
			return csvfile.NewDefect("url_id", fmt.Sprint(s.url), reasonURLUnknown)
		}
	}), nil
}

// findEntities locks the agencies and locations, and rejects what names others.
func (r *storedSuggestions) findEntities(ctx context.Context, tx pgx.Tx, given []suggestion) ([]suggestion, error) {
	var (
		agencies  []int32
		locations []int64
		err       error
	)
	for _, s := range given {
		switch s.attribute {
		case attributeAgency:
			agencies = append(agencies, int32(s.entity))
		case attributeLocation:
			locations = append(locations, s.entity)
		}
	}
	if len(agencies) > 0 {
		if agencies, err = queries.RobotAgencyLockMany(ctx, tx, agencies); err != nil {
			return nil, fmt.Errorf("lock agencies: %w", err)
		}
	}
	if len(locations) > 0 {
		if locations, err = queries.RobotLocationLockMany(ctx, tx, locations); err != nil {
			return nil, fmt.Errorf("lock locations: %w", err)
		}
	}
	return r.reject(given, func(s suggestion) *csvfile.Defect {
		found, reason := true, reasonAgencyUnknown
		switch {
		case s.entity == 0: // another attribute, or none found
		case s.attribute == attributeAgency:
			_, found = slices.BinarySearch(agencies, int32(s.entity))
		default:
			_, found = slices.BinarySearch(locations, s.entity)
			reason = reasonPlaceUnknown
		}
		if found {
			return nil
		}
		return csvfile.NewDefect("value", fmt.Sprint(s.entity), reason)
	}), nil
}

// reject keeps the suggestions that nothing is wrong with.
func (r *storedSuggestions) reject(given []suggestion, wrong func(suggestion) *csvfile.Defect) []suggestion {
	return slices.DeleteFunc(given, func(s suggestion) bool {
		d := wrong(s)
		if d != nil {
			r.rejected = append(r.rejected, rejection{s.index, d})
		}
		return d != nil
	})
}

// latest keeps the last of the suggestions for each thing, by attribute and URL. That none was found is not kept beside
// something that was.
func latest(given []suggestion) map[string][]suggestion {
	type thing struct {
		attribute string
		url       int32
		method    string
		entity    int64
		name      string
	}
	last := make(map[thing]suggestion, len(given))
	found := make(map[thing]bool)
	for _, s := range given {
		of := thing{attribute: s.attribute, url: s.url}
		switch s.attribute {
		case attributeName:
			of.name = s.text
		case attributeAgency, attributeLocation:
			of.method = s.source
			found[of] = found[of] || s.entity != 0
			of.entity = s.entity
		}
		last[of] = s
	}
	byAttribute := make(map[string][]suggestion)
	for of, s := range last {
		if of.entity == 0 && found[of] {
			continue
		}
		byAttribute[s.attribute] = append(byAttribute[s.attribute], s)
	}
	for _, suggestions := range byAttribute {
		slices.SortFunc(suggestions, func(a, b suggestion) int {
			return cmp.Or(cmp.Compare(a.url, b.url), cmp.Compare(a.index, b.index))
		})
	}
	return byAttribute
}

// taskTypes are those under which the reference runs what suggests an attribute.
var taskTypes = map[string]db.TaskType{
	attributeAgency:     db.TaskTypeAgencyIdentification,
	attributeLocation:   db.TaskTypeLocationID,
	attributeRecordType: db.TaskTypeRecordType,
	attributeRelevant:   db.TaskTypeRelevancy,
	attributeName:       db.TaskTypeAutoName,
}

// storeAttribute stores suggestions of one attribute, each for another thing and in the order of URL ids.
func (r *storedSuggestions) storeAttribute(ctx context.Context, tx pgx.Tx, attribute string, given []suggestion) error {
	task, known := r.tasks[attribute]
	if !known {
		var err error
		if task, err = queries.RobotTaskInsert(ctx, tx, taskTypes[attribute]); err != nil {
			return fmt.Errorf("open task: %w", err)
		}
	}
	changed, urls, err := writeSuggestions(ctx, tx, task, attribute, given)
	if err != nil {
		return err
	}
	if len(urls) == 0 {
		if known {
			return nil
		}
		return queries.RobotTaskDelete(ctx, tx, task)
	}
	r.count += changed
	r.touched = append(r.touched, urls...)
	if !known {
		r.tasks[attribute] = task
		r.newTasks++
	}
	return queries.RobotTaskURLInsertMany(ctx, tx, db.RobotTaskURLInsertManyParams{TaskID: task, URLIDs: urls})
}
