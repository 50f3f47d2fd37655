package httpapi_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

// TestBackendsLeakNothing makes the calls of a backend. The log, the rows, and the
// responses that are passed to clean must not contain a secret, an owner's name or a
// person's name.
func TestBackendsLeakNothing(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		l := newLeaks(newSite(t), map[string]string{
			"marker-secret": "a secret of a request", "marker-owner": "an owner", "marker-person": "a person",
		})
		c := l.connect()
		l.importAll()
		l.sessionCode()
		l.token(c)
		l.sendInvalid(c)
		l.disconnect(c)
		l.wantAudit("token_released", "imported", "connected", "revoked")
		l.hunt.Finish(20, 25, 70)
	})
}

// connect creates a connection with a link. It redeems the connect code three times:
// while writes fail, then successfully, and then again after the code was used.
func (l leaks) connect() (connection map[string]any) {
	link := l.link("owner", "marker-owner", "person", "marker-person")
	_, token, _ := strings.Cut(link, "link=")
	l.hunt.Secret("the link", token)
	b := l.browser()
	code := b.follow(link, asanatest.Member).Get("connect_code")
	l.hunt.Secret("the connect code", code)
	redeem := func() response {
		return l.do(call("POST", "/connections", object("connect_code", code, "owner", "marker-owner", "person", "marker-person")))
	}
	l.fail("write")
	l.clean(redeem()).problem(503, "try-again")
	l.table.Hook = nil
	connection = redeem().want(201).json()
	redeem().want(200)
	l.clean(l.do(call("POST", "/connections", object("connect_code", code, "owner", "marker-owner-2", "person", "marker-person")))).problem(400, "link-expired")
	l.clean(b.do(get(link))).page(400)
	return connection
}

// importAll imports a credential of every kind. For each credential, it first sends three
// requests that fail.
func (l leaks) importAll() {
	bot, _ := l.longLived(asanatest.Bot)
	account, _ := l.longLived(asanatest.ServiceAccount)
	grant := l.grant(asanatest.Admin)
	l.hunt.Secret("a personal access token", bot)
	l.hunt.Secret("a service account's token", account)
	l.hunt.Secret("a grant", grant)
	for _, body := range []string{
		object("token", bot, "owner", "marker-owner", "kind", "personal_access_token"),
		object("token", account, "owner", "marker-owner", "kind", "service_account"),
		object("refresh_token", grant, "owner", "marker-owner"),
	} {
		l.wire.fail = fmt.Errorf("Post %q: marker-secret", asanaURL)
		l.clean(l.do(call("POST", "/connections", body))).problem(502, "asana-unavailable")
		l.wire.fail = nil
		l.clean(l.do(call("POST", "/connections", body[:len(body)-1]))).problem(400, "invalid-request")
		l.clean(l.do(call("POST", "/connections", body, "Content-Type", "text/plain"))).problem(415, "unsupported-media-type")
		l.do(call("POST", "/connections", body)).want(201)
	}
	for _, body := range []string{
		object("token", "marker-secret", "owner", "marker-owner", "kind", "service_account"),
		object("refresh_token", "marker-secret", "owner", "marker-owner"),
	} {
		l.clean(l.do(call("POST", "/connections", body))).problem(422, "token-rejected")
	}
}

// sessionCode redeems a session code successfully, and then a second time, which must
// fail.
func (l leaks) sessionCode() {
	code := l.browser().signIn(asanatest.Several).sessionCode()
	l.hunt.Secret("a session code", code)
	body := object("session_code", code)
	l.do(call("POST", "/connections", body)).want(200)
	l.clean(l.do(call("POST", "/connections", body))).problem(400, "link-expired")
}

// token requests an access token. It then sends a request that reports that Asana
// refused the token, but names a wrong owner. This request must fail.
func (l leaks) token(c map[string]any) {
	token := l.do(call("POST", at(c, "/token"), "")).want(200).json()["access_token"].(string)
	l.hunt.Secret("an access token", token)
	l.hunt.Secret("an access token's hash", hashOf(token))
	l.clean(l.do(call("POST", at(c, "/token?owner=marker-other"), object("refused", hashOf(token))))).problem(404, "not-found")
}

func (l leaks) sendInvalid(c map[string]any) {
	for _, test := range []struct {
		r      request
		status int
		kind   string
	}{
		{call("POST", at(c, "/token?owner=marker-owner"), `{"marker-secret":1}`), 400, "invalid-request"},
		{call("GET", "/connections/marker-secret?owner=marker-owner", ""), 404, "not-found"},
		{call("GET", at(c, "/marker-secret"), ""), 404, "not-found"},
		{call("GET", "/connections?owner=marker-owner&cursor=marker-secret", ""), 400, "invalid-request"},
		{call("GET", at(c, "/membership?workspace=marker-secret"), ""), 400, "invalid-request"},
		{call("PATCH", at(c), object("reader_of", []string{"marker-secret"})), 400, "invalid-request"},
		{call("GET", at(c, "/capabilities?owner=marker-other"), ""), 404, "not-found"},
		{call("GET", at(c, "/membership?owner=marker-other"), ""), 404, "not-found"},
		{call("GET", at(c, "?owner=marker-other"), ""), 404, "not-found"},
	} {
		l.clean(l.do(test.r)).problem(test.status, test.kind)
	}
}

func (l leaks) disconnect(c map[string]any) {
	for _, below := range []string{"/capabilities", "/membership"} {
		if a := l.do(call("GET", at(c, below), "")).want(200); a.body == "" {
			l.t.Errorf("%s has no body", below)
		}
	}
	l.clean(l.do(call("DELETE", at(c, "?owner=marker-owner"), ""))).want(200)
	l.clean(l.do(call("DELETE", "/connections?owner=marker-owner", ""))).want(202)
	time.Sleep(time.Minute)
	l.hunt.Note()
}
