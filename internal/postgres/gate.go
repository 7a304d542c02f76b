package postgres

import (
	"context"
	"errors"
	"regexp"
	"sync"

	"docket/internal/phase"
)

// ErrBusy is returned when no connection became free in time. No statement was sent, so nothing was stored.
var ErrBusy = errors.New("no connection to the database became free in time")

// errReadConn is a bug: a connection for reading would let writers hold more connections than the gate allows.
var errReadConn = errors.New("this statement writes or locks, and the connection is for reading: take it from AcquireWriter")

// gate limits how many connections of a pool writers hold at the same time. Writers wait for locks; readers wait for none.
// Without the gate, writers that wait for one row hold all connections, and readers wait for these.
//
// Writers pass in the order in which they arrive: the channel serves its blocked senders in that order.
type gate struct{ slots chan struct{} }

// newGate leaves to readers the connections that exports may hold for long, a quarter, and at least an eighth more, but one
// to writers in any case. In a pool of one connection writers and readers take turns.
func newGate(maxConns int32) *gate {
	return &gate{make(chan struct{}, max(1, maxConns-max(1, maxConns/4)-max(1, maxConns/8)))}
}

// enter waits until fewer writers than the limit hold connections, or until ctx ends. The writer must leave.
func (g *gate) enter(ctx context.Context) error {
	select {
	case g.slots <- struct{}{}:
		return nil
	default:
	}
	_, end := phase.Start(ctx, phase.Acquire)
	defer end()
	select {
	case g.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (g *gate) leave() { <-g.slots }

var (
	sqlComment = regexp.MustCompile(`--[^\n]*|(?s:/\*.*?\*/)`)
	sqlRead    = regexp.MustCompile(`(?i)^\s*\(*\s*(SELECT|WITH|VALUES|TABLE|SHOW)\b`)
	// FOR UPDATE and FOR SHARE lock rows. The functions wait for locks, or change what is stored.
	sqlWrite = regexp.MustCompile(`(?i)\b(INSERT|UPDATE|DELETE|MERGE|SHARE|pg_(try_)?advisory_\w+|nextval|setval)\b`)
)

// known has the result of writes for each statement. The program has a fixed number of them.
var known sync.Map

// writes reports whether a statement may write or wait for a lock. It errs on that side: a statement that only reads may count as
// a writer, and then waits longer. TestWritesAsPlanned compares it with the plans of all statements.
func writes(sql string) bool {
	if writes, ok := known.Load(sql); ok {
		return writes.(bool)
	}
	text := sqlComment.ReplaceAllString(sql, " ")
	writes := !sqlRead.MatchString(text) || sqlWrite.MatchString(text)
	known.Store(sql, writes)
	return writes
}
