package robots

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/jackc/pgx/v5"

	"docket/internal/convert"
	"docket/internal/csvfile"
	"docket/internal/db"
	"docket/internal/history"
)

// partRows is how many rows one statement stores: enough that round trips take little of the time, few enough that the parameters
// have at most some megabytes.
const partRows = 5000

// writer stores suggestions in one transaction. It locks the URLs, then the agencies, then the locations, each in the order of
// their ids, and stores the attributes in their order: concurrent writers wait for each other and do not deadlock.
type writer struct {
	Options
	tasks map[string]int32 // by attribute: those of the options, and new ones

	newTasks int
	changed  map[string]int // suggestions, by attribute
	urls     []int32        // of the changes, some of them more than once
	rejected []rejection
	events   map[int32]history.Suggestions // what is new or changed, by URL
}

func newWriter(o Options) *writer {
	w := &writer{Options: o, tasks: make(map[string]int32), changed: make(map[string]int), events: make(map[int32]history.Suggestions)}
	maps.Copy(w.tasks, o.Tasks)
	return w
}

// stored returns how many suggestions are new or changed.
func (w *writer) stored() (n int) {
	for _, changed := range w.changed {
		n += changed
	}
	return n
}

// store stores what is not rejected. It takes ownership of given.
func (w *writer) store(ctx context.Context, tx pgx.Tx, given []suggestion) error {
	given, err := w.lockURLs(ctx, tx, given)
	if err != nil {
		return err
	}
	if given, err = w.lockEntities(ctx, tx, given); err != nil {
		return err
	}
	byAttribute := latest(given)
	for _, attribute := range Attributes {
		if given := byAttribute[attribute]; len(given) > 0 {
			if err := w.storeAttribute(ctx, tx, attribute, given); err != nil {
				return fmt.Errorf("store %s: %w", attribute, err)
			}
		}
	}
	return history.Append(ctx, tx, convert.Each(slices.Sorted(maps.Keys(w.events)), func(urlID int32) history.Event {
		return history.Event{URLID: urlID, Kind: history.Suggested, Detail: w.events[urlID]}
	}))
}

// lockURLs fills in the ids of URLs, locks the URLs, and rejects the suggestions about URLs that do not exist. It takes ownership of
// given.
func (w *writer) lockURLs(ctx context.Context, tx pgx.Tx, given []suggestion) ([]suggestion, error) {
	var forms []string
	for _, s := range given {
		forms = append(forms, s.forms...)
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
		s := &given[i]
		for _, form := range s.forms {
			if s.url = byForm[form]; s.url != 0 {
				break
			}
		}
	}
	known, err := lock(ctx, tx, convert.Each(given, urlOf), queries.RobotURLLockMany)
	if err != nil {
		return nil, fmt.Errorf("lock URLs: %w", err)
	}
	return w.reject(given, func(s suggestion) *csvfile.Defect {
		_, found := slices.BinarySearch(known, s.url)
		switch {
		case found:
			return nil
		case s.noPage != nil:
			return s.noPage
		case s.forms != nil:
			return csvfile.NewDefect("url", s.forms[0], reasonURLUnknown)
		default:
			return csvfile.NewDefect("url_id", fmt.Sprint(s.url), reasonURLUnknown)
		}
	}), nil
}

// lockEntities locks the agencies and locations, and rejects the suggestions of others. It takes ownership of given.
func (w *writer) lockEntities(ctx context.Context, tx pgx.Tx, given []suggestion) ([]suggestion, error) {
	var (
		agencies  []int32
		locations []int64
		err       error
	)
	for _, s := range given {
		switch s.attribute {
		case Agency:
			agencies = append(agencies, int32(s.entity))
		case Location:
			locations = append(locations, s.entity)
		}
	}
	if agencies, err = lock(ctx, tx, agencies, queries.RobotAgencyLockMany); err != nil {
		return nil, fmt.Errorf("lock agencies: %w", err)
	}
	if locations, err = lock(ctx, tx, locations, queries.RobotLocationLockMany); err != nil {
		return nil, fmt.Errorf("lock locations: %w", err)
	}
	return w.reject(given, func(s suggestion) *csvfile.Defect {
		found, reason := true, reasonAgencyUnknown
		switch {
		case s.entity == 0: // another attribute, or none found
		case s.attribute == Agency:
			_, found = slices.BinarySearch(agencies, int32(s.entity))
		default:
			_, found = slices.BinarySearch(locations, s.entity)
			reason = reasonLocationUnknown
		}
		if found {
			return nil
		}
		return csvfile.NewDefect("value", fmt.Sprint(s.entity), reason)
	}), nil
}

