package httpapi_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

// TestBackendsLeakNothing goes every way in, and makes every mistake, with secrets
// that it knows, and looks for them where they have no business.
func TestBackendsLeakNothing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newSite(t)
		secrets := map[string]string{"client secret": "marker-client-secret", "kept aside": "marker-secret"}
		names := map[string]string{"owner": "marker-owner", "person": "marker-person", "name": "Mia Member", "e-mail": "mia@acme.example"}
		var answers []answer
		clean := func(a answer) answer { answers = append(answers, a); return a }

		link := s.link("owner", "marker-owner", "person", "marker-person")
		_, secrets["link"], _ = strings.Cut(link, "link=")
		b := s.browser()
		code := b.follow(link, asanatest.Member).Get("connect_code")
		secrets["connect code"] = code
		redeem := func(owner string) answer {
			return s.do(call("POST", "/connections", object("connect_code", code, "owner", owner, "person", "marker-person")))
		}
		s.fail("write")
		clean(redeem("marker-owner")).problem(503, "try-again")
		s.table.Hook = nil
		c := redeem("marker-owner").want(201).json()
		clean(redeem("marker-owner")).problem(400, "link-expired")
		clean(b.do(get(link))).page(400)

		secrets["personal access token"], _ = s.longLived(asanatest.Bot)
		secrets["service account's token"], _ = s.longLived(asanatest.ServiceAccount)
		secrets["grant"] = s.grant(asanatest.Admin)
		importing := map[string]string{
			"personal access token": object("token", secrets["personal access token"], "owner", "marker-owner", "kind", "personal_access_token"),
			"service account":       object("token", secrets["service account's token"], "owner", "marker-owner", "kind", "service_account"),
			"grant":                 object("refresh_token", secrets["grant"], "owner", "marker-owner"),
		}
		for _, body := range importing {
			s.wire.fail = fmt.Errorf("Post %q: marker-secret", asanaURL)
			clean(s.do(call("POST", "/connections", body))).problem(502, "asana-unavailable")
			s.wire.fail = nil
			clean(s.do(call("POST", "/connections", body[:len(body)-1]))).problem(400, "invalid-request")
			clean(s.do(call("POST", "/connections", body, "Content-Type", "text/plain"))).problem(415, "unsupported-media-type")
			s.do(call("POST", "/connections", body)).want(201)
		}
		clean(s.do(call("POST", "/connections", object("token", "marker-secret", "owner", "marker-owner", "kind", "service_account")))).problem(422, "token-rejected")
		clean(s.do(call("POST", "/connections", object("refresh_token", "marker-secret", "owner", "marker-owner")))).problem(422, "token-rejected")

		signedIn := s.browser().signIn(asanatest.Several)
		secrets["session code"] = signedIn.sessionCode()
		bySession := object("session_code", secrets["session code"])
		s.do(call("POST", "/connections", bySession)).want(200)
		clean(s.do(call("POST", "/connections", bySession))).problem(400, "link-expired")

		secrets["access token"] = s.do(call("POST", at(c, "/token"), "")).want(200).json()["access_token"].(string)
		secrets["its hash"] = hashOf(secrets["access token"])
		clean(s.do(call("POST", at(c, "/token?owner=marker-other"), object("refused", secrets["its hash"])))).problem(404, "not-found")
		clean(s.do(call("POST", at(c, "/token?owner=marker-owner"), `{"marker-secret":1}`))).problem(400, "invalid-request")
		clean(s.do(call("GET", "/connections/marker-secret?owner=marker-owner", ""))).problem(404, "not-found")
		clean(s.do(call("GET", at(c, "/marker-secret"), ""))).problem(404, "not-found")
		clean(s.do(call("GET", "/connections?owner=marker-owner&cursor=marker-secret", ""))).problem(400, "invalid-request")
		clean(s.do(call("GET", at(c, "/membership?workspace=marker-secret"), ""))).problem(400, "invalid-request")
		clean(s.do(call("PATCH", at(c), object("reader_of", []string{"marker-secret"})))).problem(400, "invalid-request")
		for _, below := range []string{"/capabilities", "/membership", ""} {
			clean(s.do(call("GET", at(c, below, "?owner=marker-other"), ""))).problem(404, "not-found")
		}
		for _, r := range []request{call("GET", at(c, "/capabilities"), ""), call("GET", at(c, "/membership"), "")} {
			if a := s.do(r).want(200); a.body == "" {
				t.Error("nothing was answered")
			}
		}
		rows := dump(t, s.rows)
		clean(s.do(call("DELETE", at(c, "?owner=marker-owner"), ""))).want(200)
		clean(s.do(call("DELETE", "/connections?owner=marker-owner", ""))).want(202)
		time.Sleep(time.Minute)
		rows += dump(t, s.rows)

		for _, want := range []string{"token_released", "imported", "connected", "revoked"} {
			if !strings.Contains(s.log.String(), `"audit":"`+want+`"`) {
				t.Errorf("nothing was %s: there is nothing to look through", want)
			}
		}
		hunt(t, "the log", s.log.String(), secrets, names)
		hunt(t, "the rows", rows, secrets, names)
		for i, a := range answers {
			hunt(t, fmt.Sprint("answer ", i, " ", a.status), fmt.Sprint(a.header, a.body), secrets, names)
		}
	})
}
