package api

import (
	"errors"
	"strconv"

	"github.com/gin-gonic/gin"
	"go.uber.org/zap"

	"docket/internal/admission"
)

// admissionKey is under which the context of gin has the admission.Request.
const admissionKey = "admission"

// shed refuses a request that could not be processed soon, before anything is done for it.
func (s *server) shed(c *gin.Context) {
	op := s.operations.of(c)
	if op == nil {
		return // needs no database
	}
	request, err := s.cfg.Admission.Begin(op.class, op.writes)
	if err != nil {
		s.fail(c, err)
		return
	}
	defer request.End()
	c.Set(admissionKey, request)
	c.Next()
}

// takeTurn waits until the request may use the database. It comes after the check of the contract, so that a client that is slow to
// send its body keeps no other from its turn.
func (s *server) takeTurn(c *gin.Context) {
	request := c.MustGet(admissionKey).(admission.Request)
	if err := request.Enter(c.Request.Context()); err != nil {
		s.fail(c, err)
		return
	}
	defer request.Leave()
	c.Next()
}

// refusalOf returns why a request was refused for overload, nil if it was not.
func refusalOf(err error) *admission.Refusal {
	refusal, _ := errors.AsType[*admission.Refusal](err)
	return refusal
}

// logRefusal logs one refusal a second: a line for each would cost more than the refusals. All are counted in
// docket_shed_requests_total.
func (s *server) logRefusal(c *gin.Context, refusal *admission.Refusal) {
	s.refusals.Warn("requests are refused: overloaded", zap.String("class", string(refusal.Class)), zap.String("reason", refusal.Reason),
		zap.Int("retry_after_s", refusal.RetryAfter), zap.String("request_id", RequestID(c.Request.Context())),
		zap.String("route", c.FullPath()))
}

// retryAfter returns the header Retry-After of a response with status 503 or 504.
func retryAfter(err error) string {
	if refusal := refusalOf(err); refusal != nil {
		return strconv.Itoa(refusal.RetryAfter)
	}
	return "1"
}
