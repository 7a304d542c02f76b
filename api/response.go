package api

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"docket/internal/phase"
)

// responseMode says what happens to the bytes that a handler writes.
type responseMode int

const (
	modeDirect   responseMode = iota // they are sent
	modeHeld                         // they are kept until send
	modeStreamed                     // they are sent piece by piece, and the client has a time limit for each piece
)

// response is the writer of every request's response. It adds the Server-Timing header when the header is sent, which
// is after the last phase, and sends the body in one of three modes.
type response struct {
	gin.ResponseWriter
	clock  func() time.Time
	begin  time.Time
	phases *phase.Recorder // nil when timings are off

	endEncoding func() // ends the phase of encoding, if it has begun

	mode     responseMode
	body     bytes.Buffer // held: what was written
	written  bool         // held: the handler has begun to write
	header   http.Header  // streamed: set with the first byte
	deadline func(time.Time) error
	stall    time.Duration // streamed: how long the client may take to accept one piece
}

// responseOf returns the writer of a request's response, which the observe middleware has put there.
func responseOf(c *gin.Context) *response { return c.Writer.(*response) }

// hold runs the handlers that follow and keeps what they write. Afterwards, even after a panic, the response is direct
// again, with their status and headers set and nothing sent.
func (w *response) hold(c *gin.Context) (body []byte) {
	w.mode = modeHeld
	defer func() { w.mode = modeDirect }()
	c.Next()
	return w.body.Bytes()
}

// send sends the status, the headers and a body that was held.
func (w *response) send(body []byte) {
	w.WriteHeaderNow()
	_, _ = w.Write(body) // an error means that the client has left
}

// stream begins to send a response while it is produced. Its headers are set with the first byte, so that an error
// before that becomes an ordinary problem. Each piece gets its own time limit in place of the server's, which is meant
// for short responses; a client that does not accept a piece in time has left.
func (w *response) stream(header http.Header, stall time.Duration) {
	w.mode, w.header, w.stall = modeStreamed, header, stall
	w.deadline = http.NewResponseController(w.ResponseWriter).SetWriteDeadline
}

// discard drops what has not been sent yet, so that a problem can be sent in its place.
func (w *response) discard() {
	w.body.Reset()
	w.written = false
	if w.mode == modeStreamed {
		w.mode = modeDirect
	}
}

// sent reports whether the client has been sent a part of the response.
func (w *response) sent() bool { return w.ResponseWriter.Written() }

// startEncoding begins the phase of encoding, which ends with the first byte.
func (w *response) startEncoding(ctx context.Context) {
	_, w.endEncoding = phase.Start(ctx, phase.Encode)
}

func (w *response) WriteHeaderNow() {
	if w.Written() {
		return
	}
	if w.endEncoding != nil {
		w.endEncoding()
		w.endEncoding = nil
	}
	switch w.mode {
	case modeHeld:
		w.written = true
		return
	case modeStreamed:
		for name, values := range w.header {
			w.Header()[name] = values
		}
	}
	if w.phases != nil {
		timings := append(w.phases.Timings(), phase.Timing{Name: "total_s", Duration: w.clock().Sub(w.begin)})
		w.Header().Set("Server-Timing", phase.ServerTiming(timings))
	}
	w.ResponseWriter.WriteHeaderNow()
}

func (w *response) Write(data []byte) (n int, err error) {
	switch w.mode {
	case modeHeld:
		w.WriteHeaderNow()
		return w.body.Write(data)
	case modeStreamed:
		err = w.deadline(time.Now().Add(w.stall))
		if err == nil || errors.Is(err, http.ErrNotSupported) { // a test's recorder has no deadlines
			w.WriteHeaderNow()
			n, err = w.ResponseWriter.Write(data)
		}
		if err != nil {
			err = fmt.Errorf("%w: %w", errClientClosed, err)
		}
		return n, err
	}
	w.WriteHeaderNow()
	return w.ResponseWriter.Write(data)
}

func (w *response) WriteString(data string) (int, error) {
	if w.mode == modeStreamed {
		return w.Write([]byte(data))
	}
	w.WriteHeaderNow()
	if w.mode == modeHeld {
		return w.body.WriteString(data)
	}
	return w.ResponseWriter.WriteString(data)
}

func (w *response) Flush() {
	if w.mode == modeHeld {
		return
	}
	w.WriteHeaderNow()
	w.ResponseWriter.Flush()
}

// Written reports whether the handler has begun to write.
func (w *response) Written() bool {
	if w.mode == modeHeld {
		return w.written
	}
	return w.ResponseWriter.Written()
}

// Size returns the number of bytes written of the body.
func (w *response) Size() int {
	if w.mode == modeHeld {
		return w.body.Len()
	}
	return w.ResponseWriter.Size()
}

// Unwrap lets http.ResponseController reach the connection.
func (w *response) Unwrap() http.ResponseWriter { return w.ResponseWriter }
