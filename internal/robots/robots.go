// Package robots owns what robots suggest about URLs: agencies, locations, record types, relevance and names. It checks
// suggestions and is their only writer, whether they are in a request, in a file of suggestions or in a file of URLs. What a
// robot states is stored as a suggestion, never as a fact.
package robots

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"docket/internal/convert"
	"docket/internal/csvfile"
	"docket/internal/db"
	"docket/internal/idempotency"
	"docket/internal/postgres"
	"docket/internal/ranking"
)

var queries = db.New()

// The attributes of a URL that robots suggest, as in requests and files.
const (
	Agency     = "agency"
	Location   = "location"
	RecordType = "record_type"
	Relevant   = "relevant"
	Name       = "name"
)

// Attributes are all attributes, in the order in which every writer stores them.
var Attributes = [...]string{Relevant, RecordType, Name, Agency, Location}

// Suggestion is what a robot says about one URL, which is named by its id or by itself in any spelling. Value is a text, a whole
// number or a boolean, as the attribute requires; numbers and booleans may be texts. A nil Value of an agency or a location means
// that the robot searched and found none.
type Suggestion struct {
	URLID      *int32
	URL        *string
	Attribute  string
	Value      any
	Confidence *float64 // 0 to 100, whole for agencies; of relevance 0 to 1
	Source     *string  // the method that found an agency or a location; the model that judged relevance
}

// Service stores what robots suggest. It is safe for concurrent use.
type Service struct {
	pool *postgres.Pool
}

// New returns a Service on the database of pool, which must be migrated.
func New(pool *postgres.Pool) *Service { return &Service{pool: pool} }

// Result counts suggestions by outcome. Each is in one of the three.
type Result struct {
	Stored    int // new or changed
	Unchanged int // known, or contradicted by a later one of the same request
	Rejected  []Rejection
}

// Rejection is the reason why a suggestion was rejected.
type Rejection struct {
	Index  int // of the suggestion in the list, from 0
	Detail string
}

// Suggest stores the suggestions that are correct and about something that exists; the others are rejected one by one, in the
// order they were given. A suggestion that is stored already changes nothing. Earlier suggestions:
//
//   - An agency or a location of the same URL and method gets the new confidence. Others of that method remain.
//   - That a method found none is stored where nothing is known, and superseded when the method finds one.
//   - Record type and relevance are replaced.
//   - Names remain, because people may have endorsed them; a name that the URL has already is known, even if a user suggested it.
//
// Of several suggestions for the same thing the last one counts.
func (s *Service) Suggest(ctx context.Context, given []Suggestion) (Result, error) {
	correct, rejected := checkAll(given)
	result, err := idempotency.Once(ctx, s.pool, func(tx pgx.Tx) (Result, error) {
		done, err := store(ctx, tx, correct, nil)
		if err != nil {
			return Result{}, err
		}
		rejected := inOrder(rejected, done.rejected)
		return Result{
			Stored:    done.stored(),
			Unchanged: len(given) - len(rejected) - done.stored(),
			Rejected:  convert.Each(rejected, rejection.public),
		}, nil
	})
	if err != nil {
		return Result{}, fmt.Errorf("store suggestions of robots: %w", err)
	}
	return result, nil
}

// store stores suggestions and updates the queue. What they change is linked to a task for each attribute, one of tasks or a new
// one.
func store(ctx context.Context, tx pgx.Tx, given []suggestion, tasks map[string]int32) (*writer, error) {
	w := newWriter(Options{Tasks: tasks})
	if err := w.store(ctx, tx, slices.Clone(given)); err != nil || len(w.urls) == 0 {
		return w, err
	}
	return w, ranking.Recount(ctx, tx, w.urls)
}

// Options say how Store treats what was suggested before.
type Options struct {
	// Keep leaves everything that was suggested before as it is, and a URL that has the title of its page as a name gets no other
	// one. Tasks are created only for searches that are new.
	Keep bool

	// Tasks are the tasks of earlier calls, by attribute, which get what this call changes. A missing one is created when needed.
	Tasks map[string]int32
}

// Stored counts what Store did.
type Stored struct {
	ByAttribute map[string]int   // suggestions that are new or changed
	Tasks       map[string]int32 // those of the options and new ones, by attribute
	NewTasks    int
	Rejected    []Rejection
	URLs        []int32 // of the changes, some of them more than once; the caller must pass them to ranking.Recount
}

// Store is Suggest within a transaction of the caller.
func Store(ctx context.Context, tx pgx.Tx, given []Suggestion, o Options) (Stored, error) {
	correct, rejected := checkAll(given)
	w := newWriter(o)
	if err := w.store(ctx, tx, correct); err != nil {
		return Stored{}, fmt.Errorf("store suggestions of robots: %w", err)
	}
	return Stored{
		ByAttribute: w.changed,
		Tasks:       w.tasks,
		NewTasks:    w.newTasks,
		Rejected:    convert.Each(inOrder(rejected, w.rejected), rejection.public),
		URLs:        w.urls,
	}, nil
}

// rejection is a Rejection before it is put into words.
type rejection struct {
	index  int
	defect *csvfile.Defect
}

func (r rejection) public() Rejection { return Rejection{r.index, detail(r.defect)} }

// inOrder joins rejections in the order of the suggestions.
func inOrder(a, b []rejection) []rejection {
	all := slices.Concat(a, b)
	slices.SortFunc(all, func(a, b rejection) int { return cmp.Compare(a.index, b.index) })
	return all
}
