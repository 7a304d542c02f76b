// Package idempotency keeps what was answered to a request that carries a key of its sender's, so that the request, sent
// again, is answered again and not done again. It owns the table idempotency_keys. What a request or an answer says is
// none of its business, and it cannot make a use case undo anything: docs/decisions/idempotency-keys.md tells what that
// leaves open.
package idempotency

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"docket/internal/db"
	"docket/internal/postgres"
)

var (
	// ErrUnderWay is returned while another attempt holds the key.
	ErrUnderWay = errors.New("a request with this Idempotency-Key is under way; ask again for its answer")
	// ErrOtherRequest is returned when the key was used for something else.
	ErrOtherRequest = errors.New("this Idempotency-Key was used for another request; choose a new one")
)

const (
	// KeptFor is how long an answer is kept.
	KeptFor = 24 * time.Hour
	// Expired keys go in the wake of new ones: with every sweepEvery answers, sweepAtMost of them. More go than come, and
	// none does more than a millisecond or two of it.
	sweepEvery  = 20
	sweepAtMost = 100
)

// Store keeps answers in a database. It is safe for concurrent use, and all stores of one database act as one.
type Store struct {
	pool    *pgxpool.Pool
	queries *db.Queries
	kept    atomic.Uint64
}

// New returns a Store on the database of pool, which must be migrated.
func New(pool *pgxpool.Pool) *Store { return &Store{pool: pool, queries: db.New()} }

// Request is one that may be sent again: whose it is, the key its sender gave it, and a digest of what it asks. The same
// key of different callers is different keys.
type Request struct {
	Caller, Key string
	Digest      [sha256.Size]byte
}

// Answer is what a request got.
type Answer struct {
	Status      int
	ContentType string
	Body        []byte
}

// Claim is the right to do a request, and to keep its answer.
type Claim struct {
	store   *Store
	request Request
	id      uuid.UUID
}

// Claim takes the key of a request until it is kept or released, but for no longer than the lease: whoever holds it by then is
// taken for dead, and the same request may be done again. When the request was done before, there is an answer instead.
// Errors: ErrUnderWay, ErrOtherRequest.
func (s *Store) Claim(ctx context.Context, request Request, lease time.Duration) (*Claim, *Answer, error) {
	claim := &Claim{store: s, request: request, id: uuid.New()}
	// Between the claim that fails and the look at who holds the key, that one may have given it back.
	for range 3 {
		claimed, err := s.queries.IdempotencyKeyClaim(ctx, s.pool, db.IdempotencyKeyClaimParams{
			Caller:       request.Caller,
			Key:          request.Key,
			Request:      request.Digest[:],
			Claim:        claim.id,
			LeaseSeconds: lease.Seconds(),
			KeepSeconds:  KeptFor.Seconds(),
		})
		if err != nil {
			return nil, nil, fmt.Errorf("claim idempotency key: %w", postgres.Translate(err))
		}
		if claimed > 0 {
			return claim, nil, nil
		}
		held, err := s.queries.IdempotencyKeyGet(ctx, s.pool, db.IdempotencyKeyGetParams{Caller: request.Caller, Key: request.Key})
		switch {
		case errors.Is(err, pgx.ErrNoRows):
			continue
		case err != nil:
			return nil, nil, fmt.Errorf("look at idempotency key: %w", postgres.Translate(err))
		case !bytes.Equal(held.Request, request.Digest[:]):
			return nil, nil, ErrOtherRequest
		case held.Status == nil:
			return nil, nil, ErrUnderWay
		}
		return nil, &Answer{Status: int(*held.Status), ContentType: *held.ContentType, Body: held.Body}, nil
	}
	return nil, nil, ErrUnderWay
}

// Keep stores the answer for those who send the request again. An attempt that outlived its lease keeps nothing: the
// answer is another's by then.
func (c *Claim) Keep(ctx context.Context, answer Answer) error {
	_, err := c.store.queries.IdempotencyKeyUpdateAnswer(ctx, c.store.pool, db.IdempotencyKeyUpdateAnswerParams{
		Caller:      c.request.Caller,
		Key:         c.request.Key,
		Claim:       c.id,
		Status:      int16(answer.Status),
		ContentType: answer.ContentType,
		Body:        append([]byte{}, answer.Body...), // never nil, which is NULL
	})
	if err != nil {
		return fmt.Errorf("keep answer of idempotency key: %w", postgres.Translate(err))
	}
	return c.store.sweep(ctx)
}

// Release gives the key back, for the request to be done again or for another one.
func (c *Claim) Release(ctx context.Context) error {
	err := c.store.queries.IdempotencyKeyRelease(ctx, c.store.pool, db.IdempotencyKeyReleaseParams{
		Caller: c.request.Caller, Key: c.request.Key, Claim: c.id,
	})
	if err != nil {
		return fmt.Errorf("release idempotency key: %w", postgres.Translate(err))
	}
	return nil
}

// sweep deletes expired keys now and then, beginning with the first call.
func (s *Store) sweep(ctx context.Context) error {
	if s.kept.Add(1)%sweepEvery != 1 {
		return nil
	}
	if _, err := s.queries.IdempotencyKeyDeleteManyExpired(ctx, s.pool, sweepAtMost); err != nil {
		return fmt.Errorf("delete expired idempotency keys: %w", postgres.Translate(err))
	}
	return nil
}
