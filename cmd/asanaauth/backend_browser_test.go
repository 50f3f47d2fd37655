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

func TestBrowserLink(t *testing.T) {
	c := openIfAsked(t)
	p := start(t, t.TempDir(), nil)
	s := newBackend(p, bearer(p.backendKey()))
	link := s.link("owner", "acme", "person", "sam")
	c.do(chromedp.Navigate(link))
	c.wait(atConsent)
	c.screenshot("link-1-consent")
	c.decide(asanatest.Several, "deny")
	c.wait(`document.body.dataset.ready`)
	c.waitForMessage("Asana did not give access, so nothing was connected. To connect, try again and press Allow.")

	c.do(chromedp.Navigate(link)) // the link is still valid, because no sign-in has succeeded
	c.decide(asanatest.Several, "allow")
	c.wait(signedOut)
	c.waitForMessage("connect code")
	query := mustParse(t, c.value(`location.href`)).Query()
	code := query.Get("connect_code")
	if code == "" || strings.Contains(c.value(`document.documentElement.outerHTML`), code) {
		t.Errorf("got query %v, want a connect code that the page does not show", query)
	}
	c.wait(fmt.Sprintf(`%s.includes("backend → asanaauth")`, text("steps")))
	c.screenshot("link-2-back")
	if got := c.value(text("backend")); !strings.Contains(got, p.publicURL+"/links") || strings.Contains(got, p.backendKey()) {
		t.Errorf("got backend section %s, want the URL of /links and no key", got)
	}
	s.wantProblem(400, "link-expired", "POST", "/connections", object("connect_code", code+"x", "owner", "acme", "person", "sam"))
	var made connection
	s.get(http.StatusCreated, &made, "POST", "/connections", object("connect_code", code, "owner", "acme", "person", "sam"))
	if made.user() != asanatest.Several {
		t.Errorf("got Asana user %s, want %s", made.user(), asanatest.Several)
	}
	s.token(made, "")
	c.do(chromedp.Navigate(link)) // the link is no longer valid, because its connect code was redeemed
	c.wait(`document.querySelector("main")?.innerText.length > 0`)
	if got := c.value(`document.querySelector("main").innerText`); !strings.Contains(got, "link") {
		t.Errorf("used link: got page %s, want an error about the link", got)
	}
	c.screenshot("link-3-spent")
	c.wantNoMessages()
}

// TestBrowserIsNoBackend checks that a page of another site gets no response from the
// backend routes, even if the page knows the backend key.
func TestBrowserIsNoBackend(t *testing.T) {
	c := openIfAsked(t)
	p := start(t, t.TempDir(), nil)
	s := newBackend(p, bearer(p.backendKey()))
	evil := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, "<!doctype html><main>a page of another site</main>")
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
			t.Errorf("a page of another site got %q from %s, want no response", got, request)
		}
	}
	if strings.Contains(s.p.logged.String(), `"route":"/links","status":201`) {
		t.Error("a page of another site created a link")
	}
}
