package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/gin-gonic/gin"

	"docket/internal/annotation"
	"docket/internal/auth"
	"docket/internal/catalog"
	"docket/internal/export"
	"docket/internal/idempotency"
	"docket/internal/submissions"
	"docket/internal/unknown"
)

// answers says which answer an error of a use case gets: its status and the slug that makes the
// problem's type and title. The first match counts. What is not in the table says nothing.
var answers = []struct {
	matches matcher
	status  int
	slug    string
}{
	{is(auth.ErrNotAuthenticated), http.StatusUnauthorized, "not-authenticated"},
	{is(auth.ErrInvalidToken), http.StatusUnauthorized, "invalid-token"},
	{is(auth.ErrForbidden), http.StatusForbidden, "forbidden"},
	{as[*annotation.RuleError](), http.StatusBadRequest, "rule-broken"},
	{unknownBatch, http.StatusBadRequest, "unknown-batch"},
	{as[*unknown.Error](), http.StatusNotFound, "not-found"},
	{is(annotation.ErrAlreadyAnnotated), http.StatusConflict, "already-annotated"},
	{is(catalog.ErrNoAgency), http.StatusBadRequest, "unknown-agency"},
	{is(catalog.ErrNothingToSearch), http.StatusBadRequest, "rule-broken"},
	{is(catalog.ErrAgencySuggested), http.StatusConflict, "agency-suggested"},
	{is(catalog.ErrLocationLinked), http.StatusConflict, "already-stored"},
	{is(catalog.ErrLocalityKnown), http.StatusConflict, "already-stored"},
	{is(submissions.ErrInvalidURL), http.StatusBadRequest, "rule-broken"},
	{as[*submissions.DuplicateError](), http.StatusConflict, "already-stored"},
	{is(submissions.ErrNotInProcess), http.StatusConflict, "not-in-process"},
	{is(submissions.ErrNoScreenshot), http.StatusNotFound, "not-found"},
	{is(export.ErrBusy), http.StatusServiceUnavailable, "too-many-exports"},
	{is(idempotency.ErrUnderWay), http.StatusConflict, "request-under-way"},
	{is(idempotency.ErrOtherRequest), http.StatusUnprocessableEntity, "idempotency-key-reused"},
}

// A matcher returns the text a client may see when err is the error it stands for.
type matcher func(err error) (detail string, ok bool)

// is matches a sentinel, however wrapped; the client sees the sentinel's own text only.
func is(sentinel error) matcher {
	detail := capitalized(sentinel.Error())
	return func(err error) (string, bool) { return detail, errors.Is(err, sentinel) }
}

// as matches errors of type E, however wrapped; the client sees their own text only.
func as[E error]() matcher {
	return func(err error) (string, bool) {
		var found E
		if !errors.As(err, &found) {
			return "", false
		}
		return found.Error(), true
	}
}

// unknownBatch matches the error for a batch that does not exist, which has a text of its own in the reference.
func unknownBatch(err error) (string, bool) {
	found, ok := errors.AsType[*unknown.Error](err)
	if !ok || found.Kind != unknown.Batch {
		return "", false
	}
	return fmt.Sprintf("Batch %s does not exist", strings.Join(found.IDs, ", ")), true
}

// statusClientClosed is logged when the client was gone before the answer; nobody receives it.
const statusClientClosed = 499

// statusError is an answer of HTTP itself, with a text for the client.
type statusError struct {
	status int
	detail string
}

func (e statusError) Error() string { return e.detail }

var (
	errNoRoute          = statusError{http.StatusNotFound, "Not Found"}
	errMethodNotAllowed = statusError{http.StatusMethodNotAllowed, "Method Not Allowed"}
	errUnknown          = statusError{http.StatusInternalServerError, "Internal Server Error"}
	errUnavailable      = statusError{http.StatusServiceUnavailable, "The database cannot be reached at the moment"}
	errTimeout          = statusError{http.StatusGatewayTimeout, "The request took longer than the server allows"}
	errClientClosed     = statusError{statusClientClosed, "Client closed the request"}
)

// A Fault says where a request is wrong, how, and in which of the reference's kinds. Faults is the
// error of a request that does not fit the contract, answered with 422.
type Faults []Fault

// detailFaults is how many faults the text of an answer spells out; its list has them all.
const detailFaults = 5

func (f Faults) Error() string {
	var b strings.Builder
	for i, fault := range f[:min(len(f), detailFaults)] {
		if i > 0 {
			b.WriteString("; ")
		}
		for j, step := range fault.Loc {
			if j > 0 {
				b.WriteByte('.')
			}
			fmt.Fprint(&b, step)
		}
		b.WriteString(": " + fault.Msg)
	}
	if more := len(f) - detailFaults; more > 0 {
		fmt.Fprintf(&b, "; and at least %d more", more)
	}
	return b.String()
}

