// Package idempotency stores the responses to requests that carry a key chosen by their sender. A request that is sent again
// gets the same response and does not take effect again. It owns the table idempotency_keys. It does not interpret
// requests or responses, and it cannot undo what a use case did: docs/decisions/idempotency-keys.md says what that leaves
// open.
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

	"docket/internal/db"
	"docket/internal/postgres"
)

var (
	// ErrInProgress is returned while another attempt holds the key.
	ErrInProgress = errors.New("a request with this Idempotency-Key is in progress; repeat it later to get its response")
	// ErrOtherRequest is returned when the key was used for a different request.
	ErrOtherRequest = errors.New("this Idempotency-Key was used for another request; choose a new one")
)

const (
	// Retention is how long a response is stored.
	Retention = 24 * time.Hour
	// One of sweepEvery stored responses also deletes up to sweepLimit expired keys. So keys are deleted faster than they are
	// stored, and no request spends more than a millisecond or two on it.
	sweepEvery = 20
	sweepLimit = 100
)

// Store stores responses in a database. It is safe for concurrent use, and all stores on one database act as one.
type Store struct {
	pool  *postgres.Pool
	saved atomic.Uint64 // responses saved by this Store
}

// New returns a Store on the database of pool, which must be migrated.
func New(pool *postgres.Pool) *Store { return &Store{pool: pool} }

var queries = db.New()

// Request identifies a request that may be sent again: its caller, the key that the caller chose, and a digest of its
// content. Equal keys of different callers are different keys.
type Request struct {
	Caller, Key string
	Digest      [sha256.Size]byte
}

// StoredResponse is the response that a request got.
type StoredResponse struct {
	Status      int
	ContentType string
	Body        []byte
}

// Claim is the right to execute a request and to save its response.
type Claim struct {
	store   *Store
	request Request
	id      uuid.UUID
}

// Claim claims the key of a request until the claim is saved or released, or until its lease expires. After that the process
// that holds it counts as dead, and the same request may be executed again. For a request that succeeded before, Claim returns
// the stored response and no claim. Errors: ErrInProgress, ErrOtherRequest.
func (s *Store) Claim(ctx context.Context, request Request, lease time.Duration) (*Claim, *StoredResponse, error) {
	claim := &Claim{store: s, request: request, id: uuid.New()}
	// Between a failed claim and the read of the key, its holder may have released it. Then claim again.
	for range 3 {
		claimed, err := queries.IdempotencyKeyClaim(ctx, s.pool, db.IdempotencyKeyClaimParams{
			Caller:       request.Caller,
			Key:          request.Key,
			Request:      request.Digest[:],
			Claim:        claim.id,
			LeaseSeconds: lease.Seconds(),
			KeepSeconds:  Retention.Seconds(),
		})
		if err != nil {
			return nil, nil, fmt.Errorf("claim idempotency key: %w", err)
		}
		if claimed > 0 {
			return claim, nil, nil
		}
		held, err := queries.IdempotencyKeyGet(ctx, s.pool, db.IdempotencyKeyGetParams{Caller: request.Caller, Key: request.Key})
		switch {
		case errors.Is(err, pgx.ErrNoRows):
			continue
		case err != nil:
			return nil, nil, fmt.Errorf("read idempotency key: %w", err)
		case !bytes.Equal(held.Request, request.Digest[:]):
			return nil, nil, ErrOtherRequest
		case held.Status == nil:
			return nil, nil, ErrInProgress
		}
		return nil, &StoredResponse{Status: int(*held.Status), ContentType: *held.ContentType, Body: held.Body}, nil
	}
	return nil, nil, ErrInProgress
}

// Save stores the response for repetitions of the request. It stores nothing when another attempt has claimed the key after
// the lease expired.
func (c *Claim) Save(ctx context.Context, response StoredResponse) error {
	_, err := queries.IdempotencyKeyUpdateResponse(ctx, c.store.pool, db.IdempotencyKeyUpdateResponseParams{
		Caller:      c.request.Caller,
		Key:         c.request.Key,
		Claim:       c.id,
		Status:      int16(response.Status),
		ContentType: response.ContentType,
		Body:        append([]byte{}, response.Body...), // never nil, which would be NULL
	})
	if err != nil {
		return fmt.Errorf("save response of idempotency key: %w", err)
	}
	return c.store.sweep(ctx)
}

// Release gives up the claim. The key is then free for the same or a different request.
func (c *Claim) Release(ctx context.Context) error {
	err := queries.IdempotencyKeyRelease(ctx, c.store.pool, db.IdempotencyKeyReleaseParams{
		Caller: c.request.Caller, Key: c.request.Key, Claim: c.id,
	})
	if err != nil {
		return fmt.Errorf("release idempotency key: %w", err)
	}
	return nil
}

// sweep deletes expired keys at the first of every sweepEvery calls.
func (s *Store) sweep(ctx context.Context) error {
	if s.saved.Add(1)%sweepEvery != 1 {
		return nil
	}
	if _, err := queries.IdempotencyKeyDeleteManyExpired(ctx, s.pool, sweepLimit); err != nil {
		return fmt.Errorf("delete expired idempotency keys: %w", err)
	}
	return nil
}
