package tracing

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

// set sets the variables of a test, and unsets all others that turn traces on.
func set(t *testing.T, variables map[string]string) {
	t.Helper()
	for _, name := range append(append([]string{
		disabledVariable, exporterVariable, propagatorsVariable, samplerVariable,
	}, endpointVariables...), protocolVariables...) {
		t.Setenv(name, variables[name])
	}
}

func TestSettings(t *testing.T) {
	const endpoint = "OTEL_EXPORTER_OTLP_ENDPOINT"
	for _, c := range []struct {
		variables map[string]string
		want      settings
		refused   string
	}{
		{nil, settings{}, ""},
		{map[string]string{endpoint: "http://127.0.0.1:4318"}, settings{true, true}, ""},
		{map[string]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "https://collector/v1/traces"}, settings{true, true}, ""},
		{map[string]string{exporterVariable: "otlp"}, settings{true, true}, ""},
		{map[string]string{exporterVariable: "none", endpoint: "http://127.0.0.1:4318"}, settings{}, ""},
		{map[string]string{exporterVariable: "otlp", disabledVariable: "TRUE"}, settings{}, ""},
		{map[string]string{exporterVariable: "otlp", propagatorsVariable: "none"}, settings{true, false}, ""},
		{map[string]string{exporterVariable: "otlp", propagatorsVariable: "tracecontext,baggage"}, settings{true, true}, ""},
		{map[string]string{exporterVariable: "zipkin"}, settings{}, `OTEL_TRACES_EXPORTER: "zipkin" is neither otlp nor none`},
		{map[string]string{exporterVariable: "otlp", propagatorsVariable: "b3"}, settings{}, `OTEL_PROPAGATORS: "b3"`},
		{map[string]string{exporterVariable: "otlp", samplerVariable: "some"}, settings{}, `OTEL_TRACES_SAMPLER: "some"`},
		{map[string]string{exporterVariable: "otlp", protocolVariables[1]: "grpc"}, settings{}, `"grpc" is not http/protobuf`},
		{map[string]string{endpoint: "secret@collector:4318"}, settings{}, "OTEL_EXPORTER_OTLP_ENDPOINT: not a URL"},
	} {
		set(t, c.variables)
		got, err := readSettings()
		require.Equal(t, c.want, got, c.variables)
		if c.refused == "" {
			require.NoError(t, err)
			continue
		}
		require.ErrorContains(t, err, c.refused)
		require.NotContains(t, err.Error(), "secret")
		_, err = FromEnvironment(t.Context(), "test", zap.NewNop())
		require.Error(t, err)
	}
}

func TestOff(t *testing.T) {
	set(t, nil)
	traces, err := FromEnvironment(t.Context(), "test", zap.NewNop())
	require.NoError(t, err)
	require.Nil(t, traces)
	require.True(t, traces.Provider() == nil, "a nil interface")
	require.False(t, traces.Continued())
	traces.Close()
}

// failing is an exporter that fails while it has an error.
type failing struct{ err error }

func (f *failing) ExportSpans(context.Context, []sdktrace.ReadOnlySpan) error { return f.err }
func (*failing) Shutdown(context.Context) error                               { return nil }

// The first of several failures in a row is logged, and that the collector works again.
func TestFailuresAreLoggedOnce(t *testing.T) {
	t.Parallel()
	core, logs := observer.New(zap.InfoLevel)
	collector := &failing{}
	exporter := NewExporter(collector, zap.New(core))
	for _, err := range []error{nil, errors.New("refused"), errors.New("refused"), nil, nil, errors.New("late")} {
		collector.err = err
		require.NoError(t, exporter.ExportSpans(t.Context(), nil))
	}
	var messages []string
	for _, entry := range logs.All() {
		messages = append(messages, entry.Message)
	}
	require.Equal(t, []string{
		"traces are lost until the collector takes them again", "the collector takes traces again",
		"traces are lost until the collector takes them again",
	}, messages)
}

// A collector that does not answer delays neither the end of a span nor, for longer than the limit, the end of the process.
func TestCollectorThatHangs(t *testing.T) {
	asked, release := make(chan struct{}, 1), make(chan struct{})
	collector := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		asked <- struct{}{}
		<-release
	}))
	defer collector.Close()
	defer close(release)
	set(t, map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": collector.URL})
	core, logs := observer.New(zap.WarnLevel)
	traces, err := FromEnvironment(t.Context(), "test", zap.New(core))
	require.NoError(t, err)
	for range 10_000 { // more than the queue of the exporter holds
		_, span := traces.Provider().Tracer("test").Start(t.Context(), "span")
		span.End()
	}
	<-asked
	traces.close(50 * time.Millisecond)
	require.Equal(t, 1, logs.FilterMessage("the last traces are lost").Len())
}
