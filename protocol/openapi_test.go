package protocol

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"sort"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/require"
)

// described loads and validates the document.
func described(t testing.TB) *openapi3.T {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData(OpenAPI)
	require.NoError(t, err)
	require.NoError(t, doc.Validate(context.Background()))
	return doc
}

// operation is one call of the document.
func operation(t testing.TB, doc *openapi3.T, r *Route) *openapi3.Operation {
	t.Helper()
	item := doc.Paths.Value(r.Path)
	require.NotNil(t, item, "%s is not described", r.Path)
	op := item.GetOperation(r.Method)
	require.NotNil(t, op, "%s %s is not described", r.Method, r.Path)
	return op
}

var roleNames = map[string]Role{
	"till": RoleTill, "checkout": RoleCheckout, "finance": RoleFinance,
	"marketing": RoleMarketing, "support": RoleSupport, "admin": RoleAdmin,
}

// TestTheDocumentHasEveryRouteAndNoOther holds paths and methods of the
// document to Routes, both ways.
func TestTheDocumentHasEveryRouteAndNoOther(t *testing.T) {
	var written, served []string
	for path, item := range described(t).Paths.Map() {
		for method := range item.Operations() {
			written = append(written, method+" "+path)
		}
	}
	for _, r := range Routes {
		served = append(served, r.Method+" "+r.Path)
	}
	sort.Strings(written)
	sort.Strings(served)
	require.Equal(t, served, written)
}

// TestTheDocumentNamesTheFiles: reports and exports have the names that the
// gateway lets pass and the reconciler makes.
func TestTheDocumentNamesTheFiles(t *testing.T) {
	doc := described(t)
	names := func(list []string) (all []any) {
		for _, name := range list {
			all = append(all, name)
		}
		return all
	}
	name := func(path string) []any {
		return doc.Paths.Value(path).Parameters.GetByInAndName("path", "name").Schema.Value.Enum
	}
	require.Equal(t, names(Reports), name("/v1/reports/{name}"))
	require.Equal(t, names(Reports), doc.Components.Schemas["Report"].Value.Properties["report"].Value.Enum)
	require.Equal(t, names(Exports), name("/v1/exports/{name}"))
}

// TestTheDocumentSaysWhatTheRoutesDo holds roles, keys and bodies.
func TestTheDocumentSaysWhatTheRoutesDo(t *testing.T) {
	doc := described(t)
	for i := range Routes {
		r := &Routes[i]
		t.Run(r.Method+" "+r.Path, func(t *testing.T) {
			op := operation(t, doc, r)
			var roles Roles
			for _, name := range op.Extensions["x-roles"].([]any) {
				roles |= 1 << roleNames[name.(string)]
			}
			if op.Security != nil && len(*op.Security) == 0 {
				require.Zero(t, roles, "a public call lists no roles")
				roles = public
			}
			require.Equal(t, r.Roles, roles)
			needsKey := false
			for _, p := range op.Parameters {
				needsKey = needsKey || (p.Value.Name == "Idempotency-Key" && p.Value.Required)
			}
			require.Equal(t, r.NeedsKey, needsKey, "Idempotency-Key")
			require.Equal(t, r.Body, describedBody(op))
		})
	}
}

func describedBody(op *openapi3.Operation) Body {
	switch {
	case op.RequestBody == nil:
		return BodyNone
	case op.RequestBody.Value.Content.Get("application/yaml") != nil:
		return BodyDocument
	case op.RequestBody.Value.Required:
		return BodyJSON
	}
	return BodyOptional
}

// examples are the document's example bodies by call; the fuzz test begins
// with them too.
func examples(t testing.TB) map[Call][]byte {
	t.Helper()
	doc := described(t)
	bodies := map[Call][]byte{}
	for i := range Routes {
		r := &Routes[i]
		if r.Body != BodyJSON && r.Body != BodyOptional {
			continue
		}
		content := operation(t, doc, r).RequestBody.Value.Content.Get("application/json")
		require.NotNil(t, content.Example, "%s has no example", r.Path)
		body, err := json.Marshal(content.Example)
		require.NoError(t, err)
		bodies[r.Call] = body
	}
	return bodies
}

// TestTheExamplesAreGood decodes and validates every example, and holds it to
// its own schema.
func TestTheExamplesAreGood(t *testing.T) {
	doc := described(t)
	for call, body := range examples(t) {
		route := RouteOf(call)
		t.Run(route.Path, func(t *testing.T) {
			r := decoded(t, call, string(body))
			if strings.Contains(route.Path, "{") {
				r.Target = "5Z3H8Q2M4K7XA"
			}
			code, field, detail := Validate(r)
			require.Equal(t, Approved, code, "%s: %s", field, detail)
			schema := operation(t, doc, route).RequestBody.Value.Content.Get("application/json").Schema.Value
			require.NoError(t, schema.VisitJSON(parsed(t, body), openapi3.EnableFormatValidation()))
		})
	}
}

