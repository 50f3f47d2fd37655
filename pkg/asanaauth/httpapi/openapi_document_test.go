package httpapi_test

import (
	"fmt"
	"maps"
	"mime"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// document is the parsed file docs/openapi.yaml.
type document struct {
	t    *testing.T
	root node
	used map[string]bool // the responses that occurred, and their members that were not null
}

type node = map[string]any

func readDocument(t *testing.T) *document {
	t.Helper()
	text, err := os.ReadFile("../../../docs/openapi.yaml")
	must(t, err)
	d := &document{t: t, used: map[string]bool{}}
	must(t, yaml.Unmarshal(text, &d.root))
	return d
}

// resolve returns the name and the value of the target if v is a $ref. Otherwise, resolve
// returns "" and v.
func (d *document) resolve(v any) (name string, to node) {
	d.t.Helper()
	to, ok := v.(node)
	if !ok {
		d.t.Fatalf("%v is not an object", v)
	}
	ref, ok := to["$ref"].(string)
	if !ok {
		return "", to
	}
	var at any = d.root
	for part := range strings.SplitSeq(strings.TrimPrefix(ref, "#/"), "/") {
		if at = at.(node)[part]; at == nil {
			d.t.Fatalf("the target of %s does not exist", ref)
		}
		name = part
	}
	if deeper, to := d.resolve(at); deeper != "" {
		return deeper, to
	}
	return name, at.(node)
}

var httpMethods = []string{"get", "head", "post", "patch", "put", "delete"}

// operations returns the document's operations. The keys have the form "METHOD /path".
func (d *document) operations() map[string]node {
	all := map[string]node{}
	for path, item := range d.root["paths"].(node) {
		for name, operation := range item.(node) {
			if slices.Contains(httpMethods, name) {
				all[strings.ToUpper(name)+" "+path] = operation.(node)
			}
		}
	}
	return all
}

func (d *document) check(operation string, a response) response {
	d.t.Helper()
	op, ok := d.operations()[operation]
	if !ok {
		d.t.Fatalf("docs/openapi.yaml has no %s: add the operation", operation)
	}
	documented, ok := op["responses"].(node)[strconv.Itoa(a.status)]
	if !ok {
		d.t.Errorf("%s: got status %d, which is not in the document: %s", operation, a.status, a.body)
		return a
	}
	d.used[operation+" "+strconv.Itoa(a.status)] = true
	_, response := d.resolve(documented)
	if headers, ok := response["headers"].(node); ok {
		for name, header := range headers {
			_, header := d.resolve(header)
			if header["required"] == true && a.header.Get(name) == "" {
				d.t.Errorf("%s %d: got no header %s", operation, a.status, name)
			}
		}
	}
	content, ok := response["content"].(node)
	if !ok {
		if a.body != "" {
			d.t.Errorf("%s %d: got body %s, want none", operation, a.status, a.body)
		}
		return a
	}
	mediaType, _, _ := mime.ParseMediaType(a.header.Get("Content-Type"))
	media, ok := content[mediaType].(node)
	switch {
	case !ok:
		d.t.Errorf("%s %d: got Content-Type %q, which is not in the document", operation, a.status, mediaType)
	case strings.HasSuffix(mediaType, "json"):
		if err := d.fits(media["schema"], a.json(), operation); err != nil {
			d.t.Errorf("%s %d: %v: %s", operation, a.status, err, a.body)
		}
	}
	return a
}

// fits returns an error if value does not match schema. It supports only the schema
// keywords that the document uses.
func (d *document) fits(schema, value any, where string) error {
	name, s := d.resolve(schema)
	if name != "" {
		where = name
	}
	for key := range s {
		if !slices.Contains([]string{
			"type", "enum", "const", "pattern", "format", "minLength", "maxLength", "minimum", "maximum", "maxItems", "uniqueItems",
			"description", "example", "examples", "required", "properties", "additionalProperties", "items", "oneOf", "allOf",
		}, key) {
			return fmt.Errorf("%s: the keyword %q is not supported", where, key)
		}
	}
	if variants, ok := s["oneOf"].([]any); ok {
		return d.fitsOne(variants, value, where)
	}
	if parts, ok := s["allOf"].([]any); ok {
		return d.fits(parts[0], value, where)
	}
	if !slices.Contains(typesOf(s["type"]), jsonType(value)) && !(jsonType(value) == "integer" && slices.Contains(typesOf(s["type"]), "number")) {
		return fmt.Errorf("%s: %v is not of type %v", where, value, s["type"])
	}
	if values, ok := s["enum"].([]any); ok && !slices.Contains(values, value) {
		return fmt.Errorf("%s: %v is not one of %v", where, value, values)
	}
	if constant, ok := s["const"]; ok && constant != value {
		return fmt.Errorf("%s: %v is not %v", where, value, constant)
	}
	switch v := value.(type) {
	case string:
		return fitsText(s, v, where)
	case float64:
		return fitsNumber(s, v, where)
	case []any:
		for _, item := range v {
			if err := d.fits(s["items"], item, where); err != nil {
				return err
			}
		}
	case node:
		return d.fitsObject(s, v, where)
	}
	return nil
}

func (d *document) fitsOne(variants []any, value any, where string) error {
	var reasons []error
	var used []map[string]bool
	for _, variant := range variants {
		tried := &document{d.t, d.root, map[string]bool{}}
		if err := tried.fits(variant, value, where); err != nil {
			reasons = append(reasons, err)
			continue
		}
		used = append(used, tried.used)
	}
	if len(used) != 1 {
		return fmt.Errorf("%s: %d of %d variants fit: %v", where, len(used), len(variants), reasons)
	}
	maps.Copy(d.used, used[0])
	return nil
}

func (d *document) fitsObject(s, value node, where string) error {
	properties, _ := s["properties"].(node)
	for name, v := range value {
		schema, ok := properties[name]
		if !ok {
			if schema, ok = s["additionalProperties"].(node); !ok {
				return fmt.Errorf("%s: the member %q is not in the document", where, name)
			}
		}
		if v != nil {
			d.used[where+"."+name] = true
		}
		if err := d.fits(schema, v, where+"."+name); err != nil {
			return err
		}
	}
	required, _ := s["required"].([]any)
	for _, name := range required {
		if _, ok := value[name.(string)]; !ok {
			return fmt.Errorf("%s: the member %q is missing", where, name)
		}
	}
	return nil
}

func fitsText(s node, v, where string) error {
	if pattern, ok := s["pattern"].(string); ok {
		// The patterns in the document have ECMAScript escapes such as \u0000. Go writes
		// such an escape as \x{0000}.
		re2 := regexp.MustCompile(`\\u([0-9a-f]{4})`).ReplaceAllString(pattern, `\x{$1}`)
		if !regexp.MustCompile(re2).MatchString(v) {
			return fmt.Errorf("%s: %q does not match %s", where, v, pattern)
		}
	}
	least, hasLeast := s["minLength"].(int)
	most, hasMost := s["maxLength"].(int)
	if n := utf8.RuneCountInString(v); hasLeast && n < least || hasMost && n > most {
		return fmt.Errorf("%s: %q has %d characters", where, v, n)
	}
	if s["format"] == "date-time" {
		if _, err := time.Parse(time.RFC3339, v); err != nil || !strings.HasSuffix(v, "Z") || strings.Contains(v, ".") {
			return fmt.Errorf("%s: %q is not a time in UTC in whole seconds", where, v)
		}
	}
	return nil
}

func fitsNumber(s node, v float64, where string) error {
	least, hasLeast := s["minimum"].(int)
	most, hasMost := s["maximum"].(int)
	if hasLeast && v < float64(least) || hasMost && v > float64(most) {
		return fmt.Errorf("%s: %v is out of range", where, v)
	}
	return nil
}

func typesOf(v any) (types []string) {
	switch v := v.(type) {
	case string:
		return []string{v}
	case []any:
		for _, t := range v {
			types = append(types, t.(string))
		}
	}
	return types
}

func jsonType(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case bool:
		return "boolean"
	case string:
		return "string"
	case []any:
		return "array"
	case float64:
		if v == float64(int64(v)) {
			return "integer"
		}
		return "number"
	}
	return "object"
}
