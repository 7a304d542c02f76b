package api

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"net/netip"

	"github.com/gin-gonic/gin"

	"docket/internal/auth"
	"docket/internal/contract"
	"docket/internal/idempotency"
)

const (
	idempotencyHeader = "Idempotency-Key"
	replayedHeader    = "Idempotency-Replayed"
	sessionParameter  = "session_id" // of the operations of anonymous sessions
)

// takeKey is the gin middleware behind Idempotency-Key: it puts the key of the request into its context, where the use case finds it.
// It runs after the contract's check, so that the caller is known and equal requests have one spelling.
func (s *server) takeKey(c *gin.Context) {
	key := c.GetHeader(idempotencyHeader)
	if key == "" || !s.operations.of(c).takesKey {
		return
	}
	digest, err := digestOf(c)
	if err != nil {
		s.fail(c, err)
		return
	}
	request := idempotency.Request{Caller: callerOf(c), Key: key, Digest: digest}
	c.Request = c.Request.WithContext(idempotency.NewContext(c.Request.Context(), request))
}

// markReplay is the strict server's middleware that says in a header whether the result of a handler is that of an earlier request.
func markReplay(next StrictHandlerFunc, operation string) StrictHandlerFunc {
	return func(c *gin.Context, request any) (any, error) {
		result, err := next(c, request)
		attempt := idempotency.FromContext(c.Request.Context())
		if attempt == nil {
			return result, err
		}
		switch {
		case errors.Is(err, idempotency.ErrInProgress):
			c.Header("Retry-After", "1")
		case err != nil:
		case !attempt.Decided():
			_ = c.Error(fmt.Errorf("bug: %s stored no result for its Idempotency-Key", operation))
		case attempt.Replayed():
			c.Header(replayedHeader, "true")
		}
		if sweepErr := attempt.SweepErr(); sweepErr != nil {
			_ = c.Error(sweepErr)
		}
		return result, err
	}
}

// callerOf identifies the caller, because two callers may choose the same key. A caller without a token is an anonymous session, if
// the request names one, and otherwise the address of the client, for each operation. Both are stored as a digest: a session id is a
// secret, and an address is personal.
func callerOf(c *gin.Context) string {
	if user, ok := auth.FromContext(c.Request.Context()); ok {
		return fmt.Sprintf("user %d", user.UserID)
	}
	sum := sha256.New()
	session, address := c.Request.URL.Query().Get(sessionParameter), ""
	if session == "" {
		address = c.ClientIP()
	}
	for _, part := range []string{c.Request.Method, c.FullPath(), session, address} {
		writePart(sum, []byte(part))
	}
	return fmt.Sprintf("anonymous %x", sum.Sum(nil))
}

// CheckProxies returns an error when one of the texts is neither an address nor a CIDR.
func CheckProxies(proxies []string) error {
	for _, proxy := range proxies {
		_, noAddress := netip.ParseAddr(proxy)
		_, noPrefix := netip.ParsePrefix(proxy)
		if noAddress != nil && noPrefix != nil {
			return fmt.Errorf("%q is neither an address nor a CIDR, such as 10.0.0.0/8", proxy)
		}
	}
	return nil
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
