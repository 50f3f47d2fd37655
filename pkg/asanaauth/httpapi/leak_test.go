package httpapi_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/authtest"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

// leaks searches for secrets in a site's log, in its rows, and in the responses that are
// passed to clean.
type leaks struct {
	*site
	hunt *authtest.Hunt
}

// newLeaks returns a search for secrets. The keys of secrets are the texts to search for,
// and the values describe them in test failures. newLeaks adds the client secret, and a
// person's name and e-mail address.
func newLeaks(s *site, secrets map[string]string) leaks {
	s.t.Helper()
	secrets["marker-client-secret"], secrets["Mia Member"], secrets["mia@acme.example"] = "the client secret", "a name", "an address"
	inst := &authtest.Installation{T: s.t, Rows: s.rows, Log: s.log, Wire: s.wire.next.(*authtest.Wiretap)}
	hunt := inst.NewHunt(secrets)
	s.wire.next = hunt
	return leaks{s, hunt}
}

// clean adds a to the responses that are searched for secrets, and returns a.
func (l leaks) clean(a response) response {
	l.hunt.Note(a.status, a.header, a.body)
	return a
}

// wantAudit checks that the log contains the given audit lines. This shows that the
// search for secrets did not search an empty log.
func (l leaks) wantAudit(audit ...string) {
	l.t.Helper()
	for _, name := range audit {
		if l.log.Says("audit", name) == 0 {
			l.t.Errorf("the log has no audit line %s", name)
		}
	}
}

// The log, the rows, and the responses that are passed to clean must not contain a
// secret. The log and these responses must also not contain input from a request. Rows
// may contain such input.
func TestNothingLeaks(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		b := newSite(t, withIDToken).browser()
		l := newLeaks(b.site, map[string]string{"photos.example": "a picture"})
		for _, text := range []string{"marker-app-state", "marker-parameter", "marker-body", "marker-header"} {
			l.hunt.Input(text, text)
		}
		l.signIn(b)
		l.useSession(b)
		l.wantAudit("connected", "token_released", "revoked")
		l.hunt.Finish(12, 10, 30)
	})
}

// signIn signs a person in. Before the sign-in, three requests with the authorization
// response must fail: one from a different browser, one with a repeated parameter, and
// one while the table fails. After the sign-in, the same browser may repeat the request,
// but a different browser may not.
func (l leaks) signIn(b *browser) {
	consent := b.begin("?app_state=marker-app-state&utm=marker-parameter")
	u, err := url.Parse(consent)
	must(l.t, err)
	l.hunt.Secret("the state", u.Query().Get("state"))
	for _, name := range b.names("__Host-asana_attempt_") {
		l.hunt.Secret("the browser's secret", b.jar[name])
	}
	_, fragment, _ := strings.Cut(b.allow(consent, asanatest.Member), "#")
	form, err := url.ParseQuery(fragment)
	must(l.t, err)
	l.hunt.Secret("the code", form.Get("code"))
	l.hunt.Secret("the fragment's ID token", form.Get("id_token"))
	l.clean(l.do(post(fragment))).page(400)
	l.clean(l.do(post(fragment + "&state=marker-parameter"))).page(400)
	b.fail("read")
	l.clean(b.do(post(fragment))).page(503)
	b.table.Hook = nil
	b.do(post(fragment)).want(303)
	b.do(post(fragment)).want(303)
	l.clean(l.do(post(fragment))).page(400)
	_, cookie, _ := strings.Cut(b.jar[sessionCookie], ".")
	l.hunt.Secret("the session's secret", cookie)
}

// useSession sends valid and invalid requests with the session of b. The last request
// disconnects the person's connection.
func (l leaks) useSession(b *browser) {
	b.do(get("/session?marker-parameter", "Origin", appOrigin, "X-Marker", "marker-header")).want(200)
	b.refresh("").want(200)
	time.Sleep(time.Hour)
	b.refresh("").want(200)
	a := b.do(get("/membership?x=marker-parameter", "Sec-Fetch-Site", "same-origin")).want(200)
	a.body = strings.ReplaceAll(a.body, "Mia Member", "") // this response may contain the name
	l.clean(a)
	l.clean(b.refresh(`{"marker-body":1}`)).want(400)
	l.clean(b.refresh(`{"refused":"marker-body"}`)).want(400)
	l.clean(b.do(get("/marker-parameter"))).want(404)
	l.clean(b.do(get("/membership?workspace=marker-parameter", "Origin", appOrigin))).want(400)
	l.clean(b.do(get("/session", "Origin", "https://refused.example", "X-Marker", "marker-header"))).want(403)
	time.Sleep(time.Hour)
	b.wire.fail = fmt.Errorf("Post %q: marker-parameter", asanaURL+"/-/oauth_token?marker-parameter")
	l.clean(b.refresh("")).want(502)
	b.wire.fail = nil
	time.Sleep(time.Minute)
	l.clean(b.do(frontendCall("POST", "/disconnect", "", "X-Marker", "marker-header"))).want(200)
}
