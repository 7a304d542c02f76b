package api

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/stretchr/testify/require"

	"docket/internal/export"
)

// connection is the connection of a client; it records deadlines and writes.
type connection struct {
	*httptest.ResponseRecorder
	deadline time.Time
	writes   int
	err      error
}

func (c *connection) SetWriteDeadline(deadline time.Time) error {
	c.deadline = deadline
	return nil
}

func (c *connection) Write(data []byte) (int, error) {
	c.writes++
	if c.err != nil {
		return 0, c.err
	}
	return c.ResponseRecorder.Write(data)
}

// Each piece of a streamed response has its own time limit. A client that does not accept a piece in time has left.
func TestStreamToClientThatStalls(t *testing.T) {
	t.Parallel()
	lines := func(yield func(export.Line, error) bool) {
		for i := range int32(10_000) {
			if !yield(export.Line{URLID: i, URL: "example.org"}, nil) {
				return
			}
		}
	}
	var err error
	b := setup(t, func(c *gin.Context, _ func(*gin.Context, error)) {
		write := func(w io.Writer, format ExportFormat) error { return WriteAnnotations(w, format, lines) }
		err = exportResponse{format: Csv, write: write}.VisitExportAnnotationsResponse(c.Writer)
	})
	for _, broken := range []error{nil, http.ErrHandlerTimeout} {
		client := &connection{ResponseRecorder: httptest.NewRecorder(), err: broken}
		begin := time.Now()
		b.handler.ServeHTTP(client, httptest.NewRequest(http.MethodGet, "/open?need=5e551011-0000-4000-8000-000000000001", nil))
		require.WithinRange(t, client.deadline, begin.Add(exportStall), time.Now().Add(exportStall))
		if broken == nil {
			require.NoError(t, err)
			require.Greater(t, client.writes, 2)
			continue
		}
		require.ErrorIs(t, err, errClientClosed)
		require.ErrorIs(t, err, broken)
		require.Equal(t, 1, client.writes, "nothing more is sent")
	}
}
