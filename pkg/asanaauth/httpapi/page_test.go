package httpapi_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

// TestErrorPages checks the texts of the error pages. Each page has a heading, a sentence
// that says what happened, and a sentence that says what to do next. The title must equal
// the heading.
func TestErrorPages(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		s := newSite(t)
		busy := newSite(t)
		busy.fail("write")
		broken := newSite(t)
		broken.failWriteWith(0, errAny)
		for name, c := range map[string]struct {
			a     response
			texts []string // after the title
		}{
			"invalid-request": {s.do(get("/authorize?app_state=.")), []string{
				"This link does not work", "The link that you opened is incomplete or was changed.", "Start again from your app. If this happens again, contact the support of your app.", "Back to your app",
				"For the developer of the app: app_state must be 1 to 256 characters of A-Z, a-z, 0-9, _ and -.",
			}},
			"login-expired": {s.do(get("/callback?code=c&state=s")), []string{
				"This sign-in has expired", "It took too long, was already used, or was started in another browser.", "Start again from your app.", "Back to your app",
			}},
			"link-expired": {s.do(get("/authorize?link=x")), []string{
				"This link has expired", "It is too old or was already used.", "Get a new link from your app, or from the person who sent it.", "Back to your app",
			}},
			"not-found": {s.do(get("/callback/x")), []string{
				"Page not found", "This address has no page.", "Start again from your app.", "Back to your app",
			}},
			"try-again": {busy.do(get("/authorize")), []string{
				"Temporarily unavailable", "This service is busy, and nothing was changed.", "Wait a moment, then reload this page.", "Back to your app",
				"For support: request ID {id}",
			}},
			"internal": {broken.do(get("/authorize")), []string{
				"Something went wrong", "An unexpected error happened in this service.",
				"Start again from your app. If this happens again, contact the support of your app and give them the request ID below.", "Back to your app",
				"For support: request ID {id}",
			}},
		} {
			title, texts := pageTexts(c.a)
			want := strings.ReplaceAll(strings.Join(c.texts, "\n"), "{id}", c.a.header.Get("X-Request-Id"))
			if got := strings.Join(texts, "\n"); got != want {
				t.Errorf("%s: got texts\n%s\nwant\n%s", name, got, want)
			}
			if title != c.texts[0] {
				t.Errorf("%s: got title %q, want the heading", name, title)
			}
		}
	})
}

var (
	pageTitle = regexp.MustCompile(`<title>(.*)</title>`)
	pageBlock = regexp.MustCompile(`<(?:h1|p)>(?:<(?:small|a)[^>]*>)?([^<]*)<`)
)

func pageTexts(a response) (title string, texts []string) {
	if m := pageTitle.FindStringSubmatch(a.body); m != nil {
		title = m[1]
	}
	for _, m := range pageBlock.FindAllStringSubmatch(a.body, -1) {
		texts = append(texts, m[1])
	}
	return title, texts
}

