package contract

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/require"
)

// operations compiles the document of testdata.
func operations(t testing.TB) []*Operation {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromFile("testdata/contract.yaml")
	require.NoError(t, err)
	require.NoError(t, doc.Validate(t.Context()))
	compiled, err := Compile(doc)
	require.NoError(t, err)
	return compiled
}

// check checks a request. It returns the request that a handler would see, as JSON, and the error of the check.
func check(t testing.TB, r *http.Request) (seen string, err error) {
	t.Helper()
	router := http.NewServeMux()
	for _, op := range operations(t) {
		router.HandleFunc(op.Method+" "+op.Path, func(_ http.ResponseWriter, r *http.Request) {
			if err = op.Check(r); err != nil {
				return
			}
			body, readErr := io.ReadAll(r.Body)
			require.NoError(t, readErr)
			if len(body) == 0 {
				body = []byte("null")
			}
			data, encodeErr := json.Marshal(map[string]any{
				"id": r.PathValue("id"), "query": r.URL.RawQuery, "body": json.RawMessage(body),
			})
			require.NoError(t, encodeErr)
			seen = string(data)
		})
	}
	response := httptest.NewRecorder()
	router.ServeHTTP(response, r)
	require.Equal(t, http.StatusOK, response.Code, "%s is not in the document", r.URL)
	return seen, err
}

func post(t testing.TB, target, body string) (seen string, err error) {
	t.Helper()
	return check(t, httptest.NewRequest(http.MethodPost, target, strings.NewReader(body)))
}

// lines prints faults, one line each: loc, type and message.
func lines(t testing.TB, err error) (list []string) {
	t.Helper()
	var faults Faults
	require.ErrorAs(t, err, &faults)
	for _, f := range faults {
		loc, _, _ := strings.Cut(Faults{f}.Error(), ": ")
		list = append(list, loc+" "+f.Type+" "+f.Msg)
	}
	return list
}

