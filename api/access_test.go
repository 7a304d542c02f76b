package api

import (
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"docket/internal/auth"
)

// level says who may use an operation.
type level string

const (
	levelNone  level = "none"  // all clients; a token is not read
	levelUser  level = "user"  // any valid token
	levelAdmin level = "admin" // a token with access_source_collector
	levelRobot level = "robot" // a token with robot
)

// levels are the levels of the reference and, of the operations that it does not have, those that Docket chose.
var levels = map[level][]string{
	levelNone: {
		"GET /annotate/anonymous", "POST /annotate/anonymous/{url_id}", "GET /annotate/anonymous/explain",
		"POST /annotate/anonymous/{url_id}/skip", "POST /annotate/anonymous/{url_id}/reservation",
		"DELETE /annotate/anonymous/{url_id}/reservation", "GET /annotate/anonymous/mine",
		"PUT /annotate/anonymous/{url_id}", "DELETE /annotate/anonymous/{url_id}",
		"GET /agencies", "GET /agencies/{agency_id}/locations", "GET /typeahead/agencies", "GET /typeahead/locations",
		"GET /url/{url_id}/screenshot", "POST /submit/data-source", "GET /check/unique-url",
		"GET /healthz", "GET /readyz",
	},
	levelUser: {
		"GET /annotate/mine", "PUT /annotate/all/{url_id}", "DELETE /annotate/all/{url_id}",
		"GET /annotate/all", "POST /annotate/all/{url_id}", "POST /annotate/migrate", "GET /annotate/explain",
		"POST /annotate/all/{url_id}/skip", "POST /annotate/all/{url_id}/reservation", "DELETE /annotate/all/{url_id}/reservation",
		"GET /contributions/leaderboard", "GET /contributions/user", "POST /submit/url", "POST /submit/agency",
		"GET /export/facts",
	},
	levelAdmin: {
		"GET /annotate/suggestions/agencies/{url_id}", "GET /search/url", "GET /search/agency",
		"POST /agencies", "PUT /agencies/{agency_id}", "DELETE /agencies/{agency_id}",
		"POST /agencies/{agency_id}/locations/{location_id}", "DELETE /agencies/{agency_id}/locations/{location_id}",
		"POST /locations", "GET /url", "GET /url/{url_id}/consensus", "GET /url/{url_id}/history", "POST /url/{url_id}/reopen",
		"DELETE /url/{url_id}", "POST /collector/manual",
		"GET /batch", "GET /batch/{batch_id}", "GET /batch/{batch_id}/urls", "GET /batch/{batch_id}/duplicates",
		"GET /batch/{batch_id}/logs", "POST /batch/{batch_id}/abort", "PUT /batch/{batch_id}/suggestions",
		"GET /task", "GET /task/status", "GET /task/{task_id}",
		"POST /task/{task_type}/run",
		"GET /metrics/batches/aggregated", "GET /metrics/batches/breakdown", "GET /metrics/urls/aggregate",
		"GET /metrics/urls/aggregate/pending", "GET /metrics/urls/breakdown/submitted", "GET /metrics/urls/breakdown/pending",
		"GET /metrics/backlog", "GET /metrics/urls/skipped", "GET /metrics/agreement", "GET /export/annotations", "PUT /follows",
		"GET /proposal/agencies", "PUT /proposal/agencies/{proposal_id}",
		"POST /proposal/agencies/{proposal_id}/approve", "POST /proposal/agencies/{proposal_id}/reject",
		"GET /proposal/agencies/{proposal_id}/locations", "POST /proposal/agencies/{proposal_id}/locations/{location_id}",
		"DELETE /proposal/agencies/{proposal_id}/locations/{location_id}",
	},
	levelRobot: {"POST /suggestions"},
}

// refusesOthers are the operations of ordinary users that refuse to show what belongs to another annotator.
var refusesOthers = []string{"GET /annotate/explain"}

// passed is the status of a request that the check of the contract has let through.
const passed = http.StatusTeapot

