package api

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"
)

// conditional is the gin middleware of operations whose success has an ETag: an answer that the client has already is not
// sent again. The answer is computed either way; what a client that polls saves is its transfer.
func (s *server) conditional(c *gin.Context) {
	if c.Request.Method != http.MethodGet {
		return
	}
	op := s.contract.operation(c)
	if !op.conditional {
		return
	}
	held := captured(c)
	if held.Status() == http.StatusOK {
		if op.signedIn {
			c.Writer.Header().Add("Vary", "Authorization")
		}
		if notModified(c, held.body.Bytes()) {
			return
		}
	}
	held.send()
}

// notModified gives an answer its ETag, and answers 304 when the client has it already. The tag is a strong one: the same
// bytes, the same tag. Clients may keep the answer and have to ask each time whether it still holds.
func notModified(c *gin.Context, body []byte) bool {
	sum := sha256.Sum256(body)
	tag := `"` + base64.RawURLEncoding.EncodeToString(sum[:16]) + `"`
	header := c.Writer.Header()
	header.Set("ETag", tag)
	header.Set("Cache-Control", "private, no-cache")
	if !names(c.Request.Header.Values("If-None-Match"), tag) {
		return false
	}
	header.Del("Content-Type")
	c.Status(http.StatusNotModified)
	c.Writer.WriteHeaderNow()
	return true
}

// names tells whether If-None-Match names a tag, which holds no comma. The comparison is the weak one, since a proxy
// that compressed the answer has weakened its tag.
func names(ifNoneMatch []string, tag string) bool {
	for candidate := range strings.SplitSeq(strings.Join(ifNoneMatch, ","), ",") {
		candidate = strings.TrimSpace(candidate)
		if candidate == "*" || strings.TrimPrefix(candidate, "W/") == tag {
			return true
		}
	}
	return false
}
