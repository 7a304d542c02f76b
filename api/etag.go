package api

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"
)

// sendETag is the gin middleware of operations whose success has an ETag: a client that already has the response gets 304
// without a body. The response is computed in both cases; a polling client saves only the transfer.
func (s *server) sendETag(c *gin.Context) {
	op := s.operations.of(c)
	if !op.hasETag {
		return
	}
	w := responseOf(c)
	body := w.hold(c)
	// A browser stores a response under its URL.
	if w.Status() == http.StatusOK && !carriesSecret(c.Request) {
		if op.NeedsToken {
			w.Header().Add("Vary", "Authorization")
		}
		if notModified(c, body) {
			return
		}
	}
	w.send(body)
}

// notModified sets the ETag of a response, and sends 304 and returns true when the client already has that response. The tag
// is a strong one: equal bytes have equal tags. Clients may cache the response and must revalidate it each time.
func notModified(c *gin.Context, body []byte) bool {
	sum := sha256.Sum256(body)
	tag := `"` + base64.RawURLEncoding.EncodeToString(sum[:16]) + `"`
	header := c.Writer.Header()
	header.Set("ETag", tag)
	header.Set("Cache-Control", "private, no-cache")
	if !matchesETag(c.Request.Header.Values("If-None-Match"), tag) {
		return false
	}
	header.Del("Content-Type")
	c.Status(http.StatusNotModified)
	c.Writer.WriteHeaderNow()
	return true
}

// matchesETag reports whether If-None-Match lists a tag, which must contain no comma. The comparison is the weak one,
// because a proxy that compresses a response makes its tag weak.
func matchesETag(ifNoneMatch []string, tag string) bool {
	for candidate := range strings.SplitSeq(strings.Join(ifNoneMatch, ","), ",") {
		candidate = strings.TrimSpace(candidate)
		if candidate == "*" || strings.TrimPrefix(candidate, "W/") == tag {
			return true
		}
	}
	return false
}