// Each operation of the contract refuses exactly the tokens that its level excludes, with and without the prefix, and
// describes these refusals. A new operation needs a level here.
func TestLevels(t *testing.T) {
	t.Parallel()
	signed := func(claims jwt.MapClaims) string {
		token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString(testKey)
		require.NoError(t, err)
		return "Bearer " + token
	}
	type refusals = map[level]int // 0 when the level admits the token
	none := refusals{levelUser: 401, levelAdmin: 401, levelRobot: 401}
	ordinary := refusals{levelAdmin: 403, levelRobot: 403}
	tokens := map[string]struct {
		header  string
		refused refusals
	}{
		"no token":             {"", none},
		"another scheme":       {"Basic dXNlcjpwYXNz", none},
		"invalid token":        {"Bearer abc", none},
		"expired":              {signed(jwt.MapClaims{"sub": "7", "exp": time.Now().Add(-time.Hour).Unix()}), none},
		"empty permissions":    {bearer(t, 7), ordinary},
		"missing claim":        {signed(jwt.MapClaims{"sub": "7"}), ordinary},
		"claim is null":        {signed(jwt.MapClaims{"sub": "7", "permissions": nil}), none},
		"claim is a text":      {signed(jwt.MapClaims{"sub": "7", "permissions": auth.AccessSourceCollector}), none},
		"subject is missing":   {signed(jwt.MapClaims{"permissions": auth.Permissions()}), none},
		"subject is a name":    {signed(jwt.MapClaims{"sub": "ada", "permissions": auth.Permissions()}), none},
		"unknown permission":   {signed(jwt.MapClaims{"sub": "7", "permissions": []string{"make_tea"}}), ordinary},
		"final review":         {bearer(t, 7, auth.SourceCollectorFinalReview), ordinary},
		"robot":                {bearer(t, 7, auth.Robot), refusals{levelAdmin: 403}},
		"administrator":        {bearer(t, 7, auth.AccessSourceCollector), refusals{levelRobot: 403}},
		"administrator, robot": {bearer(t, 7, auth.AccessSourceCollector, auth.Robot), nil},
	}

	doc, err := Contract()
	require.NoError(t, err)
	router, err := newRouter(testConfig(t), doc, func(router gin.IRouter, s *server) {
		for _, op := range s.operations {
			router.Handle(op.Method, ginPath(op.Path), func(c *gin.Context) { c.Status(passed) })
		}
	})
	require.NoError(t, err)
	levelOf := map[string]level{}
	for level, names := range levels {
		for _, name := range names {
			levelOf[name] = level
		}
	}
	parameter := regexp.MustCompile(`\{\w+\}`)
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			name := method + " " + path
			level := levelOf[name]
			delete(levelOf, name)
			require.NotEmpty(t, level, "%s has no level", name)
			responses := op.Responses
			require.Equal(t, level != levelNone, responses.Status(http.StatusUnauthorized) != nil, "%s describes 401", name)
			refuses := level == levelAdmin || level == levelRobot || slices.Contains(refusesOthers, name)
			require.Equal(t, refuses, responses.Status(http.StatusForbidden) != nil, "%s describes 403", name)
			for token, test := range tokens {
				for _, prefix := range []string{"", "/api"} {
					req := httptest.NewRequest(method, prefix+parameter.ReplaceAllString(path, "1"), nil)
					if test.header != "" {
						req.Header.Set("Authorization", test.header)
					}
					response := httptest.NewRecorder()
					router.ServeHTTP(response, req)
					if want := test.refused[level]; want != 0 {
						require.Equal(t, want, response.Code, "%s%s: %s", prefix, name, token)
						continue
					}
					// A required parameter or the body is missing in some requests.
					require.Contains(t, []int{passed, http.StatusUnprocessableEntity}, response.Code, "%s%s: %s", prefix, name, token)
				}
			}
		}
	}
	require.Empty(t, levelOf, "these are not in the contract")
}

// The page about moving names each operation with the level that it has here.
func TestMovingNamesLevels(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/moving-from-the-reference.md")
	require.NoError(t, err)
	_, table, found := strings.Cut(string(page), "\n| operations | December | January | Docket |\n| --- | --- | --- | --- |\n")
	require.True(t, found)
	table, _, _ = strings.Cut(table, "\n\n")
	named := map[level][]string{}
	operation := regexp.MustCompile("`([A-Z]+ /[^`]+)`")
	for row := range strings.Lines(table) {
		cells := strings.Split(strings.TrimSpace(row), " | ")
		word, _, _ := strings.Cut(strings.TrimSuffix(cells[len(cells)-1], " |"), ",")
		for _, found := range operation.FindAllStringSubmatch(cells[0], -1) {
			named[level(word)] = append(named[level(word)], found[1])
		}
	}
	require.Len(t, named, len(levels))
	for level, operations := range levels {
		require.ElementsMatch(t, operations, named[level], level)
	}
}
