package api

import (
	"slices"
	"strings"

	"github.com/gin-gonic/gin"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"docket/internal/tracing"
)

// traceHeader is the W3C header with the ids of the trace and of the client's span.
const traceHeader = "Traceparent"

// startSpan begins the span of a request, nil when traces are off. Like the log line, it has neither the path nor the query, nor
// the address of the client.
func (s *server) startSpan(c *gin.Context) trace.Span {
	if s.tracer == nil {
		return nil
	}
	ctx := c.Request.Context()
	if s.cfg.ContinueTraces && !tracesSecret(c) {
		ctx = propagation.TraceContext{}.Extract(ctx, propagation.HeaderCarrier(c.Request.Header))
	}
	method, route := knownMethod(c.Request.Method), c.FullPath()
	ctx, span := s.tracer.Start(ctx, strings.TrimSpace(method+" "+route), trace.WithSpanKind(trace.SpanKindServer),
		trace.WithAttributes(tracing.Method.String(method), tracing.Route.String(route)))
	c.Request = c.Request.WithContext(ctx)
	return span
}

// tracesSecret reports whether an id of the client's trace repeats a secret of the request: ids are exported and logged.
func tracesSecret(c *gin.Context) bool {
	return slices.ContainsFunc(strings.Split(c.GetHeader(traceHeader), "-"), func(id string) bool { return repeatsSecret(id, c.Request) })
}

// endSpan ends the span of a request whose log line has the level.
func endSpan(span trace.Span, status int, level zapcore.Level) {
	if span == nil {
		return
	}
	span.SetAttributes(tracing.Status.Int(status))
	if level >= zapcore.ErrorLevel {
		span.SetStatus(codes.Error, "")
	}
	span.End()
}

// traceID returns the field of the log line with which the trace of a request is found, if it is exported.
func traceID(span trace.Span) zap.Field {
	if span == nil || !span.SpanContext().IsSampled() {
		return zap.Skip()
	}
	return zap.Stringer("trace_id", span.SpanContext().TraceID())
}
