package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"runtime/debug"
	"strings"

	"github.com/gin-gonic/gin"
)

// recoverPanics sends a problem when a handler panics. It passes on http.ErrAbortHandler, with
// which a handler itself breaks off its response, to net/http.
func (s *server) recoverPanics(c *gin.Context) {
	defer func() {
		switch value := recover(); value {
		case nil:
		case http.ErrAbortHandler:
			_ = c.Error(http.ErrAbortHandler)
			panic(value)
		default:
			s.breakOff(c, &panicError{value: value, stack: debug.Stack()})
		}
	}()
	c.Next()
}

// breakOff fails a request whose response may have been sent in part. Such a response is broken off, so that the client
// does not take it for a whole one.
func (s *server) breakOff(c *gin.Context, err error) {
	sent := responseOf(c).sent()
	s.fail(c, err)
	if sent {
		panic(http.ErrAbortHandler)
	}
}

// failEncoding fails a request whose handler returned a result that could not be sent.
func (s *server) failEncoding(c *gin.Context, err error) {
	if errors.Is(c.Request.Context().Err(), context.Canceled) && !errors.Is(err, errClientClosed) {
		err = fmt.Errorf("%w: %w", errClientClosed, err)
	}
	s.breakOff(c, err)
}

// protect sets the headers that every response has. A response may be stored only where an ETag allows it: others may contain the
// id of a session, which is a secret, or belong to the holder of a token. Browsers neither run, frame nor refer from a response;
// the documentation page has a policy of its own. They are told to use TLS only by a response over TLS, as RFC 6797 requires.
func (s *server) protect(c *gin.Context) {
	c.Header("Cache-Control", "no-store")
	c.Header("X-Content-Type-Options", "nosniff")
	c.Header("X-Frame-Options", "DENY")
	c.Header("Referrer-Policy", "no-referrer")
	c.Header("Content-Security-Policy", responsePolicy)
	c.Header("Cross-Origin-Resource-Policy", s.resourcePolicy(c))
	if c.Request.TLS != nil {
		c.Header("Strict-Transport-Security", "max-age=31536000")
	}
}

const responsePolicy = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// resourcePolicy returns which pages may embed a response. Pages that may send requests also show screenshots as images, for which
// browsers send no Origin. All other responses are read by requests with CORS, which this policy does not concern.
func (s *server) resourcePolicy(c *gin.Context) string {
	if c.FullPath() == screenshotRoute && len(s.cfg.CORSOrigins) > 0 {
		return "cross-origin"
	}
	return "same-origin"
}

// screenshotRoute is gin's pattern of the only operation that returns images.
const screenshotRoute = "/url/:url_id/screenshot"

type headKey struct{}

// isHead reports whether the request is HEAD. A handler whose body is expensive need not produce it then.
func isHead(ctx context.Context) bool { return ctx.Value(headKey{}) != nil }

// apiPrefix may precede every path, because clients of the reference send some requests with it. /api and /api/ alone are the
// documentation.
const apiPrefix = "/api"

type prefixKey struct{}

// prefixOf returns the prefix that the client sent before the path of the request: apiPrefix or "".
func prefixOf(ctx context.Context) string {
	prefix, _ := ctx.Value(prefixKey{}).(string)
	return prefix
}

// engine serves HEAD wherever GET is a route, as HTTP requires; net/http leaves out the body. It serves each path with the
// prefix too, and removes the prefix before routing, so that logs, metrics, and idempotency keys have one name for an operation.
type engine struct{ *gin.Engine }

func (e engine) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodHead {
		r = r.WithContext(context.WithValue(r.Context(), headKey{}, true)) // a copy: net/http reads the method of the original
		r.Method = http.MethodGet
	}
	e.Engine.ServeHTTP(w, withoutPrefix(r))
}

// withoutPrefix returns a request without the prefix, of which prefixOf returns it; r itself when it has no prefix.
func withoutPrefix(r *http.Request) *http.Request {
	path, found := strings.CutPrefix(r.URL.Path, apiPrefix)
	if !found || !strings.HasPrefix(path, "/") || path == "/" {
		return r
	}
	r = r.WithContext(context.WithValue(r.Context(), prefixKey{}, apiPrefix))
	target := *r.URL
	target.Path = path
	// A spelling of the path that does not begin with these characters is no longer valid, and net/url ignores it then.
	target.RawPath = strings.TrimPrefix(target.RawPath, apiPrefix)
	r.URL = &target
	return r
}

// limit limits the time of a request and the size of its body.
func (s *server) limit(c *gin.Context) {
	timeout := s.cfg.RequestTimeout
	if op := s.operations.of(c); op != nil && op.streamed {
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

// noRoute redirects a path that would match a route with one slash more or less at its end. Every other path gets 404.
func (s *server) noRoute(c *gin.Context) {
	path := c.Request.URL.Path
	other := path + "/"
	if strings.HasSuffix(path, "/") {
		other = path[:len(path)-1]
	}
	for _, pattern := range s.patterns {
		if matches(pattern, other) {
			location := (&url.URL{Path: other}).EscapedPath() // the slash at the end may have been sent as %2F
			if c.Request.URL.RawQuery != "" {
				location += "?" + c.Request.URL.RawQuery
			}
			c.Header("Location", prefixOf(c.Request.Context())+location)
			c.Status(http.StatusTemporaryRedirect)
			return
		}
	}
	s.fail(c, errNoRoute)
}

// matches reports whether a path matches a gin pattern, whose segments are texts and :parameters.
func matches(pattern, path string) bool {
	expected, segments := strings.Split(pattern, "/"), strings.Split(path, "/")
	if len(expected) != len(segments) {
		return false
	}
	for i, segment := range segments {
		if parameter := strings.HasPrefix(expected[i], ":"); parameter && segment == "" || !parameter && expected[i] != segment {
			return false
		}
	}
	return true
}

func (s *server) noMethod(c *gin.Context) { s.fail(c, errMethodNotAllowed) }
