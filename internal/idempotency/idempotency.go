// Package idempotency lets a request take effect once, even if it is sent several times with the same key. The result of the
// request is stored in the transaction of its work: either both are committed or neither is. It owns the table idempotency_keys
// and does not interpret requests or results. docs/decisions/idempotency-keys.md says what clients are promised.
package idempotency

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"docket/internal/db"
	"docket/internal/phase"
	"docket/internal/postgres"
)

var (
	// ErrInProgress is returned while another transaction uses the key.
	ErrInProgress = errors.New("a request with this Idempotency-Key is in progress; repeat it later to get its response")
	// ErrOtherRequest is returned when the key was used for a different request.
	ErrOtherRequest = errors.New("this Idempotency-Key was used for another request; choose a new one")
	// ErrUnreadable is returned when a request with the key was handled by another version of Docket, whose result cannot be read.
	ErrUnreadable = errors.New("another version of Docket handled a request with this Idempotency-Key, and its result cannot be read; " +
		"check whether it took effect before you choose a new key")
	// ErrNotStored is returned when the connection broke during the commit, and no result of the request is stored.
	ErrNotStored = errors.New("the connection to the database broke, and nothing was stored; repeat the request")
	// ErrUnknown is returned when the connection broke during the commit, and the result could not be looked up.
	ErrUnknown = errors.New("the connection to the database broke, and whether the request took effect is unknown; " +
		"repeat it with the same Idempotency-Key; without one, check first whether it took effect")

	errUsedTwice = errors.New("a request with an Idempotency-Key has two results")
)

const (
	// Retention is how long a result is stored.
	Retention = 24 * time.Hour
	// One of about sweepEvery keys, by its digest, also deletes up to sweepLimit expired keys when its result is stored. So keys are
	// deleted faster than they are stored, and no request spends more than a millisecond or two on it.
	sweepEvery = 20
	sweepLimit = 100
)

var queries = db.New()

// Request identifies a request that may be sent again: its caller, the key that the caller chose, and a digest of its
// content. Equal keys of different callers are different keys.
type Request struct {
	Caller, Key string
	Digest      [sha256.Size]byte
}

// lock is the key of the advisory lock that the transaction of a request holds.
func (r Request) lock() string { return fmt.Sprintf("idempotency key %q %q", r.Caller, r.Key) }

// sweeps reports whether this key also deletes expired ones.
func (r Request) sweeps() bool {
	sum := sha256.Sum256([]byte(r.lock()))
	return (int(sum[0])<<8|int(sum[1]))%sweepEvery == 0
}

// Attempt is one attempt to execute a request. It belongs to one goroutine at a time.
type Attempt struct {
	request  Request
	decided  bool
	replayed bool
	sweepErr error
}

// Decided reports whether Once has returned a result that is stored.
func (a *Attempt) Decided() bool { return a.decided }

// Replayed reports whether the result is that of an earlier attempt.
func (a *Attempt) Replayed() bool { return a.replayed }

// SweepErr returns the error of deleting expired keys, which does not concern the request.
func (a *Attempt) SweepErr() error { return a.sweepErr }

type attemptKey struct{}

// NewContext returns a context in which Once executes the request once.
func NewContext(ctx context.Context, request Request) context.Context {
	return context.WithValue(ctx, attemptKey{}, &Attempt{request: request})
}

// FromContext returns the attempt that ctx belongs to, nil when it is not from NewContext.
func FromContext(ctx context.Context) *Attempt {
	attempt, _ := ctx.Value(attemptKey{}).(*Attempt)
	return attempt
}

// Once runs fn in a transaction, as postgres.InTx does. If the context carries a request, Once stores the result of fn in the same
// transaction, and returns the stored result instead of running fn when the request has succeeded before. A request has one result:
// one call of Once may succeed.
//
// T is stored as JSON, and must be the same after that: a type without unexported fields. After an error of fn nothing is stored.
// Then the request may be repeated, or another one may use the key.
//
// Errors of Once itself: ErrInProgress, ErrOtherRequest, ErrUnreadable, and ErrNotStored or ErrUnknown when InTx does not know the
// outcome of the commit. Once then looks for the result on another connection, for some seconds at most, even if ctx has ended.
// Without a request in the context there is no result to look for, and the error is ErrUnknown.
func Once[T any](ctx context.Context, pool *postgres.Pool, fn func(tx pgx.Tx) (T, error)) (T, error) {
	attempt := FromContext(ctx)
	if attempt != nil {
		return attemptOnce(ctx, pool, attempt, fn)
	}
	var result T
	err := postgres.InTx(ctx, pool, func(tx pgx.Tx) (err error) {
		result, err = fn(tx)
		return err
	})
	if err != nil {
		if errors.Is(err, postgres.ErrOutcomeUnknown) {
			err = fmt.Errorf("%w: %w", ErrUnknown, err)
		}
		return *new(T), err // fn may have set the result in a transaction that was not committed
	}
	return result, nil
}

