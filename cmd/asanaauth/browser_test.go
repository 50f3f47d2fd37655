package main_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

const (
	atConsent = `document.querySelector("button[value=allow]")`
	ready     = `document.body?.dataset.ready === "true"`
	signedIn  = ready + ` && document.body.classList.contains("signed-in")`
	signedOut = ready + ` && !document.body.classList.contains("signed-in")`
)

// text returns a JavaScript expression for the text of an element.
func text(id string) string { return fmt.Sprintf(`document.getElementById(%q).innerText`, id) }

// decide selects a person on the consent page and allows or denies access.
func (c *chromium) decide(person, decision string) {
	c.t.Helper()
	c.wait(atConsent)
	c.click(`input[value="` + person + `"]`)
	c.click(`button[value=` + decision + `]`)
}

func TestBrowserTrip(t *testing.T) {
	p := start(t, t.TempDir(), nil)
	c := open(t)
	c.do(chromedp.Navigate(p.publicURL + "/"))
	c.wait(signedOut)
	c.look("1-signed-out")

	c.click("#sign-in")
	c.wait(atConsent)
	c.look("2-consent")
	c.decide(asanatest.Several, "allow")
	c.wait(signedIn)
	c.said("Connected.")
	if at := c.value(`location.href`); at != p.publicURL+"/" {
		t.Errorf("got address %q, want it without a query", at)
	}
	if got := c.value(text("name")); got != "Sam Several" {
		t.Errorf("got name %q, want Sam Several", got)
	}
	for _, want := range []string{"Acme", "can only view", "Globex", "can write"} {
		if got := c.value(text("workspaces")); !strings.Contains(got, want) {
			t.Errorf("got workspaces %s, want %q", got, want)
		}
	}
	c.wait(`/^(60:00|59:\d\d)$/.test(` + text("left") + `)`)
	for _, want := range []string{"POST /-/oauth_token (authorization_code)", "client_secret, code, code_verifier, grant_type", "GET /callback"} {
		if got := c.value(text("steps")); !strings.Contains(got, want) {
			t.Errorf("the trace does not contain %q: %s", want, got)
		}
	}
	if got := c.value(text("kept")); !strings.Contains(got, "connection (hot)") || !strings.Contains(got, "refresh") {
		t.Errorf("got stored rows %s, want a hot row with a refresh token", got)
	}
	c.look("3-signed-in")
	token := c.value(`fetch("/refresh", {method: "POST", headers: {"Content-Type": "application/json"}}).then(r => r.json()).then(t => t.access_token)`)
	if token == "" || strings.Contains(c.value(`document.documentElement.outerHTML`), token) {
		t.Error("the page shows the token")
	}

	c.click("#ask")
	c.said("You got the same token.")
	c.click("#refresh")
	c.said("Asana issued a new token.")
	c.click("#refresh")
	c.said("Please try again in")
	c.look("4-refreshed")

	c.click("#sign-out")
	c.said("You are signed out.")
	c.wait(signedOut)
	c.click("#sign-in") // Asana does not ask again
	c.wait(signedIn)
	c.said("Connected.")
	c.click("#disconnect")
	c.said("Disconnected, and revoked at Asana.")
	c.wait(signedOut)
	c.look("5-disconnected")
	c.click("#sign-in") // Asana asks again
	c.decide(asanatest.Several, "deny")
	c.said("You denied access at Asana")
	c.wait(signedOut)
	c.look("6-denied")
	c.wantNoComplaints()
}

// TestBrowserSwitches uses the switches of the page and checks how the page reacts.
func TestBrowserSwitches(t *testing.T) {
	c := openIfAsked(t)
	p := start(t, t.TempDir(), nil)
	b := newBrowser(t)
	wantSwitch := func(want string) {
		t.Helper()
		c.said("The switch is set.")
		c.wait(`!document.querySelector("[aria-busy]")`)
		if got := b.ask("GET", p.asanaURL+"/_offline/switches", "").body; !strings.Contains(got, want) {
			t.Errorf("got switches %s, want %s", got, want)
		}
	}
	c.do(chromedp.Navigate(p.publicURL + "/"))
	c.wait(signedOut)
	c.choose("#life", "20")
	wantSwitch(`"access_token_seconds":20`)
	c.choose("#delay", "1000")
	wantSwitch(`"delay_ms":1000`)
	c.click(`[name=rotate_refresh_tokens]`)
	wantSwitch(`"rotate_refresh_tokens":true`)
	b.setSwitches(p, `{"access_token_seconds":1,"delay_ms":0}`) // every token request is a refresh
	c.click("#sign-in")
	c.decide(member, "allow")
	c.wait(signedIn)

	c.click("#expire")
	c.said("Asana now rejects all access tokens")
	c.click(`[name=refuse_refresh]`)
	wantSwitch(`"refuse_refresh":true`)
	c.ask("Please connect again.")
	c.wait(`!document.getElementById("broken").hidden && ` + text("status") + ` === "broken"`)
	c.look("7-broken")

	c.click(`[name=refuse_refresh]`)
	wantSwitch(`"refuse_refresh":false`)
	c.click("#broken a")
	c.wait(signedIn + ` && ` + text("status") + ` === "active"`)
	c.click(`[name=down]`)
	wantSwitch(`"down":true`)
	c.ask("Asana failed, took too long")
	c.look("8-down")
	c.wantNoComplaints()
	p.kill() // Chromium then logs errors
	c.click("#ask")
	c.said("asanaauth local does not respond.")
}

