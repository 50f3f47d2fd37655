package asanatest

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

type object map[string]any

// selection applies the query parameters of a request to the result: opt_fields selects
// the fields of an object, and "limit" and "offset" select a page of a list.
type selection struct {
	*http.Request
	origin string // origin of the links to the next page
}

// selected returns the gid of full and the fields that opt_fields lists. Without
// opt_fields, selected returns the gid and the fields that the argument otherwise lists.
// A field can be in a nested object. For example, "user" in opt_fields selects the
// compact form of the nested object, and "user.email" selects the user's gid and email.
func (s *selection) selected(full object, otherwise ...string) object {
	fields := otherwise
	if opt := s.URL.Query()["opt_fields"]; len(opt) > 0 {
		fields = strings.Split(strings.Join(opt, ","), ",")
	}
	out := object{"gid": full["gid"]}
	for _, path := range fields {
		pick(out, full, strings.TrimSpace(path))
	}
	return out
}

// pick copies the field at path from full to out. Like Asana, pick ignores the path of an
// unknown field.
func pick(out, full object, path string) {
	name, rest, nested := strings.Cut(path, ".")
	value, ok := full[name]
	if !ok {
		return
	}
	switch value := value.(type) {
	case object:
		if !nested {
			out[name] = compact(value)
			return
		}
		inner, _ := out[name].(object)
		if inner == nil {
			inner = object{}
			if gid, ok := value["gid"]; ok {
				inner["gid"] = gid
			}
		}
		pick(inner, value, rest)
		out[name] = inner
	case []object:
		out[name] = pickEach(out[name], value, rest, nested)
	default:
		out[name] = value
	}
}

func pickEach(before any, values []object, rest string, nested bool) []object {
	picked, _ := before.([]object)
	if len(picked) != len(values) {
		picked = make([]object, len(values))
	}
	for i, value := range values {
		switch {
		case !nested:
			picked[i] = compact(value)
		case picked[i] == nil:
			picked[i] = object{"gid": value["gid"]}
			fallthrough
		default:
			pick(picked[i], value, rest)
		}
	}
	return picked
}

// compact returns only the gid, the type and the name of a nested object. An object
// without a gid, such as a photo, stays unchanged.
func compact(full object) object {
	if _, ok := full["gid"]; !ok {
		return full
	}
	out := object{}
	for _, name := range []string{"gid", "resource_type", "resource_subtype", "name"} {
		if value, ok := full[name]; ok {
			out[name] = value
		}
	}
	return out
}

type page struct {
	items []object
	paged bool // whether the response has next_page, even if it is null
	next  any  // value of next_page
}

// Without the query parameter "limit", pageOf returns all items.
func (s *selection) pageOf(items []object) (any, *apiError) {
	if items == nil {
		items = []object{}
	}
	query := s.URL.Query()
	if !query.Has("limit") {
		if query.Has("offset") {
			return nil, fail(http.StatusBadRequest, "limit: Missing input")
		}
		return page{items: items}, nil
	}
	limit, err := strconv.Atoi(query.Get("limit"))
	if err != nil || limit < 1 || limit > 100 {
		return nil, fail(http.StatusBadRequest, "limit: Must be between 1 and 100")
	}
	start := 0
	if query.Has("offset") {
		if start, err = s.readOffset(query.Get("offset")); err != nil || start > len(items) {
			return nil, fail(http.StatusBadRequest, "offset: Your pagination token has expired or is invalid.")
		}
	}
	end := min(start+limit, len(items))
	p := page{items: items[start:end], paged: true}
	if end < len(items) {
		p.next = s.nextPage(query, end)
	}
	return p, nil
}

// offsetOf returns the path of the list and the index of the next page's first item, in
// base64. readOffset checks the path, so an offset for one list is not valid for another
// list.
func (s *selection) offsetOf(index int) string {
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%s %d", s.URL.Path, index))
}

func (s *selection) readOffset(offset string) (int, error) {
	raw, err := base64.RawURLEncoding.DecodeString(offset)
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseUint(strings.TrimPrefix(string(raw), s.URL.Path+" "), 10, 31)
	return int(n), err
}

func (s *selection) nextPage(query url.Values, index int) object {
	query.Set("offset", s.offsetOf(index))
	path := strings.TrimPrefix(s.URL.Path, "/api/1.0") + "?" + query.Encode()
	return object{"offset": query.Get("offset"), "path": path, "uri": s.origin + "/api/1.0" + path}
}
