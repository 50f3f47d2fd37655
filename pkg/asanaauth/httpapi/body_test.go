package httpapi_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

func TestBodies(t *testing.T) {
	t.Parallel()
	hash := strings.Repeat("0f", 32)
	for name, c := range map[string]struct {
		body   string
		status int
	}{
		"empty":                   {"", 200},
		"object":                  {"{}", 200},
		"space":                   {" {\n}\t", 200},
		"min_ttl":                 {`{"min_ttl":300}`, 200},
		"least":                   {`{"min_ttl":0}`, 200},
		"most":                    {`{"min_ttl":3000}`, 200},
		"null":                    {`{"min_ttl":null,"refused":null}`, 200},
		"escaped name":            {`{"min\u005fttl":300}`, 200},
		"refused":                 {`{"refused":"` + hash + `"}`, 200},
		"refused, upper case":     {`{"refused":"` + strings.ToUpper(hash) + `"}`, 200},
		"more":                    {`{"min_ttl":3001}`, 400},
		"negative":                {`{"min_ttl":-1}`, 400},
		"fraction":                {`{"min_ttl":1.5}`, 400},
		"exponent":                {`{"min_ttl":1e2}`, 400},
		"huge":                    {`{"min_ttl":99999999999999999999}`, 400},
		"text":                    {`{"min_ttl":"300"}`, 400},
		"boolean":                 {`{"min_ttl":true}`, 400},
		"list":                    {`{"min_ttl":[300]}`, 400},
		"refused, short":          {`{"refused":"` + hash[1:] + `"}`, 400},
		"refused, long":           {`{"refused":"` + hash + `0"}`, 400},
		"refused, letters":        {`{"refused":"` + strings.Repeat("0g", 32) + `"}`, 400},
		"refused, empty":          {`{"refused":""}`, 400},
		"refused, number":         {`{"refused":1}`, 400},
		"unknown":                 {`{"ttl":300}`, 400},
		"unknown null":            {`{"ttl":null}`, 400},
		"other case":              {`{"Min_TTL":300}`, 400},
		"twice":                   {`{"min_ttl":300,"min_ttl":300}`, 400},
		"twice, escaped":          {`{"min_ttl":300,"min\u005fttl":300}`, 400},
		"twice, null":             {`{"min_ttl":null,"min_ttl":300}`, 400},
		"space alone":             {" ", 400},
		"null alone":              {"null", 200},
		"null with space":         {"\r\n\tnull ", 200},
		"null twice":              {"null null", 400},
		"null in upper case":      {"NULL", 400},
		"no-break space":          {"\u00a0null", 400},
		"list alone":              {"[]", 400},
		"text alone":              {`"min_ttl"`, 400},
		"trailing object":         {"{}{}", 400},
		"trailing brace":          {"{}}", 400},
		"trailing text":           {"{} x", 400},
		"trailing NUL":            {"{}\x00", 400},
		"cut":                     {`{"min_ttl":300`, 400},
		"cut in a name":           {`{"min_`, 400},
		"comma":                   {`{"min_ttl":300,}`, 400},
		"no comma":                {`{"min_ttl":300 "refused":null}`, 400},
		"no colon":                {`{"min_ttl" 300}`, 400},
		"comment":                 {`{/**/}`, 400},
		"single quotes":           {`{'min_ttl':300}`, 400},
		"BOM":                     {"\ufeff{}", 400},
		"invalid UTF-8":           {"{\"min_ttl\":null,\"\xff\":1}", 400},
		"invalid UTF-8 in a text": {"{\"refused\":\"\xff\"}", 400},
		"deep":                    {`{"min_ttl":` + strings.Repeat("[", 20000), 400},
		"form":                    {"min_ttl=300", 400},
		"64 KiB":                  {"{}" + strings.Repeat(" ", 64<<10-2), 200},
		"one more":                {"{}" + strings.Repeat(" ", 64<<10-1), 413},
		"one more, and nonsense":  {strings.Repeat("x", 64<<10+1), 413},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				b := newSite(t).browser().signIn(asanatest.Member)
				for _, chunked := range []bool{false, true} {
					r := frontendCall(http.MethodPost, "/refresh", c.body)
					r.chunked = chunked
					a := b.do(r)
					switch c.status {
					case 400:
						a.problem(400, "invalid-request")
					case 413:
						a.problem(413, "payload-too-large")
					default:
						a.want(c.status)
					}
				}
			})
		})
	}
}

