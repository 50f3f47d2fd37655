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

func text(id string) string { return fmt.Sprintf(`document.getElementById(%q).innerText`, id) }

// decide decides on the consent page.
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
		t.Errorf("the address is %q, want it without a query", at)
	}
	if got := c.value(text("name")); got != "Sam Several" {
		t.Errorf("the page names %q", got)
	}
	for _, want := range []string{"Acme", "may only look", "Globex", "can write"} {
		if got := c.value(text("workspaces")); !strings.Contains(got, want) {
			t.Errorf("the workspaces do not say %q: %s", want, got)
		}
	}
	c.wait(`/^(60:00|59:\d\d)$/.test(` + text("left") + `)`)
	for _, want := range []string{"POST /-/oauth_token (authorization_code)", "client_secret, code, code_verifier, grant_type", "GET /callback"} {
		if got := c.value(text("steps")); !strings.Contains(got, want) {
			t.Errorf("the trace does not have %q", want)
		}
	}
	if got := c.value(text("kept")); !strings.Contains(got, "connection (hot)") || !strings.Contains(got, "refresh") {
		t.Errorf("what is kept: %s", got)
	}
	c.look("3-signed-in")
	token := c.value(`fetch("/refresh", {method: "POST", headers: {"Content-Type": "application/json"}}).then(r => r.json()).then(t => t.access_token)`)
	if token == "" || strings.Contains(c.value(`document.documentElement.outerHTML`), token) {
		t.Error("the page shows the token")
	}

	c.click("#ask")
	c.said("It is the same token")
	c.click("#refresh")
	c.said("Asana gave a new token.")
	c.click("#refresh")
	c.said("Please try again in")
	c.look("4-refreshed")

	c.click("#sign-out")
	c.said("You are signed out here.")
	c.wait(signedOut)
	c.click("#sign-in") // and nobody is asked, since Asana knows
	c.wait(signedIn)
	c.said("Connected.")
	c.click("#disconnect")
	c.said("Disconnected, and revoked at Asana.")
	c.wait(signedOut)
	c.look("5-disconnected")
	c.click("#sign-in") // now it asks again
	c.decide(asanatest.Several, "deny")
	c.said("You said no at Asana.")
	c.wait(signedOut)
	c.look("6-denied")
	c.wantNoComplaints()
}

// TestBrowserSwitches makes Asana misbehave, with the page's own controls.
func TestBrowserSwitches(t *testing.T) {
	c := openIfAsked(t)
	p := start(t, t.TempDir(), nil)
	b := newBrowser(t)
	wantSwitch := func(want string) {
		t.Helper()
		c.said("Offline Asana is set.")
		c.wait(`!document.querySelector("[aria-busy]")`)
		if got := b.ask("GET", p.asanaURL+"/_offline/switches", "").body; !strings.Contains(got, want) {
			t.Errorf("the switches do not have %s: %s", want, got)
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
	b.setSwitches(p, `{"access_token_seconds":1,"delay_ms":0}`) // each asking is a refresh
	c.click("#sign-in")
	c.decide(member, "allow")
	c.wait(signedIn)

	c.click("#expire")
	c.said("Asana refuses every access token")
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
	p.kill() // about which Chromium complains
	c.click("#ask")
	c.said("asanaauth local does not answer.")
}

// ask asks for a token until the page says something: the old one has a second
// to live.
func (c *chromium) ask(want string) {
	c.t.Helper()
	c.wait(fmt.Sprintf(`(document.querySelector("[aria-busy]") || document.getElementById("ask").click(), document.getElementById("said").textContent.includes(%q))`, want))
}

// TestBrowserKeyboard never touches the mouse.
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
		t.Errorf("the page names %q, want the second person", got)
	}
	c.tabTo("#refresh")
	c.press(kb.Enter)
	c.said("Asana gave a new token.")
	if got := c.value(`document.activeElement.id`); got != "refresh" {
		t.Errorf("the focus went to %q", got)
	}
	c.tabTo("[name=rotate_refresh_tokens]")
	c.press(" ")
	c.said("Offline Asana is set.")
	c.wait(`document.activeElement.name === "rotate_refresh_tokens"`)
	c.value(`document.querySelector(".skip").focus(), ""`)
	c.tabTo("#sign-out")
	c.press(kb.Enter)
	c.said("You are signed out here.")
	c.wait(`document.activeElement.id === "sign-in"`)
	c.press(kb.Enter)
	c.wait(signedIn)
	c.tabTo("#disconnect")
	c.press(" ")
	c.said("Disconnected, and revoked at Asana.")
	c.wait(`document.activeElement.id === "sign-in"`)
	c.wantNoComplaints()
}

// TestBrowserFragment lets Asana answer behind the #, and with a token that may
// not ask for licences.
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
		t.Errorf("the address is %q, want it without a fragment", at)
	}
	if got := c.value(text("steps")); !strings.Contains(got, "POST /callback") {
		t.Error("the fragment was not posted back")
	}
	for _, want := range []string{"may write or not: unknown", "only to tokens with full permissions"} {
		if got := c.value(text("workspaces")); !strings.Contains(got, want) {
			t.Errorf("the workspaces do not say %q: %s", want, got)
		}
	}
	c.look("9-unknown-licence")
	c.click("#disconnect")
	c.said("Disconnected")
	c.click("#sign-in")
	c.decide(asanatest.ViewOnly, "deny")
	c.said("You said no at Asana.")
	c.wantNoComplaints()
}

// TestBrowserLooks sees the page in the dark, on a phone, and by people who do
// not like things to move.
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
		t.Errorf("in the dark the page is %s", got)
	}
	c.media("prefers-reduced-motion", "reduce")
	if got := c.value(`getComputedStyle(document.getElementById("ask")).transitionDuration`); got != "0s" {
		t.Errorf("things still move: %s", got)
	}
	c.media("prefers-color-scheme", "light")
	for _, width := range []int64{320, 390, 768} {
		c.do(chromedp.EmulateViewport(width, 800))
		for _, id := range []string{"main", "step-licence", "play", "trace-title", "kept"} {
			c.value(fmt.Sprintf(`document.getElementById(%q).scrollIntoView({behavior: "instant"}), ""`, id))
			c.glance(fmt.Sprintf("narrow-%d-%s", width, id))
		}
		if got := c.value(`String(document.documentElement.scrollWidth)`); got != fmt.Sprint(width) {
			t.Errorf("at %d pixels the page is %s wide", width, got)
		}
	}
	c.wantNoComplaints()
}
