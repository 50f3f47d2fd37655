package env_test

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/asanaauth/asanaauth/internal/env"
)

const name = "NAME"

// reader(unset) returns a Reader for which the variable NAME is not set.
const unset = "\x00unset"

func reader(value string) *env.Reader {
	return env.NewReader(func(n string) (string, bool) {
		return value, n == name && value != unset
	})
}

// want checks that got is equal to want, and that the error of r contains reason but not
// value. If reason is "", want checks that r has no error.
func want[T any](t *testing.T, r *env.Reader, value string, got, want T, reason string) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%q (-want +got):\n%s", value, diff)
	}
	err := r.Err()
	if reason == "" {
		if err != nil {
			t.Errorf("%q: got error %v, want none", value, err)
		}
		return
	}
	var e *env.Error
	if !errors.As(err, &e) || e.Name != name || !strings.Contains(e.Reason, reason) {
		t.Errorf("%q: got error %v, want one for %s with %q", value, err, name, reason)
		return
	}
	if len(value) > 3 && strings.Contains(err.Error(), value) {
		t.Errorf("%q: the error %q contains the value", value, err)
	}
}

func TestString(t *testing.T) {
	tests := []struct{ value, required, optional, reason string }{
		{"table", "table", "table", ""},
		{"two words", "two words", "two words", ""},
		{"trailing\n", "", "", "control characters"},
		{" leading", "", "", "begins or ends with white space"},
		{"nul\x00", "", "", "control characters"},
		{"latin1 \xe9", "", "", "UTF-8"},
	}
	for _, test := range tests {
		r := reader(test.value)
		want(t, r, test.value, r.String(name), test.required, test.reason)
		r = reader(test.value)
		want(t, r, test.value, r.Optional(name, "default"), test.optional, test.reason)
	}
	for _, value := range []string{unset, ""} {
		r := reader(value)
		want(t, r, value, r.String(name), "", "is missing")
		r = reader(value)
		want(t, r, value, r.Optional(name, "default"), "default", "")
		if r.Set(name) {
			t.Errorf("Set() of %q = true, want false", value)
		}
	}
	if !reader(" ").Set(name) {
		t.Error("Set() of a malformed value = false, want true")
	}
}

func TestWords(t *testing.T) {
	tests := []struct {
		value  string
		want   []string
		reason string
	}{
		{"a", []string{"a"}, ""},
		{" a\n\tb  c ", []string{"a", "b", "c"}, ""},
		{"a b a", nil, "entry 3 repeats"},
		{" \n", nil, "is missing"},
		{"", nil, "is missing"},
		{unset, nil, "is missing"},
	}
	for _, test := range tests {
		r := reader(test.value)
		want(t, r, test.value, r.Words(name), test.want, test.reason)
	}
}

func TestErrReportsAllEntriesOfAList(t *testing.T) {
	r := reader("https://a.example/ ftp://x https://a.example/ ftp://x")
	r.ReturnURLs(name)
	want := `NAME: entry 2 is neither https nor http
NAME: entry 3 repeats an earlier entry
NAME: entry 4 repeats an earlier entry`
	if err := r.Err(); err == nil || err.Error() != want {
		t.Errorf("got Err() = %v\nwant %s", err, want)
	}
}

func TestDuration(t *testing.T) {
	tests := []struct {
		value  string
		want   time.Duration
		reason string
	}{
		{unset, 5 * time.Minute, ""},
		{"", 5 * time.Minute, ""},
		{"0", 0, ""},
		{"90s", 90 * time.Second, ""},
		{"1h", time.Hour, ""},
		{"1h1ns", 0, "must be at most 1h"},
		{"-1s", 0, "must not be negative"},
		{"300", 0, "is not a duration"},
		{"5 minutes", 0, "is not a duration"},
		{"NaN", 0, "is not a duration"},
		{"9999999999h", 0, "is not a duration"},
		{"5m ", 0, "begins or ends with white space"},
	}
	for _, test := range tests {
		r := reader(test.value)
		want(t, r, test.value, r.Duration(name, 5*time.Minute, 0, time.Hour), test.want, test.reason)
	}
	r := reader("0")
	want(t, r, "0", r.Duration(name, 0, time.Nanosecond, 0), 0, "must be more than 0")
	r = reader("1h")
	want(t, r, "1h", r.Duration(name, 0, 150*time.Minute, 0), 0, "must be at least 2h30m")
	r = reader("2562047h")
	want(t, r, "2562047h", r.Duration(name, 0, 1, 0), 2562047*time.Hour, "")
	r = reader(unset)
	want(t, r, "a default of any size", r.Duration(name, math.MaxInt64, 1, 0), math.MaxInt64, "")
}

func TestOneOf(t *testing.T) {
	tests := []struct{ value, want, reason string }{
		{unset, "code", ""},
		{"code id_token", "code id_token", ""},
		{"Code", "", "is not one of: code, code id_token"},
		{"code  id_token", "", "is not one of"},
		{"code\n", "", "control characters"},
	}
	for _, test := range tests {
		r := reader(test.value)
		want(t, r, test.value, r.OneOf(name, "code", "code", "code id_token"), test.want, test.reason)
	}
}

