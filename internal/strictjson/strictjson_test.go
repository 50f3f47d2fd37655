package strictjson_test

import (
	"encoding/json"
	"errors"
	"maps"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/asanaauth/asanaauth/internal/strictjson"
)

func TestCheck(t *testing.T) {
	for data, want := range map[string]error{
		`{}`: nil, ` [1, "a", true, null, {"a": 1e999}] `: nil, `"a"`: nil, `1`: nil, `null`: nil,
		`{"a":{"a":1},"b":[{"a":1},{"a":2}]}`: nil, `{"a":1,"á":2}`: nil, `"\ud800"`: nil,
		`{"a":1,"a":1}`: strictjson.ErrTwice, `{"a":1,"A":2}`: strictjson.ErrTwice, `{"a":1,"\u0061":2}`: strictjson.ErrTwice,
		`{"s":1,"ſ":2}`: strictjson.ErrTwice, `{"k":1,"K":2}`: strictjson.ErrTwice, `{"\ud800":1,"\ud801":2}`: strictjson.ErrTwice,
		`[[{"b":{"a":1,"a":2}}]]`:   strictjson.ErrTwice,
		`{"a":1,"a":`:               strictjson.ErrTwice,
		"\"\xff\"":                  strictjson.ErrUTF8,
		"{} \xff":                   strictjson.ErrUTF8,
		"{\"a\":1,\"a\":2,\"\xff\"": strictjson.ErrUTF8,
		``:                          strictjson.ErrSyntax,
		` `:                         strictjson.ErrSyntax,
		`{`:                         strictjson.ErrSyntax,
		`{"a":1,}`:                  strictjson.ErrSyntax,
		`{"a" 1}`:                   strictjson.ErrSyntax,
		`{1:2}`:                     strictjson.ErrSyntax,
		`[}`:                        strictjson.ErrSyntax,
		`{]`:                        strictjson.ErrSyntax,
		`[1 2]`:                     strictjson.ErrSyntax,
		`'a'`:                       strictjson.ErrSyntax,
		"\ufeff{}":                  strictjson.ErrSyntax,
		`[[[[]]]]`:                  nil,
		`[[[[[]]]]]`:                strictjson.ErrDepth,
		`{"a":[{"b":[[`:             strictjson.ErrDepth,
		`{}{}`:                      strictjson.ErrTrailing,
		`{} x`:                      strictjson.ErrTrailing,
		`{}}`:                       strictjson.ErrTrailing,
		"{}\x00":                    strictjson.ErrTrailing,
	} {
		if got := strictjson.Check([]byte(data), 4); got != want {
			t.Errorf("Check(%q) = %v, want %v", data, got, want)
		}
	}
	deep := []byte(strings.Repeat("[", 1<<20))
	if got := strictjson.Check(deep, 32); got != strictjson.ErrDepth {
		t.Errorf("Check() of very deep nesting = %v, want ErrDepth", got)
	}
}

func TestObject(t *testing.T) {
	tests := []struct {
		data string
		want map[string]string
		err  error
	}{
		{`{}`, map[string]string{}, nil},
		{" {\n\"a\" : 1 , \"b\":[ \"x\", {\"c\":1,\"c\":2}]}\t", map[string]string{"a": `1`, "b": `[ "x", {"c":1,"c":2}]`}, nil},
		{`{"a":null}`, map[string]string{"a": "null"}, nil},
		{`{"\u0061":1}`, map[string]string{"a": "1"}, nil},
		{`{"a":"\ud800"}`, map[string]string{"a": `"\ud800"`}, nil},
		{`{"c":1}`, nil, strictjson.ErrUnknown},
		{`{"A":1}`, nil, strictjson.ErrUnknown},
		{`{"a":1,"A":1}`, nil, strictjson.ErrUnknown},
		{`{"c":1,`, nil, strictjson.ErrUnknown},
		{`{"a":1,"a":1}`, nil, strictjson.ErrTwice},
		{`{"a":null,"\u0061":1}`, nil, strictjson.ErrTwice},
		{"{\"a\":\"\xff\"}", nil, strictjson.ErrUTF8},
		{"{\"c\":1} \xff", nil, strictjson.ErrUTF8},
		{``, nil, strictjson.ErrSyntax},
		{`null`, nil, strictjson.ErrSyntax},
		{`[]`, nil, strictjson.ErrSyntax},
		{`1e999`, nil, strictjson.ErrSyntax},
		{`{"a":1`, nil, strictjson.ErrSyntax},
		{`{"a":1,}`, nil, strictjson.ErrSyntax},
		{`{"a":1 "b":2}`, nil, strictjson.ErrSyntax},
		{`{"a"}`, nil, strictjson.ErrSyntax},
		{`{"a":` + strings.Repeat("[", 20000), nil, strictjson.ErrSyntax},
		{`{}{}`, nil, strictjson.ErrTrailing},
		{`{} x`, nil, strictjson.ErrTrailing},
	}
	for _, test := range tests {
		got, err := strictjson.Object([]byte(test.data), "a", "b")
		if !errors.Is(err, test.err) {
			t.Errorf("Object(%.50q) = %v, want %v", test.data, err, test.err)
		}
		var twice *strictjson.TwiceError
		if errors.As(err, &twice) && twice.Name != "a" {
			t.Errorf("Object(%.50q): got the name %q, want a", test.data, twice.Name)
		}
		texts := map[string]string{}
		for name, raw := range got {
			texts[name] = string(raw)
		}
		if test.err == nil && !maps.Equal(texts, test.want) {
			t.Errorf("Object(%q) = %q, want %q", test.data, texts, test.want)
		}
	}
}

