package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

func TestRedact(t *testing.T) {
	t.Parallel()
	const removed = "[removed]"
	for text, want := range map[string]string{
		"session 0b6f7c1e-5a3d-4a53-9f0b-6f1f6f1c2d3e is locked":                     "session " + removed + " is locked",
		"{0B6F7C1E-5A3D-4A53-9F0B-6F1F6F1C2D3E}":                                     "{" + removed + "}",
		"urn:uuid:0b6f7c1e5a3d4a539f0b6f1f6f1c2d3e":                                  "urn:uuid:" + removed,
		"0b6f7c1e-5a3d-4a53-9f0b-6f1f6f1c2d3":                                        removed,
		"cut 0b6f7c1e-5a3d-4a53…":                                                    "cut " + removed + "…",
		"?session_id=0b6f7c1e%2D5a3d%2d4a53%2D9f0b%2D6f1f6f1c2d3e":                   "?session_id=" + removed,
		fmt.Sprint([16]byte(uuid.MustParse("0b6f7c1e-5a3d-4a53-9f0b-6f1f6f1c2d3e"))): removed,
		"Authorization: Bearer abc.def":                                              "Authorization: " + removed,
		"token eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI3In0.c2ln-_x is old":                  "token " + removed + " is old",
		"migration 20261201101500_add_urls_language is not known":                    "migration 20261201101500_add_urls_language is not known",
		"a decade of cafés, added 2026 and 2025-12-31":                               "a decade of cafés, added 2026 and 2025-12-31",
		"BEARER x": removed,
		"location not found: 9223372036854775807":                         "location not found: 9223372036854775807",
		"agency not found: 12, 13, 2147483647, 15, 16, 17, 18, 19":        "agency not found: 12, 13, 2147483647, 15, 16, 17, 18, 19",
		"2026-11-30 11:47:56.675 UTC [1234] LOG:  checkpoint":             "2026-11-30 11:47:56.675 UTC [1234] LOG:  checkpoint",
		"dial tcp 192.168.100.101:5432: connect: connection refused":      "dial tcp 192.168.100.101:5432: connect: connection refused",
		`duplicate key value violates constraint "annotation_queue_pkey"`: `duplicate key value violates constraint "annotation_queue_pkey"`,
	} {
		require.Equal(t, want, redact(text))
	}
}

// Errors and panics may quote the arguments of a statement, or the URL of the request.
func TestErrorsAreLoggedWithoutSecrets(t *testing.T) {
	t.Parallel()
	session := uuid.NewString()
	cause := fmt.Errorf("encode argument %q of session_id: %w", session, context.DeadlineExceeded)
	for name, handler := range map[string]func(*gin.Context, func(*gin.Context, error)){
		"error":           func(c *gin.Context, fail func(*gin.Context, error)) { fail(c, cause) },
		"panic":           func(*gin.Context, func(*gin.Context, error)) { panic(cause) },
		"panic with text": func(c *gin.Context, _ func(*gin.Context, error)) { panic(c.Request.RequestURI + session) },
		"panic with id":   func(*gin.Context, func(*gin.Context, error)) { panic(uuid.MustParse(session)) },
		"panic with bytes": func(*gin.Context, func(*gin.Context, error)) {
			panic([16]byte(uuid.MustParse(session)))
		},
		"late error": func(c *gin.Context, _ func(*gin.Context, error)) {
			c.String(http.StatusOK, "sent")
			_ = c.Error(errors.New(session))
		},
	} {
		b := setup(t, handler)
		b.send("POST", "/things/7?session_id="+session, `{"color":"red"}`)
		line := b.line(t).ContextMap()
		require.Contains(t, line["error"], "[removed]", name)
		require.NotContains(t, fmt.Sprint(line), session[:8], name)
		require.NotContains(t, fmt.Sprint(line), session[24:], name)
	}
}

// The client's id of a request is logged, unless it is a secret of the request. Most ids have the form of the id of a session.
func TestRequestIDThatIsASecret(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	session := uuid.New()
	for id, taken := range map[string]bool{
		uuid.NewString():               true,
		session.String():               false,
		session.String()[:20]:          false,
		"{" + session.String() + "}":   false,
		b.bearer[len("Bearer "):][:40]: false,
		"x-" + session.String():        false,
		"things":                       true, // too short to be one
	} {
		response := b.send("GET", "/open?other="+session.String(), "", "X-Request-Id", id)
		require.Equal(t, taken, response.Header().Get("X-Request-Id") == id, id)
	}
}
