package asanatest

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// object is a record of the API with all its fields.
type object map[string]any

// selection is what the query of a request selects: the fields of an object,
// and the page of a list.
type selection struct {
	*http.Request
	origin string // of the links to next pages
}

// selected returns an object with gid and the fields that opt_fields names, or
// those in otherwise if the request has no opt_fields. Nested objects are
// compact unless their fields are named.
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

// pick copies the field at a path like user.name. Like Asana, it ignores a path
// that does not exist.
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

func pickEach(had any, values []object, rest string, nested bool) []object {
	picked, _ := had.([]object)
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

// compact returns what is shown of a nested object if none of its fields are
// named. If the object has no gid, like a photo, this is the whole object.
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

// page is a part of a list. The response has next_page only if it is paged.
type page struct {
	items []object
	paged bool // the request has a limit
	next  any
}

// pageOf returns the part of a list that limit and offset select.
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

// offsetOf returns an offset: base64 of the path and the place. The path is for
// readOffset to refuse an offset of another list.
func (s *selection) offsetOf(place int) string {
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%s %d", s.URL.Path, place))
}

func (s *selection) readOffset(offset string) (int, error) {
	raw, err := base64.RawURLEncoding.DecodeString(offset)
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseUint(strings.TrimPrefix(string(raw), s.URL.Path+" "), 10, 31)
	return int(n), err
}

func (s *selection) nextPage(query url.Values, place int) object {
	query.Set("offset", s.offsetOf(place))
	path := strings.TrimPrefix(s.URL.Path, "/api/1.0") + "?" + query.Encode()
	return object{"offset": query.Get("offset"), "path": path, "uri": s.origin + "/api/1.0" + path}
}
