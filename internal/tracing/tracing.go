// Package tracing sends OpenTelemetry traces of requests and jobs to a collector.
//
// It owns the configuration, which is that of the standard environment variables, and what a span may contain when it leaves the
// process. Spans are made where work is done: in packages api, phase, postgres and jobs.
package tracing

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/zap"
)

// flushTimeout bounds how long Close waits for the collector.
const flushTimeout = 5 * time.Second

// Traces collects the spans of a process. A nil Traces is off.
type Traces struct {
	provider *sdktrace.TracerProvider
	settings settings
	log      *zap.Logger
}

// FromEnvironment returns the Traces that the environment asks for, nil when it asks for none. It fails for a value that Docket
// cannot follow, and connects to nothing: spans are sent in the background and dropped while the collector does not take them.
func FromEnvironment(ctx context.Context, version string, log *zap.Logger) (*Traces, error) {
	settings, err := readSettings()
	if err != nil || !settings.on {
		return nil, err
	}
	useLog(log)
	client, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, fmt.Errorf("configure the export of traces: %w", err)
	}
	described, err := resource.New(ctx, resource.WithTelemetrySDK(), resource.WithHost(), resource.WithProcessPID(),
		resource.WithAttributes(attribute.String("service.name", "docket"), attribute.String("service.version", version)),
		resource.WithFromEnv())
	if err != nil {
		return nil, fmt.Errorf("OTEL_RESOURCE_ATTRIBUTES: %w", err)
	}
	return &Traces{settings: settings, log: log, provider: sdktrace.NewTracerProvider(
		sdktrace.WithResource(described), sdktrace.WithBatcher(NewExporter(client, log)),
	)}, nil
}

// Provider returns the provider of tracers, nil when traces are off.
func (t *Traces) Provider() trace.TracerProvider {
	if t == nil {
		return nil
	}
	return t.provider
}

// Continued reports whether the trace of a client is continued.
func (t *Traces) Continued() bool { return t != nil && t.settings.continued }

// Close sends the spans that are left. It takes at most flushTimeout.
func (t *Traces) Close() {
	if t == nil {
		return
	}
	t.close(flushTimeout)
}

func (t *Traces) close(within time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	if err := t.provider.Shutdown(ctx); err != nil {
		t.log.Warn("the last traces are lost", zap.Error(err))
	}
}

// useLog sends what OpenTelemetry reports by itself to the log of the process that was the last to call it. Otherwise it would be
// on standard error, as plain text.
func useLog(log *zap.Logger) {
	current.Store(log)
	once.Do(func() {
		otel.SetLogger(logr.Discard())
		otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { current.Load().Warn("OpenTelemetry", zap.Error(err)) }))
	})
}

var (
	current atomic.Pointer[zap.Logger]
	once    sync.Once
)

type exporter struct {
	sdktrace.SpanExporter
	log     *zap.Logger
	failing bool // the provider exports one batch at a time
}

// NewExporter returns an exporter to another one that removes what may be secret, and logs the first of several failures in a row.
func NewExporter(to sdktrace.SpanExporter, log *zap.Logger) sdktrace.SpanExporter {
	return &exporter{SpanExporter: to, log: log}
}

// ExportSpans never fails: the provider would report each failure.
func (e *exporter) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	err := e.SpanExporter.ExportSpans(ctx, withoutSecrets(spans))
	switch {
	case err != nil && !e.failing:
		e.log.Warn("traces are lost until the collector takes them again", zap.Error(err))
	case err == nil && e.failing:
		e.log.Info("the collector takes traces again")
	}
	e.failing = err != nil
	return nil
}
