package phase_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"docket/internal/phase"
)

// clock advances only by calls of advance.
type clock struct{ now time.Time }

func (c *clock) Now() time.Time          { return c.now }
func (c *clock) advance(d time.Duration) { c.now = c.now.Add(d) }

func TestRecorder(t *testing.T) {
	t.Parallel()
	clk := &clock{now: time.Unix(1000, 0)}
	rec := phase.NewRecorder(clk.Now)
	ctx := phase.NewContext(context.Background(), rec)
	require.Same(t, rec, phase.FromContext(ctx))
	require.Empty(t, rec.Timings())

	_, stop := phase.Start(ctx, phase.MainQuery)
	clk.advance(1500 * time.Microsecond)
	_, inner := phase.Start(ctx, phase.Acquire)
	clk.advance(250 * time.Microsecond)
	inner()
	stop()
	_, stop = phase.Start(ctx, phase.Acquire)
	clk.advance(time.Millisecond)
	stop()

	want := []phase.Timing{
		{Name: "acquire_s", Duration: 1250 * time.Microsecond},
		{Name: "main_query_s", Duration: 1750 * time.Microsecond},
	}
	require.Equal(t, want, rec.Timings(), "overlapping phases are separate, a repeated one adds up")
	require.Equal(t, "acquire;dur=1.250, main_query;dur=1.750", phase.ServerTiming(rec.Timings()))

	core, logs := observer.New(zap.InfoLevel)
	zap.New(core).Info("request", zap.Inline(rec))
	require.Equal(t, map[string]any{"acquire_s": 0.00125, "main_query_s": 0.00175}, logs.All()[0].ContextMap())

	rec.Timings()[0].Duration = 0
	require.Equal(t, want, rec.Timings(), "callers get a copy")
}

func TestServerTimingEmpty(t *testing.T) {
	t.Parallel()
	require.Empty(t, phase.ServerTiming(nil))
	require.Equal(t, "encode;dur=0.000", phase.ServerTiming([]phase.Timing{{Name: phase.Encode, Duration: time.Nanosecond}}))
}

func TestRecorderConcurrent(t *testing.T) {
	t.Parallel()
	rec := phase.NewRecorder(time.Now)
	var group sync.WaitGroup
	for range 50 {
		group.Go(func() {
			rec.Add(phase.Format, time.Millisecond)
			_, end := phase.Start(phase.NewContext(context.Background(), rec), phase.Encode)
			end()
			_ = rec.Timings()
		})
	}
	group.Wait()
	for _, timing := range rec.Timings() {
		if timing.Name == phase.Format {
			require.Equal(t, 50*time.Millisecond, timing.Duration)
		}
	}
	require.Len(t, rec.Timings(), 2)
}

func TestWithoutRecorder(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	require.Nil(t, phase.FromContext(ctx))
	var rec *phase.Recorder
	rec.Add(phase.Submit, time.Second)
	require.Empty(t, rec.Timings())
	_, end := phase.Start(phase.NewContext(ctx, nil), phase.Submit)
	end()
}

// Not parallel: AllocsPerRun counts the allocations of the whole process.
func TestOffAllocatesNothing(t *testing.T) {
	ctx := context.WithValue(context.Background(), struct{ other bool }{}, 1)
	require.Zero(t, testing.AllocsPerRun(1000, func() {
		_, end := phase.Start(ctx, phase.MainQuery)
		end()
	}))
}

func TestHistogram(t *testing.T) {
	t.Parallel()
	h := phase.NewHistogram()
	rec := phase.NewRecorder(time.Now)
	rec.Add(phase.MainQuery, 640*time.Microsecond)
	rec.Add(phase.Auth, 20*time.Second)
	h.Observe(rec)
	h.Observe(nil)

	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(h)
	families, err := registry.Gather()
	require.NoError(t, err)
	require.Len(t, families, 1)
	require.Len(t, families[0].GetMetric(), 2)
	for i, name := range []string{"auth", "main_query"} {
		m := families[0].GetMetric()[i]
		require.Equal(t, name, m.GetLabel()[0].GetValue())
		require.Equal(t, uint64(1), m.GetHistogram().GetSampleCount())
	}
}

func BenchmarkStart(b *testing.B) {
	b.Run("off", func(b *testing.B) {
		ctx := context.Background()
		b.ReportAllocs()
		for b.Loop() {
			_, end := phase.Start(ctx, phase.MainQuery)
			end()
		}
	})
	b.Run("on", func(b *testing.B) {
		ctx := phase.NewContext(context.Background(), phase.NewRecorder(time.Now))
		b.ReportAllocs()
		for b.Loop() {
			_, end := phase.Start(ctx, phase.MainQuery)
			end()
		}
	})
}

// In a trace, a phase is a span below that of the request, with or without a recorder.
func TestPhasesAreSpans(t *testing.T) {
	t.Parallel()
	spans := tracetest.NewSpanRecorder()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))
	for _, rec := range []*phase.Recorder{nil, phase.NewRecorder(time.Now)} {
		ctx, request := provider.Tracer("test").Start(phase.NewContext(context.Background(), rec), "request")
		require.True(t, phase.IsMeasured(ctx))
		within, end := phase.Start(ctx, phase.MainQuery)
		require.NotEqual(t, request, trace.SpanFromContext(within))
		end()
		ended := spans.Ended()[len(spans.Ended())-1]
		require.Equal(t, "main_query", ended.Name())
		require.Equal(t, request.SpanContext().SpanID(), ended.Parent().SpanID())
		if rec != nil {
			require.Len(t, rec.Timings(), 1)
		}
	}
	require.Len(t, spans.Ended(), 2)
	require.False(t, phase.IsMeasured(context.Background()))
}
