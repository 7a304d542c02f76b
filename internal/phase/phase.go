// Package phase measures where the time of one request goes.
//
// It owns the names of the phases and the recorder that sums them; a step that may be slow says
//
//	defer phase.Start(ctx, phase.MainQuery)()
//
// and nothing else. It refuses to decide who listens: without a recorder in the context a call does
// nothing and allocates nothing. What is recorded is a name and a duration, never an argument.
package phase

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap/zapcore"
)

// The phases of a request. The names are those under which the durations, in seconds, are logged.
const (
	MainQuery           = "main_query_s"           // select the next URL
	Format              = "format_s"               // shape the payload
	AgencySuggestions   = "agency_suggestions_s"   // suggestions of agencies for the URL
	LocationSuggestions = "location_suggestions_s" // suggestions of locations for the URL
	NameSuggestions     = "name_suggestions_s"     // suggestions of names for the URL
	BatchInfo           = "batch_info_s"           // progress of the batch
	Auth                = "auth_s"                 // verify the token
	Acquire             = "acquire_s"              // wait for a database connection
	Submit              = "submit_s"               // store an annotation
	Idempotency         = "idempotency_s"          // claim an Idempotency-Key, keep its answer
	Progress            = "progress_s"             // count what was done and what is left
	Export              = "export_s"               // read the answers to export, page by page
	Encode              = "encode_s"               // write the answer as JSON
)

// Timing is the time one phase has taken.
type Timing struct {
	Name     string
	Duration time.Duration
}

// Recorder sums the phases of one request. It may be used from several goroutines; a phase that
// repeats or overlaps with itself adds up. A nil Recorder records nothing.
type Recorder struct {
	now func() time.Time

	mu      sync.Mutex
	timings []Timing // in the order in which the phases first ended
}

// NewRecorder returns an empty recorder that reads the time from clock.
func NewRecorder(clock func() time.Time) *Recorder {
	return &Recorder{now: clock}
}

type contextKey struct{}

// NewContext returns a context whose phases are recorded by rec.
func NewContext(ctx context.Context, rec *Recorder) context.Context {
	return context.WithValue(ctx, contextKey{}, rec)
}

// FromContext returns the recorder of ctx, nil when there is none.
func FromContext(ctx context.Context) *Recorder {
	rec, _ := ctx.Value(contextKey{}).(*Recorder)
	return rec
}

// Start begins a phase and returns the function that ends it, to be called once.
func Start(ctx context.Context, name string) func() {
	rec := FromContext(ctx)
	if rec == nil {
		return nothing
	}
	begin := rec.now()
	return func() { rec.Add(name, rec.now().Sub(begin)) }
}

func nothing() {}

// Add puts d on the account of the phase name.
func (r *Recorder) Add(name string, d time.Duration) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range r.timings {
		if r.timings[i].Name == name {
			r.timings[i].Duration += d
			return
		}
	}
	r.timings = append(r.timings, Timing{Name: name, Duration: d})
}

// Timings returns a copy of what has been recorded so far, in the order in which the phases first
// ended.
func (r *Recorder) Timings() []Timing {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]Timing(nil), r.timings...)
}

// MarshalLogObject writes every phase as a number of seconds under its own name, so that
// zap.Inline(recorder) puts them among the fields of a log line.
func (r *Recorder) MarshalLogObject(enc zapcore.ObjectEncoder) error {
	for _, t := range r.Timings() {
		enc.AddFloat64(t.Name, t.Duration.Seconds())
	}
	return nil
}

// ServerTiming formats timings as the value of a Server-Timing header: durations in milliseconds
// to the microsecond, names without the suffix that tells the unit of the log.
func ServerTiming(timings []Timing) string {
	var b strings.Builder
	for i, t := range timings {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(strings.TrimSuffix(t.Name, "_s"))
		b.WriteString(";dur=")
		b.WriteString(strconv.FormatFloat(float64(t.Duration)/float64(time.Millisecond), 'f', 3, 64))
	}
	return b.String()
}
