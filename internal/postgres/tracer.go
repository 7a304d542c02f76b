package postgres

import (
	"context"
	"regexp"
	"strings"

	"github.com/exaring/otelpgx"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.opentelemetry.io/otel/trace"

	"docket/internal/phase"
)

// tracerOf returns the tracer of the connections of a pool.
func tracerOf(traces trace.TracerProvider) pgx.QueryTracer {
	if traces == nil {
		return acquireTracer{}
	}
	return &statementTracer{spans: otelpgx.NewTracer(
		otelpgx.WithTracerProvider(traces),
		otelpgx.WithSpanNameFunc(statementName),
		otelpgx.WithDisableConnectionDetailsInAttributes(), // it would copy the configuration for each statement
	)}
}

// acquireTracer times the wait for a connection. pgxpool calls it only if it is also the query tracer.
type acquireTracer struct{}

type acquireKey struct{}

func (acquireTracer) TraceAcquireStart(ctx context.Context, _ *pgxpool.Pool, _ pgxpool.TraceAcquireStartData) context.Context {
	if !phase.IsMeasured(ctx) {
		return ctx // nothing is allocated
	}
	_, end := phase.Start(ctx, phase.Acquire)
	return context.WithValue(ctx, acquireKey{}, end)
}

func (acquireTracer) TraceAcquireEnd(ctx context.Context, _ *pgxpool.Pool, _ pgxpool.TraceAcquireEndData) {
	if end, ok := ctx.Value(acquireKey{}).(func()); ok {
		end()
	}
}

func (acquireTracer) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	return ctx
}

func (acquireTracer) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// statementTracer also makes each statement a span, without its arguments. A statement outside a trace gets none. Preparing has
// none either: Pipeline prepares each statement each time, nearly always without a round trip.
type statementTracer struct {
	acquireTracer
	spans *otelpgx.Tracer
}

func (t *statementTracer) TraceQueryStart(ctx context.Context, conn *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	return t.spans.TraceQueryStart(ctx, conn, data)
}

func (t *statementTracer) TraceQueryEnd(ctx context.Context, conn *pgx.Conn, data pgx.TraceQueryEndData) {
	t.spans.TraceQueryEnd(ctx, conn, data)
}

func (t *statementTracer) TraceBatchStart(ctx context.Context, conn *pgx.Conn, data pgx.TraceBatchStartData) context.Context {
	return t.spans.TraceBatchStart(ctx, conn, data)
}

func (t *statementTracer) TraceBatchQuery(ctx context.Context, conn *pgx.Conn, data pgx.TraceBatchQueryData) {
	t.spans.TraceBatchQuery(ctx, conn, data)
}

func (t *statementTracer) TraceBatchEnd(ctx context.Context, conn *pgx.Conn, data pgx.TraceBatchEndData) {
	t.spans.TraceBatchEnd(ctx, conn, data)
}

func (t *statementTracer) TraceCopyFromStart(ctx context.Context, conn *pgx.Conn, data pgx.TraceCopyFromStartData) context.Context {
	return t.spans.TraceCopyFromStart(ctx, conn, data)
}

func (t *statementTracer) TraceCopyFromEnd(ctx context.Context, conn *pgx.Conn, data pgx.TraceCopyFromEndData) {
	t.spans.TraceCopyFromEnd(ctx, conn, data)
}

// generatedName is the first line of a generated statement.
var generatedName = regexp.MustCompile(`^-- name: (\w+) `)

// statementName returns the name of a generated statement, and of any other one its first word, such as BEGIN.
func statementName(sql string) string {
	if match := generatedName.FindStringSubmatch(sql); match != nil {
		return match[1]
	}
	word, _, _ := strings.Cut(strings.TrimSpace(sqlComment.ReplaceAllString(sql, "")), " ")
	return strings.ToUpper(word)
}
