package httpapi_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/httpapi"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

// planted is in every wrong value that a mistake contains. No response may repeat it.
const planted = "zqx7planted"

// mistake is a request with one mistake. The problem's detail must contain each name.
type mistake struct {
	name   string
	query  string
	body   string
	naming []string
}

// TestMistakesAreNamed sends requests with one mistake to every operation that
// docs/openapi.yaml describes, except to the pages for people. The detail of the problem
// must name the parameter or the member that is wrong. If the name is unknown, the detail
// must list the accepted names. No problem may repeat the request.
func TestMistakesAreNamed(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		s := newSite(t)
		b := s.browser().signIn(asanatest.Several)
		c := s.importToken("acme", asanatest.ServiceAccount)
		d := readDocument(t)
		sent := 0
		for operation, op := range d.operations() {
			method, path, _ := strings.Cut(operation, " ")
			isFrontend := frontendRoutes()[path] != nil
			if len(op["security"].([]any)) == 0 {
				continue
			}
			for _, m := range append(d.queryMistakes(path, op, isFrontend), d.bodyMistakes(op)...) {
				r := call(method, strings.ReplaceAll(path, "{id}", c["id"].(string))+m.query, m.body)
				if isFrontend {
					r.header.Set("Origin", appOrigin)
				}
				a := b.do(r)
				detail, _ := a.problem(400, "invalid-request")["detail"].(string)
				for _, name := range m.naming {
					if !strings.Contains(detail, name) {
						t.Errorf("%s, %s: got detail %q, want %s in it", operation, m.name, detail, name)
					}
				}
				if strings.Contains(a.body, planted) {
					t.Errorf("%s, %s: the problem repeats the request: %s", operation, m.name, a.body)
				}
				sent++
			}
		}
		if sent < 200 {
			t.Errorf("sent %d mistakes, want at least 200", sent)
		}
		if strings.Contains(s.log.String(), planted) {
			t.Error("the log repeats a request")
		}
	})
}

// queryMistakes returns mistakes in the query. Unknown parameters are mistakes on backend
// routes only.
func (d *document) queryMistakes(path string, op node, isFrontend bool) (all []mistake) {
	item := d.root["paths"].(node)[path].(node)
	var names []string
	for _, list := range []any{item["parameters"], op["parameters"]} {
		parameters, _ := list.([]any)
		for _, p := range parameters {
			if _, p := d.resolve(p); p["in"] == "query" {
				names = append(names, p["name"].(string))
			}
		}
	}
	add := func(what, query string, naming ...string) { all = append(all, mistake{what, "?" + query, "", naming}) }
	if !isFrontend {
		add("unknown parameter", planted+"=1", names...)
		add("unknown parameter in the other case", "OWNER="+planted, names...)
	}
	for _, name := range names {
		others := ""
		if (name == "cursor" || name == "limit") && slices.Contains(names, "owner") {
			others = "&owner=acme"
		}
		add(name+" twice", name+"=1&"+name+"="+planted+others, name)
		add(name+" twice, encoded", name+"=1&%"+hexOf(name[0])+name[1:]+"=1"+others, name)
		add(name+" empty", name+"="+others, name)
		add(name+" with a control character", name+"="+planted+"%00"+others, name)
		add(name+" in invalid UTF-8", name+"="+planted+"%ff"+others, name)
		if name != "owner" {
			add(name+" malformed", name+"="+planted+others, name)
		}
	}
	return all
}

func hexOf(b byte) string {
	const digits = "0123456789abcdef"
	return string([]byte{digits[b>>4], digits[b&15]})
}

// bodyMistakes returns mistakes in the members of the body.
func (d *document) bodyMistakes(op node) (all []mistake) {
	if op["requestBody"] == nil {
		return nil
	}
	_, body := d.resolve(op["requestBody"])
	_, schema := d.resolve(body["content"].(node)["application/json"].(node)["schema"])
	forms := []any{schema}
	if variants, ok := schema["oneOf"].([]any); ok {
		forms = variants
	}
	var known []string
	for _, form := range forms {
		_, form := d.resolve(form)
		properties, _ := form["properties"].(node)
		known = append(known, slices.Collect(maps.Keys(properties))...)
	}
	for _, form := range forms {
		_, form := d.resolve(form)
		all = append(all, d.formMistakes(form, known)...)
	}
	return all
}

