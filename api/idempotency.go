package api

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"time"

	"github.com/gin-gonic/gin"

	"docket/internal/auth"
	"docket/internal/idempotency"
	"docket/internal/phase"
)

const (
	idempotencyHeader = "Idempotency-Key"
	replayedHeader    = "Idempotency-Replayed"

	// settleTimeout bounds the keeping of an answer, which must not depend on whether its client still waits for it.
	settleTimeout = 5 * time.Second
)

// once is the gin middleware behind Idempotency-Key: a request that was done is answered again, not done again. It comes
// after the contract's check, so that who asks is known and equal requests are spelled equally.
//
// Only success is kept. Whatever else is answered, nothing was stored, so that doing it again is harmless and may, after
// the sender or somebody else mended what was wrong, succeed.
func (s *server) once(c *gin.Context) {
	key := c.GetHeader(idempotencyHeader)
	if key == "" || !s.contract.operation(c).once {
		return
	}
	ctx := c.Request.Context()
	claim, answer, err := s.claim(c, key)
	if err != nil {
		if errors.Is(err, idempotency.ErrUnderWay) {
			c.Header("Retry-After", "1")
		}
		s.fail(c, err)
		return
	}
	if answer != nil {
		c.Abort()
		c.Header(replayedHeader, "true")
		c.Data(answer.Status, answer.ContentType, answer.Body)
		return
	}

	kept := false
	defer func() {
		if !kept {
			s.settle(c, ctx, claim.Release)
		}
	}()
	held := captured(c)
	if status := held.Status(); status >= 200 && status < 300 {
		kept = true // should keeping fail: it has been done, so the key stays taken for as long as its lease
		s.settle(c, ctx, func(ctx context.Context) error {
			return claim.Keep(ctx, idempotency.Answer{
				Status: status, ContentType: held.Header().Get("Content-Type"), Body: held.body.Bytes(),
			})
		})
	}
	held.send()
}

func (s *server) claim(c *gin.Context, key string) (*idempotency.Claim, *idempotency.Answer, error) {
	defer phase.Start(c.Request.Context(), phase.Idempotency)()
	digest, err := digestOf(c)
	if err != nil {
		return nil, nil, err
	}
	// Longer than the request can take, so that only a dead process leaves a claim to its end.
	lease := s.cfg.RequestTimeout + 2*settleTimeout
	return s.cfg.Idempotency.Claim(c.Request.Context(), idempotency.Request{Caller: callerOf(c), Key: key, Digest: digest}, lease)
}

// settle does something about a claim when the request is over, whether or not its client still waits. It fails into the log.
func (s *server) settle(c *gin.Context, ctx context.Context, do func(context.Context) error) {
	defer phase.Start(ctx, phase.Idempotency)()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTimeout)
	defer cancel()
	if err := do(ctx); err != nil {
		_ = c.Error(err)
	}
}

// callerOf tells apart those who may choose the same key. Who has no token is nobody in particular, at each operation anew.
func callerOf(c *gin.Context) string {
	if user, ok := auth.FromContext(c.Request.Context()); ok {
		return fmt.Sprintf("user %d", user.UserID)
	}
	return fmt.Sprintf("anonymous %s %s", c.Request.Method, c.FullPath())
}

// digestOf names what a request asks: its operation, path, query and body, as the contract has left them.
func digestOf(c *gin.Context) (digest [sha256.Size]byte, err error) {
	sum := sha256.New()
	for _, part := range []string{c.Request.Method, c.FullPath(), c.Request.URL.RawQuery} {
		writePart(sum, []byte(part))
	}
	for _, p := range c.Params {
		writePart(sum, []byte(p.Value))
	}
	body, err := io.ReadAll(c.Request.Body)
	if err != nil {
		return digest, bodyError(err)
	}
	writePart(sum, body)
	c.Request.Body = rereadable(body)
	sum.Sum(digest[:0])
	return digest, nil
}

// writePart writes a part with its length before it, so that no two lists of parts are written alike.
func writePart(sum hash.Hash, part []byte) {
	var size [8]byte
	binary.BigEndian.PutUint64(size[:], uint64(len(part)))
	_, _ = sum.Write(size[:])
	_, _ = sum.Write(part)
}
