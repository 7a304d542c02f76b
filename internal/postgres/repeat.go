package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Repeatable runs fn, a single statement or one transaction on a connection of a writer, which must succeed without a further effect
// when it is repeated after a success.
//
// fn is repeated after a deadlock, as by Retry, and when the connection breaks: the repetition finds out whether the first run took
// effect, and makes it so if it did not. It goes on for a few seconds, even when ctx has ended, until fn succeeds or the server
// refuses it. A first run that the server refused took no effect: its error is returned at once. ErrOutcomeUnknown means that fn may
// have taken effect.
func Repeatable(ctx context.Context, pool *Pool, fn func(context.Context, *Conn) error) error {
	conn, err := pool.AcquireWriter(ctx)
	if err != nil {
		return err
	}
	closed, err := conn.run(ctx, fn)
	// onError closes a connection that is read-only, and pgx that of a client that left.
	if !closed || !outcomeUnknown(err) || errors.Is(ctx.Err(), context.Canceled) {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookUpTimeout)
	defer cancel()
	for ctx.Err() == nil {
		conn, failure := pool.AcquireWriter(ctx)
		if failure == nil {
			closed, failure = conn.run(ctx, fn)
			// The server may be executing the first run still, whose locks the repetition waits for.
			if failure == nil || !closed && !IsUnavailable(failure) && ctx.Err() == nil {
				return failure
			}
		}
		err = failure
		select {
		case <-ctx.Done():
		case <-time.After(lookUpPause):
		}
	}
	return fmt.Errorf("%w: %w", ErrOutcomeUnknown, err)
}

// run releases the connection, and reports whether it broke.
func (c *Conn) run(ctx context.Context, fn func(context.Context, *Conn) error) (closed bool, err error) {
	defer c.Release()
	err = Retry(ctx, func() error { return fn(ctx, c) })
	return err != nil && c.Conn().IsClosed(), err
}
