package api

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/stretchr/testify/require"
)

// A response that is held sends nothing, also when the handler flushes it.
func TestHeldResponseSendsNothing(t *testing.T) {
	t.Parallel()
	recorder := httptest.NewRecorder()
	b := setup(t, func(c *gin.Context, _ func(*gin.Context, error)) {
		_, err := c.Writer.WriteString("part")
		require.NoError(t, err)
		c.Writer.Flush()
		require.True(t, c.Writer.Written())
		require.Equal(t, len("part"), c.Writer.Size())
		require.Zero(t, recorder.Body.Len())
		require.False(t, recorder.Flushed)
	})
	req := httptest.NewRequest("GET", "/polled", nil)
	req.Header.Set("Authorization", b.bearer)
	b.handler.ServeHTTP(recorder, req)
	require.Equal(t, "part", recorder.Body.String())
	require.NotEmpty(t, recorder.Header().Get("ETag"))
}

// When the handler fails or panics, a problem is sent in place of what was held.
func TestHeldResponseIsReplaced(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*gin.Context, func(*gin.Context, error)){
		"error": func(c *gin.Context, fail func(*gin.Context, error)) { fail(c, errors.New("bug")) },
		"panic": func(*gin.Context, func(*gin.Context, error)) { panic("bug") },
	} {
		b := setup(t, func(c *gin.Context, fail func(*gin.Context, error)) {
			c.String(http.StatusOK, "part")
			end(c, fail)
		})
		response := b.send("GET", "/polled", "")
		require.Equal(t, http.StatusInternalServerError, response.Code, name)
		require.Equal(t, "Internal Server Error", problemIn(t, response).Detail, name)
		require.NotEmpty(t, response.Header().Get("Server-Timing"), name)
	}
}

// A streamed response gets its headers with the first byte, and none of them when it fails before.
func TestStreamedResponse(t *testing.T) {
	t.Parallel()
	for name, failure := range map[string]error{"success": nil, "failure": errors.New("bug")} {
		b := setup(t, func(c *gin.Context, fail func(*gin.Context, error)) {
			w := responseOf(c)
			w.stream(http.Header{"Content-Type": {"text/csv"}, "Content-Disposition": {"attachment"}}, time.Second)
			if failure != nil {
				fail(c, failure)
				return
			}
			_, err := w.WriteString("a,b\n")
			require.NoError(t, err)
			w.Flush()
		})
		response := b.send("POST", "/things/7", `{"color":"red"}`)
		if failure != nil {
			problemIn(t, response)
			require.Empty(t, response.Header().Get("Content-Disposition"), name)
			continue
		}
		require.Equal(t, "text/csv", response.Header().Get("Content-Type"), name)
		require.Equal(t, "attachment", response.Header().Get("Content-Disposition"), name)
		require.Equal(t, "a,b\n", response.Body.String())
		require.True(t, response.Flushed)
	}
}
