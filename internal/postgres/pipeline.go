package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"docket/internal/phase"
)

// Step is one statement of a Pipeline.
type Step struct {
	Phase string // the phase of the request in which its time is counted
	SQL   string
	Args  []any
	Read  func(pgx.Rows) error
}

// Pipeline sends all steps in one round trip, as one implicit transaction, and reads their results in order. It stops at the
// first error. Each statement has its own snapshot.
//
// While phases are measured, PostgreSQL is asked to send each result as soon as it has it, so that the time between two
// results is the time of a statement. Otherwise it sends all of them together, which takes slightly less time. A pgx.Batch
// cannot do the former.
func Pipeline(ctx context.Context, conn *Conn, steps []Step) error {
	for _, step := range steps {
		if conn.refuses(step.SQL) {
			return errReadConn
		}
	}
	err := runPipeline(ctx, conn, steps)
	var pgErr *pgconn.PgError
	if p := conn.pool.pooler; p != nil && err != nil {
		p.forget(steps)
	} else if errors.As(err, &pgErr) && slices.Contains([]string{featureNotSupported, invalidStatementName}, pgErr.Code) {
		// A migration has changed the tables of the prepared statements. The pool replaces a closed connection.
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = conn.Conn().Close(closing)
	}
	return conn.pool.rules.translate(err)
}

func runPipeline(ctx context.Context, on *Conn, steps []Step) (err error) {
	conn, between := on.Conn(), on.pool.pooler
	types := conn.TypeMap()
	statements := make([]*pgconn.StatementDescription, len(steps))
	arguments := make([][][]byte, len(steps))
	for i, step := range steps {
		if between != nil {
			statements[i], err = between.describe(ctx, conn, step.SQL)
		} else {
			// Its text is also its name, so that a connection prepares it only once.
			statements[i], err = conn.Prepare(ctx, step.SQL, step.SQL)
		}
		if err != nil {
			return fmt.Errorf("prepare statement: %w", err)
		}
		if arguments[i], err = encode(types, statements[i].ParamOIDs, step.Args); err != nil {
			return err
		}
	}

	pipeline := conn.PgConn().StartPipeline(ctx)
	defer func() {
		if closeErr := pipeline.Close(); err == nil {
			err = closeErr
		}
	}()
	measured := phase.IsMeasured(ctx)
	settled := between.send(pipeline)
	for i, statement := range statements {
		formats := make([]int16, len(statement.Fields))
		for j, field := range statement.Fields {
			formats[j] = types.FormatCodeForOID(field.DataTypeOID)
		}
		if between != nil {
			pipeline.SendQueryParams(statement.SQL, arguments[i], statement.ParamOIDs, []int16{pgtype.BinaryFormatCode}, formats)
		} else {
			pipeline.SendQueryStatement(statement, arguments[i], []int16{pgtype.BinaryFormatCode}, formats)
		}
		if measured {
			pipeline.SendFlushRequest()
		}
	}
	if err := pipeline.Sync(); err != nil {
		return err
	}
	if settled {
		if err := skipResult(pipeline); err != nil {
			return err
		}
	}
	for _, step := range steps {
		if err := readStep(ctx, on.pool.tracer, types, pipeline, step); err != nil {
			return err
		}
	}
	return nil
}

// skipResult reads a result that is not needed.
func skipResult(pipeline *pgconn.Pipeline) error {
	results, err := pipeline.GetResults()
	if err != nil {
		return err
	}
	if reader, ok := results.(*pgconn.ResultReader); ok {
		_, err = reader.Close()
	}
	return err
}

// readStep reads the result of one statement. pgx does not call its tracer for a pipeline.
func readStep(ctx context.Context, tracer *statementTracer, types *pgtype.Map, pipeline *pgconn.Pipeline, step Step) (err error) {
	ctx, end := phase.Start(ctx, step.Phase)
	defer end()
	var tag pgconn.CommandTag
	if tracer != nil {
		ctx = tracer.TraceQueryStart(ctx, nil, pgx.TraceQueryStartData{SQL: step.SQL})
		defer func() { tracer.TraceQueryEnd(ctx, nil, pgx.TraceQueryEndData{CommandTag: tag, Err: err}) }()
	}
	results, err := pipeline.GetResults()
	if err != nil {
		return err
	}
	reader, ok := results.(*pgconn.ResultReader)
	if !ok {
		return fmt.Errorf("pipeline: got %T instead of rows", results)
	}
	rows := pgx.RowsFromResultReader(types, reader)
	defer rows.Close()
	if err := step.Read(rows); err != nil {
		return err
	}
	rows.Close()
	tag = rows.CommandTag()
	return rows.Err()
}

func encode(types *pgtype.Map, oids []uint32, args []any) ([][]byte, error) {
	if len(oids) != len(args) {
		return nil, fmt.Errorf("statement takes %d arguments, not %d", len(oids), len(args))
	}
	encoded := make([][]byte, len(args))
	for i, arg := range args {
		var err error
		if encoded[i], err = types.Encode(oids[i], pgtype.BinaryFormatCode, arg, nil); err != nil {
			return nil, fmt.Errorf("encode argument %d: %w", i+1, err)
		}
	}
	return encoded, nil
}
