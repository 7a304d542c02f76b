package api

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/stretchr/testify/require"

	"docket/internal/admission"
)

// overload is a router that processes one request at a time and lets one wait. Its handlers wait until the test releases them.
type overload struct {
	bundle
	limiter          *admission.Limiter
	entered, release chan struct{}
}

func newOverload(t *testing.T) *overload {
	o := &overload{entered: make(chan struct{}), release: make(chan struct{})}
	o.limiter = admission.New(admission.Config{Conns: 1, Writers: 1, MaxWait: time.Minute, MaxQueue: 1, MaxRequests: 10})
	o.bundle = setup(t, func(c *gin.Context, _ func(*gin.Context, error)) {
		o.entered <- struct{}{}
		<-o.release
		echoRequest(c)
	}, func(cfg *Config) { cfg.Admission = o.limiter })
	return o
}

// start sends a request in the background.
func (o *overload) start(body string) <-chan *httptest.ResponseRecorder {
	response := make(chan *httptest.ResponseRecorder, 1)
	go func() { response <- o.send("POST", "/open", body) }()
	return response
}

func (o *overload) waiting(t *testing.T, n int) {
	t.Helper()
	require.Eventually(t, func() bool { return o.limiter.Waiting() == n }, time.Minute, time.Millisecond)
}

// unread is a body that must not be read.
type unread struct{}

func (unread) Read([]byte) (int, error) {
	return 0, errors.New("the body of a refused request is read")
}

func TestRefusedForOverload(t *testing.T) {
	t.Parallel()
	o := newOverload(t)
	first := o.start(`{"color":"red"}`)
	<-o.entered
	second := o.start(`{"color":"red"}`)
	o.waiting(t, 1)

	for range 3 {
		req := httptest.NewRequest(http.MethodPost, "/open", unread{})
		req.Header.Set("Authorization", "Bearer not even looked at")
		req.Header.Set("Origin", DefaultCORSOrigins()[0])
		refused := httptest.NewRecorder()
		o.handler.ServeHTTP(refused, req)
		p := problemIn(t, refused)
		require.Equal(t, http.StatusServiceUnavailable, refused.Code, p)
		require.Equal(t, "urn:docket:problem:overloaded", p.Type)
		require.Contains(t, []string{"1", "2"}, refused.Header().Get("Retry-After"))
		require.Equal(t, "/open", p.Instance)
	}
	require.Zero(t, o.logs.FilterMessage("request").Len(), "no line for each refused request")
	require.NotZero(t, o.logs.FilterMessage("requests are refused: overloaded").Len())
	require.NotContains(t, o.scrape(t), `docket_http_request_duration_seconds_count{`, "refused requests have no duration")

	o.release <- struct{}{}
	<-o.entered
	o.release <- struct{}{}
	require.Equal(t, http.StatusOK, (<-first).Code)
	require.Equal(t, http.StatusOK, (<-second).Code)
	require.Contains(t, o.scrape(t), `docket_http_request_duration_seconds_count{method="POST",route="/open",status="2xx"} 2`)
}

func (o *overload) scrape(t *testing.T) string {
	t.Helper()
	response := httptest.NewRecorder()
	o.metrics.Handler().ServeHTTP(response, httptest.NewRequest(http.MethodGet, "/internal/metrics", nil))
	require.Equal(t, http.StatusOK, response.Code)
	return response.Body.String()
}

// A client that is slow to send its body, and one whose request is invalid, keep no other from its turn.
func TestSlowBodyTakesNoTurn(t *testing.T) {
	t.Parallel()
	o := newOverload(t)
	body, client := io.Pipe()
	slow := make(chan *httptest.ResponseRecorder, 1)
	go func() {
		response := httptest.NewRecorder()
		o.handler.ServeHTTP(response, httptest.NewRequest(http.MethodPost, "/open", body))
		slow <- response
	}()
	_, err := client.Write([]byte(`{"color":`)) // returns when it is read
	require.NoError(t, err)

	other := o.start(`{"color":"red"}`)
	<-o.entered
	require.Equal(t, http.StatusUnprocessableEntity, o.send("POST", "/open", `{"color":"pink"}`).Code)
	o.release <- struct{}{}
	require.Equal(t, http.StatusOK, (<-other).Code)

	_, err = client.Write([]byte(`"red"}`))
	require.NoError(t, err)
	require.NoError(t, client.Close())
	<-o.entered
	o.release <- struct{}{}
	require.Equal(t, http.StatusOK, (<-slow).Code)
}

// A handler that panics gives its turn back.
func TestPanicGivesTheTurnBack(t *testing.T) {
	t.Parallel()
	limiter := admission.New(admission.Config{Conns: 1, Writers: 1, MaxWait: time.Minute, MaxRequests: 1})
	b := setup(t, func(*gin.Context, func(*gin.Context, error)) { panic("bug") }, func(cfg *Config) { cfg.Admission = limiter })
	for range 3 {
		require.Equal(t, http.StatusInternalServerError, b.send("POST", "/open", `{"color":"red"}`).Code)
	}
}

// Every tag of the contract names its class, operations that stream are exports, and only health checks need no connection.
func TestClassesOfTheContract(t *testing.T) {
	t.Parallel()
	doc, err := Contract()
	require.NoError(t, err)
	for _, tag := range doc.Tags {
		require.Contains(t, tag.Extensions, loadClass, tag.Name)
	}
	operations, err := compileOperations(doc)
	require.NoError(t, err)
	classes := map[admission.Class]int{}
	for route, op := range operations {
		classes[op.class]++
		require.Equal(t, op.streamed, op.class == admission.Export, route)
		require.Equal(t, strings.HasPrefix(route, "GET /healthz") || strings.HasPrefix(route, "GET /readyz"), op.class == admission.None, route)
		require.Equal(t, !strings.HasPrefix(route, "GET "), op.writes, route)
	}
	for _, class := range admission.Classes {
		require.NotZero(t, classes[class], class)
	}
	require.Equal(t, admission.Annotate, operations["POST /annotate/all/:url_id"].class)
	require.Equal(t, admission.Report, operations["GET /annotate/anonymous/explain"].class)

	doc.Tags[0].Extensions[loadClass] = "fast"
	_, err = compileOperations(doc)
	require.ErrorContains(t, err, "x-load-class: fast is none of ")
}
