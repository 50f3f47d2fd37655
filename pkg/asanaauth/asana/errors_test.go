package asana_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/asana"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
)

func TestCodesOfOAuthErrors(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		status int
		body   string
		want   string
	}{
		{400, `{"error":"invalid_grant","error_uri":"https://asana.com/","error_description":"The ` + "`code`" + ` provided was invalid."}`, asana.InvalidGrant},
		{401, `{"error":"invalid_client"}`, asana.InvalidClient},
		{400, `{"error":"unauthorized_client"}`, asana.UnauthorizedClient},
		{400, `{"error":"something_new"}`, "something_new"},
		{403, `{"error":"invalid_grant"}`, ""},
		{404, `{"error":"invalid_grant"}`, ""},
		{429, `{"error":"invalid_grant"}`, ""},
		{500, `{"error":"invalid_grant"}`, ""},
		{503, `{"error":"invalid_grant"}`, ""},
		{302, `{"error":"invalid_grant"}`, ""},
		{400, `{"error":"invalid_grant","error":"invalid_grant"}`, ""},
		{400, `{"error":"invalid_grant","Error":"x"}`, ""},
		{400, `{"Error":"invalid_grant"}`, ""},
		{400, `{"error":"invalid_grant"`, ""},
		{400, `{"error":"invalid_grant"}x`, ""},
		{400, `{"error":["invalid_grant"]}`, ""},
		{400, `{"error":""}`, ""},
		{400, `{"error":"` + strings.Repeat("a", 64) + `"}`, strings.Repeat("a", 64)},
		{400, `{"error":"` + strings.Repeat("a", 65) + `"}`, ""},
		{400, `{"error":"invalid_grant\n"}`, ""},
		{400, `{"error":"2/4673218951/99:MARKERrefresh0815"}`, ""},
		{400, `[]`, ""},
		{400, ``, ""},
	} {
		for call, do := range calls {
			if !isPost(call) {
				continue
			}
			err := do(t.Context(), toAsana(t, respondWith(tc.status, tc.body)))
			if e, ok := errors.AsType[*asana.Error](err); !ok || e.Code != tc.want || e.Status != tc.status {
				t.Errorf("%s with response %d %s = %v, want code %q", call, tc.status, tc.body, err, tc.want)
			}
		}
	}
	err := calls["refresh"](t.Context(), toAsana(t, respondWith(400, `{"error":"invalid_grant"}`, "Content-Type", "text/html")))
	if e, ok := errors.AsType[*asana.Error](err); !ok || e.Code != "" {
		t.Errorf("refresh with invalid_grant as text/html = %v, want no code", err)
	}
	for _, contentType := range []string{"", "text/plain", "text/javascript"} {
		err := calls["refresh"](t.Context(), toAsana(t, respondWith(400, `{"error":"invalid_grant"}`, "Content-Type", contentType)))
		if e, ok := errors.AsType[*asana.Error](err); !ok || e.Code != asana.InvalidGrant {
			t.Errorf("refresh with invalid_grant and Content-Type %q = %v, want code invalid_grant", contentType, err)
		}
	}
}

func TestCodesOfAPIErrors(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		status int
		body   string
		want   string
	}{
		{403, `{"errors":[{"message":"Full permissions are required to use this endpoint."}]}`, asana.FullPermissionsRequired},
		{403, `{"errors":[{"message":"The following scopes must be present to fulfill this request: projects:read","help":"…"}]}`, asana.MissingScope},
		{403, `{"error":"insufficient_scope"}`, asana.MissingScope},
		{403, `{"errors":[{"message":"You cannot perform write actions as a view only license member."}]}`, asana.ViewOnly},
		{403, `{"errors":[],"error":"view_only_api_access_failure"}`, asana.ViewOnly},
		{403, `{"errors":[{"message":"x","error":"view_only_api_access_failure"}]}`, asana.ViewOnly},
		{403, `{"errors":[null,1,{"message":2},{"message":"Full permissions are required to use this endpoint."}]}`, asana.FullPermissionsRequired},
		{403, `{"errors":[{"message":"Forbidden"}]}`, ""},
		{403, `{"errors":{"message":"Full permissions are required to use this endpoint."}}`, ""},
		{403, `Full permissions are required to use this endpoint.`, ""},
		{401, `{"errors":[{"message":"Full permissions are required to use this endpoint."}]}`, ""},
		{500, `{"errors":[{"message":"Full permissions are required to use this endpoint."}]}`, ""},
		{401, `{"error":"invalid_grant"}`, ""},
	} {
		for call, do := range calls {
			if isPost(call) {
				continue
			}
			err := do(t.Context(), toAsana(t, respondWith(tc.status, tc.body)))
			if e, ok := errors.AsType[*asana.Error](err); !ok || e.Code != tc.want || e.Status != tc.status {
				t.Errorf("%s with response %d %s = %v, want code %q", call, tc.status, tc.body, err, tc.want)
			}
		}
	}
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 10, 1, 12, 0, 0, 0, time.UTC)
	for header, want := range map[string]time.Duration{
		"30": 30 * time.Second, " 30 ": 30 * time.Second, "0": 0, "-5": 0, "": 0, "soon": 0, "1.5": 0, "99999999999999999999": 0,
		"1000000000000000000": 24 * time.Hour, "Thu, 01 Oct 2026 12:01:00 GMT": time.Minute, "Thu, 01 Oct 2026 11:00:00 GMT": 0, "Sat, 01 Oct 2033 12:00:00 GMT": 24 * time.Hour,
	} {
		c, err := asana.New(asana.Config{ClientID: clientID, Transport: respondWith(429, `{}`, "Retry-After", header), Now: func() time.Time { return now }})
		if err != nil {
			t.Fatal(err)
		}
		for call, do := range calls {
			if e, ok := errors.AsType[*asana.Error](do(t.Context(), c)); !ok || e.RetryAfter != want {
				t.Errorf("%s with Retry-After %q = %+v, want RetryAfter %v", call, header, e, want)
			}
		}
	}
}

