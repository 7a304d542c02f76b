package api

import (
	"bytes"
	"encoding/json"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// Docket serves exactly the routes of the contract and of its documentation.
func TestRouterEqualsContract(t *testing.T) {
	t.Parallel()
	doc, err := Contract()
	require.NoError(t, err)
	require.NoError(t, doc.Validate(t.Context()))
	compiled, err := compileOperations(doc)
	require.NoError(t, err)
	var want []string
	for key := range compiled {
		want = append(want, key)
	}
	for _, path := range documentation {
		require.NotContains(t, want, "GET "+path)
		want = append(want, "GET "+path)
	}
	router, err := New(testConfig(t))
	require.NoError(t, err)
	var got []string
	for _, route := range router.(engine).Routes() {
		got = append(got, route.Method+" "+route.Path)
	}
	slices.Sort(want)
	slices.Sort(got)
	require.Equal(t, want, got)
}

// Every operation refuses an invalid request before its handler is called; the handlers have no service here.
func TestContractGuardsHandlers(t *testing.T) {
	t.Parallel()
	router, err := New(testConfig(t))
	require.NoError(t, err)
	for name, test := range map[string]struct {
		method, target, token, body string
		status                      int
		faults                      []string
	}{
		"no token":      {"GET", "/annotate/all", "", "", 401, nil},
		"no permission": {"GET", "/url", bearer(t, 7), "", 403, nil},
		"filters": {"GET", "/annotate/all?batch_id=x&anno_url_id=1.5", bearer(t, 7), "", 422, []string{
			"query.batch_id int_parsing Input should be a valid integer, unable to parse string as an integer",
			"query.anno_url_id int_parsing Input should be a valid integer, unable to parse string as an integer",
		}},
		"no session": {"POST", "/annotate/anonymous/1", "", `{"suggested_status":"not relevant"}`, 422, []string{
			"query.session_id missing Field required",
		}},
		"answer": {
			"POST", "/annotate/all/99999999999", bearer(t, 7),
			`{"suggested_status":"not found","agency_info":null,"agency_ids":[],"name_info":{"name":"x","existing_name_id":2147483648},"location_info":{"location_ids":[1,1],"x":1}}`,
			422, []string{
				"path.url_id less_than_equal Input should be less than or equal to 2147483647",
				"body.agency_info model_attributes_type Input should be a valid dictionary or object to extract fields from",
				"body.location_info.location_ids value_error Value error, items must not repeat",
				"body.name_info.existing_name_id less_than_equal Input should be less than or equal to 2147483647",
				"body.name_info.name extra_forbidden Extra inputs are not permitted",
				"body.suggested_status enum Input should be 'data source', 'meta url', 'not relevant', 'individual record' or 'broken page'",
				"body.agency_ids extra_forbidden Extra inputs are not permitted",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			req := httptest.NewRequest(test.method, test.target, bytes.NewBufferString(test.body))
			req.Header.Set("Authorization", test.token)
			response := httptest.NewRecorder()
			Conforming(t, router).ServeHTTP(response, req)
			require.Equal(t, test.status, response.Code)
			p := problemIn(t, response)
			if test.faults != nil {
				require.Equal(t, test.faults, lines(*p.Errors))
			}
		})
	}
}

// No body makes the check panic, and a body that passes fits the generated type.
func FuzzAnswer(f *testing.F) {
	for _, seed := range []string{
		`{"suggested_status":"data source","record_type":"Other","agency_info":{"agency_ids":[1,"2",3.0]},"name_info":{"new_name":"x","existing_name_id":null}}`,
		`{"suggested_status":"not relevant","location_info":{"not_found":"yes","location_ids":[9223372036854775807]}}`,
		`{"suggested_status":"meta url","agency_info":{"agency_ids":[1e9,-0,2147483648,1e999,0.1]}}`,
		`{"suggested_status":"meta url","suggested_status":null}`, `[[[[`, `"\u0000"`, "\xff", "{\"a\":\"\xed\xa0\x80\"}", ``, `null`,
	} {
		f.Add([]byte(seed))
	}
	doc, err := Contract()
	require.NoError(f, err)
	compiled, err := compileOperations(doc)
	require.NoError(f, err)
	submit := compiled["POST /annotate/all/:url_id"]
	f.Fuzz(func(t *testing.T, data []byte) {
		checked, err := submit.CheckBody(data)
		if err != nil || checked == nil {
			return
		}
		decoder := json.NewDecoder(bytes.NewReader(checked))
		decoder.DisallowUnknownFields()
		var answer Answer
		if err := decoder.Decode(&answer); err != nil {
			t.Fatalf("%q was let through as %q: %v", data, checked, err)
		}
		if !answer.SuggestedStatus.Valid() || answer.RecordType != nil && !answer.RecordType.Valid() {
			t.Fatalf("%q was let through with an unknown value", data)
		}
	})
}
