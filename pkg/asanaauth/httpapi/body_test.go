package httpapi_test

import (
	"net/http"
	"strings"
	"testing"

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
		"null alone":              {"null", 400},
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

func TestContentTypes(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for value, ok := range map[string]bool{
		"application/json": true, "application/json; charset=utf-8": true, "Application/JSON;charset=UTF-8": true, `application/json; charset="utf-8"`: true,
		"": false, "application/json; charset=latin1": false, "application/json; profile=x": false, "application/jsonp": false,
		"text/plain": false, "application/x-www-form-urlencoded": false, "application/json, text/plain": false, "application/json;;": false, "text/plain; application/json": false,
	} {
		for _, r := range []request{
			frontendCall("POST", "/refresh", "{}", "Content-Type", value), frontendCall("POST", "/disconnect", "", "Content-Type", value), frontendCall("DELETE", "/session", "", "Content-Type", value),
			frontendCall("POST", "/session/code", "", "Content-Type", value),
		} {
			if value == "" {
				r.header.Del("Content-Type")
			}
			if ok {
				s.do(r).problem(401, "unauthenticated")
			} else {
				s.do(r).problem(415, "unsupported-media-type")
			}
		}
	}
	twice := frontendCall("POST", "/refresh", "")
	twice.header["Content-Type"] = []string{"application/json", "application/json"}
	s.do(twice).problem(415, "unsupported-media-type")
	s.do(frontendCall("POST", "/refresh", "", "Content-Encoding", "gzip")).problem(415, "unsupported-media-type")
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
