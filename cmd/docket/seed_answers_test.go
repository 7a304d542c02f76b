package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"docket/internal/annotation"
	"docket/internal/dbtest"
	"docket/internal/sample"
)

func TestSeedAnswers(t *testing.T) {
	t.Parallel()
	url := dbtest.Empty(t)
	succeed(t, "migrate", "apply", "--database-url", url)
	database := []string{"--database-url", url, "--urls", "20", "--seed", "3"}
	command := func(args ...string) []string {
		return append(append([]string{"seed", "answers"}, args...), database...)
	}
	succeed(t, append([]string{"seed"}, database...)...)

	for _, wrong := range [][]string{{"--accuracy", "2"}, {"--annotators", "0"}, {"--accuracy", "high"}} {
		status, _, stderr := docket(t, command(wrong...)...)
		require.Equal(t, exitUsage, status, stderr)
	}
	status, _, stderr := docket(t, append(command(), "--seed", "4")...)
	require.Equal(t, exitFailure, status)
	require.Contains(t, stderr, "not of the sample data")

	var result answersResult
	require.NoError(t, json.Unmarshal([]byte(succeed(t, command("--facts", "3", "--json")...)), &result))
	require.GreaterOrEqual(t, result.Facts, 3)
	require.Empty(t, result.Overdue)
	require.Len(t, result.Attributes, 5)
	text := succeed(t, command()...)
	require.Contains(t, text, "have become facts")
	require.Contains(t, text, "record type")
	require.Contains(t, text, "answers about facts after the one that made a consensus")
	require.Contains(t, text, "answers in")
}

// TestSimulatedAnnotatorsRepeatRequests shows that a request which a server does not answer is sent to the next one, and that other
// errors end the play.
func TestSimulatedAnnotatorsRepeatRequests(t *testing.T) {
	t.Parallel()
	var asked, refused atomic.Int32
	away := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		refused.Add(1)
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	defer away.Close()
	here := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		switch {
		case strings.HasSuffix(r.URL.Path, "/404"):
			http.NotFound(w, r)
		case r.URL.Path == "/annotate/anonymous" && r.Header.Get("Authorization") == "",
			strings.HasPrefix(r.URL.Path, "/annotate/all") && strings.HasPrefix(r.Header.Get("Authorization"), "Bearer "):
			_, _ = w.Write([]byte(`{"next_annotation": null}`))
		default:
			w.WriteHeader(http.StatusTeapot)
		}
	}))
	defer here.Close()
	dead := httptest.NewServer(nil)
	dead.Close()

	client, err := newServers([]string{away.URL, here.URL + "/", dead.URL}, []byte(strings.Repeat("k", 32)))
	require.NoError(t, err)
	for range 3 {
		next, err := client.Next(t.Context(), sample.Annotator{UserID: 7})
		require.NoError(t, err)
		require.Nil(t, next)
		_, err = client.Next(t.Context(), sample.Annotator{Session: uuid.New()})
		require.NoError(t, err)
		require.NoError(t, client.Submit(t.Context(), sample.Annotator{UserID: 7}, 1, annotation.Answer{URLType: annotation.NotRelevant}))
	}
	require.EqualValues(t, 9, asked.Load())
	require.NotZero(t, refused.Load())
	err = client.Submit(t.Context(), sample.Annotator{UserID: 7}, 404, annotation.Answer{URLType: annotation.NotRelevant})
	require.ErrorContains(t, err, "404 Not Found")

	for _, address := range []string{"127.0.0.1:8080", "ftp://host", "http://", ""} {
		_, err := newServers([]string{address}, nil)
		require.ErrorContains(t, err, "--server", address)
	}
}
