package main

import (
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	otlp "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"docket/internal/dbtest"
)

// traceCollector is an OTLP collector that keeps all spans, and the name of the service that they are of.
type traceCollector struct {
	mu      sync.Mutex
	spans   []*otlp.Span
	service string
}

func (c *traceCollector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var sent collector.ExportTraceServiceRequest
	if err != nil || r.URL.Path != "/v1/traces" || proto.Unmarshal(body, &sent) != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, resource := range sent.ResourceSpans {
		c.service = attributes(resource.Resource.Attributes)["service.name"]
		for _, scope := range resource.ScopeSpans {
			c.spans = append(c.spans, scope.Spans...)
		}
	}
}

func attributes(list []*common.KeyValue) map[string]string {
	found := map[string]string{}
	for _, attribute := range list {
		found[attribute.Key] = attribute.Value.GetStringValue()
		if number, ok := attribute.Value.Value.(*common.AnyValue_IntValue); ok {
			found[attribute.Key] = strconv.FormatInt(number.IntValue, 10)
		}
	}
	return found
}

// TestTraces is not parallel: it sets variables. One request is one trace, in which each statement is below its phase. It
// continues the trace of the client. What is left is sent when the process stops.
func TestTraces(t *testing.T) {
	collected := &traceCollector{}
	server := httptest.NewServer(collected)
	defer server.Close()
	t.Setenv(secretKeyVariable, strings.Repeat("k", 32))
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", server.URL)
	t.Setenv("OTEL_SERVICE_NAME", "docket-of-a-test")
	t.Setenv("OTEL_TRACES_SAMPLER", "parentbased_always_off")
	address := dbtest.Empty(t)
	s := newSchemaTest(t, address)
	s.succeed(t, "migrate", "apply")
	s.exec(t, "INSERT INTO urls (url, source) VALUES ('example.com/a', 'manual')")
	s.succeed(t, "queue", "reconcile", "--wait=false")
	docket := serve(t, "--database-url", address)
	const trace, client = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
	for _, flags := range []string{"-01", "-00"} { // only the first one is sampled
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+docket.address+"/annotate/all?secret=1", nil)
		require.NoError(t, err)
		req.Header.Set("Authorization", "Bearer "+docket.token)
		req.Header.Set("Traceparent", "00-"+trace+"-"+client+flags)
		resp, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, http.StatusOK, resp.StatusCode)
	}
	docket.stop()

	require.Equal(t, "docket-of-a-test", collected.service)
	names := map[string]string{client: "client"}
	for _, span := range collected.spans {
		require.Equal(t, trace, hex.EncodeToString(span.TraceId))
		require.Less(t, span.StartTimeUnixNano, span.EndTimeUnixNano)
		names[hex.EncodeToString(span.SpanId)] = span.Name
	}
	var tree []string
	for _, span := range collected.spans {
		tree = append(tree, names[hex.EncodeToString(span.ParentSpanId)]+" > "+span.Name)
		if span.Name == "GET /annotate/all" {
			require.Equal(t, otlp.Span_SPAN_KIND_SERVER, span.Kind)
			require.Equal(t, map[string]string{"http.request.method": "GET", "http.route": "/annotate/all", "http.response.status_code": "200"},
				attributes(span.Attributes))
		}
	}
	slices.Sort(tree)
	require.Equal(t, []string{
		"GET /annotate/all > acquire",
		"GET /annotate/all > agency_suggestions",
		"GET /annotate/all > agency_suggestions",
		"GET /annotate/all > auth",
		"GET /annotate/all > encode",
		"GET /annotate/all > format",
		"GET /annotate/all > format",
		"GET /annotate/all > format",
		"GET /annotate/all > format",
		"GET /annotate/all > location_suggestions",
		"GET /annotate/all > location_suggestions",
		"GET /annotate/all > main_query",
		"GET /annotate/all > name_suggestions",
		"GET /annotate/all > reservation",
		"GET /annotate/all > reservation",
		"agency_suggestions > AgencyNotFoundCountByURL",
		"agency_suggestions > AgencySuggestionListByURL",
		"client > GET /annotate/all",
		"format > HTMLContentListByURL",
		"format > RecordTypeSuggestionListByURL",
		"format > URLSuggestionsHiddenGet",
		"format > URLTypeSuggestionListByURL",
		"location_suggestions > LocationNotFoundCountByURL",
		"location_suggestions > LocationSuggestionListByURL",
		"main_query > QueueNextGetCold",
		"name_suggestions > NameSuggestionListByURL",
		"reservation > ReservationClaimFirst",
		"reservation > ReservationRuleGet",
	}, tree)
}