// A request that passes is rewritten into one spelling.
func TestCheckAccepts(t *testing.T) {
	t.Parallel()
	const thing = `{"color":"red"}`
	for name, test := range map[string]struct{ target, body, want string }{
		"least":              {"/things/7", thing, `{"id":"7","query":"page=1","body":{"color":"red"}}`},
		"path spelled oddly": {"/things/+07.0", thing, `{"id":"7","query":"page=1","body":{"color":"red"}}`},
		"smallest id":        {"/things/-2147483648", thing, `{"id":"-2147483648","query":"page=1","body":{"color":"red"}}`},
		"query": {
			"/things/7?page=%202&flag=YES&session=6BA7B8109DAD11D180B400C04FD430C8&word=h%C3%A9llo&tag=1&tag=2.0&unknown=x", thing,
			`{"id":"7","query":"flag=true&page=2&session=6ba7b810-9dad-11d1-80b4-00c04fd430c8&tag=1&tag=2&word=h%C3%A9llo","body":{"color":"red"}}`,
		},
		"last of a repeated parameter": {"/things/7?page=x&page=3", thing, `{"id":"7","query":"page=3","body":{"color":"red"}}`},
		"query that is hardly escaped": {
			"/things/7?&word=;+%41%4&&tag=3&page=2;&page=2", thing,
			`{"id":"7","query":"page=2&tag=3&word=%3B+A%254","body":{"color":"red"}}`,
		},
		"every flag": {
			"/things/7?flag=oN", thing, `{"id":"7","query":"flag=true&page=1","body":{"color":"red"}}`,
		},
		"lenient body": {
			"/things/7",
			`{"color":"blue","count":"12","big":12.0,"ratio":"0.5","on":"off","ids":[1,"2",3.0,4e0],"session":"{6ba7b810-9dad-11d1-80b4-00c04fd430c8}","day":"2024-02-29"}`,
			`{"id":"7","query":"page=1","body":{"color":"blue","count":12,"big":12,"ratio":0.5,"on":false,"ids":[1,2,3,4],"session":"6ba7b810-9dad-11d1-80b4-00c04fd430c8","day":"2024-02-29"}}`,
		},
		"nulls where allowed": {"/things/7", `{"color":"red","maybe":null,"note":null}`, `{"id":"7","query":"page=1","body":{"color":"red","maybe":null,"note":null}}`},
		"unknown keys dropped, defaults filled in": {
			"/things/7", `{"color":"red","inner":{"Not_Found":true,"x":{"y":1}}}`,
			`{"id":"7","query":"page=1","body":{"color":"red","inner":{"not_found":false,"ids":[7]}}}`,
		},
		"free and map objects": {
			"/things/7", `{"color":"red","free":{"a":[1,{"b":null}]},"labels":{"x":"1","y":2}}`,
			`{"id":"7","query":"page=1","body":{"color":"red","free":{"a":[1,{"b":null}]},"labels":{"x":1,"y":2}}}`,
		},
		"escaped pair":                 {"/things/7", `{"color":"red","note":"\ud83D\uDe00\\ud8"}`, `{"id":"7","query":"page=1","body":{"color":"red","note":"😀\\ud8"}}`},
		"large integer":                {"/things/7", `{"color":"red","big":9007199254740993}`, `{"id":"7","query":"page=1","body":{"color":"red","big":9007199254740993}}`},
		"longest note":                 {"/things/7", `{"color":"red","note":"äöüß€"}`, `{"id":"7","query":"page=1","body":{"color":"red","note":"äöüß€"}}`},
		"no body where none is needed": {"/open", " ", `{"id":"","query":"","body":null}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			seen, err := post(t, test.target, test.body)
			require.NoError(t, err)
			require.JSONEq(t, test.want, seen)
		})
	}
}

func TestCheckRefuses(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat(`{"a":`, 40) + "1" + strings.Repeat("}", 40)
	for name, test := range map[string]struct {
		target, body string
		want         []string // "loc type msg" of every fault
	}{
		"missing":        {"/things/7", `{}`, []string{`body.color missing Field required`}},
		"enum":           {"/things/7", `{"color":"pink"}`, []string{`body.color enum Input should be 'red', 'green' or 'blue'`}},
		"enum, not text": {"/things/7", `{"color":{"a":1}}`, []string{`body.color enum Input should be 'red', 'green' or 'blue'`}},
		"null enum":      {"/things/7", `{"color":null}`, []string{`body.color enum Input should be 'red', 'green' or 'blue'`}},
		"extra key":      {"/things/7", `{"color":"red","Color":"red"}`, []string{`body.Color extra_forbidden Extra inputs are not permitted`}},
		"integers": {
			"/things/x", `{"color":"red","count":"x","big":1.5,"ids":[true,null,"1.5",[]]}`,
			[]string{
				`path.id int_parsing Input should be a valid integer, unable to parse string as an integer`,
				`body.big int_from_float Input should be a valid integer, got a number with a fractional part`,
				`body.count int_parsing Input should be a valid integer, unable to parse string as an integer`,
				`body.ids.0 int_type Input should be a valid integer`,
				`body.ids.1 int_type Input should be a valid integer`,
				`body.ids.2 int_parsing Input should be a valid integer, unable to parse string as an integer`,
				`body.ids.3 int_type Input should be a valid integer`,
			},
		},
		"integers out of range": {
			"/things/2147483648?page=0", `{"color":"red","count":-2147483649,"big":1e400,"ids":["99999999999999999999",-1e30]}`,
			[]string{
				`path.id less_than_equal Input should be less than or equal to 2147483647`,
				`query.page greater_than_equal Input should be greater than or equal to 1`,
				`body.big less_than_equal Input should be less than or equal to 9223372036854775807`,
				`body.count greater_than_equal Input should be greater than or equal to -2147483648`,
				`body.ids.0 less_than_equal Input should be less than or equal to 2147483647`,
				`body.ids.1 greater_than_equal Input should be greater than or equal to -2147483648`,
			},
		},
		"query": {
			"/things/7?page=1001&flag=maybe&session=7&word=toolong&tag=1&tag=x", `{"color":"red"}`,
			[]string{
				`query.page less_than_equal Input should be less than or equal to 1000`,
				`query.session uuid_parsing Input should be a valid UUID, unable to parse string as a UUID`,
				`query.flag bool_parsing Input should be a valid boolean, unable to interpret input`,
				`query.word string_too_long String should have at most 5 characters`,
				`query.tag.1 int_parsing Input should be a valid integer, unable to parse string as an integer`,
			},
		},
		"empty query value": {"/things/7?page=", `{"color":"red"}`, []string{`query.page int_parsing Input should be a valid integer, unable to parse string as an integer`}},
		"texts PostgreSQL cannot hold": {
			"/things/7?word=%00", `{"color":"red","note":"\u0000","free":{"a\u0000":["\u0000"]},"labels":{"\u0000":1}}`,
			[]string{
				`query.word value_error Value error, text must not contain NUL characters`,
				"body.free.a\x00 value_error Value error, text must not contain NUL characters",
				"body.free.a\x00.0 value_error Value error, text must not contain NUL characters",
				"body.labels.\x00 value_error Value error, text must not contain NUL characters",
				`body.note value_error Value error, text must not contain NUL characters`,
			},
		},
		"malformed query": {"/things/7?page=%zz&tag=1;flag=no", `{"color":"red"}`, []string{
			`query.page int_parsing Input should be a valid integer, unable to parse string as an integer`,
			`query.tag.0 int_parsing Input should be a valid integer, unable to parse string as an integer`,
		}},
		"year 0":              {"/things/7", `{"color":"red","day":"0000-12-31"}`, []string{`body.day date_parsing Input should be a valid date in the format YYYY-MM-DD`}},
		"unpaired surrogate":  {"/things/7", `{"color":"red","note":"\\\ud83d","labels":{"\uDE00\ud83d":1}}`, []string{`body json_invalid JSON decode error: unpaired surrogate`}},
		"query not UTF-8":     {"/things/7?word=%ff", `{"color":"red"}`, []string{`query.word value_error Value error, text must be UTF-8`}},
		"number out of range": {"/things/7", `{"color":"red","free":{"a":1e999}}`, []string{`body.free.a finite_number Input should be a finite number`}},
		"types": {
			"/things/7", `{"color":"red","count":{},"ratio":[],"on":2,"note":5,"session":5,"day":"2023-02-29","ids":{},"inner":null,"free":[],"labels":"x"}`,
			[]string{
				`body.count int_type Input should be a valid integer`,
				`body.day date_parsing Input should be a valid date in the format YYYY-MM-DD`,
				`body.free model_attributes_type Input should be a valid dictionary or object to extract fields from`,
				`body.ids list_type Input should be a valid list`,
				`body.inner model_attributes_type Input should be a valid dictionary or object to extract fields from`,
				`body.labels model_attributes_type Input should be a valid dictionary or object to extract fields from`,
				`body.note string_type Input should be a valid string`,
				`body.on bool_parsing Input should be a valid boolean, unable to interpret input`,
				`body.ratio float_type Input should be a valid number`,
				`body.session uuid_type Input should be a valid UUID`,
			},
		},
		"more types": {
			"/things/7", `{"color":"red","ratio":"x","on":[],"note":"","ids":null,"inner":{"not_found":0.5,"ids":[]}}`,
			[]string{
				`body.ids list_type Input should be a valid list`,
				`body.inner.ids too_short List should have at least 1 item after validation, not 0`,
				`body.inner.not_found bool_parsing Input should be a valid boolean, unable to interpret input`,
				`body.note string_too_short String should have at least 1 character`,
				`body.on bool_type Input should be a valid boolean`,
				`body.ratio float_parsing Input should be a valid number, unable to parse string as a number`,
			},
		},
		"number bounds":    {"/things/7", `{"color":"red","ratio":1.01}`, []string{`body.ratio less_than_equal Input should be less than or equal to 1`}},
		"number below":     {"/things/7", `{"color":"red","ratio":-1}`, []string{`body.ratio greater_than_equal Input should be greater than or equal to 0`}},
		"number not one":   {"/things/7", `{"color":"red","ratio":"NaN"}`, []string{`body.ratio finite_number Input should be a finite number`}},
		"number infinite":  {"/things/7", `{"color":"red","ratio":1e999}`, []string{`body.ratio finite_number Input should be a finite number`}},
		"list too long":    {"/things/7", `{"color":"red","ids":[1,2,3,4,5]}`, []string{`body.ids too_long List should have at most 4 items after validation, not 5`}},
		"list repeats":     {"/things/7", `{"color":"red","ids":[1,"1"]}`, []string{`body.ids value_error Value error, items must not repeat`}},
		"map value":        {"/things/7", `{"color":"red","labels":{"a":"x"}}`, []string{`body.labels.a int_parsing Input should be a valid integer, unable to parse string as an integer`}},
		"body not object":  {"/things/7", `[]`, []string{`body model_attributes_type Input should be a valid dictionary or object to extract fields from`}},
		"body null":        {"/things/7", `null`, []string{`body model_attributes_type Input should be a valid dictionary or object to extract fields from`}},
		"body missing":     {"/things/7", ``, []string{`body missing Field required`}},
		"body blank":       {"/things/7", " \n", []string{`body missing Field required`}},
		"not JSON":         {"/things/7", `{"color":red}`, []string{`body.10 json_invalid JSON decode error: invalid character 'r' looking for beginning of value`}},
		"cut off":          {"/things/7", `{"color":"red"`, []string{`body.14 json_invalid JSON decode error: unexpected end of JSON input`}},
		"trailing garbage": {"/things/7", `{"color":"red"} x`, []string{`body.17 json_invalid JSON decode error: invalid character 'x' after top-level value`}},
		"two values":       {"/things/7", `{"color":"red"}{}`, []string{`body.16 json_invalid JSON decode error: invalid character '{' after top-level value`}},
		"NaN":              {"/things/7", `{"color":"red","ratio":NaN}`, []string{`body.24 json_invalid JSON decode error: invalid character 'N' looking for beginning of value`}},
		"not UTF-8":        {"/things/7", "{\"color\":\"\xff\"}", []string{`body json_invalid JSON decode error: not UTF-8`}},
		"repeated keys": {
			"/things/7", `{"color":"red","color":"green","inner":{"x":1,"x":2}}`,
			[]string{`body.color value_error Value error, the key appears more than once`, `body.inner.x value_error Value error, the key appears more than once`},
		},
		"too deep": {"/things/x", `{"color":"red","free":` + deep + `}`, []string{
			`path.id int_parsing Input should be a valid integer, unable to parse string as an integer`,
			`body json_invalid JSON decode error: nested deeper than 32 levels`,
		}},
		"long keys are cut": {"/things/7", `{"color":"red","` + strings.Repeat("ä", 99) + `":1}`, []string{
			`body.` + strings.Repeat("ä", 50) + `… extra_forbidden Extra inputs are not permitted`,
		}},
		"everything together": {
			"/things/x?page=x", `{"zzz":1,"aaa":1,"count":"x"}`,
			[]string{
				`path.id int_parsing Input should be a valid integer, unable to parse string as an integer`,
				`query.page int_parsing Input should be a valid integer, unable to parse string as an integer`,
				`body.color missing Field required`,
				`body.count int_parsing Input should be a valid integer, unable to parse string as an integer`,
				`body.aaa extra_forbidden Extra inputs are not permitted`,
				`body.zzz extra_forbidden Extra inputs are not permitted`,
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := post(t, test.target, test.body)
			require.Equal(t, test.want, lines(t, err))
		})
	}
}

func TestRequiredQuery(t *testing.T) {
	t.Parallel()
	_, err := check(t, httptest.NewRequest(http.MethodGet, "/open", nil))
	require.Equal(t, []string{"query.need missing Field required"}, lines(t, err))
	require.EqualError(t, err, "query.need: Field required")
}

func TestHeader(t *testing.T) {
	t.Parallel()
	for key, want := range map[string][]string{
		"k":                      nil,
		strings.Repeat("ä", 255): nil,
		"":                       {"header.idempotency-key string_too_short String should have at least 1 character"},
		strings.Repeat("k", 256): {"header.idempotency-key string_too_long String should have at most 255 characters"},
		"\xff":                   {"header.idempotency-key value_error Value error, text must be UTF-8"},
	} {
		r := httptest.NewRequest(http.MethodPost, "/things/7", strings.NewReader(`{"color":"red"}`))
		r.Header["Idempotency-Key"] = []string{key}
		_, err := check(t, r)
		if want == nil {
			require.NoError(t, err, "%q", key)
			continue
		}
		require.Equal(t, want, lines(t, err), "%q", key)
	}
}

func TestNumberOfFaultsIsLimited(t *testing.T) {
	t.Parallel()
	var body strings.Builder
	body.WriteString(`{"color":"red"`)
	for i := range 5000 {
		fmt.Fprintf(&body, `,"k%d":1,"k%d":1`, i, i)
	}
	_, err := post(t, "/things/7", body.String()+"}")
	require.Len(t, lines(t, err), maxFaults)
	require.True(t, strings.HasSuffix(err.Error(), "; and at least 95 more"), err.Error())
}

func TestFaultsText(t *testing.T) {
	t.Parallel()
	faults := make(Faults, 7)
	for i := range faults {
		faults[i] = Fault{Loc: []any{"body", i}, Msg: "No"}
	}
	require.Equal(t, "body.0: No; body.1: No", faults[:2].Error())
	require.Equal(t, 5, strings.Count(faults.Error(), "No"))
	require.True(t, strings.HasSuffix(faults.Error(), "; and at least 2 more"))
}

func TestContentType(t *testing.T) {
	t.Parallel()
	for contentType, read := range map[string]bool{
		"":                                  true,
		"application/json":                  true,
		"Application/JSON; charset=utf-8":   true,
		"application/vnd.api+json":          true,
		"text/plain":                        false,
		"application/x-www-form-urlencoded": false,
		"text/json":                         false,
		";":                                 false,
	} {
		r := httptest.NewRequest(http.MethodPost, "/things/7", strings.NewReader(`{"color":"red"}`))
		r.Header.Set("Content-Type", contentType)
		_, err := check(t, r)
		if read {
			require.NoError(t, err, "%q", contentType)
			continue
		}
		require.ErrorIs(t, err, ErrMediaType, "%q", contentType)
	}
}

func TestBodyThatCannotBeRead(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ cause, want error }{
		{io.ErrUnexpectedEOF, ErrBodyBroken},
		{os.ErrDeadlineExceeded, ErrBodyLate},
		{&http.MaxBytesError{Limit: 5}, nil},
	} {
		r := httptest.NewRequest(http.MethodPost, "/things/x", io.MultiReader(strings.NewReader(`{"col`), iotest.ErrReader(test.cause)))
		_, err := check(t, r)
		require.ErrorIs(t, err, test.cause, "faults of the rest are not reported")
		if test.want != nil {
			require.ErrorIs(t, err, test.want)
		}
	}
}

// A document with a rule that would not be enforced does not compile.
func TestCompileRefuses(t *testing.T) {
	t.Parallel()
	const operation = `{"operationId":"x","responses":{"default":{"description":""}},%s}`
	body := func(schema string) string {
		return `"requestBody":{"content":{"application/json":{"schema":` + schema + `}}}`
	}
	for name, test := range map[string]struct{ part, want string }{
		"oneOf":            {body(`{"oneOf":[{"type":"string"},{"type":"integer"}]}`), "not enforced"},
		"pattern":          {body(`{"type":"string","pattern":"^a"}`), "not enforced"},
		"two allOf":        {body(`{"allOf":[{"type":"object"},{"type":"object"}]}`), "not enforced"},
		"exclusive bound":  {body(`{"type":"integer","minimum":1,"exclusiveMinimum":true}`), "not enforced"},
		"nested":           {body(`{"type":"object","properties":{"a":{"type":"array","items":{"type":"number","multipleOf":2}}}}`), "a: schema has a rule"},
		"format":           {body(`{"type":"string","format":"email"}`), "format email"},
		"enum of numbers":  {body(`{"type":"integer","enum":[1,2]}`), "enum"},
		"unique objects":   {body(`{"type":"array","uniqueItems":true,"items":{"type":"object"}}`), "uniqueItems"},
		"required unknown": {body(`{"type":"object","required":["a"]}`), "required property a"},
		"allOf and more":   {body(`{"type":"object","allOf":[{"type":"object"}]}`), "both allOf"},
		"form body":        {`"requestBody":{"content":{"text/plain":{"schema":{"type":"string"}}}}`, "application/json alone"},
		"cookie":           {`"parameters":[{"name":"c","in":"cookie","schema":{"type":"string"}}]`, "cookie parameters are not read"},
		"other style":      {`"parameters":[{"name":"q","in":"query","explode":false,"schema":{"type":"array","items":{"type":"string"}}}]`, "default style"},
		"other scheme":     {`"security":[{"apiKey":[]}]`, "bearerAuth alone"},
		"optional sign-in": {`"security":[{"bearerAuth":[]},{}]`, "bearerAuth alone"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			doc, err := openapi3.NewLoader().LoadFromData([]byte(
				`{"openapi":"3.0.3","info":{"title":"","version":""},"paths":{"/x":{"post":` + fmt.Sprintf(operation, test.part) + `}}}`))
			require.NoError(t, err)
			_, err = Compile(doc)
			require.ErrorContains(t, err, test.want)
			require.ErrorContains(t, err, "POST /x")
		})
	}
}

func TestSecurity(t *testing.T) {
	t.Parallel()
	for _, op := range operations(t) {
		switch op.Method + " " + op.Path {
		case "POST /things/{id}":
			require.True(t, op.NeedsToken)
			require.Equal(t, []string{"access_source_collector"}, op.Scopes)
		case "GET /secret/":
			require.True(t, op.NeedsToken)
			require.Equal(t, []string{"access_source_collector", "source_collector_final_review"}, op.Scopes)
		case "GET /polled":
			require.True(t, op.NeedsToken)
			require.Empty(t, op.Scopes)
		default:
			require.False(t, op.NeedsToken, op.Path)
		}
		require.Equal(t, op.Method == http.MethodPost && op.Path != "/polled", op.TakesHeader("Idempotency-Key"), op.Path)
	}
}

// FuzzCheck checks that no body makes the check panic, and that a body that passed passes again unchanged.
func FuzzCheck(f *testing.F) {
	for _, seed := range []string{
		`{"color":"blue","count":"12","big":12.0,"ratio":"0.5","on":"off","ids":[1,"2",3.0,4e0],"day":"2024-02-29"}`,
		`{"color":"red","session":"{6ba7b810-9dad-11d1-80b4-00c04fd430c8}","inner":{"not_found":"yes"},"maybe":null}`,
		`{"color":"red","free":{"a":[1,{"b":null}]},"labels":{"x":"1","y":2},"note":"\ud83D\uDe00"}`,
		`{"color":"red","big":1e999,"ids":[1e9,-0,2147483648,0.1]}`, `{"color":"red","color":null}`,
		`[[[[`, `"\u0000"`, "\xff", "{\"a\":\"\xed\xa0\x80\"}", ``, `null`,
	} {
		f.Add([]byte(seed))
	}
	var op *Operation
	for _, candidate := range operations(f) {
		if candidate.Path == "/things/{id}" {
			op = candidate
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		checked, err := op.CheckBody(data)
		if err != nil {
			require.NotEmpty(t, lines(t, err))
			return
		}
		again, err := op.CheckBody(checked)
		require.NoError(t, err)
		require.Equal(t, string(checked), string(again))
	})
}
