package api

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"time"

	"github.com/gin-gonic/gin"

	"docket/internal/auth"
	"docket/internal/contract"
	"docket/internal/idempotency"
	"docket/internal/phase"
)

const (
	idempotencyHeader = "Idempotency-Key"
	replayedHeader    = "Idempotency-Replayed"

	// settleTimeout limits the storing of a response, which must not depend on whether its client still waits for it.
	settleTimeout = 5 * time.Second
)

// replay is the gin middleware behind Idempotency-Key: a request that has taken effect gets its stored response and does not
// take effect again. It runs after the contract's check, so that the caller is known and equal requests have one spelling.
//
// Only the response of a success is stored. After any other response nothing was written, so that a repetition is harmless,
// and it may succeed once the cause is removed.
func (s *server) replay(c *gin.Context) {
	key := c.GetHeader(idempotencyHeader)
	if key == "" || !s.operations.of(c).takesKey {
		return
	}
	ctx := c.Request.Context()
	claim, stored, err := s.claim(c, key)
	if err != nil {
		if errors.Is(err, idempotency.ErrInProgress) {
			c.Header("Retry-After", "1")
		}
		s.fail(c, err)
		return
	}
	if stored != nil {
		c.Abort()
		c.Header(replayedHeader, "true")
		c.Data(stored.Status, stored.ContentType, stored.Body)
		return
	}

	succeeded := false
	defer func() {
		if !succeeded {
			s.settle(c, ctx, claim.Release)
		}
	}()
	w := responseOf(c)
	body := w.hold(c)
	if status := w.Status(); status >= 200 && status < 300 {
		succeeded = true // the claim stays until its lease ends, even if storing fails: the request has taken effect
		s.settle(c, ctx, func(ctx context.Context) error {
			return claim.Save(ctx, idempotency.StoredResponse{Status: status, ContentType: w.Header().Get("Content-Type"), Body: body})
		})
	}
	w.send(body)
}

func (s *server) claim(c *gin.Context, key string) (*idempotency.Claim, *idempotency.StoredResponse, error) {
	defer phase.Start(c.Request.Context(), phase.Idempotency)()
	digest, err := digestOf(c)
	if err != nil {
		return nil, nil, err
	}
	// Longer than the request can take, so that only the claim of a process that died lasts until its lease ends.
	lease := s.cfg.RequestTimeout + 2*settleTimeout
	return s.cfg.Idempotency.Claim(c.Request.Context(), idempotency.Request{Caller: callerOf(c), Key: key, Digest: digest}, lease)
}

// settle ends a claim when the request is over, whether or not its client still waits. An error is logged.
func (s *server) settle(c *gin.Context, ctx context.Context, end func(context.Context) error) {
	defer phase.Start(ctx, phase.Idempotency)()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTimeout)
	defer cancel()
	if err := end(ctx); err != nil {
		_ = c.Error(err)
	}
}

// callerOf identifies the caller, because two callers may choose the same key. Anonymous callers share one key space per
// operation.
func callerOf(c *gin.Context) string {
	if user, ok := auth.FromContext(c.Request.Context()); ok {
		return fmt.Sprintf("user %d", user.UserID)
	}
	return fmt.Sprintf("anonymous %s %s", c.Request.Method, c.FullPath())
}

// digestOf returns a digest of the operation, path, query and body of a request, in the spelling of the contract's check.
func digestOf(c *gin.Context) (digest [sha256.Size]byte, err error) {
	sum := sha256.New()
	for _, part := range []string{c.Request.Method, c.FullPath(), c.Request.URL.RawQuery} {
		writePart(sum, []byte(part))
	}
	for _, p := range c.Params {
		writePart(sum, []byte(p.Value))
	}
	body, err := contract.ReadBody(c.Request)
	if err != nil {
		return digest, err
	}
	writePart(sum, body)
	contract.SetBody(c.Request, body)
	sum.Sum(digest[:0])
	return digest, nil
}

// writePart writes the length of a part, then the part, so that different lists of parts never give the same bytes.
func writePart(sum hash.Hash, part []byte) {
	var size [8]byte
	binary.BigEndian.PutUint64(size[:], uint64(len(part)))
	_, _ = sum.Write(size[:])
	_, _ = sum.Write(part)
}
