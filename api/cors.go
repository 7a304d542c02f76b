package api

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/gin-gonic/gin"
	"github.com/rs/cors"
)

// DefaultCORSOrigins returns the origins that the reference's web client is served from.
func DefaultCORSOrigins() []string {
	return []string{"http://localhost:8888", "https://pdap.io", "https://pdap.dev"}
}

// anyOrigin admits every origin, but without credentials: browsers refuse the combination.
const anyOrigin = "*"

// preflightAge is how long, in seconds, a browser may cache the response to a preflight. Chromium caches no longer.
const preflightAge = 2 * 60 * 60

// exposedHeaders are the response headers that a page of another origin may read.
var exposedHeaders = []string{
	requestIDHeader, "ETag", "Server-Timing", replayedHeader, "Retry-After", "WWW-Authenticate", "Content-Disposition", "Location",
	"Next-Annotation-Failed", "Annotation-Reason", "Reserved-Until", "RateLimit", "RateLimit-Policy",
}

// crossOrigin returns the gin middleware that lets pages of these origins call the operations of a document. It responds to
// preflights itself, because a preflight carries no token.
func crossOrigin(origins []string, doc *openapi3.T) (gin.HandlerFunc, error) {
	if err := CheckCORSOrigins(origins); err != nil {
		return nil, err
	}
	if len(origins) == 0 {
		return func(*gin.Context) {}, nil // for the library an empty list means every origin
	}
	methods := []string{http.MethodHead}
	for _, item := range doc.Paths.Map() {
		for method := range item.Operations() {
			methods = append(methods, method)
		}
	}
	slices.Sort(methods)
	rules := cors.New(cors.Options{
		AllowedOrigins:   origins,
		AllowedMethods:   slices.Compact(methods),
		AllowedHeaders:   []string{"*"},
		ExposedHeaders:   exposedHeaders,
		AllowCredentials: !slices.Contains(origins, anyOrigin),
		MaxAge:           preflightAge,
	})
	return func(c *gin.Context) {
		rules.HandlerFunc(c.Writer, c.Request)
		if c.Request.Method == http.MethodOptions && c.GetHeader("Access-Control-Request-Method") != "" {
			c.Abort()
		}
	}, nil
}

// CheckCORSOrigins returns an error when one of the texts is not an origin.
func CheckCORSOrigins(origins []string) error {
	for _, origin := range origins {
		if err := checkOrigin(origin); err != nil {
			return fmt.Errorf("%q: %w", origin, err)
		}
	}
	return nil
}

// checkOrigin refuses texts that no browser sends as Origin, and patterns, because one wrong asterisk admits every origin.
func checkOrigin(origin string) error {
	if origin == anyOrigin {
		return nil
	}
	parsed, err := url.Parse(origin)
	switch {
	case err != nil:
		return errors.New("it is not a URL")
	case parsed.Scheme != "http" && parsed.Scheme != "https" || parsed.Host == "":
		return errors.New("it does not begin with http:// or https:// and a host")
	case parsed.Scheme+"://"+parsed.Host != origin:
		return errors.New("it has more than a scheme, a host and a port")
	case slices.Contains([]byte(origin), '*'):
		return errors.New("it is a pattern; name each origin, or * alone for every one")
	}
	return nil
}
