// Package phase measures how long each phase of a request takes.
//
// It owns the names of the phases and the recorder that adds up their durations. A step that may be slow needs two lines:
//
//	ctx, end := phase.Start(ctx, phase.MainQuery)
//	defer end()
//
// The caller decides what is done with the durations. In a request that is traced, each phase is also a span. Without a recorder
// and without a trace in the context, a call does nothing and allocates nothing. Names and durations are stored, never arguments.
package phase

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/otel/trace"
	"go.uber.org/zap/zapcore"
)

// The phases of a request, by the names of the log fields that hold their durations in seconds.
const (
	MainQuery           = "main_query_s"           // select the next URL
	Format              = "format_s"               // convert the rows
	AgencySuggestions   = "agency_suggestions_s"   // suggestions of agencies for the URL
	LocationSuggestions = "location_suggestions_s" // suggestions of locations for the URL
	NameSuggestions     = "name_suggestions_s"     // suggestions of names for the URL
	BatchInfo           = "batch_info_s"           // progress of the batch
	Auth                = "auth_s"                 // verify the token
	Acquire             = "acquire_s"              // wait for a database connection
	Submit              = "submit_s"               // store an annotation
	Reservation         = "reservation_s"          // reserve the URL, extend or end the reservation
	Idempotency         = "idempotency_s"          // look up an Idempotency-Key, store its result
	Progress            = "progress_s"             // count contributions and metrics
	Export              = "export_s"               // read the answers or facts to export, page by page
	Encode              = "encode_s"               // write the response as JSON
)

// Timing is the time one phase has taken.
type Timing struct {
	Name     string
	Duration time.Duration
}

// Recorder adds up the durations of the phases of one request. Several goroutines may use it. The durations of a phase that
// repeats, or overlaps with itself, are added. A nil Recorder records nothing.
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

// NewContext returns a context in which phases are recorded by rec.
func NewContext(ctx context.Context, rec *Recorder) context.Context {
	return context.WithValue(ctx, contextKey{}, rec)
}

// FromContext returns the recorder of ctx, nil when there is none.
func FromContext(ctx context.Context) *Recorder {
	rec, _ := ctx.Value(contextKey{}).(*Recorder)
	return rec
}

// IsMeasured reports whether phases that begin in ctx are recorded or traced.
func IsMeasured(ctx context.Context) bool {
	return FromContext(ctx) != nil || trace.SpanFromContext(ctx).IsRecording()
}

// scope names this package in spans.
const scope = "docket/internal/phase"

// Start begins a phase. Statements of the phase must get the returned context, so that their spans are below that of the phase. The
// returned function ends the phase and must be called once.
func Start(ctx context.Context, name string) (context.Context, func()) {
	rec, parent := FromContext(ctx), trace.SpanFromContext(ctx)
	if !parent.IsRecording() {
		if rec == nil {
			return ctx, nothing
		}
		begin := rec.now()
		return ctx, func() { rec.Add(name, rec.now().Sub(begin)) }
	}
	ctx, span := parent.TracerProvider().Tracer(scope).Start(ctx, strings.TrimSuffix(name, "_s"))
	if rec == nil {
		return ctx, func() { span.End() }
	}
	begin := rec.now()
	return ctx, func() {
		rec.Add(name, rec.now().Sub(begin))
		span.End()
	}
}

func nothing() {}

// Add adds d to the duration of a phase.
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

// Timings returns a copy of the durations recorded so far, in the order in which the phases first ended.
func (r *Recorder) Timings() []Timing {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]Timing(nil), r.timings...)
}

// MarshalLogObject writes each phase as a field with its seconds, so that zap.Inline(recorder) adds them to a log line.
func (r *Recorder) MarshalLogObject(enc zapcore.ObjectEncoder) error {
	for _, t := range r.Timings() {
		enc.AddFloat64(t.Name, t.Duration.Seconds())
	}
	return nil
}

// ServerTiming formats timings as the value of a Server-Timing header: durations in milliseconds with three decimals, names
// without the suffix _s, which is the unit of the log.
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