func (d *document) formMistakes(form node, known []string) (all []mistake) {
	properties, _ := form["properties"].(node)
	required, _ := form["required"].([]any)
	valid := map[string]any{}
	for _, name := range required {
		valid[name.(string)] = d.validValue(properties[name.(string)])
	}
	add := func(what string, change func(map[string]any), naming ...string) {
		m := maps.Clone(valid)
		change(m)
		text, err := json.Marshal(m)
		must(d.t, err)
		all = append(all, mistake{what, "", string(text), naming})
	}
	set := func(name string, v any) func(map[string]any) { return func(m map[string]any) { m[name] = v } }
	add("unknown member", set(planted, "x"), known...)
	add("unknown member, null", set(planted, nil), known...)
	for _, name := range known {
		if properties[name] == nil {
			add(name+" in the wrong form", set(name, d.validValue(node{"type": "string"})), name)
		}
	}
	for name, schema := range properties {
		for _, v := range d.wrongValues(schema) {
			text, _ := json.Marshal(v)
			add(name+" "+string(text), set(name, v), name)
		}
		text, err := json.Marshal(valid)
		must(d.t, err)
		member := `"` + name + `":null,`
		all = append(all, mistake{name + " twice", "", "{" + member + member + strings.TrimPrefix(string(text), "{"), []string{name}})
		if slices.Contains(required, any(name)) {
			add("no "+name, func(m map[string]any) { delete(m, name) }, name)
			add(name+" null", set(name, nil), name)
		}
	}
	return all
}

// wrongValues returns values that do not have the type of the schema, or that do not
// match its limits.
func (d *document) wrongValues(schema any) []any {
	_, s := d.resolve(schema)
	if parts, ok := s["allOf"].([]any); ok {
		return d.wrongValues(parts[0])
	}
	wrong := []any{[]any{planted}, node{planted: planted}}
	switch s["type"] {
	case "string":
		wrong = append(wrong, 7, true, json.RawMessage(`"\ud800`+planted+`"`), "")
		if s["pattern"] != nil {
			wrong = append(wrong, planted+"\n")
		}
		if s["enum"] != nil {
			wrong = append(wrong, planted)
		}
	case "integer":
		wrong = append(wrong, planted, true, 1.5, -1, 1e6)
	case "boolean":
		wrong = append(wrong, planted, 1)
	case "array":
		wrong = append(wrong[1:], planted, 1, true, []any{nil}, []any{7}, []any{planted}, []any{""})
	default:
		d.t.Errorf("the type %v is not supported", s["type"])
	}
	return wrong
}

// validValue returns a value that matches the schema.
func (d *document) validValue(schema any) any {
	_, s := d.resolve(schema)
	if parts, ok := s["allOf"].([]any); ok {
		return d.validValue(parts[0])
	}
	values, _ := s["enum"].([]any)
	switch {
	case len(values) > 0:
		return values[0]
	case s["type"] == "array":
		return []any{}
	}
	return "x"
}

// TestBackendWithoutAuthentication checks the problem that every backend route returns to
// a request without an authenticated caller.
func TestBackendWithoutAuthentication(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for operation := range readDocument(t).operations() {
		method, path, _ := strings.Cut(operation, " ")
		if httpapi.BackendRoutes()[path] == nil {
			continue
		}
		r := request{method: method, target: strings.ReplaceAll(path, "{id}", "con_x"), header: http.Header{}}
		p := s.do(r).problem(401, "unauthenticated")
		if p["title"] != "Authentication required" || strings.Contains(s.do(r).body, "signed in") {
			t.Errorf("%s: got problem %v", operation, p)
		}
	}
}
