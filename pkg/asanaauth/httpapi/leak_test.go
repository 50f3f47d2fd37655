package httpapi_test

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

// TestNothingLeaks makes a trip, and some mistakes, with secrets that it knows,
// and looks for them wherever they have no business.
func TestNothingLeaks(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newSite(t, withIDToken).browser()
		secrets := map[string]string{"client secret": "marker-client-secret"}
		people := map[string]string{"name": "Mia Member", "e-mail": "mia@acme.example", "picture": "photos.example"}
		queries := map[string]string{"app_state": "marker-app-state", "parameter": "marker-parameter", "body": "marker-body", "header": "marker-header"}
		var answers []answer // those that have to be clean
		clean := func(a answer) answer { answers = append(answers, a); return a }

		consent := b.begin("?app_state=marker-app-state&utm=marker-parameter")
		u, err := url.Parse(consent)
		must(t, err)
		secrets["state"] = u.Query().Get("state")
		for _, name := range b.names("__Host-asana_attempt_") {
			secrets["browser's secret"] = b.jar[name]
		}
		_, fragment, _ := strings.Cut(b.allow(consent, asanatest.Member), "#")
		form, err := url.ParseQuery(fragment)
		must(t, err)
		secrets["code"], secrets["fragment's ID token"] = form.Get("code"), form.Get("id_token")
		clean(b.site.do(post(fragment))).page(400) // another browser
		clean(b.site.do(post(fragment + "&state=marker-parameter"))).page(400)
		b.fail("read")
		clean(b.do(post(fragment))).page(503)
		b.table.Hook = nil
		b.do(post(fragment)).want(303)
		clean(b.do(post(fragment))).page(400)
		_, secrets["session's secret"], _ = strings.Cut(b.jar[sessionCookie], ".")

		b.do(get("/session?marker-parameter", "Origin", appOrigin, "X-Marker", "marker-header")).want(200)
		b.refresh("").want(200)
		time.Sleep(time.Hour)
		b.refresh("").want(200)
		rows := dump(t, b.rows)
		clean(b.do(get("/membership?x=marker-parameter", "Sec-Fetch-Site", "same-origin"))).want(200)
		clean(b.refresh(`{"marker-body":1}`)).want(400)
		clean(b.refresh(`{"refused":"marker-body"}`)).want(400)
		clean(b.do(get("/marker-parameter"))).want(404)
		clean(b.do(get("/membership?workspace=marker-parameter", "Origin", appOrigin))).want(400)
		clean(b.do(get("/session", "Origin", "https://marker-header.example"))).want(403)
		time.Sleep(time.Hour)
		b.wire.fail = fmt.Errorf("Post %q: marker-parameter", asanaURL+"/-/oauth_token?marker-parameter")
		clean(b.refresh("")).want(502)
		b.wire.fail = nil
		time.Sleep(time.Minute)
		clean(b.do(change("POST", "/disconnect", "", "X-Marker", "marker-header"))).want(200)
		rows += dump(t, b.rows)
		if !strings.Contains(rows, asanatest.Member) || !strings.Contains(b.log.String(), "token_released") {
			t.Fatal("there is nothing to look through")
		}

		for i, body := range b.wire.answers {
			var tokens struct {
				Access  string `json:"access_token"`
				Refresh string `json:"refresh_token"`
				ID      string `json:"id_token"`
			}
			if json.Unmarshal([]byte(body), &tokens) != nil {
				continue
			}
			for name, value := range map[string]string{"access token": tokens.Access, "refresh token": tokens.Refresh, "ID token": tokens.ID} {
				if value != "" {
					secrets[fmt.Sprint(name, i)] = value
				}
			}
		}
		if len(secrets) < 9 {
			t.Fatalf("only %d secrets known", len(secrets))
		}
		hunt(t, "the log", b.log.String(), secrets, people, queries)
		hunt(t, "the rows", rows, secrets, people, nil)
		for i, a := range answers {
			// What ends a cookie names it; nobody's value is in it.
			hunt(t, fmt.Sprint("answer ", i, " ", a.status), fmt.Sprint(a.header, a.body), secrets, nil, queries)
		}
	})
}

func hunt(t *testing.T, where, text string, markers ...map[string]string) {
	t.Helper()
	for _, m := range markers {
		for name, value := range m {
			if value == "" {
				t.Errorf("no %s to look for", name)
			}
			for _, form := range []string{value, url.QueryEscape(value), hex.EncodeToString([]byte(value))} {
				if strings.Contains(text, form) {
					t.Errorf("%s: %s is in it", where, name)
				}
			}
		}
	}
}

// dump is what somebody sees who reads the table, bytes as they are.
func dump(t *testing.T, m *store.Memory) string {
	t.Helper()
	var b strings.Builder
	rows, next, err := m.Scan(t.Context(), "")
	must(t, err)
	if next != "" {
		t.Fatal("there are more rows")
	}
	for _, row := range rows {
		for name, value := range store.Encode(row) {
			if raw, ok := value.([]byte); ok {
				value = string(raw) + " " + base64.StdEncoding.EncodeToString(raw)
			}
			fmt.Fprintln(&b, name, value)
		}
	}
	return b.String()
}