// TestLargeContentLength checks that a large Content-Length is rejected, even if the body
// is small.
func TestLargeContentLength(t *testing.T) {
	t.Parallel()
	r := frontendCall("POST", "/refresh", "{}")
	r.contentLength = 64<<10 + 1
	newSite(t).do(r).problem(413, "payload-too-large")
}

func TestABodyThatEndsEarlyIsInvalid(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	in := httptest.NewRequest("POST", publicURL+"/refresh", io.MultiReader(strings.NewReader("{}"), iotest.ErrReader(io.ErrUnexpectedEOF)))
	in.Header = frontendCall("POST", "/refresh", "{}").header
	newSite(t).mux.ServeHTTP(w, in)
	response{t, w.Code, w.Header(), w.Body.String()}.problem(400, "invalid-request")
}

// bodyRequest returns a request for an operation that accepts a body. It has no session,
// and the path's connection does not exist.
func bodyRequest(operation, body string) request {
	method, path, _ := strings.Cut(strings.ReplaceAll(operation, "{id}", "con_x"), " ")
	if frontendRoutes()[path] != nil {
		r := frontendCall(method, path, body)
		r.header.Del("Content-Type")
		return r
	}
	if method+path == "DELETE/connections" {
		path += "?owner=a"
	}
	return request{method: method, target: path, header: http.Header{}, body: body, caller: arn}
}

// bodyOperations returns the operations that accept a JSON body.
func bodyOperations(t *testing.T) (names []string) {
	for name, op := range readDocument(t).operations() {
		if op["requestBody"] != nil && len(op["security"].([]any)) > 0 {
			names = append(names, name)
		}
	}
	if len(names) < 9 {
		t.Fatalf("got operations %q, want at least 9", names)
	}
	return names
}

