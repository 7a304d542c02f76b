package api

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
	"github.com/gin-gonic/gin"

	"docket/internal/auth"
	"docket/internal/phase"
)

// contract holds requests against the OpenAPI document before generated code sees them, and hands
// on what it checked in the one spelling that code reads: the generated binder finds no fault, and
// what it reads is what was checked.
type contract struct {
	operations map[string]*operation // by method and gin path
	verifier   *auth.Verifier
	fail       func(*gin.Context, error)
}

// operation is what one operation of the document asks of a request.
type operation struct {
	signedIn            bool
	permissions         []auth.Permission
	path, query, header []*openapi3.Parameter
	body                *openapi3.SchemaRef
	needsBody           bool

	once        bool // takes an Idempotency-Key
	conditional bool // its success has an ETag
	streamed    bool // its success is sent while it is read, and may take long
}

// bearerScheme is the document's name for the tokens that auth verifies.
const bearerScheme = "bearerAuth"

// newContract compiles a document. What it would not enforce, it refuses.
func newContract(doc *openapi3.T, verifier *auth.Verifier, fail func(*gin.Context, error)) (*contract, error) {
	k := &contract{operations: make(map[string]*operation), verifier: verifier, fail: fail}
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			compiled, err := compile(doc, item, op)
			if err != nil {
				return nil, fmt.Errorf("contract of %s %s: %w", method, path, err)
			}
			k.operations[method+" "+ginPath(path)] = compiled
		}
	}
	return k, nil
}

// ginPath turns the document's {name} into gin's :name.
func ginPath(path string) string {
	return strings.NewReplacer("{", ":", "}", "").Replace(path)
}

func compile(doc *openapi3.T, item *openapi3.PathItem, op *openapi3.Operation) (*operation, error) {
	compiled := &operation{}
	security := doc.Security
	if op.Security != nil {
		security = *op.Security
	}
	for _, requirement := range security {
		scopes, ok := requirement[bearerScheme]
		if !ok || len(security) > 1 || len(requirement) > 1 {
			return nil, fmt.Errorf("security is not %s alone", bearerScheme)
		}
		compiled.signedIn = true
		for _, scope := range scopes {
			compiled.permissions = append(compiled.permissions, auth.Permission(scope))
		}
	}
	for _, parameters := range []openapi3.Parameters{item.Parameters, op.Parameters} {
		for _, ref := range parameters {
			p := ref.Value
			switch {
			case p.Schema == nil || p.Style != "" || p.Explode != nil && !*p.Explode:
				return nil, fmt.Errorf("parameter %s: only plain schemas in the default style are read", p.Name)
			case p.In == openapi3.ParameterInPath:
				compiled.path = append(compiled.path, p)
			case p.In == openapi3.ParameterInQuery:
				compiled.query = append(compiled.query, p)
			case p.In == openapi3.ParameterInHeader:
				compiled.header = append(compiled.header, p)
				compiled.once = compiled.once || p.Name == idempotencyHeader
			default:
				return nil, fmt.Errorf("parameter %s: %s parameters are not read", p.Name, p.In)
			}
			if err := supported(p.Schema, nil); err != nil {
				return nil, fmt.Errorf("parameter %s: %w", p.Name, err)
			}
		}
	}
	if success := op.Responses.Status(http.StatusOK); success != nil {
		compiled.conditional = success.Value.Headers["ETag"] != nil
		compiled.streamed = success.Value.Content["application/x-ndjson"] != nil
	}
	if op.RequestBody != nil {
		media := op.RequestBody.Value.Content["application/json"]
		if media == nil || media.Schema == nil || len(op.RequestBody.Value.Content) > 1 {
			return nil, errors.New("body is not application/json alone")
		}
		if err := supported(media.Schema, nil); err != nil {
			return nil, fmt.Errorf("body: %w", err)
		}
		compiled.body, compiled.needsBody = media.Schema, op.RequestBody.Value.Required
	}
	return compiled, nil
}

// operation returns what the document says of a request's operation, nil when it does not know it.
func (k *contract) operation(c *gin.Context) *operation {
	return k.operations[c.Request.Method+" "+c.FullPath()]
}

// check is the gin middleware: who asks, whether they may, whether the request fits.
func (k *contract) check(c *gin.Context) {
	op := k.operation(c)
	if op == nil {
		k.fail(c, fmt.Errorf("route %s %s is not in the contract", c.Request.Method, c.FullPath()))
		return
	}
	if op.signedIn {
		user, err := k.authenticate(c, op)
		if err != nil {
			k.fail(c, err)
			return
		}
		c.Request = c.Request.WithContext(auth.NewContext(c.Request.Context(), user))
	}
	var checker checker
	op.checkPath(c, &checker)
	op.checkQuery(c, &checker)
	op.checkHeader(c, &checker)
	if err := op.checkBody(c, &checker); err != nil {
		k.fail(c, err)
		return
	}
	if len(checker.faults) > 0 {
		k.fail(c, checker.faults)
	}
}