// TestDetails checks that the detail of a problem names the parameter or member that is
// wrong. For a name that is not known, the detail must instead list the accepted names.
func TestDetails(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		s := newSite(t)
		b := s.browser().signIn(asanatest.Member)
		anonymous := call("GET", "/connections?owner=a", "")
		anonymous.caller = ""
		for want, a := range map[string]response{
			"The query has an unknown parameter. Accepted: owner, asana_user, cursor, limit.":            s.do(call("GET", "/connections?ovner=a", "")),
			"The query has an unknown parameter. This route accepts none.":                               s.do(call("POST", "/links?owner=a", `{}`)),
			"The body has an unknown member. Accepted: owner, person, return_to, scopes, asana_user.":    s.do(call("POST", "/links", `{"scope":"default"}`)),
			"The body has an unknown member. Accepted: min_ttl, refused.":                                b.refresh(`{"ttl":1}`),
			"The body has an unknown member. This route accepts none.":                                   b.do(frontendCall("POST", "/disconnect", `{"ttl":1}`)),
			"The body must have one of these members: connect_code, session_code, token, refresh_token.": s.do(call("POST", "/connections", `{"owner":"a"}`)),
			"kind must not be given with connect_code. Accepted: owner, person.":                         s.do(call("POST", "/connections", `{"connect_code":"c","kind":"k"}`)),
			"owner must not be given with session_code.":                                                 s.do(call("POST", "/connections", `{"session_code":"s","owner":"a"}`)),
			"person must not be empty.":                s.do(call("POST", "/links", `{"owner":"a","person":""}`)),
			"owner must be a string of valid Unicode.": s.do(call("POST", "/links", `{"owner":1}`)),
			"workspace must not be repeated.":          b.do(get("/membership?workspace=1&workspace=1", "Origin", appOrigin)),
			"owner must not be empty.":                 s.do(call("GET", "/connections?owner=", "")),
			"Sign the request with AWS Signature Version 4 (SigV4). With \"asanaauth local\", send \"Authorization: Bearer KEY\" with the backend key that it printed.": s.do(anonymous),
			"The session is missing or has ended. Sign in again.":                                                                           s.do(get("/membership", "Origin", appOrigin)),
			"The Origin header is missing or not allowed. Send the request from a page of your app, and add its origin to ALLOWED_ORIGINS.": s.do(get("/session")),
			"Content-Type must be application/json, with the charset utf-8 or without one. Content-Encoding must be absent or identity.":    s.do(call("POST", "/links", `{}`, "Content-Type", "text/plain")),
			"Asana reports that this token is not active. Import another one.":                                                              s.do(call("POST", "/connections", object("token", "t", "owner", "a", "kind", "service_account"))),
			"The code is unknown, used or expired, or belongs to another owner or person. Get a new code.":                                  s.do(call("POST", "/connections", object("session_code", "s"))),
			"owner must not be repeated.": s.do(call("POST", "/links", `{"owner":"a","owner":"b"}`)),
			"refresh_token must be 1 to 8192 printable ASCII characters without spaces.":                            s.do(call("POST", "/connections", object("refresh_token", "a b", "owner", "a"))),
			"The connection does not exist, or owner is not its owner.":                                             s.do(call("GET", "/connections/con_x", "")),
			"workspace is not a workspace that the connection's token can read, or the user is not a member of it.": b.do(get("/membership?workspace=1", "Origin", appOrigin)),
			"user is not an Asana user that the connection's token can read.":                                       s.do(call("GET", at(s.importToken("a", asanatest.Bot), "/membership?user=1"), "")),
			"limit must be a whole number from 1 to 100.":                                                           s.do(call("GET", "/connections?owner=a&limit=0", "")),
			"cursor is not from this list. Start again without cursor.":                                             s.do(call("GET", "/connections?owner=a&cursor=x", "")),
			"return_to must be equal to one of the URLs in RETURN_URLS.":                                            s.do(call("POST", "/links", object("owner", "a", "return_to", "https://evil.example"))),
			"scopes must be a subset of ASANA_SCOPES, separated by single spaces, without duplicates.":              s.do(call("POST", "/links", object("owner", "a", "scopes", "tasks:write"))),
			"The preflight requests a header that is not allowed. Accepted: Content-Type, traceparent, tracestate, baggage, sentry-trace, X-Requested-With, " +
				"X-Datadog-Origin, X-Datadog-Parent-Id, X-Datadog-Sampling-Priority, X-Datadog-Trace-Id, newrelic, X-Amzn-Trace-Id, Cache-Control, Pragma.": s.do(request{method: "OPTIONS", target: "/refresh", header: headers([]string{"Origin", appOrigin, "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "x-other"})}),
			"owner must not begin with \"asana:\", which is reserved for sign-in.":                  s.do(call("POST", "/links", object("owner", "asana:1"))),
			"refused must be the SHA-256 of an access token as 64 hexadecimal digits.":              b.refresh(`{"refused":"x"}`),
			"Only a service account can be the reader of a workspace.":                              s.do(call("PATCH", at(s.importToken("a", asanatest.Bot)), object("reader_of", []string{asanatest.Acme}))),
			"The service account has no access to a workspace in reader_of. Remove that workspace.": s.do(call("PATCH", at(s.importToken("a", asanatest.ServiceAccount)), object("reader_of", []string{asanatest.Globex}))),
		} {
			if got := a.json()["detail"]; got != want {
				t.Errorf("got detail %q, want %q", got, want)
			}
		}
	})
}