// faultsOf returns the faults that err tells of: those of the contract, or those a use case found in
// fields that the contract takes one by one.
func faultsOf(err error) Faults {
	var (
		faults Faults
		fields annotation.FieldErrors
		value  *catalog.ValueError
	)
	switch {
	case errors.As(err, &faults):
	case errors.As(err, &fields):
		for _, field := range fields {
			faults = append(faults, valueFault(field.Text, "body", field.Field))
		}
	case errors.As(err, &value):
		faults = Faults{valueFault(value.Text, "body", value.Field)}
	}
	return faults
}

func valueFault(msg string, loc ...any) Fault {
	return Fault{Loc: loc, Msg: "Value error, " + msg, Type: "value_error"}
}

// problemOf says what a client learns of err, which happened in a request whose context ended with
// ctxErr, if it ended. No text of an error outside the table gets through.
func problemOf(err, ctxErr error, unavailable func(error) bool) Problem {
	for _, answer := range answers {
		if detail, ok := answer.matches(err); ok {
			return Problem{
				Type:   "urn:docket:problem:" + answer.slug,
				Title:  capitalized(strings.ReplaceAll(answer.slug, "-", " ")),
				Status: int32(answer.status),
				Detail: detail,
			}
		}
	}
	if faults := faultsOf(err); len(faults) > 0 {
		return Problem{
			Type:   "urn:docket:problem:invalid-request",
			Title:  "Invalid request",
			Status: http.StatusUnprocessableEntity,
			Detail: faults.Error(),
			Errors: (*[]Fault)(&faults),
		}
	}
	var (
		known statusError
		crash *panicError
		size  *http.MaxBytesError
	)
	switch {
	case errors.As(err, &crash):
		known = errUnknown // also when the client is gone: a defect is never told as its doing
	case errors.As(err, &known):
	case errors.As(err, &size):
		known = statusError{http.StatusRequestEntityTooLarge, fmt.Sprintf("The body is larger than %d bytes", size.Limit)}
	case errors.Is(ctxErr, context.Canceled):
		known = errClientClosed
	case errors.Is(ctxErr, context.DeadlineExceeded), errors.Is(err, context.DeadlineExceeded):
		known = errTimeout
	case unavailable != nil && unavailable(err):
		known = errUnavailable
	default:
		known = errUnknown
	}
	return Problem{Type: "about:blank", Title: http.StatusText(known.status), Status: int32(known.status), Detail: known.detail}
}

// fail answers a request with the problem that err means and keeps err for the log line. An answer
// already on its way is left alone.
func (s *server) fail(c *gin.Context, err error) {
	_ = c.Error(err)
	c.Abort()
	if held, ok := c.Writer.(*capture); ok {
		held.discard()
	}
	if c.Writer.Written() {
		return
	}
	p := problemOf(err, c.Request.Context().Err(), s.cfg.Unavailable)
	status := int(p.Status)
	if status == statusClientClosed {
		c.Status(status)
		return
	}
	p.Instance = echo(c.Request.URL.Path)
	p.RequestID = RequestID(c.Request.Context())

	header := c.Writer.Header()
	header.Set("Content-Type", "application/problem+json")
	header.Set("Cache-Control", "no-store")
	switch status {
	case http.StatusUnauthorized:
		header.Set("WWW-Authenticate", "Bearer")
	case http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		header.Set("Retry-After", "1")
	}
	c.Status(status)
	_ = json.NewEncoder(c.Writer).Encode(withDetail(p, err)) // fails when the client left, which needs no answer
}

// withDetail is the problem that err means; for a data source that is there already, the reference's clients read an object
// in place of the text.
func withDetail(p Problem, err error) any {
	duplicate := new(submissions.DuplicateError)
	if !errors.As(err, &duplicate) {
		return p
	}
	return DuplicateProblem{
		Type:      p.Type,
		Title:     p.Title,
		Status:    p.Status,
		Instance:  p.Instance,
		RequestID: p.RequestID,
		Detail: DuplicateDetail{
			Message:   p.Detail,
			URLID:     duplicate.URLID,
			URLType:   (*SuggestedURLType)(duplicate.URLType),
			URLStatus: URLStatus(duplicate.URLStatus),
		},
	}
}

func capitalized(s string) string {
	first, size := utf8.DecodeRuneInString(s)
	return string(unicode.ToUpper(first)) + s[size:]
}
