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

	"docket/internal/admission"
	"docket/internal/annotation"
	"docket/internal/auth"
	"docket/internal/catalog"
	"docket/internal/consensus"
	"docket/internal/contract"
	"docket/internal/convert"
	"docket/internal/export"
	"docket/internal/idempotency"
	"docket/internal/submissions"
	"docket/internal/tasks"
	"docket/internal/unknown"
)

// errorResponses maps the errors of the packages below to a status and a slug, from which the type and the title of the
// problem are made. Without a slug the status says it all. The first match counts. The text of an error that is not in the
// table never reaches a client.
var errorResponses = []struct {
	matches matcher
	status  int
	slug    string
}{
	{as[*admission.Refusal](), http.StatusServiceUnavailable, "overloaded"},
	{is(auth.ErrNotAuthenticated), http.StatusUnauthorized, "not-authenticated"},
	{is(auth.ErrInvalidToken), http.StatusUnauthorized, "invalid-token"},
	{is(auth.ErrKeysUnavailable), http.StatusServiceUnavailable, ""},
	{is(auth.ErrForbidden), http.StatusForbidden, "forbidden"},
	{as[*tooManyError](), http.StatusTooManyRequests, "too-many-requests"},
	{as[*annotation.RuleError](), http.StatusBadRequest, "rule-broken"},
	{unknownBatch, http.StatusBadRequest, "unknown-batch"},
	{as[*unknown.Error](), http.StatusNotFound, "not-found"},
	{is(annotation.ErrAlreadyAnnotated), http.StatusConflict, "already-annotated"},
	{is(annotation.ErrHeldByOthers), http.StatusConflict, "held-by-others"},
	{is(annotation.ErrNotOffered), http.StatusConflict, "not-offered"},
	{is(annotation.ErrNothingIsReserved), http.StatusConflict, "nothing-is-reserved"},
	{is(annotation.ErrNoAnswer), http.StatusNotFound, "no-answer"},
	{is(annotation.ErrValidated), http.StatusConflict, "url-validated"},
	{is(annotation.ErrMigrated), http.StatusConflict, "session-migrated"},
	{is(catalog.ErrNoAgency), http.StatusBadRequest, "unknown-agency"},
	{is(catalog.ErrNoProposal), http.StatusBadRequest, "unknown-proposal"},
	{is(catalog.ErrProposalName), http.StatusConflict, "name-refused"},
	{is(catalog.ErrProposalLocationLinked), http.StatusConflict, "already-stored"},
	{is(catalog.ErrNothingToSearch), http.StatusBadRequest, "rule-broken"},
	{is(catalog.ErrAgencySuggested), http.StatusConflict, "agency-suggested"},
	{is(catalog.ErrLocationLinked), http.StatusConflict, "already-stored"},
	{is(catalog.ErrLocalityKnown), http.StatusConflict, "already-stored"},
	{as[*submissions.InvalidURLError](), http.StatusBadRequest, "rule-broken"},
	{as[*submissions.DuplicateError](), http.StatusConflict, "already-stored"},
	{is(consensus.ErrNoReason), http.StatusBadRequest, "rule-broken"},
	{is(consensus.ErrNotValidated), http.StatusConflict, "not-validated"},
	{is(consensus.ErrPublished), http.StatusConflict, "published"},
	{is(submissions.ErrNotInProcess), http.StatusConflict, "not-in-process"},
	{is(submissions.ErrNoScreenshot), http.StatusNotFound, "not-found"},
	{as[*tasks.NoJobError](), http.StatusNotFound, "not-found"},
	{is(tasks.ErrNoJobTables), http.StatusServiceUnavailable, "no-job-tables"},
	{is(export.ErrBusy), http.StatusServiceUnavailable, "too-many-exports"},
	{is(idempotency.ErrInProgress), http.StatusConflict, "request-under-way"},
	{is(idempotency.ErrUnreadable), http.StatusConflict, "result-unreadable"},
	{is(idempotency.ErrNotStored), http.StatusServiceUnavailable, ""},
	{is(idempotency.ErrUnknown), http.StatusServiceUnavailable, "result-unknown"},
	{is(idempotency.ErrOtherRequest), http.StatusUnprocessableEntity, "idempotency-key-reused"},
	{is(contract.ErrMediaType), http.StatusUnsupportedMediaType, ""},
	{is(contract.ErrBodyLate), http.StatusRequestTimeout, ""},
	{is(contract.ErrBodyBroken), http.StatusBadRequest, ""},
}

// A matcher reports whether it matches an error, and returns the text that a client may see.
type matcher func(err error) (detail string, ok bool)

// is matches a sentinel, also when it is wrapped. The client sees the sentinel's own text only.
func is(sentinel error) matcher {
	detail := capitalized(sentinel.Error())
	return func(err error) (string, bool) { return detail, errors.Is(err, sentinel) }
}

// as matches errors of type E, also when they are wrapped. The client sees their own text only.
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

