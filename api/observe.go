package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"docket/internal/auth"
	"docket/internal/phase"
)

const requestIDHeader = "X-Request-Id"

// maxRequestID is the longest request id, in characters, that is taken from a client.
const maxRequestID = 128

type requestIDKey struct{}

// RequestID returns the id of the request that ctx belongs to, "" outside of one.
func RequestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}

// identify gives the request its id: the client's, if it can stand in a log line, or a new one.
func identify(c *gin.Context) {
	id := c.GetHeader(requestIDHeader)
	if !printable(id) {
		id = uuid.NewString()
	}
	c.Header(requestIDHeader, id)
	c.Request = c.Request.WithContext(context.WithValue(c.Request.Context(), requestIDKey{}, id))
}

func printable(id string) bool {
	for _, r := range id {
		if r < '!' || r > '~' {
			return false
		}
	}
	return id != "" && len(id) <= maxRequestID
}

// observe times a request, its phases included, and reports it when it is over: one log line, one
// observation of each histogram. Query, body and unmatched paths stay out of both.
func (s *server) observe(c *gin.Context) {
	begin := s.cfg.Clock()
	var rec *phase.Recorder
	if s.cfg.Timings {
		rec = phase.NewRecorder(s.cfg.Clock)
		c.Request = c.Request.WithContext(phase.NewContext(c.Request.Context(), rec))
		c.Writer = &timedWriter{ResponseWriter: c.Writer, rec: rec, clock: s.cfg.Clock, begin: begin}
	}
	defer func() {
		total := s.cfg.Clock().Sub(begin)
		s.cfg.Metrics.observe(c.Request.Method, c.FullPath(), c.Writer.Status(), total, rec)
		s.log(c, total, rec)
	}()
	c.Next()
	c.Writer.WriteHeaderNow() // of an answer without a body, so that it too passes the timedWriter
}

func (s *server) log(c *gin.Context, total time.Duration, rec *phase.Recorder) {
	status := c.Writer.Status()
	var causes []error
	for _, err := range c.Errors {
		causes = append(causes, err.Err)
	}
	cause := errors.Join(causes...)
	level := zapcore.InfoLevel
	switch {
	case status < http.StatusBadRequest && errors.Is(cause, errClientClosed): // left in the middle
	case status >= http.StatusInternalServerError,
		status < http.StatusBadRequest && cause != nil: // broken off after a good beginning
		level = zapcore.ErrorLevel
	case status == statusClientClosed:
	case status >= http.StatusBadRequest:
		level = zapcore.WarnLevel
	}
	entry := s.cfg.Log.Check(level, "request")
	if entry == nil {
		return
	}
	fields := []zap.Field{
		zap.String("request_id", RequestID(c.Request.Context())),
		zap.String("method", echo(c.Request.Method)),
		zap.String("route", c.FullPath()),
		zap.Int("status", status),
		zap.Int("bytes", max(c.Writer.Size(), 0)),
		zap.Float64("total_s", total.Seconds()),
	}
	if rec != nil {
		fields = append(fields, zap.Inline(rec))
	}
	if user, ok := auth.FromContext(c.Request.Context()); ok {
		fields = append(fields, zap.Int32("user_id", user.UserID))
	}
	fields = append(fields, zap.Error(cause)) // nothing when nil
	var crash *panicError
	if errors.As(cause, &crash) {
		fields = append(fields, zap.ByteString("stack", crash.stack))
	}
	entry.Write(fields...)
}

// timedWriter adds the Server-Timing header at the last moment, when the phases are over.
type timedWriter struct {
	gin.ResponseWriter
	rec    *phase.Recorder
	clock  func() time.Time
	begin  time.Time
	encode func() // ends the phase of encoding, if it has begun
}

func (w *timedWriter) WriteHeaderNow() {
	if w.Written() {
		return
	}
	w.encoded()
	timings := append(w.rec.Timings(), phase.Timing{Name: "total_s", Duration: w.clock().Sub(w.begin)})
	w.Header().Set("Server-Timing", phase.ServerTiming(timings))
	w.ResponseWriter.WriteHeaderNow()
}

// encoded ends the phase of encoding, if it runs.
func (w *timedWriter) encoded() {
	if w.encode != nil {
		w.encode()
		w.encode = nil
	}
}

func (w *timedWriter) Write(data []byte) (int, error) {
	w.WriteHeaderNow()
	return w.ResponseWriter.Write(data)
}

func (w *timedWriter) WriteString(data string) (int, error) {
	w.WriteHeaderNow()
	return w.ResponseWriter.WriteString(data)
}

func (w *timedWriter) Flush() {
	w.WriteHeaderNow()
	w.ResponseWriter.Flush()
}

// Unwrap lets http.ResponseController get at the connection.
func (w *timedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// timeEncoding is the strict server's middleware that begins the phase of encoding where a handler
// ends; generated code encodes between there and the first byte written.
func timeEncoding(next StrictHandlerFunc, _ string) StrictHandlerFunc {
	return func(c *gin.Context, request any) (any, error) {
		response, err := next(c, request)
		writer := c.Writer
		if held, ok := writer.(*capture); ok {
			writer = held.ResponseWriter
		}
		if w, ok := writer.(*timedWriter); ok && err == nil {
			w.encode = phase.Start(c.Request.Context(), phase.Encode)
		}
		return response, err
	}
}

// panicError is a panic of a handler, on its way to the log line.
type panicError struct {
	value any
	stack []byte
}

func (e *panicError) Error() string { return fmt.Sprintf("panic: %v", e.value) }
