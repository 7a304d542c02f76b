package faults

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// request is a request that a client repeats unchanged.
type request struct {
	method, path string
	token        string // empty for an anonymous client
	key          string // empty without Idempotency-Key
	body         string
}

// response is what arrived of one attempt.
type response struct {
	status     int // 0: the connection broke
	retryAfter string
	problem    string // the type of a problem, without the common beginning
	body       []byte
}

const noRetryAfter = "503 without Retry-After"

func (r response) decode(into any) bool { return json.Unmarshal(r.body, into) == nil }

// tells is what the report counts.
func (r response) tells() string {
	switch {
	case r.status == 0:
		return "connection broke"
	case r.status == http.StatusServiceUnavailable && r.retryAfter == "":
		return noRetryAfter
	case r.problem == "" || r.problem == "about:blank":
		return strconv.Itoa(r.status)
	default:
		return fmt.Sprintf("%d %s", r.status, r.problem)
	}
}

// invitesRetry returns whether the client repeats the request, because it cannot know the outcome or was asked to.
func (r response) invitesRetry() bool {
	return r.status == 0 || r.status == http.StatusServiceUnavailable && r.retryAfter != "" || r.problem == "request-under-way"
}

// attempt sends a request to the next process in turn.
func (s *system) attempt(r request) (result response) {
	address := s.addresses[s.turn.Add(1)%uint64(len(s.addresses))]
	req, err := http.NewRequest(r.method, address+r.path, strings.NewReader(r.body))
	if err != nil {
		panic(err)
	}
	if r.body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if r.token != "" {
		req.Header.Set("Authorization", "Bearer "+r.token)
	}
	if r.key != "" {
		req.Header.Set("Idempotency-Key", r.key)
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return response{}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return response{}
	}
	result = response{status: resp.StatusCode, retryAfter: resp.Header.Get("Retry-After"), body: body}
	if resp.StatusCode >= 400 {
		var problem struct {
			Type string `json:"type"`
		}
		_ = json.Unmarshal(body, &problem)
		result.problem = strings.TrimPrefix(problem.Type, "urn:docket:problem:")
	}
	return result
}

// pause is how long a client waits before it repeats a request. It is shorter than Retry-After asks, to cause more concurrency.
func pause() { time.Sleep(time.Duration(50+rand.IntN(200)) * time.Millisecond) }
