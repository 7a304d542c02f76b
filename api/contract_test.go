package api

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"docket/internal/auth"
	"docket/internal/contract"
)

// A request that the contract does not allow gets the faults that the check found. The rest is tested in internal/contract.
func TestContractIsChecked(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	response := b.send("POST", "/things/x?page=0", `{"color":"pink"}`)
	require.Equal(t, http.StatusUnprocessableEntity, response.Code)
	p := problemIn(t, response)
	require.Equal(t, "urn:docket:problem:invalid-request", p.Type)
	require.Equal(t, []string{
		"path.id int_parsing Input should be a valid integer, unable to parse string as an integer",
		"query.page greater_than_equal Input should be greater than or equal to 1",
		"body.color enum Input should be 'red', 'green' or 'blue'",
	}, lines(*p.Errors))
	require.True(t, strings.HasPrefix(p.Detail, "path.id: Input should be a valid integer"), p.Detail)

	response = b.send("POST", "/things/+07.0?page=%202&unknown=x", `{"color":"red","count":"12"}`)
	require.Equal(t, http.StatusOK, response.Code)
	require.JSONEq(t, `{"id":"7","query":"page=2","body":{"color":"red","count":12}}`, response.Body.String(), "the handler sees one spelling")
}

func TestContractSecurity(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	for name, test := range map[string]struct {
		target, authorization, detail string
		status                        int
	}{
		"no header":         {"/things/x", "", "Not authenticated", 401},
		"another scheme":    {"/things/x", "Basic dTpw", "Not authenticated", 401},
		"no token":          {"/things/x", "Bearer ", "Not authenticated", 401},
		"bad token":         {"/things/x", "Bearer abc", "Could not validate credentials", 401},
		"no permission":     {"/things/x", bearer(t, 7), "Access forbidden", 403},
		"other permission":  {"/things/x", bearer(t, 7, auth.SourceCollectorFinalReview), "Access forbidden", 403},
		"permission":        {"/things/x", bearer(t, 7, auth.AccessSourceCollector), "path.id: Input should be a valid integer, unable to parse string as an integer", 422},
		"one of two":        {"/secret/", bearer(t, 7, auth.AccessSourceCollector), "Access forbidden", 403},
		"both":              {"/secret/", bearer(t, 7, auth.Permissions()...), "", 200},
		"open, no header":   {"/open?need=6ba7b810-9dad-11d1-80b4-00c04fd430c8", "", "", 200},
		"open, bad header":  {"/open?need=6ba7b810-9dad-11d1-80b4-00c04fd430c8", "Bearer abc", "", 200},
		"scheme lower case": {"/secret/", strings.Replace(bearer(t, 7, auth.Permissions()...), "Bearer", "bearer", 1), "", 200},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			method, body := "GET", ""
			if strings.HasPrefix(test.target, "/things") {
				method, body = "POST", `{"color":"red"}`
			}
			response := b.send(method, test.target, body, "Authorization", test.authorization)
			require.Equal(t, test.status, response.Code)
			require.Equal(t, test.status == 401, response.Header().Get("WWW-Authenticate") == "Bearer")
			if test.detail != "" {
				require.Equal(t, test.detail, problemIn(t, response).Detail)
			}
		})
	}
}

func TestContractContentType(t *testing.T) {
	t.Parallel()
	response := setup(t, nil).send("POST", "/things/7", `{"color":"red"}`, "Content-Type", "text/plain")
	require.Equal(t, http.StatusUnsupportedMediaType, response.Code)
	p := problemIn(t, response)
	require.Equal(t, "about:blank", p.Type)
	require.Equal(t, "The body must be application/json", p.Detail)
}

// lines prints faults, one line each: loc, type and message.
func lines(faults []Fault) (list []string) {
	for _, f := range faults {
		loc, _, _ := strings.Cut(contract.Faults{contract.Fault(f)}.Error(), ": ")
		list = append(list, loc+" "+f.Type+" "+f.Msg)
	}
	return list
}
