package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"docket/internal/auth"
	"docket/internal/phase"
)

const requestIDHeader = "X-Request-Id"

// maxRequestID is the length, in characters, of the longest request id that is accepted from a client.
const maxRequestID = 128

type requestIDKey struct{}

// RequestID returns the id of the request that ctx belongs to, "" when it belongs to none.
func RequestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}

// identify gives the request its id: the client's, if it fits in a log line, or a new one. It is logged, so a client's id that
// repeats a secret of the request is not taken.
func identify(c *gin.Context) {
	id := c.GetHeader(requestIDHeader)
	if !printable(id) || repeatsSecret(id, c.Request) {
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

// observe times a request and its phases and reports it when it has ended: one log line, one observation in each histogram, and,
// when traces are on, one span. None contains the query, the body, a path that matches no route, the id of a session or a token.
// Requests that are refused for overload are counted apart: they say nothing about the time of those that are processed.
func (s *server) observe(c *gin.Context) {
	begin := s.cfg.Clock()
	span := s.startSpan(c)
	w := &response{ResponseWriter: c.Writer, clock: s.cfg.Clock, begin: begin}
	if s.cfg.Timings {
		w.phases = phase.NewRecorder(s.cfg.Clock)
		c.Request = c.Request.WithContext(phase.NewContext(c.Request.Context(), w.phases))
	}
	c.Writer = w
	s.cfg.Metrics.inFlight.Inc()
	defer func() {
		s.cfg.Metrics.inFlight.Dec()
		level, cause := outcome(c)
		endSpan(span, w.Status(), level)
		if len(c.Errors) > 0 {
			if refusal := refusalOf(c.Errors[0].Err); refusal != nil {
				s.logRefusal(c, refusal)
				return
			}
		}
		total := s.cfg.Clock().Sub(begin)
		s.cfg.Metrics.observe(c.Request.Method, c.FullPath(), w.Status(), total, w.phases)
		s.log(c, level, cause, total, w.phases, traceID(span))
	}()
	c.Next()
	w.WriteHeaderNow() // a response without a body has not been sent yet
}

// knownMethod returns a method of HTTP as it is. A client can send any text as a method.
func knownMethod(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions,
		http.MethodConnect, http.MethodTrace:
		return method
	}
	return "other"
}

// outcome returns the level of the log line of a request that has ended, and the errors in it.
func outcome(c *gin.Context) (zapcore.Level, error) {
	status := c.Writer.Status()
	var causes []error
	for _, err := range c.Errors {
		causes = append(causes, err.Err)
	}
	cause := errors.Join(causes...)
	switch {
	case status < http.StatusBadRequest && errors.Is(cause, errClientClosed): // the client left during the response
	case status >= http.StatusInternalServerError,
		status < http.StatusBadRequest && cause != nil: // failed after the header was sent
		return zapcore.ErrorLevel, cause
	case status == statusClientClosed:
	case status >= http.StatusBadRequest:
		return zapcore.WarnLevel, cause
	}
	return zapcore.InfoLevel, cause
}

func (s *server) log(c *gin.Context, level zapcore.Level, cause error, total time.Duration, rec *phase.Recorder, traceID zap.Field) {
	slow := s.isSlow(c, total)
	if slow {
		level = max(level, zapcore.WarnLevel)
	}
	entry := s.cfg.Log.Check(level, "request")
	if entry == nil {
		return
	}
	fields := []zap.Field{
		zap.String("request_id", RequestID(c.Request.Context())),
		zap.String("method", knownMethod(c.Request.Method)),
		zap.String("route", c.FullPath()),
		zap.Int("status", c.Writer.Status()),
		zap.Int("bytes", max(c.Writer.Size(), 0)),
		zap.Float64("total_s", total.Seconds()),
		traceID,
	}
	if rec != nil {
		fields = append(fields, zap.Inline(rec))
	}
	if slow && rec != nil {
		fields = append(fields, zap.String("slowest_phase", slowestPhase(total, rec.Timings())))
	}
	if user, ok := auth.FromContext(c.Request.Context()); ok {
		fields = append(fields, zap.Int32("user_id", user.UserID))
	}
	if cause != nil {
		fields = append(fields, zap.String("error", redact(cause.Error())))
	}
	var crash *panicError
	if errors.As(cause, &crash) {
		fields = append(fields, zap.ByteString("stack", crash.stack))
	}
	entry.Write(fields...)
}

// isSlow reports whether a request took so long that an operator should see it. Operations that stream take as long as their
// client.
func (s *server) isSlow(c *gin.Context, total time.Duration) bool {
	if s.cfg.SlowRequest <= 0 || total < s.cfg.SlowRequest {
		return false
	}
	op := s.operations.of(c)
	return op == nil || !op.streamed
}

// otherPhase names the time of a request outside all phases.
const otherPhase = "other"

// slowestPhase returns the name, as in Server-Timing, of the phase that took longest.
func slowestPhase(total time.Duration, timings []phase.Timing) string {
	slowest := phase.Timing{Name: otherPhase, Duration: total}
	for _, t := range timings {
		slowest.Duration -= t.Duration
	}
	for _, t := range timings {
		if t.Duration >= slowest.Duration {
			slowest = t
		}
	}
	return strings.TrimSuffix(slowest.Name, "_s")
}

// timeEncoding is the strict server's middleware that begins the phase of encoding when a handler returns. Generated code
// encodes the response between then and the first byte written.
func timeEncoding(next StrictHandlerFunc, _ string) StrictHandlerFunc {
	return func(c *gin.Context, request any) (any, error) {
		result, err := next(c, request)
		if err == nil {
			responseOf(c).startEncoding(c.Request.Context())
		}
		return result, err
	}
}

// panicError is the panic of a handler, as the log line reports it.
type panicError struct {
	value any
	stack []byte
}

func (e *panicError) Error() string { return fmt.Sprintf("panic: %v", e.value) }