// OnceDo is Once for work whose only result is that it was done.
func OnceDo(ctx context.Context, pool *postgres.Pool, fn func(tx pgx.Tx) error) error {
	_, err := Once(ctx, pool, func(tx pgx.Tx) (struct{}, error) { return struct{}{}, fn(tx) })
	return err
}

func attemptOnce[T any](ctx context.Context, pool *postgres.Pool, attempt *Attempt, fn func(tx pgx.Tx) (T, error)) (T, error) {
	if attempt.decided {
		return *new(T), errUsedTwice
	}
	var result T
	err := postgres.InTx(ctx, pool, func(tx pgx.Tx) (err error) {
		result, err = once(ctx, tx, attempt, fn)
		return err
	})
	switch {
	case err == nil, attempt.replayed: // the transaction of a replay has changed nothing, so that its commit does not matter
	case errors.Is(err, postgres.ErrOutcomeUnknown):
		if result, err = resolve[T](ctx, pool, attempt.request, err); err != nil {
			return *new(T), err
		}
	default:
		return *new(T), err
	}
	attempt.decided = true
	return result, nil
}

// once is Once within the transaction.
func once[T any](ctx context.Context, tx pgx.Tx, attempt *Attempt, fn func(pgx.Tx) (T, error)) (result T, err error) {
	within, end := phase.Start(ctx, phase.Idempotency)
	result, attempt.replayed, err = lookUp[T](within, tx, attempt.request)
	end()
	if err != nil || attempt.replayed {
		return result, err
	}
	if result, err = fn(tx); err != nil {
		return result, err
	}
	ctx, end = phase.Start(ctx, phase.Idempotency)
	defer end()
	if err := store(ctx, tx, attempt.request, result); err != nil {
		return result, err
	}
	return result, attempt.sweep(ctx, tx)
}

// lookUp locks the key of a request, and returns the stored result, if there is one.
func lookUp[T any](ctx context.Context, tx pgx.Tx, request Request) (result T, found bool, err error) {
	locked, err := postgres.TryLock(ctx, tx, request.lock())
	if err != nil {
		return result, false, fmt.Errorf("lock idempotency key: %w", err)
	}
	if !locked {
		return result, false, ErrInProgress
	}
	// A statement of its own, whose snapshot is later than the lock: it sees what the last holder has committed.
	row, err := queries.IdempotencyKeyGet(ctx, tx, db.IdempotencyKeyGetParams{Caller: request.Caller, Key: request.Key})
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return result, false, nil
	case err != nil:
		return result, false, fmt.Errorf("read idempotency key: %w", err)
	case [sha256.Size]byte(row.Request) != request.Digest:
		return result, false, ErrOtherRequest
	}
	if result, err = decode[T](row.Outcome); err != nil {
		return result, false, fmt.Errorf("%w: %w", ErrUnreadable, err)
	}
	return result, true, nil
}

// store stores the result of a request whose key is locked and free.
func store[T any](ctx context.Context, tx pgx.Tx, request Request, result T) error {
	outcome, err := encode(result)
	if err != nil {
		return err
	}
	stored, err := queries.IdempotencyKeyInsert(ctx, tx, db.IdempotencyKeyInsertParams{
		Caller:      request.Caller,
		Key:         request.Key,
		Request:     request.Digest[:],
		Outcome:     outcome,
		KeepSeconds: Retention.Seconds(),
	})
	if err != nil {
		return fmt.Errorf("store result of idempotency key: %w", err)
	}
	if stored != 1 {
		return fmt.Errorf("store result of idempotency key: %d rows instead of one", stored)
	}
	return nil
}

// sweep deletes expired keys, if this key does. It is the last statement of the transaction and skips locked rows, so that nothing
// waits for it longer than for the commit. Its own failure is rolled back to the savepoint, and the request succeeds.
func (a *Attempt) sweep(ctx context.Context, tx pgx.Tx) error {
	if !a.request.sweeps() {
		return nil
	}
	a.sweepErr = pgx.BeginFunc(ctx, tx, func(tx pgx.Tx) error {
		_, err := queries.IdempotencyKeyDeleteManyExpired(ctx, tx, sweepLimit)
		return err
	})
	if a.sweepErr != nil && tx.Conn().IsClosed() {
		return fmt.Errorf("delete expired idempotency keys: %w", a.sweepErr)
	}
	return nil
}
