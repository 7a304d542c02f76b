package tracing

import (
	"slices"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// The attributes that Docket's own spans have.
const (
	Method = attribute.Key("http.request.method")
	Route  = attribute.Key("http.route")
	Status = attribute.Key("http.response.status_code")
	// Task is the id of the row in tasks that records the run of a job.
	Task = attribute.Key("docket.task_id")
)

// exported are the attributes that leave the process: none of them can contain what a client has sent. Another one, which a
// library may add in a later version, stays here.
var exported = []attribute.Key{
	Method, Route, Status, Task,
	"db.system.name", "db.query.text", "db.operation.batch.size", "db.collection.name", "pgx.rows_affected", "pgx.sql_state",
}

// exportedSpan is a span without texts of errors, which quote arguments of statements, and without the state that clients send
// along with a trace.
type exportedSpan struct{ sdktrace.ReadOnlySpan }

func withoutSecrets(spans []sdktrace.ReadOnlySpan) []sdktrace.ReadOnlySpan {
	safe := make([]sdktrace.ReadOnlySpan, len(spans))
	for i, span := range spans {
		safe[i] = exportedSpan{span}
	}
	return safe
}

func (s exportedSpan) SpanContext() trace.SpanContext {
	return s.ReadOnlySpan.SpanContext().WithTraceState(trace.TraceState{})
}

func (s exportedSpan) Parent() trace.SpanContext {
	return s.ReadOnlySpan.Parent().WithTraceState(trace.TraceState{})
}

func (s exportedSpan) Attributes() []attribute.KeyValue {
	return slices.DeleteFunc(slices.Clone(s.ReadOnlySpan.Attributes()), func(a attribute.KeyValue) bool {
		return !slices.Contains(exported, a.Key)
	})
}

func (exportedSpan) Events() []sdktrace.Event { return nil }
func (exportedSpan) Links() []sdktrace.Link   { return nil }

func (s exportedSpan) Status() sdktrace.Status {
	return sdktrace.Status{Code: s.ReadOnlySpan.Status().Code}
}
