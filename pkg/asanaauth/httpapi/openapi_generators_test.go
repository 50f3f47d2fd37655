package httpapi_test

import (
	"slices"
	"strings"
	"testing"
)

// walk calls each for every object in v, with the path of the object.
func walk(v any, path []string, each func(path []string, n node)) {
	switch v := v.(type) {
	case node:
		each(path, v)
		for name, member := range v {
			walk(member, append(slices.Clone(path), name), each)
		}
	case []any:
		for _, item := range v {
			walk(item, append(slices.Clone(path), "[]"), each)
		}
	}
}

// TestDocumentedNamesAreUnique checks that no two components in docs/openapi.yaml have the
// same name. Generators derive the names of types from them, and ignore the case of the
// first letter.
func TestDocumentedNamesAreUnique(t *testing.T) {
	t.Parallel()
	kinds := map[string]string{}
	for kind, all := range readDocument(t).root["components"].(node) {
		for name := range all.(node) {
			if other, twice := kinds[strings.ToLower(name)]; twice {
				t.Errorf("the name %s is in %s and in %s", name, kind, other)
			}
			kinds[strings.ToLower(name)] = kind
		}
	}
}

// TestDocumentedSchemas checks that docs/openapi.yaml has no default and no inline union.
// Generated clients send a default even if the caller gives no value, and give inline
// unions unreadable names.
func TestDocumentedSchemas(t *testing.T) {
	t.Parallel()
	walk(readDocument(t).root, nil, func(path []string, n node) {
		at := strings.Join(path, "/")
		isVariable := strings.HasPrefix(at, "servers/")
		isResponses := path != nil && path[len(path)-1] == "responses"
		if _, ok := n["default"]; ok && !isVariable && !isResponses {
			t.Errorf("%s has a default: describe it instead", at)
		}
		for _, union := range []string{"oneOf", "anyOf"} {
			isNamed := len(path) == 3 && strings.HasPrefix(at, "components/schemas/")
			if n[union] != nil && !isNamed {
				t.Errorf("%s has an inline %s: give the schema a name in components/schemas", at, union)
			}
		}
	})
}

// TestDocumentedRequestsAreNotEmpty checks that docs/openapi.yaml has a minLength for each
// string in a request. No route accepts an empty string, except the form of /callback.
func TestDocumentedRequestsAreNotEmpty(t *testing.T) {
	t.Parallel()
	d := readDocument(t)
	check := func(where string, schema any) {
		_, s := d.resolve(schema)
		if parts, ok := s["allOf"].([]any); ok {
			_, s = d.resolve(parts[0])
		}
		if s["type"] == "string" && s["enum"] == nil && s["minLength"] == nil {
			t.Errorf("%s has no minLength", where)
		}
	}
	for path, item := range d.root["paths"].(node) {
		walk(item, []string{path}, func(at []string, n node) {
			switch at[len(at)-1] {
			case "[]":
				if at[len(at)-2] == "parameters" && path != "/callback" {
					_, p := d.resolve(n)
					check(strings.Join(at, " ")+" "+p["name"].(string), p["schema"])
				}
			case "requestBody":
				_, body := d.resolve(n)
				if media, ok := body["content"].(node)["application/json"].(node); ok {
					for where, schema := range d.membersOf(media["schema"]) {
						check(strings.Join(at, " ")+" "+where, schema)
					}
				}
			}
		})
	}
}

// membersOf returns the schemas of the members of an object, or of all variants of a
// union.
func (d *document) membersOf(schema any) map[string]any {
	name, s := d.resolve(schema)
	all := map[string]any{}
	for member, schema := range asNode(s["properties"]) {
		all[name+"."+member] = schema
	}
	variants, _ := s["oneOf"].([]any)
	for _, variant := range variants {
		for where, schema := range d.membersOf(variant) {
			all[where] = schema
		}
	}
	return all
}

func asNode(v any) node {
	n, _ := v.(node)
	return n
}

// TestDocumentedExamples checks that each example in docs/openapi.yaml matches its schema.
func TestDocumentedExamples(t *testing.T) {
	t.Parallel()
	d := readDocument(t)
	shown := 0
	fits := func(path []string, schema, value any) {
		shown++
		if err := d.fits(schema, asJSON(value), strings.Join(path, " ")); err != nil {
			t.Error(err)
		}
	}
	walk(d.root, nil, func(path []string, n node) {
		if list, ok := n["examples"].([]any); ok {
			for _, value := range list {
				fits(path, n, value)
			}
		}
		if n["schema"] == nil {
			return
		}
		for name, example := range asNode(n["examples"]) {
			fits(append(path, name), n["schema"], example.(node)["value"])
		}
		if example, ok := n["example"]; ok {
			fits(path, n["schema"], example)
		}
	})
	if shown < 20 {
		t.Errorf("checked %d examples, want at least 20", shown)
	}
}

// asJSON returns a value of a YAML document as encoding/json would return it.
func asJSON(v any) any {
	switch v := v.(type) {
	case int:
		return float64(v)
	case []any:
		list := make([]any, len(v))
		for i, item := range v {
			list[i] = asJSON(item)
		}
		return list
	case node:
		object := node{}
		for name, member := range v {
			object[name] = asJSON(member)
		}
		return object
	}
	return v
}

// TestDocumentedThrottling checks that each operation has the response 429, which API
// Gateway sends for every route.
func TestDocumentedThrottling(t *testing.T) {
	t.Parallel()
	for operation, op := range readDocument(t).operations() {
		if op["responses"].(node)["429"] == nil {
			t.Errorf(`%s: add the response "429": {$ref: "#/components/responses/Throttled"}`, operation)
		}
	}
}