func TestScopes(t *testing.T) {
	tests := []struct {
		value    string
		want     []string
		reason   string
		warnings int
	}{
		{"default", []string{"default"}, "", 0},
		{"tasks:read users:read openid email profile", []string{"tasks:read", "users:read", "openid", "email", "profile"}, "", 0},
		{"openid email", []string{"openid", "email"}, "", 0},
		{"openid default", []string{"openid", "default"}, "", 1},
		{"default tasks:read", nil, "both default and a resource scope", 0},
		{"openid default tasks:read", nil, "both default and a resource scope", 0},
		{"default default", nil, "entry 2 repeats", 0},
		{`tasks:read "x"`, nil, "entry 2 has a character", 0},
		{"tasks:read \\", nil, "entry 2 has a character", 0},
		{"täsks:read", nil, "entry 1 has a character", 0},
		{unset, nil, "is missing", 0},
	}
	for _, test := range tests {
		r := reader(test.value)
		want(t, r, test.value, r.Scopes(name), test.want, test.reason)
		if got := r.Warnings(); len(got) != test.warnings || len(got) > 0 && got[0].Name != name {
			t.Errorf("%q: got warnings %v, want %d", test.value, got, test.warnings)
		}
	}
}

func TestKMSKeyIDs(t *testing.T) {
	const id = "1234abcd-12ab-34cd-56ef-1234567890ab"
	const arn = "arn:aws:kms:eu-central-1:111122223333:key/" + id
	tests := []struct {
		value  string
		want   []string
		reason string
	}{
		{id, []string{id}, ""},
		{arn + " mrk-0123456789abcdef", []string{arn, "mrk-0123456789abcdef"}, ""},
		{"alias/asanaauth", nil, "entry 1 is an alias"},
		{id + " arn:aws:kms:eu-central-1:111122223333:alias/asanaauth", nil, "entry 2 is not the ARN of a key"},
		{"arn:aws:s3:eu-central-1:111122223333:key/x", nil, "is not an ARN of kms"},
		{"arn:aws:kms::111122223333:key/x", nil, "is not an ARN of kms"},
		{"arn:aws:kms:eu-central-1:111122223333:key/", nil, "neither a key ID"},
		{"arn:aws:kms:eu-central-1:111122223333:key/alias/x", nil, "is an alias"},
		{"arn:aws:kms:eu-central-1:111122223333:key/a:b", nil, "neither a key ID"},
		{"key/" + id, nil, "neither a key ID"},
		{id + "," + id, nil, "neither a key ID"},
		{id + " " + id, nil, "entry 2 repeats"},
		{unset, nil, "is missing"},
	}
	for _, test := range tests {
		r := reader(test.value)
		want(t, r, test.value, r.KMSKeyIDs(name), test.want, test.reason)
	}
}

func TestARN(t *testing.T) {
	const good = "arn:aws-cn:secretsmanager:cn-north-1:111122223333:secret:asana-AbCdEf"
	tests := []struct{ value, want, reason string }{
		{good, good, ""},
		{"asana", "", "is not an ARN of secretsmanager"},
		{"arn:aws:secretsmanager:eu-central-1:111122223333:", "", "is not an ARN of secretsmanager"},
		{"arn:aws:kms:eu-central-1:111122223333:key/x", "", "is not an ARN of secretsmanager"},
		{"ARN:aws:secretsmanager:eu-central-1:111122223333:secret:x", "", "is not an ARN of secretsmanager"},
		{unset, "", "is missing"},
	}
	for _, test := range tests {
		r := reader(test.value)
		want(t, r, test.value, r.ARN(name, "secretsmanager"), test.want, test.reason)
	}
}

func TestErrReportsEveryErrorAtOnce(t *testing.T) {
	values := map[string]string{"TTL": "soon", "RETURN_URLS": "ftp://x https://a.example http://b.example", "TABLE_NAME": "t"}
	r := env.NewReader(func(n string) (string, bool) { v, ok := values[n]; return v, ok })
	r.String("TABLE_NAME")
	r.String("ASANA_CLIENT_ID")
	r.Duration("TTL", 0, 0, 0)
	r.ReturnURLs("RETURN_URLS")
	r.AddError("TABLE_NAME", "does not exist")
	want := `ASANA_CLIENT_ID: is missing
TTL: is not a duration such as 90s, 5m or 720h
RETURN_URLS: entry 1 is neither https nor http
RETURN_URLS: entry 3 is http, which is allowed only for loopback hosts
TABLE_NAME: does not exist`
	if got := r.Err(); got == nil || got.Error() != want {
		t.Errorf("got Err() = %v\nwant %s", got, want)
	}
	if err := env.NewReader(nil).Err(); err != nil {
		t.Errorf("Err() before anything is read = %v, want nil", err)
	}
}
