package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Repeatable runs fn, a single statement or one transaction, on a connection of a writer, and returns the connection. The caller must
// release it. fn must succeed without a further effect when it is repeated after a success.
//
// fn is repeated after a deadlock, as by Retry, and on another connection when its connection breaks: the repetition finds out
// whether the first run took effect, and makes it so if it did not. It goes on for a few seconds, even when ctx has ended, until
// fn succeeds or the server refuses it. ErrOutcomeUnknown means that fn may have taken effect.
func Repeatable(ctx context.Context, pool *Pool, fn func(context.Context, *Conn) error) (*Conn, error) {
	conn, err := pool.AcquireWriter(ctx)
	if err != nil {
		return nil, err
	}
	closed, err := conn.run(ctx, fn)
	if err == nil {
		return conn, nil
	}
	if !closed || errors.Is(ctx.Err(), context.Canceled) { // pgx closes the connection of a client that left
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookUpTimeout)
	defer cancel()
	for ctx.Err() == nil {
		again, failure := pool.AcquireWriter(ctx)
		if failure == nil {
			closed, failure = again.run(ctx, fn)
			if failure == nil {
				return again, nil
			}
			// The server may be executing the first run still, whose locks the repetition waits for.
			if !closed && !IsUnavailable(failure) && ctx.Err() == nil {
				return nil, failure
			}
		}
		err = failure
		select {
		case <-ctx.Done():
		case <-time.After(lookUpPause):
		}
	}
	return nil, fmt.Errorf("%w: %w", ErrOutcomeUnknown, err)
}

// run releases the connection if fn fails or panics, and reports whether it is closed.
func (c *Conn) run(ctx context.Context, fn func(context.Context, *Conn) error) (closed bool, err error) {
	succeeded := false
	defer func() {
		if !succeeded {
			c.Release()
		}
	}()
	if err := Retry(ctx, func() error { return fn(ctx, c) }); err != nil {
		return c.Conn().IsClosed(), err
	}
	succeeded = true
	return false, nil
}
