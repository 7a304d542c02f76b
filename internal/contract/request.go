package contract

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// Errors of a body that cannot be validated because it cannot be read.
var (
	ErrMediaType  = errors.New("the body must be application/json")
	ErrBodyLate   = errors.New("the body did not arrive in time")
	ErrBodyBroken = errors.New("the body could not be read")
)

// Check validates a request to the operation, whose path parameters are the request's path values. It replaces path
// values, query, described headers and body by the values that were checked, in one spelling.
// Errors: Faults, ErrMediaType, and those of ReadBody.
func (op *Operation) Check(r *http.Request) error {
	var c checker
	op.checkPath(r, &c)
	op.checkQuery(r, &c)
	op.checkHeader(r, &c)
	if err := op.checkBody(r, &c); err != nil {
		return err
	}
	if len(c.faults) > 0 {
		return c.faults
	}
	return nil
}

func (op *Operation) checkPath(r *http.Request, c *checker) {
	for _, p := range op.path {
		r.SetPathValue(p.Name, fmt.Sprint(c.check([]any{"path", p.Name}, p.Schema, r.PathValue(p.Name))))
	}
}

// checkQuery reads the described parameters. Of a repeated one the last value counts, as in the reference.
func (op *Operation) checkQuery(r *http.Request, c *checker) {
	given := parseQuery(r.URL.RawQuery)
	checked := make(url.Values, len(op.query))
	for _, p := range op.query {
		loc := []any{"query", p.Name}
		values := given[p.Name]
		schema, _ := resolve(p.Schema)
		var value any
		switch {
		case len(values) == 0 && p.Required:
			c.fault(loc, "missing", "Field required")
			continue
		case len(values) == 0 && schema.Default == nil:
			continue
		case len(values) == 0:
			value = schema.Default
		case schema.Type.Permits(openapi3.TypeArray):
			list := make([]any, len(values))
			for i, v := range values {
				list[i] = v
			}
			value = c.check(loc, p.Schema, list)
		default:
			value = c.check(loc, p.Schema, values[len(values)-1])
		}
		if list, ok := value.([]any); ok {
			for _, item := range list {
				checked.Add(p.Name, fmt.Sprint(item))
			}
		} else {
			checked.Set(p.Name, fmt.Sprint(value))
		}
	}
	r.URL.RawQuery = checked.Encode()
}

// parseQuery reads a query as the reference does. Unlike url.ParseQuery it drops nothing, because a dropped filter
// would widen the result: a semicolon is an ordinary character, and so is a percent sign that begins no escape.
func parseQuery(raw string) url.Values {
	values := make(url.Values)
	for pair := range strings.SplitSeq(raw, "&") {
		if pair == "" {
			continue
		}
		key, value, _ := strings.Cut(pair, "=")
		key = Unescape(key)
		values[key] = append(values[key], Unescape(value))
	}
	return values
}

// Unescape decodes the valid escapes in a key or value of a query and leaves the rest unchanged.
func Unescape(part string) string {
	part = strings.ReplaceAll(part, "+", " ")
	if plain, err := url.PathUnescape(part); err == nil {
		return plain
	}
	var plain strings.Builder
	for i := 0; i < len(part); i++ {
		if part[i] == '%' && i+2 < len(part) {
			if b, err := hex.DecodeString(part[i+1 : i+3]); err == nil {
				plain.WriteByte(b[0])
				i += 2
				continue
			}
		}
		plain.WriteByte(part[i])
	}
	return plain.String()
}

// checkHeader reads the described headers. Of a repeated one the first value counts, as in net/http.
func (op *Operation) checkHeader(r *http.Request, c *checker) {
	for _, p := range op.header {
		loc := []any{"header", strings.ToLower(p.Name)}
		values := r.Header.Values(p.Name)
		switch {
		case len(values) > 0:
			r.Header.Set(p.Name, fmt.Sprint(c.check(loc, p.Schema, values[0])))
		case p.Required:
			c.fault(loc, "missing", "Field required")
		}
	}
}

// checkBody replaces the body by what was checked of it. Its error means that the body could not be read as JSON at
// all; faults of the content go to c.
func (op *Operation) checkBody(r *http.Request, c *checker) error {
	if op.body == nil {
		return nil
	}
	data, err := ReadBody(r)
	if err != nil {
		return err
	}
	if len(bytes.TrimSpace(data)) > 0 && !isJSON(r.Header.Get("Content-Type")) {
		return ErrMediaType
	}
	if data, err = op.checkedBody(data, c); err != nil {
		return err
	}
	if data != nil {
		SetBody(r, data)
	}
	return nil
}

// CheckBody validates a JSON body of the operation and returns it in one spelling; nil means that there is none.
// Errors: Faults.
func (op *Operation) CheckBody(data []byte) ([]byte, error) {
	var c checker
	data, err := op.checkedBody(data, &c)
	if err == nil && len(c.faults) > 0 {
		return nil, c.faults
	}
	return data, err
}

// checkedBody returns the body in one spelling, or nil when it is empty or the request has faults.
func (op *Operation) checkedBody(data []byte, c *checker) ([]byte, error) {
	loc := []any{"body"}
	if len(bytes.TrimSpace(data)) == 0 {
		if op.bodyRequired {
			c.fault(loc, "missing", "Field required")
		}
		return nil, nil
	}
	value, faults, ok := decodeJSON(data, loc)
	c.faults = append(c.faults, faults...)
	if !ok {
		return nil, nil
	}
	checked := c.check(loc, op.body, value)
	if len(c.faults) > 0 {
		return nil, nil // a value with faults may not be JSON
	}
	data, err := json.Marshal(checked)
	if err != nil {
		return nil, fmt.Errorf("encode checked body: %w", err)
	}
	return data, nil
}

// ReadBody reads the body of a request to its end. Errors: *http.MaxBytesError, ErrBodyLate, ErrBodyBroken.
func ReadBody(r *http.Request) ([]byte, error) {
	data, err := io.ReadAll(r.Body)
	var size *http.MaxBytesError
	switch {
	case err == nil:
		return data, nil
	case errors.As(err, &size):
		return nil, err
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, fmt.Errorf("%w: %w", ErrBodyLate, err)
	}
	return nil, fmt.Errorf("%w: %w", ErrBodyBroken, err)
}

// SetBody replaces the body of a request.
func SetBody(r *http.Request, data []byte) {
	r.Body = io.NopCloser(bytes.NewReader(data))
	r.ContentLength = int64(len(data))
}

// isJSON reports whether a body with this Content-Type is read. A missing Content-Type counts as JSON.
func isJSON(contentType string) bool {
	if contentType == "" {
		return true
	}
	media, _, err := mime.ParseMediaType(contentType)
	return err == nil && (media == "application/json" ||
		strings.HasPrefix(media, "application/") && strings.HasSuffix(media, "+json"))
}