// TestRequestSchemasKnowOurFields holds the properties of each request's
// schema, nested ones too, to the fields that the decoder takes, which it
// lists when it refuses an unknown one.
func TestRequestSchemasKnowOurFields(t *testing.T) {
	doc := described(t)
	const unknown = `{"no such field":1}`
	knows := func(s *openapi3.Schema, call Call, body string) {
		t.Helper()
		refusal := DecodeJSON(call, []byte(body), &Request{})
		require.NotNil(t, refusal)
		_, list, found := strings.Cut(refusal.Detail, "known are ")
		require.True(t, found, refusal.Detail)
		var written []string
		for name := range s.Properties {
			written = append(written, name)
		}
		require.ElementsMatch(t, strings.Split(list, ", "), written, body)
		require.False(t, *s.AdditionalProperties.Has, "the decoder refuses unknown fields, the schema says so")
	}
	for call := range examples(t) {
		knows(operation(t, doc, RouteOf(call)).RequestBody.Value.Content.Get("application/json").Schema.Value, call, unknown)
	}
	of := func(name string) *openapi3.Schema { return doc.Components.Schemas[name].Value }
	knows(of("Receipt"), CallQuote, `{"receipt":`+unknown+`}`)
	knows(of("Identifier"), CallQuote, `{"member":`+unknown+`}`)
	knows(of("Basket"), CallQuote, `{"basket":`+unknown+`}`)
	knows(of("Line"), CallQuote, `{"basket":{"lines":[`+unknown+`]}}`)
	knows(of("Wish"), CallQuote, `{"redeem":`+unknown+`}`)
	knows(of("Payments").Items.Value, CallQuote, `{"payments":[`+unknown+`]}`)
	knows(of("ReturnRequest").Properties["lines"].Value.Items.Value, CallReturn, `{"lines":[`+unknown+`]}`)
	knows(of("NewMember").Properties["referrer"].Value, CallCreateMember, `{"referrer":`+unknown+`}`)
	knows(of("Products").Properties["products"].Value.Items.Value, CallPutProducts, `{"products":[`+unknown+`]}`)
	knows(of("Stores").Properties["stores"].Value.Items.Value, CallPutStores, `{"stores":[`+unknown+`]}`)
	knows(of("Templates").Properties["templates"].Value.Items.Value, CallPutTemplates, `{"templates":[`+unknown+`]}`)
	knows(of("Cashiers").Properties["cashiers"].Value.Items.Value, CallPutCashiers, `{"cashiers":[`+unknown+`]}`)
}

func parsed(t testing.TB, doc []byte) any {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(doc))
	var v any
	require.NoError(t, d.Decode(&v), "%s", doc)
	return v
}

// closeSchemas forbids additional properties everywhere: the published
// document leaves them open, so that answers may grow, but what is rendered
// today is described today.
func closeSchemas(s *openapi3.SchemaRef, seen map[*openapi3.Schema]bool) {
	if s == nil || s.Value == nil || seen[s.Value] {
		return
	}
	seen[s.Value] = true
	if s.Value.Properties != nil && s.Value.AdditionalProperties.Schema == nil {
		no := false
		s.Value.AdditionalProperties.Has = &no
	}
	for _, p := range s.Value.Properties {
		closeSchemas(p, seen)
	}
	closeSchemas(s.Value.Items, seen)
}

// TestAnswersAreAsDescribed renders every answer of the encoder's golden
// table and holds it to the schema of its call and status.
func TestAnswersAreAsDescribed(t *testing.T) {
	doc := described(t)
	seen := map[*openapi3.Schema]bool{}
	for _, s := range doc.Components.Schemas {
		closeSchemas(s, seen)
	}
	covered := map[Call]bool{}
	for name, c := range answers(t) {
		t.Run(name, func(t *testing.T) {
			route := RouteOf(c.answer.Call)
			covered[c.answer.Call] = true
			op := operation(t, doc, route)
			response := op.Responses.Value(fmt.Sprint(c.answer.HTTPStatus()))
			if c.answer.IsProblem() {
				response = op.Responses.Default()
			}
			require.NotNil(t, response, "status %d is not described", c.answer.HTTPStatus())
			content := response.Value.Content.Get(c.answer.ContentType())
			require.NotNil(t, content, c.answer.ContentType())
			if c.answer.ContentType() == "application/yaml" {
				return
			}
			body := AppendJSON(nil, c.answer)
			require.NoError(t, content.Schema.Value.VisitJSON(parsed(t, body), openapi3.EnableFormatValidation()), "%s", body)
		})
	}
	for _, r := range Routes {
		switch r.Call {
		case CallExport, CallReport, CallSegmentMembers, CallRunMembers, CallHealth, CallReady, CallMetrics, CallOpenAPI, CallProgramSchema: // rendered by others
		default:
			require.True(t, covered[r.Call], "%s %s has no golden answer", r.Method, r.Path)
		}
	}
}