// statusClientClosed is logged when the client left before the response. No client receives it.
const statusClientClosed = 499

// statusError is an error whose status says it all, with a text for the client.
type statusError struct {
	status int
	detail string
}

func (e statusError) Error() string { return e.detail }

var (
	errNoRoute          = statusError{http.StatusNotFound, "Not Found"}
	errMethodNotAllowed = statusError{http.StatusMethodNotAllowed, "Method Not Allowed"}
	errUnknown          = statusError{http.StatusInternalServerError, "Internal Server Error"}
	errUnavailable      = statusError{http.StatusServiceUnavailable, "The database is unavailable; send the request again"}
	errTimeout          = statusError{http.StatusGatewayTimeout, "The request took longer than the server allows"}
	errClientClosed     = statusError{statusClientClosed, "Client closed the request"}
)

// faultsOf returns the faults that an error consists of: those of the contract's check, or those that a use case found in
// single fields.
func faultsOf(err error) contract.Faults {
	var (
		faults contract.Faults
		fields annotation.FieldErrors
		value  *catalog.ValueError
		url    *submissions.InvalidURLError
	)
	switch {
	case errors.As(err, &faults):
	case errors.As(err, &fields):
		for _, field := range fields {
			faults = append(faults, contract.ValueFault(field.Text, "body", field.Field))
		}
	case errors.As(err, &value):
		faults = contract.Faults{contract.ValueFault(value.Text, "body", value.Field)}
	case errors.As(err, &url):
		faults = contract.Faults{contract.ValueFault(url.Reason.Error(), "body", "source_url")}
	}
	return faults
}

// problemOf returns what a client may know of an error. ctxErr says how the context of the request ended, if it did.
func problemOf(err, ctxErr error, unavailable func(error) bool) Problem {
	for _, response := range errorResponses {
		if detail, ok := response.matches(err); ok {
			return newProblem(response.status, response.slug, detail).with(faultsOf(err))
		}
	}
	if faults := faultsOf(err); len(faults) > 0 {
		return newProblem(http.StatusUnprocessableEntity, "invalid-request", faults.Error()).with(faults)
	}
	var (
		known statusError
		crash *panicError
		size  *http.MaxBytesError
	)
	switch {
	case errors.As(err, &crash):
		known = errUnknown // even when the client has left: a bug is never reported as the client's doing
	case errors.As(err, &known):
	case errors.As(err, &size):
		known = statusError{http.StatusRequestEntityTooLarge, fmt.Sprintf("The body is larger than %d bytes", size.Limit)}
	case errors.Is(ctxErr, context.Canceled):
		known = errClientClosed
	case unavailable != nil && unavailable(err): // even after the deadline, which a dead connection may have used up
		known = errUnavailable
	case errors.Is(ctxErr, context.DeadlineExceeded), errors.Is(err, context.DeadlineExceeded):
		known = errTimeout
	default:
		known = errUnknown
	}
	return newProblem(known.status, "", known.detail)
}

// with adds the faults that a problem consists of, if there are any.
func (p Problem) with(faults contract.Faults) Problem {
	if len(faults) > 0 {
		p.Errors = new(convert.Each(faults, func(f contract.Fault) Fault { return Fault(f) }))
	}
	return p
}

// newProblem returns a problem whose type and title come from a slug or, without one, from the status.
func newProblem(status int, slug, detail string) Problem {
	p := Problem{Type: "about:blank", Title: http.StatusText(status), Status: int32(status), Detail: detail}
	if slug != "" {
		p.Type = "urn:docket:problem:" + slug
		p.Title = capitalized(strings.ReplaceAll(slug, "-", " "))
	}
	return p
}

// fail sends the problem of an error and keeps the error for the log line. It sends nothing when a part of the response has
// been sent already.
func (s *server) fail(c *gin.Context, err error) {
	_ = c.Error(err)
	c.Abort()
	w := responseOf(c)
	w.discard()
	if w.sent() {
		return
	}
	p := problemOf(err, c.Request.Context().Err(), s.cfg.Unavailable)
	status := int(p.Status)
	if status == statusClientClosed {
		c.Status(status)
		return
	}
	p.Instance = contract.Excerpt(redact(prefixOf(c.Request.Context()) + c.Request.URL.Path)) // clients log it
	p.RequestID = RequestID(c.Request.Context())

	header := w.Header()
	header.Set("Content-Type", "application/problem+json")
	header.Set("Cache-Control", "no-store")
	switch status {
	case http.StatusUnauthorized:
		header.Set("WWW-Authenticate", "Bearer")
	case http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		header.Set("Retry-After", retryAfter(err))
	}
	c.Status(status)
	_ = json.NewEncoder(w).Encode(withDetail(p, err)) // an error means that the client has left
}

// withDetail returns the problem as it is sent. For a data source that is stored already its detail is an object, which
// the reference's clients read.
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