// TestContentTypes checks that every route rejects a body with a wrong content type or a
// content coding, and ignores the content type of an empty body.
func TestContentTypes(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for name, c := range map[string]struct {
		body, header string
		values       []string
		ok           bool
	}{
		"JSON":                  {"{}", "Content-Type", []string{"application/json"}, true},
		"utf-8":                 {"{}", "Content-Type", []string{"application/json; charset=utf-8"}, true},
		"UTF-8":                 {"{}", "Content-Type", []string{"Application/JSON;charset=UTF-8"}, true},
		"quoted":                {"{}", "Content-Type", []string{`application/json; charset="utf-8"`}, true},
		"utf8":                  {"{}", "Content-Type", []string{"application/json; charset=utf8"}, true},
		"UTF8":                  {"null", "Content-Type", []string{"application/json;charset=UTF8"}, true},
		"no type":               {"{}", "Content-Type", nil, false},
		"no type, null":         {"null", "Content-Type", nil, false},
		"empty type":            {"{}", "Content-Type", []string{""}, false},
		"latin1":                {"{}", "Content-Type", []string{"application/json; charset=latin1"}, false},
		"utf-16":                {"{}", "Content-Type", []string{"application/json; charset=utf-16"}, false},
		"parameter":             {"{}", "Content-Type", []string{"application/json; profile=x"}, false},
		"jsonp":                 {"{}", "Content-Type", []string{"application/jsonp"}, false},
		"text":                  {"{}", "Content-Type", []string{"text/plain"}, false},
		"form":                  {"{}", "Content-Type", []string{"application/x-www-form-urlencoded"}, false},
		"two in one":            {"{}", "Content-Type", []string{"application/json, text/plain"}, false},
		"semicolons":            {"{}", "Content-Type", []string{"application/json;;"}, false},
		"text before":           {"{}", "Content-Type", []string{"text/plain; application/json"}, false},
		"twice":                 {"{}", "Content-Type", []string{"application/json", "application/json"}, false},
		"empty, no type":        {"", "Content-Type", nil, true},
		"empty, empty type":     {"", "Content-Type", []string{""}, true},
		"empty, JSON":           {"", "Content-Type", []string{"application/json"}, true},
		"empty, form":           {"", "Content-Type", []string{"application/x-www-form-urlencoded"}, true}, // axios
		"empty, text":           {"", "Content-Type", []string{"text/plain;charset=UTF-8"}, true},
		"empty, multipart":      {"", "Content-Type", []string{"multipart/form-data"}, true},
		"empty, malformed":      {"", "Content-Type", []string{"application/json;;"}, true},
		"empty, twice":          {"", "Content-Type", []string{"text/plain", "text/html"}, true},
		"identity":              {"{}", "Content-Encoding", []string{"identity"}, true},
		"Identity":              {"{}", "Content-Encoding", []string{"Identity"}, true},
		"empty coding":          {"{}", "Content-Encoding", []string{""}, true},
		"empty, identity":       {"", "Content-Encoding", []string{"identity"}, true},
		"gzip":                  {"{}", "Content-Encoding", []string{"gzip"}, false},
		"br":                    {"{}", "Content-Encoding", []string{"br"}, false},
		"identity and gzip":     {"{}", "Content-Encoding", []string{"identity, gzip"}, false},
		"identity, then gzip":   {"{}", "Content-Encoding", []string{"identity", "gzip"}, false},
		"nothing, then gzip":    {"{}", "Content-Encoding", []string{"", "gzip"}, false},
		"empty, gzip":           {"", "Content-Encoding", []string{"gzip"}, false},
		"aws-chunked":           {"{}", "Content-Encoding", []string{"aws-chunked"}, false},
		"transfer, not content": {"{}", "Transfer-Encoding", []string{"identity"}, true},
	} {
		for _, operation := range bodyOperations(t) {
			for _, chunked := range []bool{false, true} {
				r := bodyRequest(operation, c.body)
				r.chunked = chunked
				if c.header != "Content-Type" && c.body != "" {
					r.header.Set("Content-Type", "application/json")
				}
				if c.values != nil {
					r.header[c.header] = c.values
				}
				a := s.do(r)
				if !c.ok {
					a.problem(415, "unsupported-media-type")
				} else if a.status == 415 {
					t.Errorf("%s: %s: got 415: %s", name, operation, a.body)
				}
			}
		}
	}
}

// TestEmptyBodies checks that each route whose members are all optional treats an empty
// body and null like {}.
func TestEmptyBodies(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for _, operation := range bodyOperations(t) {
		r := bodyRequest(operation, "{}")
		r.header.Set("Content-Type", "application/json")
		want := s.do(r)
		for _, body := range []string{"", "null", " null\n"} {
			r := bodyRequest(operation, body)
			if body != "" {
				r.header.Set("Content-Type", "application/json")
			}
			got := s.do(r)
			if got.status != want.status || withoutID(got) != withoutID(want) {
				t.Errorf("%s with %q: got %d %s, want %d %s, as with {}", operation, body, got.status, got.body, want.status, want.body)
			}
		}
	}
}

// withoutID returns the body of a response without the request ID.
func withoutID(a response) string {
	return strings.ReplaceAll(a.body, a.header.Get("X-Request-Id"), "")
}

// TestNoMembers checks that a route whose body must be empty or {} rejects a body with a
// member.
func TestNoMembers(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for _, r := range []request{frontendCall("POST", "/disconnect", `{"min_ttl":1}`), frontendCall("DELETE", "/session", `{"all":true}`), frontendCall("POST", "/session/code", `{"ttl":1}`)} {
		s.do(r).problem(400, "invalid-request")
	}
}
