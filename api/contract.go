package api

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/gin-gonic/gin"

	"docket/internal/admission"
	"docket/internal/auth"
	"docket/internal/contract"
)

// operation is an operation of the contract and what the middleware needs to know of it.
type operation struct {
	*contract.Operation
	permissions []auth.Permission

	takesKey bool // it takes an Idempotency-Key
	hasETag  bool // its success has an ETag
	streamed bool // its success is sent while it is read, which may take long
	limited  bool // it counts for the limits of its caller

	class  admission.Class
	writes bool
}

// operations are those of a document, by method and gin path.
type operations map[string]*operation

func compileOperations(doc *openapi3.T) (operations, error) {
	compiled, err := contract.Compile(doc)
	if err != nil {
		return nil, err
	}
	known := make(operations, len(compiled))
	for _, c := range compiled {
		op := &operation{Operation: c, takesKey: c.TakesHeader(idempotencyHeader), writes: c.Method != http.MethodGet}
		if op.class, err = classOf(doc, c.Described); err != nil {
			return nil, fmt.Errorf("contract of %s %s: %w", c.Method, c.Path, err)
		}
		for _, scope := range c.Scopes {
			op.permissions = append(op.permissions, auth.Permission(scope))
		}
		op.limited = c.Described.Responses.Status(http.StatusTooManyRequests) != nil
		if success := c.Described.Responses.Status(http.StatusOK); success != nil {
			op.hasETag = success.Value.Headers["ETag"] != nil
			op.streamed = success.Value.Content["application/x-ndjson"] != nil
		}
		known[c.Method+" "+ginPath(c.Path)] = op
	}
	return known, nil
}

// loadClass is the extension of an operation, or of its tag, that names its admission.Class.
const loadClass = "x-load-class"

// classOf returns the class that the operation names, or else its tag; admission.Other if neither does.
func classOf(doc *openapi3.T, op *openapi3.Operation) (admission.Class, error) {
	named, ok := op.Extensions[loadClass]
	for _, tag := range doc.Tags {
		if !ok && slices.Contains(op.Tags, tag.Name) {
			named, ok = tag.Extensions[loadClass]
		}
	}
	if !ok {
		return admission.Other, nil
	}
	text, _ := named.(string)
	if class := admission.Class(text); slices.Contains(admission.Classes, class) {
		return class, nil
	}
	return "", fmt.Errorf("%s: %v is none of %v", loadClass, named, admission.Classes)
}

// ginPath turns the document's {name} into gin's :name.
func ginPath(path string) string {
	return strings.NewReplacer("{", ":", "}", "").Replace(path)
}

// of returns the operation that a request is for, nil when the contract has none.
func (o operations) of(c *gin.Context) *operation {
	return o[c.Request.Method+" "+c.FullPath()]
}

// checkContract is the gin middleware that lets through only requests that the contract allows: by a caller with the
// required permissions, and with valid parameters and body.
func (s *server) checkContract(c *gin.Context) {
	op := s.operations.of(c)
	if op == nil {
		s.fail(c, fmt.Errorf("route %s %s is not in the contract", c.Request.Method, c.FullPath()))
		return
	}
	if op.NeedsToken {
		user, err := s.authenticate(c, op)
		if err != nil {
			s.fail(c, err)
			return
		}
		c.Request = c.Request.WithContext(auth.NewContext(c.Request.Context(), user))
	}
	for _, p := range c.Params {
		c.Request.SetPathValue(p.Key, p.Value)
	}
	if err := op.Check(c.Request); err != nil {
		s.fail(c, err)
		return
	}
	for i, p := range c.Params {
		c.Params[i].Value = c.Request.PathValue(p.Key)
	}
}

func (s *server) authenticate(c *gin.Context, op *operation) (auth.User, error) {
	by := c.MustGet(callerKey).(caller)
	if by.err != nil {
		return by.user, by.err
	}
	for _, permission := range op.permissions {
		if err := by.user.Require(permission); err != nil {
			return by.user, err
		}
	}
	return by.user, nil
}