// lock locks the rows with the ids in ascending order, and returns the ids of those that exist.
func lock[ID cmp.Ordered](
	ctx context.Context, tx pgx.Tx, ids []ID, lockMany func(context.Context, db.DBTX, []ID) ([]ID, error),
) (existing []ID, err error) {
	ids = slices.Compact(slices.Sorted(slices.Values(ids)))
	for part := range slices.Chunk(ids, partRows) {
		locked, err := lockMany(ctx, tx, part)
		if err != nil {
			return nil, err
		}
		existing = append(existing, locked...)
	}
	return existing, nil
}

// reject returns the suggestions without a defect. It takes ownership of given.
func (w *writer) reject(given []suggestion, check func(suggestion) *csvfile.Defect) []suggestion {
	return slices.DeleteFunc(given, func(s suggestion) bool {
		d := check(s)
		if d != nil {
			w.rejected = append(w.rejected, rejection{s.index, d})
		}
		return d != nil
	})
}

// latest returns the last of the suggestions for each thing, by attribute and in the order of URL ids. That a method found none
// is dropped when the method found one as well.
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
		case Name:
			of.name = s.text
		case Agency, Location:
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

// taskTypes are those of the reference's tasks that suggest an attribute.
var taskTypes = map[string]db.TaskType{
	Agency:     db.TaskTypeAgencyIdentification,
	Location:   db.TaskTypeLocationID,
	RecordType: db.TaskTypeRecordType,
	Relevant:   db.TaskTypeRelevancy,
	Name:       db.TaskTypeAutoName,
}

// storeAttribute stores suggestions of one attribute, which are for different things and in the order of URL ids.
func (w *writer) storeAttribute(ctx context.Context, tx pgx.Tx, attribute string, given []suggestion) error {
	if w.Keep && attribute != Agency && attribute != Location {
		changes, err := w.write(ctx, tx, 0, attribute, given)
		w.add(attribute, given, changes)
		return err
	}
	task, known := w.tasks[attribute]
	if !known {
		var err error
		if task, err = queries.RobotTaskInsert(ctx, tx, taskTypes[attribute]); err != nil {
			return fmt.Errorf("store task: %w", err)
		}
	}
	changes, err := w.write(ctx, tx, task, attribute, given)
	if err != nil {
		return err
	}
	w.add(attribute, given, changes)
	linked := changes.urls
	if w.Keep {
		linked = changes.searched
	}
	switch {
	case len(linked) > 0 && !known:
		w.tasks[attribute] = task
		w.newTasks++
	case len(linked) == 0 && !known:
		return queries.RobotTaskDelete(ctx, tx, task)
	case len(linked) == 0:
		return nil
	}
	return queries.RobotTaskURLInsertMany(ctx, tx, db.RobotTaskURLInsertManyParams{TaskID: task, URLIDs: linked})
}

// add adds what has changed of the suggestions of one attribute, which are in the order of URL ids.
func (w *writer) add(attribute string, given []suggestion, c changes) {
	w.changed[attribute] += c.suggestions
	w.urls = append(w.urls, c.urls...)
	changed := slices.Sorted(slices.Values(c.urls))
	for _, s := range given {
		if _, found := slices.BinarySearch(changed, s.url); !found {
			continue
		}
		if w.events[s.url] == nil {
			w.events[s.url] = history.Suggestions{}
		}
		w.events[s.url][attribute] = append(w.events[s.url][attribute], s.value())
	}
}
