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

func TestLists(t *testing.T) {
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
		want(t, r, test.value, r.Scopes(name), test.want, test.reason)
	}
}

// TestListsWithSeparatorsOrQuotes checks every type of list with the mistakes that people
// make who know another syntax.
func TestListsWithSeparatorsOrQuotes(t *testing.T) {
	const comma, quote = "has a comma or a semicolon: separate the entries with spaces", "quotation mark: remove the quotation marks"
	lists := map[string]struct {
		read func(*env.Reader) []string
		a, b string
	}{
		"scopes":      {func(r *env.Reader) []string { return r.Scopes(name) }, "tasks:read", "users:read"},
		"keys":        {func(r *env.Reader) []string { return r.KMSKeyIDs(name) }, "1234abcd-12ab", "arn:aws:kms:eu-central-1:111122223333:key/5"},
		"origins":     {func(r *env.Reader) []string { return r.Origins(name) }, "https://a.example", "https://b.example:8443"},
		"return URLs": {func(r *env.Reader) []string { return r.ReturnURLs(name) }, "https://a.example/x", "https://b.example/?y=1"},
	}
	for list, test := range lists {
		for _, form := range []struct{ value, reason string }{
			{"A,B", "entry 1 " + comma}, {"A;B", "entry 1 " + comma}, {"A, B", "entry 1 " + comma}, {"A ; B", "entry 2 " + comma},
			{"A ,B", "entry 2 " + comma}, {"A B,", "entry 2 " + comma}, {"A,", "entry 1 " + comma},
			{`"A"`, quote}, {`"A B"`, "entry 1 begins or ends with a " + quote}, {`'A' 'B'`, quote}, {"A “B”", "entry 2 begins or ends with a " + quote}, {"`A`", quote},
			{`"A","B"`, quote}, {`A "`, quote},
		} {
			value := strings.NewReplacer("A", test.a, "B", test.b).Replace(form.value)
			r := reader(value)
			want(t, r, value, test.read(r), nil, form.reason)
			for _, secret := range []string{test.a, test.b} {
				if err := r.Err(); err != nil && strings.Contains(err.Error(), secret) {
					t.Errorf("%s: the error %q contains a part of the value", list, err)
				}
			}
		}
	}
	const inside = "https://a.example/x,y;z?a=1,2;3"
	r := reader(inside)
	want(t, r, inside, r.ReturnURLs(name), []string{inside}, "")
}

func TestValuesInQuotes(t *testing.T) {
	for _, value := range []string{`"table"`, "'table'", `"`, `table"`, "‘table’", `""`} {
		r := reader(value)
		want(t, r, value, r.String(name), "", "begins or ends with a quotation mark")
	}
	r := reader(`"https://auth.example.com"`)
	want(t, r, "an origin", r.Origin(name), "", "begins or ends with a quotation mark")
	r = reader(`"5m"`)
	want(t, r, "a duration", r.Duration(name, 0, 0, 0), 0, "begins or ends with a quotation mark")
	r = reader(`O'Hara "the" table`)
	want(t, r, "quotation marks inside", r.String(name), `O'Hara "the" table`, "")
}

func TestDigits(t *testing.T) {
	for value, reason := range map[string]string{
		"1200000000000001": "", "0": "", "12a": "digits only", "1 2": "digits only", "١٢": "digits only", "-1": "digits only", "1,2": "digits only",
		"'12'": "quotation mark", unset: "is missing",
	} {
		wanted := value
		if reason != "" {
			wanted = ""
		}
		r := reader(value)
		want(t, r, value, r.Digits(name), wanted, reason)
	}
}

func TestBool(t *testing.T) {
	for value, wanted := range map[string]bool{"true": true, "TRUE": true, "True": true, "tRuE": true, "false": false, "FALSE": false, "False": false, "": false, unset: false} {
		r := reader(value)
		want(t, r, value, r.Bool(name), wanted, "")
	}
	for value, reason := range map[string]string{"1": "is neither true nor false", "yes": "is neither true nor false", "true ": "white space", `"true"`: "quotation mark"} {
		r := reader(value)
		want(t, r, value, r.Bool(name), false, reason)
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
		{`tasks:read x"y`, nil, "entry 2 has a character", 0},
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
		{id + " " + id, nil, "entry 2 repeats"},
		{unset, nil, "is missing"},
	}
	for _, test := range tests {
		r := reader(test.value)
		want(t, r, test.value, r.KMSKeyIDs(name), test.want, test.reason)
	}
}

func TestTableName(t *testing.T) {
	const malformed = "is neither the name nor the ARN of a DynamoDB table"
	const arn = "arn:aws:dynamodb:eu-central-1:111122223333:table/"
	for _, test := range []struct{ value, want, reason string }{
		{"asanaauth-Table_1.A", "asanaauth-Table_1.A", ""},
		{"abc", "abc", ""},
		{strings.Repeat("a", 255), strings.Repeat("a", 255), ""},
		{arn + "asanaauth", arn + "asanaauth", ""},
		{strings.Repeat("a", 256), "", malformed},
		{"my table", "", malformed},
		{"table,other", "", malformed},
		{"https://example.com", "", malformed},
		{arn, "", malformed},
		{"arn:aws:dynamodb:eu-central-1:111122223333:index/asanaauth/x", "", malformed},
		{"arn:aws:kms:eu-central-1:111122223333:table/asanaauth", "", malformed},
		{unset, "", "is missing"},
	} {
		r := reader(test.value)
		want(t, r, test.value, r.TableName(name), test.want, test.reason)
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
