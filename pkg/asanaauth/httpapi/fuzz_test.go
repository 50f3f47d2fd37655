package httpapi_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/httpapi"
)

// FuzzObjects checks that encoding/json also accepts every object that parseObject
// accepts, and returns the same members.
func FuzzObjects(f *testing.F) {
	for _, seed := range []string{"", "{}", `{"a":1}`, `{"a":1,"a":2}`, `{"a":null}`, `{"A":1}`, "{}{}", `{"a":"\ud800"}`, "{\"\xff\":1}", `{"b":{"a":[1,{"a":2}]}}`, "{\"a\":\"\xff\"}", "[", `{"a":1,}`, `{"\u0061":1}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		got, err := httpapi.ParseObject(body, "a", "b")
		if err != nil || len(body) == 0 {
			return
		}
		var want map[string]json.RawMessage
		if err := json.Unmarshal(body, &want); err != nil || !utf8.Valid(body) {
			t.Fatalf("%q: accepted, but not valid JSON: %v", body, err)
		}
		for name, value := range want {
			if name != "a" && name != "b" {
				t.Errorf("%q: accepted with the unknown member %q", body, name)
			}
			if string(value) == "null" {
				value = nil
			}
			if got[name] != string(value) {
				t.Errorf("%q: got %s %q, want %q", body, name, got[name], value)
			}
		}
	})
}

// FuzzParams checks that parseParams reads a known parameter as net/url does, rejects it
// if it is malformed or repeated, and ignores all other parameters.
func FuzzParams(f *testing.F) {
	for _, seed := range []string{"", "a=1", "a=1&a=1", "a=1&%61=1", "a=%zz", "a;b", "a=1;b", "a=%00", "a=%ff", "&&a", "b=1&b=2", "=a", "a=b=c", "a=+%2b", "a=1&b=%zz&%zz=1&;&c;d=%ff"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		var mine []string
		for pair := range strings.SplitSeq(raw, "&") {
			name, _, _ := strings.Cut(pair, "=")
			if name, err := url.QueryUnescape(name); err == nil && name == "a" {
				mine = append(mine, pair)
			}
		}
		want, err := url.ParseQuery(strings.Join(mine, "&"))
		value := want.Get("a")
		valid := err == nil && len(mine) <= 1 && utf8.ValidString(value) && !strings.ContainsFunc(value, unicode.IsControl)
		got, err := httpapi.ParseParams(raw, "a")
		if (err == nil) != valid || err == nil && (got["a"] != value || len(got) != len(mine)) {
			t.Errorf("%q: got %q, %v; want %q, valid %t", raw, got, err, value, valid)
		}
	})
}

// FuzzCookies checks that a cookie is read only if its name occurs exactly once in the
// request.
func FuzzCookies(f *testing.F) {
	const name = "__Host-asana_session"
	for _, seed := range []string{"", name + "=a.b", name + "=a;" + name + "=b", "a=b; " + name + "=c", name, name + `="a"`, ";;=", name + " =a", "\t" + name + "=a \t", "x" + name + "=a"} {
		f.Add(seed, "")
		f.Add("a=b", seed)
	}
	f.Fuzz(func(t *testing.T, one, two string) {
		r := &http.Request{Header: http.Header{"Cookie": {one, two}}}
		got := httpapi.ReadSession(r).Reveal()
		if got == "" {
			return
		}
		all := one + ";" + two
		if !strings.Contains(all, name+"="+got) || strings.ContainsAny(got, " ;,\"\\\x00\x7f") {
			t.Errorf("%q: got %q", all, got)
		}
		n := 0
		for pair := range strings.SplitSeq(all, ";") {
			if key, _, ok := strings.Cut(strings.Trim(pair, " \t"), "="); ok && key == name {
				n++
			}
		}
		if n != 1 {
			t.Errorf("%q: got %q, but the name is there %d times", all, got, n)
		}
	})
}

func TestWithOutcome(t *testing.T) {
	t.Parallel()
	add := url.Values{"asana": {"connected"}}
	for to, want := range map[string]string{
		"https://a.example":                "https://a.example?asana=connected#",
		"https://a.example/":               "https://a.example/?asana=connected#",
		"https://a.example/?":              "https://a.example/?asana=connected#",
		"https://a.example/?b=%20+c&d":     "https://a.example/?b=%20+c&d&asana=connected#",
		"https://a.example/?b&":            "https://a.example/?b&asana=connected#",
		"https://a.example/#":              "https://a.example/?asana=connected#",
		"https://a.example/#/route?x=1#2":  "https://a.example/?asana=connected#/route?x=1#2",
		"https://a.example/?asana=was#top": "https://a.example/?asana=was&asana=connected#top",
	} {
		if got := httpapi.WithOutcome(to, add); got != want {
			t.Errorf("%s: got %s, want %s", to, got, want)
		}
	}
}
