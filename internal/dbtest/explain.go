package dbtest

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/stretchr/testify/require"

	"docket/internal/postgres"
)

// PlanModes are the two values of plan_cache_mode. A prepared statement must have a good plan with each of them.
var PlanModes = []string{"force_generic_plan", "force_custom_plan"}

// Plan is a node of an executed plan with the nodes below it.
type Plan struct {
	NodeType string  `json:"Node Type"`
	Relation string  `json:"Relation Name"`
	Index    string  `json:"Index Name"`
	Rows     float64 `json:"Actual Rows"` // of each loop
	Loops    float64 `json:"Actual Loops"`
	Hit      int     `json:"Shared Hit Blocks"` // including those of the nodes below
	Read     int     `json:"Shared Read Blocks"`
	Below    []Plan  `json:"Plans"`
}

// Nodes are the nodes that were executed, each one before those below it.
func (p Plan) Nodes() iter.Seq[Plan] {
	return func(yield func(Plan) bool) { p.visit(yield) }
}

func (p Plan) visit(yield func(Plan) bool) bool {
	if p.Loops > 0 && !yield(p) {
		return false
	}
	for _, below := range p.Below {
		if !below.visit(yield) {
			return false
		}
	}
	return true
}

// SeqScans are the tables that were read from their beginning.
func (p Plan) SeqScans() (tables []string) {
	for node := range p.Nodes() {
		if node.NodeType == "Seq Scan" {
			tables = append(tables, node.Relation)
		}
	}
	return tables
}

// Buffers is the number of pages that were read, from the cache or not. It is more than the number of the top node for
// statements that write: parts of those run when the top node has ended.
func (p Plan) Buffers() int {
	own, below := p.Hit+p.Read, 0
	for _, node := range p.Below {
		own -= node.Hit + node.Read
		below += node.Buffers()
	}
	if p.NodeType == "CTE Scan" { // its pages are those of the CTE, which is a node of its own
		return below
	}
	return below + max(0, own)
}

// String prints the executed nodes, one a line.
func (p Plan) String() string {
	var b strings.Builder
	p.print(&b, 0)
	return b.String()
}

func (p Plan) print(b *strings.Builder, depth int) {
	if p.Loops > 0 {
		fmt.Fprintf(b, "%s%s", strings.Repeat("  ", depth), p.NodeType)
		for _, part := range []struct{ before, name string }{{" using ", p.Index}, {" on ", p.Relation}} {
			if part.name != "" {
				b.WriteString(part.before + part.name)
			}
		}
		fmt.Fprintf(b, " (rows=%v loops=%v buffers=%d)\n", p.Rows, p.Loops, p.Hit+p.Read)
	}
	for _, node := range p.Below {
		node.print(b, depth+1)
	}
}

// Explain executes a statement with the plan of a mode, undoes what it wrote, and returns the plan.
func Explain(
	t testing.TB, conn interface {
		Begin(ctx context.Context) (pgx.Tx, error)
	}, mode, statement string, args ...any,
) Plan {
	t.Helper()
	ctx := t.Context()
	tx, err := conn.Begin(ctx)
	require.NoError(t, err)
	defer func() { require.NoError(t, tx.Rollback(context.WithoutCancel(ctx))) }()
	_, err = tx.Exec(ctx, "SET LOCAL plan_cache_mode = "+mode)
	require.NoError(t, err)
	const name = "explained"
	prepared, err := tx.Conn().Prepare(ctx, name, statement)
	require.NoError(t, err, statement)
	execute := name
	if len(args) > 0 {
		execute += "(" + strings.Join(literals(t, tx.Conn().TypeMap(), prepared.ParamOIDs, args), ", ") + ")"
	}
	var explained []struct{ Plan Plan }
	row := tx.QueryRow(ctx, "EXPLAIN (ANALYZE, BUFFERS, TIMING off, FORMAT JSON) EXECUTE "+execute, pgx.QueryExecModeSimpleProtocol)
	require.NoError(t, row.Scan(&explained), execute)
	require.NoError(t, tx.Conn().Deallocate(ctx, name))
	return explained[0].Plan
}

// literals writes arguments as SQL, because EXPLAIN EXECUTE takes no parameters.
func literals(t testing.TB, types *pgtype.Map, oids []uint32, args []any) []string {
	t.Helper()
	require.Len(t, args, len(oids))
	list := make([]string, len(args))
	for i, arg := range args {
		text, err := types.Encode(oids[i], pgtype.TextFormatCode, arg, nil)
		require.NoError(t, err)
		list[i] = "NULL"
		if text != nil {
			list[i] = "'" + strings.ReplaceAll(string(text), "'", "''") + "'"
		}
	}
	return list
}

// A Statement was run with its arguments.
type Statement struct {
	SQL  string
	Args []any
}

// Recorder records the statements of a pool. One test may use it at a time.
type Recorder struct{ Statements []Statement }

// Record returns a pool on the same database, and what it records.
func Record(t testing.TB, pool *postgres.Pool) (*postgres.Pool, *Recorder) {
	t.Helper()
	recorder := &Recorder{}
	config := pool.Config()
	config.ConnConfig.Tracer = recorder
	recorded, err := postgres.NewPool(t.Context(), config)
	require.NoError(t, err)
	t.Cleanup(recorded.Close)
	return recorded, recorder
}

// TraceQueryStart records a statement. It is part of the interface pgx.QueryTracer.
func (r *Recorder) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	r.Statements = append(r.Statements, Statement{data.SQL, data.Args})
	return ctx
}

// TraceQueryEnd does nothing. It is part of the interface pgx.QueryTracer.
func (r *Recorder) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// StatisticsTargets are values of default_statistics_target at which a plan must be the same. A plan that is a little less
// expensive than another one at some sample of ANALYZE is not at all of them: a small sample, which varies most, and the default.
var StatisticsTargets = []int{10, 100}

// Analyze collects new statistics of all tables.
func Analyze(t testing.TB, pool *postgres.Pool, target int) {
	t.Helper()
	require.NoError(t, postgres.InTx(t.Context(), pool, func(tx pgx.Tx) error {
		_, err := tx.Exec(t.Context(), fmt.Sprintf("SET LOCAL default_statistics_target = %d; ANALYZE", target))
		return err
	}))
}
