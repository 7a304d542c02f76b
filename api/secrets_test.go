package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"docket/api"
	"docket/internal/auth"
	"docket/internal/dbtest"
	"docket/internal/postgres"
	"docket/internal/ranking"
	"docket/internal/tracing"
)

// logBuffer is a log whose text a test reads.
type logBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (*logBuffer) Sync() error { return nil }

// requireWithout checks that the log has no part of a secret that is long enough to guess the rest, however it is spelled.
func (l *logBuffer) requireWithout(t *testing.T, secret string) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	lines, secret := strings.Split(l.text.String(), "\n"), letters(secret)
	require.Greater(t, len(lines), 10, "the requests are logged")
	const part = 16
	for _, line := range lines {
		plain := letters(line)
		for i := range len(secret) - part + 1 {
			require.NotContains(t, plain, secret[i:i+part], line)
		}
	}
}

var other = regexp.MustCompile(`[^a-z0-9]`)

func letters(text string) string { return other.ReplaceAllString(strings.ToLower(text), "") }

// spellings are ways to write the id of a session: those that Docket accepts, and broken ones.
func spellings(id uuid.UUID) []string {
	text := id.String()
	escaped := ""
	for _, b := range []byte(text) {
		escaped += fmt.Sprintf("%%%02X", b)
	}
	return []string{
		text, strings.ToUpper(text), strings.ReplaceAll(text, "-", ""), "{" + text + "}", "urn:uuid:" + text, "URN:UUID:" + text,
		text[:35], text[1:], text[:20], text + "0", text[:35] + "g", "x" + text, text + "/", text + "\n", text + "\x00", `"` + text + `"`,
		strings.ReplaceAll(text, "-", " "), strings.ReplaceAll(text, "-", "_"), strings.ReplaceAll(text, "-", "–"), escaped,
		"session_id=" + text, "https://example.org/annotate?session_id=" + text, strings.Repeat(text+" ", 3), text + "," + text,
	}
}

// Neither the id of a session nor a token is ever logged or part of an exported span, wherever a client puts it. Every response
// forbids to store it.
func TestSecretsAreNotLogged(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t)
	dbtest.Exec(t, pool, `INSERT INTO urls (url, source) SELECT 'example.org/' || n, 'manual' FROM generate_series(1, 9) n`)
	require.NoError(t, ranking.Reconcile(t.Context(), pool, func(ranking.Difference) {}))
	log := &logBuffer{}
	logger := zap.New(zapcore.NewCore(zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig()), log, zap.DebugLevel))
	spans := &spanTexts{}
	traces := sdktrace.NewTracerProvider(sdktrace.WithSyncer(tracing.NewExporter(spans, logger)))
	traced, err := postgres.Open(t.Context(), postgres.PoolConfig{URL: pool.Config().ConnString(), Traces: traces})
	require.NoError(t, err)
	t.Cleanup(traced.Close)
	trace := func(cfg *api.Config) { cfg.Traces, cfg.ContinueTraces = traces, true }
	closed := dbtest.New(t)
	handlers := []http.Handler{
		newHandler(t, traced, ranking.NewQueue(), logger, trace),
		newHandler(t, closed, ranking.NewQueue(), logger, trace),
	}
	closed.Close()
	token := tokenFor(t, 7, auth.Permissions()...)
	doc, err := api.Contract()
	require.NoError(t, err)

	send := func(method, target, body string, header ...string) {
		for _, handler := range handlers {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", strings.NewReader(body))
			r.Method, r.RequestURI = method, target
			var err error
			r.URL, err = url.ParseRequestURI(target)
			require.NoError(t, err)
			r.Header.Set("Authorization", "Bearer "+token)
			r.Header.Set("Content-Type", "application/json")
			for i := 0; i < len(header); i += 2 {
				r.Header.Set(header[i], header[i+1])
			}
			response := httptest.NewRecorder()
			handler.ServeHTTP(response, r)
			require.Equal(t, "no-store", response.Header().Get("Cache-Control"), "%s %s", method, target)
			require.Equal(t, "nosniff", response.Header().Get("X-Content-Type-Options"))
			require.Empty(t, response.Header().Get("ETag"))
		}
	}
	session := uuid.New()
	secrets := append(spellings(session), token, "Bearer "+token, "x"+token[3:])
	for _, secret := range secrets {
		query, segment := url.QueryEscape(secret), url.PathEscape(secret)
		if strings.HasPrefix(secret, "%") {
			query, segment = secret, secret
		}
		body, err := json.Marshal(map[string]any{"suggested_status": "not relevant", secret: secret, "url": secret, "agency_info": secret})
		require.NoError(t, err)

		send("GET", "/annotate/anonymous?session_id="+query, "")
		send("POST", "/annotate/anonymous/1?session_id="+query, `{"suggested_status":"not relevant"}`)
		send("POST", "/annotate/anonymous/1?session_id="+query, `{"suggested_status":"broken page"}`)
		send("POST", "/annotate/anonymous/999?session_id="+query, `{"suggested_status":"not relevant"}`)
		send("POST", "/annotate/anonymous/1?session_id="+query, string(body))
		send("POST", "/annotate/migrate?session_id="+query, "")
		send("GET", "/annotate/anonymous?session_id="+query, "", "X-Request-Id", strings.Trim(secret, "\n\x00"))
		send("GET", "/annotate/anonymous/?session_id="+query, "")
		send("GET", "/annotate/anonymous/"+segment, "")
		send("GET", "/"+segment+"?"+query, "")
		send("GET", "/annotate/anonymous?SESSION_ID="+query+"&%zz="+query, "")
		send(letters(secret), "/annotate/anonymous?session_id="+query, "")
		for path, item := range doc.Paths.Map() {
			for method, operation := range item.Operations() {
				values := url.Values{"session_id": {secret}, secret: {secret}}
				for _, parameter := range append(item.Parameters, operation.Parameters...) {
					path = strings.ReplaceAll(path, "{"+parameter.Value.Name+"}", segment)
					if parameter.Value.In == "query" {
						values.Set(parameter.Value.Name, secret)
					}
				}
				send(method, path+"?session_id="+query, string(body))
				send(method, path+"?session_id="+query+"&"+values.Encode(), "["+string(body)+"]", "Idempotency-Key", letters(secret))
			}
		}
	}
	id := strings.ReplaceAll(session.String(), "-", "")
	for _, parent := range []string{"00-" + id + "-0123456789abcdef-01", "00-0123456789abcdef0123456789abcdef-" + id[:16] + "-01"} {
		send("GET", "/annotate/anonymous?session_id="+session.String(), "", "Traceparent", parent, "Tracestate", "docket="+session.String())
	}
	send("GET", "/annotate/anonymous", "", "Traceparent", "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01",
		"Tracestate", "docket="+session.String())
	require.Contains(t, spans.text(), "0123456789abcdef0123456789abcdef", "the trace of a client is continued")
	log.requireWithout(t, id)
	spans.log().requireWithout(t, id)
	for _, part := range strings.Split(token, ".")[1:] { // the first one is the same in all tokens
		log.requireWithout(t, part)
		spans.log().requireWithout(t, part)
	}
}

