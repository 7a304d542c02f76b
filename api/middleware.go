package api

import (
	"context"
	"net/http"
	"runtime/debug"
	"strings"

	"github.com/gin-gonic/gin"
)

// recoverPanics answers a request whose handler panicked. An answer half sent is broken off, lest
// it be taken for a whole one; so is one the handler itself asks to break off.
func (s *server) recoverPanics(c *gin.Context) {
	defer func() {
		value := recover()
		if value == nil {
			return
		}
		if value == http.ErrAbortHandler {
			_ = c.Error(http.ErrAbortHandler)
			panic(value)
		}
		begun := c.Writer.Written()
		s.fail(c, &panicError{value: value, stack: debug.Stack()})
		if begun {
			panic(http.ErrAbortHandler)
		}
	}()
	c.Next()
}

// broken answers a request whose answer could not be made out of what its handler returned. One half sent is broken off.
func (s *server) broken(c *gin.Context, err error) {
	_, held := c.Writer.(*capture)
	begun := c.Writer.Written() && !held
	s.fail(c, err)
	if begun {
		panic(http.ErrAbortHandler)
	}
}

type headKey struct{}

// isHead tells whether nothing but the head of an answer is asked for, which is worth knowing where the rest costs something.
func isHead(ctx context.Context) bool { return ctx.Value(headKey{}) != nil }

// engine answers HEAD wherever GET is a route, as HTTP has it; net/http leaves out the body.
type engine struct{ *gin.Engine }

func (e engine) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodHead {
		r = r.WithContext(context.WithValue(r.Context(), headKey{}, true)) // a copy: net/http looks at the original's method
		r.Method = http.MethodGet
	}
	e.Engine.ServeHTTP(w, r)
}

// limit bounds what a request may cost: the time until its answer and the size of its body.
func (s *server) limit(c *gin.Context) {
	timeout := s.cfg.RequestTimeout
	if op := s.contract.operation(c); op != nil && op.streamed {
		timeout = s.cfg.ExportTimeout
	}
	ctx, cancel := context.WithTimeout(c.Request.Context(), timeout)
	defer cancel()
	c.Request = c.Request.WithContext(ctx)
	if c.Request.ContentLength > s.cfg.MaxBodyBytes {
		s.fail(c, &http.MaxBytesError{Limit: s.cfg.MaxBodyBytes})
		return
	}
	c.Request.Body = http.MaxBytesReader(c.Writer, c.Request.Body, s.cfg.MaxBodyBytes)
	c.Next()
}

// noRoute redirects a path that would be known with one slash more or less at its end, and answers
// 404 to every other.
func (s *server) noRoute(c *gin.Context) {
	path := c.Request.URL.Path
	twin := path + "/"
	if strings.HasSuffix(path, "/") {
		twin = path[:len(path)-1]
	}
	for _, pattern := range s.patterns {
		if matches(pattern, twin) {
			location := c.Request.URL.EscapedPath()
			if len(twin) < len(path) {
				location = location[:len(location)-1]
			} else {
				location += "/"
			}
			if c.Request.URL.RawQuery != "" {
				location += "?" + c.Request.URL.RawQuery
			}
			c.Header("Location", location)
			c.Status(http.StatusTemporaryRedirect)
			return
		}
	}
	s.fail(c, errNoRoute)
}

// matches tells whether a path fits a gin pattern, whose segments are texts and :parameters.
func matches(pattern, path string) bool {
	want, got := strings.Split(pattern, "/"), strings.Split(path, "/")
	if len(want) != len(got) {
		return false
	}
	for i := range want {
		if parameter := strings.HasPrefix(want[i], ":"); parameter && got[i] == "" || !parameter && want[i] != got[i] {
			return false
		}
	}
	return true
}

func (s *server) noMethod(c *gin.Context) { s.fail(c, errMethodNotAllowed) }