// ask requests tokens until the page shows a message that contains want. The current token
// stays valid for up to a second.
func (c *chromium) ask(want string) {
	c.t.Helper()
	c.wait(fmt.Sprintf(`(document.querySelector("[aria-busy]") || document.getElementById("ask").click(), document.getElementById("said").textContent.includes(%q))`, want))
}

// TestBrowserKeyboard uses the page only with the keyboard.
func TestBrowserKeyboard(t *testing.T) {
	c := openIfAsked(t)
	p := start(t, t.TempDir(), nil)
	c.do(chromedp.Navigate(p.publicURL + "/"))
	c.wait(signedOut)
	c.tabTo(".skip")
	c.tabTo("#sign-in")
	c.press(kb.Enter)
	c.wait(atConsent)
	c.tabTo("input[type=radio]")
	c.press(kb.ArrowDown)
	c.tabTo("button[value=allow]")
	c.press(kb.Enter)
	c.wait(signedIn)
	if got := c.value(text("name")); got != "Gus Guest" {
		t.Errorf("got name %q, want the second person", got)
	}
	c.tabTo("#refresh")
	c.press(kb.Enter)
	c.said("Asana issued a new token.")
	if got := c.value(`document.activeElement.id`); got != "refresh" {
		t.Errorf("got focus on %q, want refresh", got)
	}
	c.tabTo("[name=rotate_refresh_tokens]")
	c.press(" ")
	c.said("The switch is set.")
	c.wait(`document.activeElement.name === "rotate_refresh_tokens"`)
	c.value(`document.querySelector(".skip").focus(), ""`)
	c.tabTo("#sign-out")
	c.press(kb.Enter)
	c.said("You are signed out.")
	c.wait(`document.activeElement.id === "sign-in"`)
	c.press(kb.Enter)
	c.wait(signedIn)
	c.tabTo("#disconnect")
	c.press(" ")
	c.said("Disconnected, and revoked at Asana.")
	c.wait(`document.activeElement.id === "sign-in"`)
	c.wantNoComplaints()
}

// TestBrowserFragment uses the response type "code id_token", for which Asana responds in
// the fragment. Its scopes do not allow the token to read licences.
func TestBrowserFragment(t *testing.T) {
	c := openIfAsked(t)
	p := start(t, t.TempDir(), []string{"ASANA_RESPONSE_TYPE=code id_token", "ASANA_SCOPES=openid email profile users:read workspaces:read"})
	c.do(chromedp.Navigate(p.publicURL + "/"))
	c.wait(signedOut)
	c.click("#sign-in")
	c.decide(asanatest.ViewOnly, "allow")
	c.wait(signedIn)
	c.said("Connected.")
	if at := c.value(`location.href`); at != p.publicURL+"/" {
		t.Errorf("got address %q, want it without a fragment", at)
	}
	if got := c.value(text("steps")); !strings.Contains(got, "POST /callback") {
		t.Errorf("got steps %s, want a POST /callback with the fragment", got)
	}
	for _, want := range []string{"unknown whether it can write", "only to tokens with full permissions"} {
		if got := c.value(text("workspaces")); !strings.Contains(got, want) {
			t.Errorf("got workspaces %s, want %q", got, want)
		}
	}
	c.look("9-unknown-licence")
	c.click("#disconnect")
	c.said("Disconnected")
	c.click("#sign-in")
	c.decide(asanatest.ViewOnly, "deny")
	c.said("You denied access at Asana")
	c.wantNoComplaints()
}

// TestBrowserLooks checks the page in dark mode, with reduced motion and on narrow screens.
func TestBrowserLooks(t *testing.T) {
	c := openIfAsked(t)
	p := start(t, t.TempDir(), nil)
	c.media("prefers-color-scheme", "dark")
	c.do(chromedp.Navigate(p.publicURL + "/"))
	c.wait(signedOut)
	c.look("dark-1-signed-out")
	c.click("#sign-in")
	c.wait(atConsent)
	c.look("dark-2-consent")
	c.decide(asanatest.Several, "allow")
	c.wait(signedIn)
	c.look("dark-3-signed-in")
	if got := c.value(`getComputedStyle(document.body).backgroundColor`); got == "rgb(245, 246, 248)" {
		t.Errorf("got background color %s in dark mode, want a dark one", got)
	}
	c.media("prefers-reduced-motion", "reduce")
	if got := c.value(`getComputedStyle(document.getElementById("ask")).transitionDuration`); got != "0s" {
		t.Errorf("got transition duration %s with reduced motion, want 0s", got)
	}
	c.media("prefers-color-scheme", "light")
	for _, width := range []int64{320, 390, 768} {
		c.do(chromedp.EmulateViewport(width, 800))
		for _, id := range []string{"main", "step-licence", "play", "trace-title", "kept"} {
			c.value(fmt.Sprintf(`document.getElementById(%q).scrollIntoView({behavior: "instant"}), ""`, id))
			c.glance(fmt.Sprintf("narrow-%d-%s", width, id))
		}
		if got := c.value(`String(document.documentElement.scrollWidth)`); got != fmt.Sprint(width) {
			t.Errorf("at %d pixels: got page width %s, want the same", width, got)
		}
	}
	c.wantNoComplaints()
}
