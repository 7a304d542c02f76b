package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap/zapcore"

	"docket/internal/annotation"
	"docket/internal/auth"
	"docket/internal/contract"
	"docket/internal/unknown"
)

const secret = "hunter2-confidential"

// secretive returns a database error with private data in every field.
func secretive() error {
	return &pgconn.PgError{
		Severity: secret, Code: secret, Message: secret, Detail: secret, Hint: secret, Where: secret, SchemaName: secret,
		TableName: secret, ColumnName: secret, DataTypeName: secret, ConstraintName: secret, File: secret, Routine: secret,
	}
}

func TestProblems(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		err    error
		status int
		kind   string
		detail string
	}{
		"unknown":              {errors.New(secret), 500, "about:blank", "Internal Server Error"},
		"database":             {fmt.Errorf("store answer: %w", secretive()), 500, "about:blank", "Internal Server Error"},
		"panic":                {&panicError{value: secretive()}, 500, "about:blank", "Internal Server Error"},
		"canceled elsewhere":   {fmt.Errorf("%s: %w", secret, context.Canceled), 500, "about:blank", "Internal Server Error"},
		"statement timeout":    {fmt.Errorf("%w: %w", context.DeadlineExceeded, secretive()), 504, "about:blank", "The request took longer than the server allows"},
		"unavailable":          {fmt.Errorf("%w: %w", errDown, secretive()), 503, "about:blank", "The database is unavailable; send the request again"},
		"not authenticated":    {auth.ErrNotAuthenticated, 401, "urn:docket:problem:not-authenticated", "Not authenticated"},
		"invalid token":        {fmt.Errorf("%w: %s", auth.ErrInvalidToken, secret), 401, "urn:docket:problem:invalid-token", "Could not validate credentials"},
		"forbidden":            {auth.ErrForbidden, 403, "urn:docket:problem:forbidden", "Access forbidden"},
		"already annotated":    {fmt.Errorf("%w: %w", annotation.ErrAlreadyAnnotated, secretive()), 409, "urn:docket:problem:already-annotated", "This annotator has annotated the URL before"},
		"unknown agency":       {fmt.Errorf("%w: %w", unknown.New(unknown.Agency, 5), secretive()), 404, "urn:docket:problem:not-found", "agency not found: 5"},
		"unknown batch":        {fmt.Errorf("%w: %w", unknown.New(unknown.Batch, 5), secretive()), 400, "urn:docket:problem:unknown-batch", "Batch 5 does not exist"},
		"rule":                 {fmt.Errorf("%w: %w", &annotation.RuleError{Text: "record_type must be None"}, secretive()), 400, "urn:docket:problem:rule-broken", "record_type must be None"},
		"fields":               {fmt.Errorf("%s: %w", secret, annotation.FieldErrors{{Field: "agency_info", Text: "no"}}), 422, "urn:docket:problem:invalid-request", "body.agency_info: Value error, no"},
		"faults":               {contract.Faults{{Loc: []any{"body", "ids", 3}, Msg: "No", Type: "x"}}, 422, "urn:docket:problem:invalid-request", "body.ids.3: No"},
		"body too large":       {fmt.Errorf("%s: %w", secret, &http.MaxBytesError{Limit: 5}), 413, "about:blank", "The body is larger than 5 bytes"},
		"status with a cause":  {fmt.Errorf("%w: %w", statusError{http.StatusBadRequest, "Bad"}, secretive()), 400, "about:blank", "Bad"},
		"no faults is unknown": {contract.Faults{}, 500, "about:blank", "Internal Server Error"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, func(c *gin.Context, fail func(*gin.Context, error)) { fail(c, test.err) },
				func(cfg *Config) { cfg.Unavailable = func(err error) bool { return errors.Is(err, errDown) } })
			response := b.send("POST", "/things/7?word=query", `{"color":"red"}`)
			require.Equal(t, test.status, response.Code)
			p := problemIn(t, response)
			require.Equal(t, test.kind, p.Type)
			require.Equal(t, test.detail, p.Detail)
			require.Equal(t, "/things/7", p.Instance)
			if test.kind == "about:blank" {
				require.Equal(t, http.StatusText(test.status), p.Title)
			}
			require.NotContains(t, response.Body.String()+fmt.Sprint(response.Header()), secret)
			require.Equal(t, test.status == 401, response.Header().Get("WWW-Authenticate") == "Bearer")
			require.Equal(t, test.status == 503 || test.status == 504, response.Header().Get("Retry-After") != "")

			line := b.line(t)
			require.Equal(t, test.err.Error(), line.ContextMap()["error"], "the log has the cause")
			require.Equal(t, p.RequestID, line.ContextMap()["request_id"])
			require.Equal(t, test.status >= 500, line.Level == zapcore.ErrorLevel)
		})
	}
}

var errDown = errors.New("database is down")

// An error after the client left, or after the request's deadline, is reported neither as a fault of the client nor as a bug.
func TestProblemsOfEndedRequests(t *testing.T) {
	t.Parallel()
	require.EqualValues(t, statusClientClosed, problemOf(secretive(), context.Canceled, nil).Status)
	require.EqualValues(t, 504, problemOf(secretive(), context.DeadlineExceeded, nil).Status)
	require.EqualValues(t, 409, problemOf(annotation.ErrAlreadyAnnotated, context.Canceled, nil).Status)
	require.EqualValues(t, 500, problemOf(&panicError{value: context.Canceled}, context.Canceled, nil).Status)
}

func TestFirstProblemIsSent(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *gin.Context, fail func(*gin.Context, error)) {
		fail(c, auth.ErrForbidden)
		fail(c, errors.New("second"))
	})
	response := b.send("POST", "/things/7", `{"color":"red"}`)
	require.Equal(t, "Access forbidden", problemIn(t, response).Detail)
	require.Equal(t, "access forbidden\nsecond", b.line(t).ContextMap()["error"])
}
