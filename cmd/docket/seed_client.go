package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"docket/api"
	"docket/internal/annotation"
	"docket/internal/auth"
	"docket/internal/convert"
	"docket/internal/sample"
)

// servers is the sample.Client that uses running docket serve. It sends each request to the next one of them. A request that was
// not answered, or with 503 or 504, is sent to the one after it: an answer that was stored all the same is then a repetition. So is
// one for a URL while all are reserved, as with --when-all-reserved wait.
type servers struct {
	addresses []string // such as http://127.0.0.1:8080
	key       []byte   // signs the tokens of users
	client    *http.Client
	turn      atomic.Uint64
}

const (
	serversPatience = time.Minute // how long a request is repeated
	serversPause    = 50 * time.Millisecond
)

// newServers refuses addresses that are not such as http://host:port.
func newServers(addresses []string, key []byte) (*servers, error) {
	s := &servers{key: key, client: &http.Client{Timeout: serversPatience, Transport: &http.Transport{MaxIdleConnsPerHost: 64}}}
	for _, address := range addresses {
		parsed, err := url.Parse(address)
		if err != nil || parsed.Host == "" || parsed.Scheme != "http" && parsed.Scheme != "https" {
			return nil, usageError{fmt.Errorf("--server: %q is not an address such as http://127.0.0.1:8080", address)}
		}
		s.addresses = append(s.addresses, strings.TrimSuffix(address, "/"))
	}
	return s, nil
}

func (s *servers) Next(ctx context.Context, a sample.Annotator) (*annotation.Next, error) {
	var body api.NextAnnotationResponse
	path := "/annotate/all"
	if a.UserID == 0 {
		path = "/annotate/anonymous?session_id=" + a.Session.String()
	}
	if err := s.send(ctx, a, http.MethodGet, path, nil, &body); err != nil || body.NextAnnotation == nil {
		return nil, err
	}
	return nextOf(body.NextAnnotation), nil
}

func (s *servers) Submit(ctx context.Context, a sample.Annotator, urlID int32, answer annotation.Answer) error {
	path := fmt.Sprintf("/annotate/all/%d", urlID)
	if a.UserID == 0 {
		path = fmt.Sprintf("/annotate/anonymous/%d?session_id=%s", urlID, a.Session)
	}
	wire := api.Answer{SuggestedStatus: api.URLType(answer.URLType), RecordType: (*api.RecordType)(answer.RecordType)}
	if len(answer.AgencyIDs) > 0 {
		wire.AgencyInfo = &api.AnswerAgencies{AgencyIds: &answer.AgencyIDs}
	}
	if len(answer.LocationIDs) > 0 {
		wire.LocationInfo = &api.AnswerLocations{LocationIds: &answer.LocationIDs}
	}
	if answer.NewName != nil || answer.ExistingNameID != nil {
		wire.NameInfo = &api.AnswerName{NewName: answer.NewName, ExistingNameID: answer.ExistingNameID}
	}
	body, err := json.Marshal(wire)
	if err != nil {
		return err
	}
	return s.send(ctx, a, http.MethodPost, path, body, &struct{}{})
}

// send repeats a request until it is answered.
func (s *servers) send(ctx context.Context, a sample.Annotator, method, path string, body []byte, into any) error {
	var token string
	if a.UserID != 0 {
		var err error
		if token, err = auth.Issue(s.key, a.UserID, nil, time.Hour, time.Now()); err != nil {
			return err
		}
	}
	for deadline := time.Now().Add(serversPatience); ; {
		address := s.addresses[s.turn.Add(1)%uint64(len(s.addresses))]
		again, err := s.attempt(ctx, method, address+path, token, body, into)
		if err == nil || !again || time.Now().After(deadline) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(serversPause):
		}
	}
}

func (s *servers) attempt(ctx context.Context, method, url, token string, body []byte, into any) (again bool, err error) {
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return false, err
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return ctx.Err() == nil, err
	}
	defer resp.Body.Close()
	content, err := io.ReadAll(resp.Body)
	if err != nil {
		return ctx.Err() == nil, fmt.Errorf("%s %s: %w", method, url, err)
	}
	if resp.StatusCode != http.StatusOK {
		again = resp.StatusCode == http.StatusServiceUnavailable || resp.StatusCode == http.StatusGatewayTimeout
		return again, fmt.Errorf("%s %s: %s: %s", method, url, resp.Status, bytes.TrimSpace(content))
	}
	if method == http.MethodGet && resp.Header.Get("Annotation-Reason") == string(annotation.AllReserved) {
		return true, fmt.Errorf("%s %s: all URLs that are left are reserved for others", method, url)
	}
	if err := json.Unmarshal(content, into); err != nil {
		return false, errors.New(method + " " + url + ": the response is not that of docket serve")
	}
	return false, nil
}

// nextOf returns what the simulated annotators use of a response.
func nextOf(wire *api.NextAnnotation) *annotation.Next {
	entity := func(e api.EntitySuggestion) annotation.EntitySuggestion { return annotation.EntitySuggestion{ID: e.ID} }
	return &annotation.Next{
		URLID:     wire.URLInfo.URLID,
		URL:       wire.URLInfo.URL,
		Agencies:  annotation.EntitySuggestions{Entities: convert.Each(wire.AgencySuggestions.Suggestions, entity)},
		Locations: annotation.EntitySuggestions{Entities: convert.Each(wire.LocationSuggestions.Suggestions, entity)},
		RecordTypes: convert.Each(wire.RecordTypeSuggestions.Suggestions, func(r api.RecordTypeSuggestion) annotation.RecordTypeVotes {
			return annotation.RecordTypeVotes{Type: annotation.RecordType(r.RecordType)}
		}),
		Names: convert.Each(wire.NameSuggestions.Suggestions, func(n api.NameSuggestion) annotation.NameSuggestion {
			return annotation.NameSuggestion{ID: n.ID, Name: n.DisplayName}
		}),
	}
}