// echo returns a JSON string that contains the header "Authorization", the URL and the
// body of r.
func echo(r *http.Request) string {
	var sent []byte
	if r.Body != nil {
		sent, _ = io.ReadAll(r.Body)
	}
	all, _ := json.Marshal(r.Header.Get("Authorization") + " " + r.URL.String() + " " + string(sent))
	return string(all)
}

// An error must not show any part of the request or of the response, however it is
// printed.
func TestErrorsContainNoSecrets(t *testing.T) {
	t.Parallel()
	servers := map[string]roundTrip{
		"body":  func(r *http.Request) (*http.Response, error) { return reply(400, `{"x":`+echo(r)+`}`), nil },
		"error": func(r *http.Request) (*http.Response, error) { return reply(400, `{"error":`+echo(r)+`}`), nil },
		"description": func(r *http.Request) (*http.Response, error) {
			return reply(401, `{"error":"invalid_grant","error_description":`+echo(r)+`}`), nil
		},
		"message": func(r *http.Request) (*http.Response, error) {
			return reply(403, `{"errors":[{"message":`+echo(r)+`}]}`), nil
		},
		"wrong type": func(r *http.Request) (*http.Response, error) {
			return reply(200, `{"access_token":"MARKERa","token_type":`+echo(r)+`}`), nil
		},
		"wrong shape": func(r *http.Request) (*http.Response, error) {
			return reply(200, `{"data":`+echo(r)+`,"active":`+echo(r)+`}`), nil
		},
		"not JSON": func(r *http.Request) (*http.Response, error) { return reply(200, `{MARKER`+echo(r)), nil },
		"content type": func(r *http.Request) (*http.Response, error) {
			return reply(200, ``, "Content-Type", "MARKER/MARKER"), nil
		},
		"redirect": func(r *http.Request) (*http.Response, error) {
			return reply(302, ``, "Location", "http://MARKER%zz/"), nil
		},
		"transport": func(r *http.Request) (*http.Response, error) {
			return nil, fmt.Errorf("malformed HTTP response %s", echo(r))
		},
		"reading": func(r *http.Request) (*http.Response, error) {
			resp := reply(200, "")
			resp.Body = io.NopCloser(io.MultiReader(strings.NewReader(`{"a":`), brokenBody{errors.New(echo(r))}))
			return resp, nil
		},
	}
	for name, server := range servers {
		for call, do := range calls {
			err := do(t.Context(), toAsana(t, server))
			if err == nil && call == "revoke" && (strings.HasPrefix(name, "wrong") || name == "content type") {
				continue // a revocation accepts any JSON and an empty body
			}
			if err == nil {
				t.Errorf("%s, secrets in %s: got no error, want one", call, name)
				continue
			}
			checkNoMarker(t, call+", secrets in "+name, err)
		}
	}
}

type brokenBody struct{ err error }

func (b brokenBody) Read([]byte) (int, error) { return 0, b.err }

func checkNoMarker(t *testing.T, what string, err error) {
	t.Helper()
	var out bytes.Buffer
	fmt.Fprintf(&out, "%v\n%+v\n%#v\n%s\n%q\n%x\n", err, err, err, err, err, []any{err})
	if e, ok := errors.AsType[*asana.Error](err); ok {
		fmt.Fprintf(&out, "%v\n%+v\n%#v\n", *e, *e, *e)
	}
	json.NewEncoder(&out).Encode(err)
	slog.New(slog.NewJSONHandler(&out, nil)).Error("m", "err", err)
	slog.New(slog.NewTextHandler(&out, nil)).Error("m", "err", err)
	for _, leak := range []string{"MARKER", fmt.Sprintf("%x", "MARKER"), "opt_fields"} {
		if strings.Contains(out.String(), leak) {
			t.Errorf("%s: the error contains %q:\n%s", what, leak, &out)
		}
	}
}

func TestPersonalDataIsNotPrinted(t *testing.T) {
	t.Parallel()
	user := asana.User{GID: "1", Name: secret.New("MARKER"), Email: secret.New("MARKER"), Picture: secret.New("MARKER")}
	out := fmt.Sprintf("%v %+v %#v", user, asana.Tokens{Access: secret.New("MARKER"), User: user}, asana.Member{GID: "1", Name: secret.New("MARKER")})
	if strings.Contains(out, "MARKER") {
		t.Errorf("printing a User, Tokens or Member shows personal data: %s", out)
	}
}