func (k *contract) authenticate(c *gin.Context, op *operation) (auth.User, error) {
	defer phase.Start(c.Request.Context(), phase.Auth)()
	user, err := k.verifier.Authenticate(c.GetHeader("Authorization"))
	if err != nil {
		return user, err
	}
	for _, permission := range op.permissions {
		if err := user.Require(permission); err != nil {
			return user, err
		}
	}
	return user, nil
}

func (op *operation) checkPath(c *gin.Context, k *checker) {
	for _, p := range op.path {
		for i := range c.Params {
			if c.Params[i].Key == p.Name {
				c.Params[i].Value = fmt.Sprint(k.check([]any{"path", p.Name}, p.Schema, c.Params[i].Value))
			}
		}
	}
}

// checkQuery reads the parameters that the document knows; of a repeated one the last counts, as in
// the reference.
func (op *operation) checkQuery(c *gin.Context, k *checker) {
	given := parseQuery(c.Request.URL.RawQuery)
	checked := make(url.Values, len(op.query))
	for _, p := range op.query {
		loc := []any{"query", p.Name}
		values := given[p.Name]
		schema, _ := resolve(p.Schema)
		var value any
		switch {
		case len(values) == 0 && p.Required:
			k.fault(loc, "missing", "Field required")
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
			value = k.check(loc, p.Schema, list)
		default:
			value = k.check(loc, p.Schema, values[len(values)-1])
		}
		if list, ok := value.([]any); ok {
			for _, item := range list {
				checked.Add(p.Name, fmt.Sprint(item))
			}
		} else {
			checked.Set(p.Name, fmt.Sprint(value))
		}
	}
	c.Request.URL.RawQuery = checked.Encode()
}

// parseQuery reads a query as the reference does. Unlike url.ParseQuery it drops nothing, lest a filter that was meant be
// ignored: a semicolon is a character like any other, and so is a percent sign that begins no escape.
func parseQuery(raw string) url.Values {
	values := make(url.Values)
	for pair := range strings.SplitSeq(raw, "&") {
		if pair == "" {
			continue
		}
		key, value, _ := strings.Cut(pair, "=")
		key = unescape(key)
		values[key] = append(values[key], unescape(value))
	}
	return values
}

// unescape decodes what is escaped in a part of a query, and leaves the rest as it is.
func unescape(part string) string {
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

// checkHeader reads the headers that the document knows; of a repeated one the first counts, as net/http has it.
func (op *operation) checkHeader(c *gin.Context, k *checker) {
	for _, p := range op.header {
		loc := []any{"header", strings.ToLower(p.Name)}
		values := c.Request.Header.Values(p.Name)
		switch {
		case len(values) > 0:
			c.Request.Header.Set(p.Name, fmt.Sprint(k.check(loc, p.Schema, values[0])))
		case p.Required:
			k.fault(loc, "missing", "Field required")
		}
	}
}

// checkBody replaces the body by what was checked of it. The error is one of HTTP; what is wrong
// with the content is left in k.
func (op *operation) checkBody(c *gin.Context, k *checker) error {
	if op.body == nil {
		return nil
	}
	data, err := io.ReadAll(c.Request.Body)
	if err != nil {
		return bodyError(err)
	}
	loc := []any{"body"}
	if len(bytes.TrimSpace(data)) == 0 {
		if op.needsBody {
			k.fault(loc, "missing", "Field required")
		}
		return nil
	}
	if !isJSON(c.GetHeader("Content-Type")) {
		return statusError{http.StatusUnsupportedMediaType, "The body must be application/json"}
	}
	value, faults, ok := decodeJSON(data, loc)
	k.faults = append(k.faults, faults...)
	if !ok {
		return nil
	}
	checked := k.check(loc, op.body, value)
	if len(k.faults) > 0 {
		return nil // nothing more is done with what does not fit, and it may be no JSON
	}
	data, err = json.Marshal(checked)
	if err != nil {
		return fmt.Errorf("encode checked body: %w", err)
	}
	c.Request.Body = rereadable(data)
	c.Request.ContentLength = int64(len(data))
	return nil
}

func rereadable(data []byte) io.ReadCloser { return io.NopCloser(bytes.NewReader(data)) }

// bodyError says what it means that a body could not be read to its end.
func bodyError(err error) error {
	var size *http.MaxBytesError
	switch {
	case errors.As(err, &size):
		return err
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("%w: %w", statusError{http.StatusRequestTimeout, "The body did not arrive in time"}, err)
	}
	return fmt.Errorf("%w: %w", statusError{http.StatusBadRequest, "The body could not be read"}, err)
}

// isJSON tells whether a body with this Content-Type is read. None at all is taken for JSON.
func isJSON(contentType string) bool {
	if contentType == "" {
		return true
	}
	media, _, err := mime.ParseMediaType(contentType)
	return err == nil && (media == "application/json" ||
		strings.HasPrefix(media, "application/") && strings.HasSuffix(media, "+json"))
}
