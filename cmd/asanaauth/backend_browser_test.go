package main_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

// TestBrowserLink takes a link in Chromium: the consent page, the way back, and
// the app's return URL, which here is the page's own.
func TestBrowserLink(t *testing.T) {
	c := openIfAsked(t)
	p := start(t, t.TempDir(), nil)
	s := newBackend(p, bearer(p.backendKey()))
	link := s.link("owner", "acme", "person", "sam")
	c.do(chromedp.Navigate(link))
	c.wait(atConsent)
	c.look("link-1-consent")
	c.decide(asanatest.Several, "deny")
	c.wait(`document.body.dataset.ready`)
	c.said("You said no at Asana.")

	c.do(chromedp.Navigate(link)) // still good
	c.decide(asanatest.Several, "allow")
	c.wait(signedOut)
	c.said("connect code")
	query := mustParse(t, c.value(`location.href`)).Query()
	code := query.Get("connect_code")
	if code == "" || strings.Contains(c.value(`document.documentElement.outerHTML`), code) {
		t.Errorf("came back with %v", query)
	}
	c.wait(fmt.Sprintf(`%s.includes("backend → asanaauth")`, text("steps")))
	c.look("link-2-back")
	if got := c.value(text("backend")); !strings.Contains(got, p.publicURL+"/links") || strings.Contains(got, p.backendKey()) {
		t.Errorf("for a backend the page says %s", got)
	}
	s.refused(400, "link-expired", "POST", "/connections", object("connect_code", code+"x", "owner", "acme", "person", "sam"))
	var made connection
	s.get(http.StatusCreated, &made, "POST", "/connections", object("connect_code", code, "owner", "acme", "person", "sam"))
	if made.user() != asanatest.Several {
		t.Errorf("connected as %s", made.user())
	}
	s.token(made, "")
	c.do(chromedp.Navigate(link)) // and now it is spent
	c.wait(`document.querySelector("main")?.innerText.length > 0`)
	if got := c.value(`document.querySelector("main").innerText`); !strings.Contains(got, "link") {
		t.Errorf("a spent link shows %s", got)
	}
	c.look("link-3-spent")
	c.wantNoComplaints()
}

// TestBrowserIsNoBackend opens a page of another site that knows the key, and
// tries all that a page can.
func TestBrowserIsNoBackend(t *testing.T) {
	c := openIfAsked(t)
	p := start(t, t.TempDir(), nil)
	s := newBackend(p, bearer(p.backendKey()))
	evil := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, "<!doctype html><main>a page of somebody else</main>")
	}))
	defer evil.Close()
	c.do(chromedp.Navigate(evil.URL))
	for _, request := range []string{
		`"/connections?owner=acme", {headers: {Authorization: "Bearer KEY"}}`,
		`"/connections?owner=acme", {mode: "no-cors", headers: {Authorization: "Bearer KEY"}}`,
		`"/links", {method: "POST", headers: {Authorization: "Bearer KEY", "Content-Type": "application/json"}, body: "{\"owner\":\"acme\"}"}`,
		`"/links", {method: "POST", credentials: "include", body: "{\"owner\":\"acme\"}"}`,
		`"/connections?owner=acme", {method: "DELETE", headers: {Authorization: "Bearer KEY"}}`,
	} {
		request = strings.ReplaceAll(strings.Replace(request, `"/`, `"`+p.publicURL+`/`, 1), "KEY", p.backendKey())
		if got := c.value(`fetch(` + request + `).then(r => r.text(), () => "refused")`); got != "refused" && got != "" {
			t.Errorf("a page of another site read %q by %s", got, request)
		}
	}
	if strings.Contains(s.p.logged.String(), `"route":"/links","status":201`) {
		t.Error("a page of another site made a link")
	}
}
