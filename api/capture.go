package api

import (
	"bytes"

	"github.com/gin-gonic/gin"
)

// capture holds an answer back until it is known what becomes of it.
type capture struct {
	gin.ResponseWriter
	body  bytes.Buffer
	begun bool
}

// captured lets the rest of the handlers answer into a capture. When they return, or panic, the writer is the request's
// own again, with their status and headers set and nothing sent.
func captured(c *gin.Context) *capture {
	own := c.Writer
	held := &capture{ResponseWriter: own}
	c.Writer = held
	defer func() { c.Writer = own }()
	c.Next()
	return held
}

// send sends what was held back.
func (w *capture) send() {
	w.ResponseWriter.WriteHeaderNow()
	_, _ = w.ResponseWriter.Write(w.body.Bytes()) // fails when the client left, which needs no answer
}

// discard forgets what was held back, for another answer.
func (w *capture) discard() {
	w.body.Reset()
	w.begun = false
}

func (w *capture) Write(data []byte) (int, error) {
	w.WriteHeaderNow()
	return w.body.Write(data)
}

func (w *capture) WriteString(data string) (int, error) {
	w.WriteHeaderNow()
	return w.body.WriteString(data)
}

func (w *capture) WriteHeaderNow() {
	if timed, ok := w.ResponseWriter.(*timedWriter); ok && !w.begun {
		timed.encoded()
	}
	w.begun = true
}

func (w *capture) Flush()        {}
func (w *capture) Written() bool { return w.begun }
func (w *capture) Size() int     { return w.body.Len() }