// spanTexts are the different spans that were exported, without random ids.
type spanTexts struct {
	mu    sync.Mutex
	found map[string]bool
}

func (s *spanTexts) ExportSpans(_ context.Context, spans []sdktrace.ReadOnlySpan) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.found == nil {
		s.found = map[string]bool{}
	}
	for _, span := range spans {
		parent := "none"
		if span.Parent().IsRemote() {
			parent = fmt.Sprint(span.Parent().TraceID(), span.Parent().SpanID())
		}
		s.found[fmt.Sprintln(strings.ReplaceAll(fmt.Sprint(span.Name(), span.Attributes(), span.Status(), span.Events(), span.Links()), "\n", " "),
			span.SpanContext().TraceState(), span.Parent().TraceState(), parent)] = true
	}
	return nil
}

func (*spanTexts) Shutdown(context.Context) error { return nil }

func (s *spanTexts) text() string { return strings.Join(slices.Sorted(maps.Keys(s.found)), "") }

func (s *spanTexts) log() *logBuffer {
	log := &logBuffer{}
	log.text.WriteString(s.text())
	return log
}

// An operation that takes or returns the id of a session says that a response with it may not be stored.
func TestResponsesWithASession(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t)
	server := serve(t, pool, ranking.NewQueue()) // checks the headers of each response
	session := uuid.NewString()
	for _, target := range []string{"/annotate/anonymous", "/annotate/anonymous?session_id=" + session, "/api/annotate/anonymous"} {
		resp, err := server.Client().Get(server.URL + target)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, http.StatusOK, resp.StatusCode)
		require.Equal(t, "no-store", resp.Header.Get("Cache-Control"))
		require.Empty(t, resp.Header.Get("ETag"))
	}
	doc, err := api.Contract()
	require.NoError(t, err)
	found := 0
	for path, item := range doc.Paths.Map() {
		for method, operation := range item.Operations() {
			for _, parameter := range operation.Parameters {
				if strings.Contains(parameter.Value.Name, "session") {
					found++
					require.Nil(t, operation.Responses.Status(http.StatusOK).Value.Headers["ETag"], "%s %s", method, path)
				}
			}
		}
	}
	require.Equal(t, 11, found)
}
