// Package contract validates HTTP requests against an OpenAPI document before generated code sees them.
//
// A request that passes is rewritten into one spelling ("12" becomes 12, defaults are filled in, unknown query
// parameters are dropped), so that generated code binds exactly the values that were checked. A request that does
// not pass gets faults in the words of the reference. The package knows HTTP and OpenAPI; it does not route, does
// not verify tokens, and knows neither gin nor a use case.
package contract

import (
	"errors"
	"fmt"

	"github.com/getkin/kin-openapi/openapi3"
)

// bearerScheme is the only security scheme that a document may require.
const bearerScheme = "bearerAuth"

// Operation is an operation of a document, compiled.
type Operation struct {
	Method, Path string              // as in the document: POST, /things/{id}
	Described    *openapi3.Operation // the document's own text of it

	NeedsToken bool
	Scopes     []string // the permissions that the token must have, all of them

	path, query, header []*openapi3.Parameter
	body                *openapi3.SchemaRef
	bodyRequired        bool
}

// Compile compiles every operation of a document. It refuses a document with a rule that would not be enforced.
func Compile(doc *openapi3.T) ([]*Operation, error) {
	var operations []*Operation
	for path, item := range doc.Paths.Map() {
		for method, described := range item.Operations() {
			op := &Operation{Method: method, Path: path, Described: described}
			if err := op.compile(doc, item); err != nil {
				return nil, fmt.Errorf("contract of %s %s: %w", method, path, err)
			}
			operations = append(operations, op)
		}
	}
	return operations, nil
}

func (op *Operation) compile(doc *openapi3.T, item *openapi3.PathItem) error {
	security := doc.Security
	if op.Described.Security != nil {
		security = *op.Described.Security
	}
	for _, requirement := range security {
		scopes, ok := requirement[bearerScheme]
		if !ok || len(security) > 1 || len(requirement) > 1 {
			return fmt.Errorf("security is not %s alone", bearerScheme)
		}
		op.NeedsToken, op.Scopes = true, scopes
	}
	for _, parameters := range []openapi3.Parameters{item.Parameters, op.Described.Parameters} {
		for _, ref := range parameters {
			if err := op.addParameter(ref.Value); err != nil {
				return fmt.Errorf("parameter %s: %w", ref.Value.Name, err)
			}
		}
	}
	return op.setBody(op.Described.RequestBody)
}

func (op *Operation) addParameter(p *openapi3.Parameter) error {
	switch {
	case p.Schema == nil || p.Style != "" || p.Explode != nil && !*p.Explode:
		return errors.New("only plain schemas in the default style are read")
	case p.In == openapi3.ParameterInPath:
		op.path = append(op.path, p)
	case p.In == openapi3.ParameterInQuery:
		op.query = append(op.query, p)
	case p.In == openapi3.ParameterInHeader:
		op.header = append(op.header, p)
	default:
		return fmt.Errorf("%s parameters are not read", p.In)
	}
	return supported(p.Schema, nil)
}

func (op *Operation) setBody(ref *openapi3.RequestBodyRef) error {
	if ref == nil {
		return nil
	}
	media := ref.Value.Content["application/json"]
	if media == nil || media.Schema == nil || len(ref.Value.Content) > 1 {
		return errors.New("body is not application/json alone")
	}
	op.body, op.bodyRequired = media.Schema, ref.Value.Required
	if err := supported(media.Schema, nil); err != nil {
		return fmt.Errorf("body: %w", err)
	}
	return nil
}

// TakesHeader reports whether the document describes a request header of this name.
func (op *Operation) TakesHeader(name string) bool {
	for _, p := range op.header {
		if p.Name == name {
			return true
		}
	}
	return false
}
