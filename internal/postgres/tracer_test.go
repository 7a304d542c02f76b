package postgres_test

import (
	"context"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.uber.org/zap"

	"docket/internal/dbtest"
	"docket/internal/phase"
	"docket/internal/postgres"
	"docket/internal/tracing"
)

// Statements of a pool, a transaction and a pipeline are spans below those of their phases, and contain no argument, not even in
// the text of an error. Outside a trace no statement is one.
func TestStatementsAreSpans(t *testing.T) {
	t.Parallel()
	kept := tracetest.NewInMemoryExporter()
	traces := sdktrace.NewTracerProvider(sdktrace.WithSyncer(tracing.NewExporter(kept, zap.NewNop())))
	pool, err := postgres.Open(t.Context(), postgres.PoolConfig{URL: dbtest.Empty(t), Traces: traces})
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	require.Empty(t, kept.GetSpans(), "no statement is a root")

	const secret = "very-secret"
	one := func(rows pgx.Rows) error { _, err := pgx.CollectRows(rows, pgx.RowTo[int32]); return err }
	ctx, root := traces.Tracer("test").Start(t.Context(), "request")
	within, end := phase.Start(ctx, phase.MainQuery)
	_, err = pool.Exec(within, "-- name: Named :exec\nSELECT $1::text", secret)
	require.NoError(t, err)
	end()
	_, err = pool.Exec(ctx, "SELECT $1::text::integer", secret)
	require.ErrorContains(t, err, secret)
	require.NoError(t, postgres.InTx(ctx, pool, func(tx pgx.Tx) error { _, err := tx.Exec(ctx, "SELECT 1"); return err }))
	conn, err := pool.Acquire(ctx)
	require.NoError(t, err)
	require.NoError(t, postgres.Pipeline(ctx, conn, []postgres.Step{
		{Phase: phase.Format, SQL: "-- name: First :many\nSELECT 1", Read: one},
		{Phase: phase.BatchInfo, SQL: "-- name: Second :many\nSELECT 2 WHERE $1::text <> ''", Args: []any{secret}, Read: one},
	}))
	require.Error(t, postgres.Pipeline(ctx, conn, []postgres.Step{
		{Phase: phase.Format, SQL: "SELECT $1::text::integer", Args: []any{secret}, Read: one},
	}))
	conn.Release()
	root.End()

	spans := kept.GetSpans()
	names := map[string]string{}
	for _, span := range spans {
		names[span.SpanContext.SpanID().String()] = span.Name
	}
	var tree []string
	for _, span := range spans {
		tree = append(tree, names[span.Parent.SpanID().String()]+" > "+span.Name+" "+span.Status.Code.String())
		require.Empty(t, span.Events)
		require.NotContains(t, span.Status.Description, secret)
		for _, attribute := range span.Attributes {
			require.NotContains(t, attribute.Value.String(), secret)
		}
	}
	tree = slices.DeleteFunc(tree, func(line string) bool {
		return line == "request > acquire Unset" || line == "main_query > acquire Unset"
	})
	require.Equal(t, []string{
		"main_query > Named Unset", "request > main_query Unset",
		"request > SELECT Error",
		"batch start > BEGIN Unset", "batch start > SELECT Unset", "request > batch start Unset",
		"request > SELECT Unset", "request > COMMIT Unset",
		"format > First Unset", "request > format Unset", "batch_info > Second Unset", "request > batch_info Unset",
		"format > SELECT Error", "request > format Unset",
		" > request Unset",
	}, tree)
	for _, span := range spans {
		if span.Name == "Second" {
			require.Contains(t, tracetest.SpanStubs{span}.Snapshots()[0].Attributes()[1].Value.AsString(), "SELECT 2")
		}
	}
}

// Not parallel: AllocsPerRun counts the allocations of the whole process.
func TestTracesOffAllocateNothing(t *testing.T) {
	ctx := context.WithValue(context.Background(), struct{ other bool }{}, 1)
	tracer := postgres.TracerOf(nil)
	require.Zero(t, testing.AllocsPerRun(1000, func() {
		tracer.TraceQueryEnd(tracer.TraceQueryStart(ctx, nil, pgx.TraceQueryStartData{}), nil, pgx.TraceQueryEndData{})
	}))
}