func TestString(t *testing.T) {
	tests := []struct {
		raw, want string
		err       error
	}{
		{`""`, "", nil},
		{`"\u0061\n"`, "a\n", nil},
		{`"\ud83d\udc18"`, "🐘", nil},
		{`"\uD83D\uDC18"`, "🐘", nil},
		{`"\\ud83d"`, `\ud83d`, nil},
		{`"\ufffd"`, "\ufffd", nil},
		{`"\ud83d"`, "", strictjson.ErrSurrogate},
		{`"\udc18"`, "", strictjson.ErrSurrogate},
		{`"\udc18\ud83d"`, "", strictjson.ErrSurrogate},
		{`"\ud83d\ud83d\udc18"`, "", strictjson.ErrSurrogate},
		{`"\ud83dx\udc18"`, "", strictjson.ErrSurrogate},
		{`"\\\ud83d"`, "", strictjson.ErrSurrogate},
		{"\"\xff\"", "", strictjson.ErrUTF8},
		{`null`, "", strictjson.ErrSyntax},
		{`1`, "", strictjson.ErrSyntax},
		{`["a"]`, "", strictjson.ErrSyntax},
		{`"a" "b"`, "", strictjson.ErrSyntax},
		{``, "", strictjson.ErrSyntax},
	}
	for _, test := range tests {
		if got, err := strictjson.String([]byte(test.raw)); got != test.want || err != test.err {
			t.Errorf("String(%s) = %q, %v; want %q, %v", test.raw, got, err, test.want, test.err)
		}
	}
}

// FuzzString checks that encoding/json decodes each string that String accepts, and
// returns the same text as String.
func FuzzString(f *testing.F) {
	for _, seed := range []string{`"a"`, `"\u0061"`, `"\ud83d\udc18"`, `"\ud83d"`, `"\udc18"`, `"\ud83d\ud83d\udc18"`, `"\\ud83d"`, `"\\\ud83d"`, `"\ufffd"`, "\"\ufffd\"", `"\"\\\/\b\f\n\r\t"`, `1`, `["a"]`, `"\ud83dx\udc18"`, `"\uD83D\uDC18"`, `""`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		got, err := strictjson.String([]byte(raw))
		if err != nil {
			return
		}
		var want string
		if json.Unmarshal([]byte(raw), &want) != nil || want != got || !utf8.ValidString(got) {
			t.Fatalf("String(%s) = %q, but encoding/json decodes %q", raw, got, want)
		}
		// The result must not contain more U+FFFD characters than raw contains, as
		// characters or escapes.
		written := strings.Count(raw, "\ufffd") + strings.Count(strings.ToLower(raw), `\ufffd`)
		if strings.Count(got, "\ufffd") > written {
			t.Errorf("String(%s) = %q, want ErrSurrogate", raw, got)
		}
	})
}

// FuzzCheck checks that encoding/json accepts all data that Check accepts. If the data is
// an object, encoding/json and Object must return the same members.
func FuzzCheck(f *testing.F) {
	for _, seed := range []string{``, `{}`, `{"a":1,"A":2}`, `[{"a":[{"b":1}]}]`, `{"a":1}{`, `"\ud800"`, `1e999`, `[}`, `{"a":{"b":1,"c":{}}}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if strictjson.Check(data, 32) != nil {
			return
		}
		if !json.Valid(data) || !utf8.Valid(data) {
			t.Fatalf("Check(%q) = nil, but it is not valid JSON", data)
		}
		var m map[string]json.RawMessage
		if json.Unmarshal(data, &m) != nil || m == nil {
			return
		}
		var names []string
		for name := range m {
			names = append(names, name)
		}
		if got, err := strictjson.Object(data, names...); err != nil || len(got) != len(m) {
			t.Errorf("Object(%q) = %q, %v; encoding/json decodes %q", data, got, err, m)
		}
	})
}
