package main_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
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

// text returns a JavaScript expression for the text of the element with the given id.
func text(id string) string { return fmt.Sprintf(`document.getElementById(%q).innerText`, id) }

func (c *chromium) decide(person, decision string) {
	c.t.Helper()
	c.wait(atConsent)
	c.click(`input[value="` + person + `"]`)
	c.click(`button[value=` + decision + `]`)
}

// TestBrowserWithManyCookies signs in while other programs on localhost have set as many
// cookies as the browser stores.
func TestBrowserWithManyCookies(t *testing.T) {
	p := start(t, t.TempDir(), nil)
	c := open(t)
	c.do(chromedp.Navigate(p.publicURL + "/"))
	c.wait(signedOut)
	const bytes = `(() => { for (let i = 0; i < 179; i++) document.cookie = "other" + i + "=" + "x".repeat(4000); return String(document.cookie.length) })()`
	if n, err := strconv.Atoi(c.value(bytes)); err != nil || n < 500_000 {
		t.Fatalf("the browser stored %d bytes of cookies (%v), want more than 500000", n, err)
	}
	c.click("#sign-in")
	c.decide(asanatest.Member, "allow")
	c.wait(signedIn)
	if got := c.value(text("name")); got != "Mia Member" {
		t.Errorf("got name %q, want Mia Member", got)
	}
}

func TestBrowserSignIn(t *testing.T) {
	p := start(t, t.TempDir(), nil)
	c := open(t)
	c.do(chromedp.Navigate(p.publicURL + "/"))
	c.wait(signedOut)
	c.screenshot("1-signed-out")

	c.click("#sign-in")
	c.wait(atConsent)
	c.screenshot("2-consent")
	c.decide(asanatest.Several, "allow")
	c.wait(signedIn)
	c.waitForMessage("Connected.")
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
	c.screenshot("3-signed-in")
	token := c.value(`fetch("/refresh", {method: "POST", headers: {"Content-Type": "application/json"}}).then(r => r.json()).then(t => t.access_token)`)
	if token == "" || strings.Contains(c.value(`document.documentElement.outerHTML`), token) {
		t.Error("the page shows the token")
	}

	c.click("#ask")
	c.waitForMessage("You got the same token.")
	c.click("#refresh")
	c.waitForMessage("Asana issued a new token.")
	c.click("#refresh")
	c.waitForMessage("You got the same token. It is less than 30 seconds old")
	c.screenshot("4-refreshed")

	c.click("#sign-out")
	c.waitForMessage("You are signed out.")
	c.wait(signedOut)
	c.click("#sign-in") // no consent page, because the person has already given access
	c.wait(signedIn)
	c.waitForMessage("Connected.")
	c.click("#disconnect")
	c.waitForMessage("Disconnected, and revoked at Asana.")
	c.wait(signedOut)
	c.screenshot("5-disconnected")
	c.click("#sign-in") // a consent page, because the access was revoked
	c.decide(asanatest.Several, "deny")
	c.waitForMessage("Asana did not give access, so nothing was connected. To connect, try again and press Allow.")
	c.wait(signedOut)
	c.screenshot("6-denied")
	c.wantNoMessages()
}

// A page of another site must not sign anyone in, even if Asana shows no consent page.
// After one click, a visitor from that page can sign in. The page is on 127.0.0.1, which
// is another site than localhost.
func TestBrowserForeignNavigation(t *testing.T) {
	c := openIfAsked(t)
	p := start(t, t.TempDir(), nil)
	to := p.publicURL + "/authorize?app_state=a&utm=%zz"
	foreign := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		switch r.URL.Path {
		case "/script":
			fmt.Fprintf(w, `<script>location = %q</script>`, to)
		case "/refresh":
			fmt.Fprintf(w, `<meta http-equiv="refresh" content="0;url=%s">`, to)
		case "/form":
			fmt.Fprintf(w, `<form action="%s"><input name="app_state" value="a"></form><script>document.forms[0].submit()</script>`, p.publicURL+"/authorize")
		case "/link":
			fmt.Fprintf(w, `<a href="%s" rel="noreferrer">mail</a>`, to)
		case "/frame":
			fmt.Fprintf(w, `<iframe src="%s"></iframe><img src="%s"><script>onload = () => document.title = "loaded"</script>`, to, to)
		}
	}))
	defer foreign.Close()
	b := newBrowser(t)
	attempts := func() int {
		t.Helper()
		var trace struct {
			Kept []struct {
				Kind string
				Rows int
			}
		}
		if err := json.Unmarshal([]byte(b.mustSend("GET", p.publicURL+"/local/trip", "").body), &trace); err != nil {
			t.Fatal(err)
		}
		for _, k := range trace.Kept {
			if k.Kind == "attempt" {
				return k.Rows
			}
		}
		return 0
	}

	c.do(chromedp.Navigate(p.publicURL + "/"))
	c.wait(signedOut)
	c.click("#sign-in") // the app's own link: no page in between
	c.decide(asanatest.Several, "allow")
	c.wait(signedIn)
	c.click("#disconnect")
	c.waitForMessage("Disconnected, and revoked at Asana.")
	c.click("#sign-in")
	c.decide(asanatest.Several, "allow") // from now on, Asana consents silently
	c.wait(signedIn)
	c.click("#sign-out")
	c.waitForMessage("You are signed out.")

	before := attempts()
	for _, path := range []string{"/script", "/refresh", "/form", "/link"} {
		c.do(chromedp.Navigate(foreign.URL + path))
		if path == "/link" {
			c.click("a")
		}
		c.wait(`document.querySelector("a.button")?.innerText === "Continue to Asana"`)
		c.screenshot("continue" + strings.ReplaceAll(path, "/", "-"))
	}
	c.do(chromedp.Navigate(foreign.URL + "/frame"))
	c.wait(`document.title === "loaded"`)
	if got := attempts(); got != before {
		t.Errorf("got %d attempts after the navigations of another site, want %d", got, before)
	}

	c.do(chromedp.Navigate(foreign.URL + "/link"))
	c.click("a")
	c.click("a.button")
	c.wait(signedIn)
	c.waitForMessage("Connected.")
	if got := attempts(); got != before+1 {
		t.Errorf("got %d attempts after the click, want %d", got, before+1)
	}
	link := newBackend(p, bearer(p.backendKey())).link("owner", "acme")
	c.do(chromedp.Navigate(foreign.URL + "/"))
	c.value(fmt.Sprintf(`(location = %q, "")`, link)) // a link signs no one in, so it needs no click
	c.waitForMessage("connect code")
}

func TestBrowserSwitches(t *testing.T) {
	c := openIfAsked(t)
	p := start(t, t.TempDir(), nil)
	b := newBrowser(t)
	wantSwitch := func(want string) {
		t.Helper()
		c.waitForMessage("The switch is set.")
		c.wait(`!document.querySelector("[aria-busy]")`)
		if got := b.mustSend("GET", p.asanaURL+"/_offline/switches", "").body; !strings.Contains(got, want) {
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
	b.setSwitches(p, `{"access_token_seconds":1,"delay_ms":0}`) // tokens expire after a second, so every token request is a refresh
	c.click("#sign-in")
	c.decide(member, "allow")
	c.wait(signedIn)

	c.click("#expire")
	c.waitForMessage("Asana now rejects all access tokens")
	c.click(`[name=refuse_refresh]`)
	wantSwitch(`"refuse_refresh":true`)
	c.requestToken("Please connect again.")
	c.wait(`!document.getElementById("broken").hidden && ` + text("status") + ` === "broken"`)
	c.screenshot("7-broken")

	c.click(`[name=refuse_refresh]`)
	wantSwitch(`"refuse_refresh":false`)
	c.click("#broken a")
	c.wait(signedIn + ` && ` + text("status") + ` === "active"`)
	c.click(`[name=down]`)
	wantSwitch(`"down":true`)
	c.requestToken("Asana failed, took too long")
	c.screenshot("8-down")
	c.wantNoMessages()
	p.kill() // Chromium logs errors, because it cannot reach the process
	c.click("#ask")
	c.waitForMessage("asanaauth local does not respond.")
}

// requestToken requests tokens until the page shows a message that contains want. Several
// requests may be needed, because the service returns the current access token until it
// expires, which takes up to a second.
func (c *chromium) requestToken(want string) {
	c.t.Helper()
	c.wait(fmt.Sprintf(`(document.querySelector("[aria-busy]") || document.getElementById("ask").click(), document.getElementById("said").textContent.includes(%q))`, want))
}

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
	c.waitForMessage("Asana issued a new token.")
	if got := c.value(`document.activeElement.id`); got != "refresh" {
		t.Errorf("got focus on %q, want refresh", got)
	}
	c.tabTo("[name=rotate_refresh_tokens]")
	c.press(" ")
	c.waitForMessage("The switch is set.")
	c.wait(`document.activeElement.name === "rotate_refresh_tokens"`)
	c.value(`document.querySelector(".skip").focus(), ""`)
	c.tabTo("#sign-out")
	c.press(kb.Enter)
	c.waitForMessage("You are signed out.")
	c.wait(`document.activeElement.id === "sign-in"`)
	c.press(kb.Enter)
	c.wait(signedIn)
	c.tabTo("#disconnect")
	c.press(" ")
	c.waitForMessage("Disconnected, and revoked at Asana.")
	c.wait(`document.activeElement.id === "sign-in"`)
	c.wantNoMessages()
}

// With the response type "code id_token", Asana sends the code in the fragment of the
// redirect URI. The scopes in this test do not allow the token to read licenses.
func TestBrowserFragment(t *testing.T) {
	c := openIfAsked(t)
	p := start(t, t.TempDir(), []string{"ASANA_RESPONSE_TYPE=code id_token", "ASANA_SCOPES=openid email profile users:read workspaces:read"})
	c.do(chromedp.Navigate(p.publicURL + "/"))
	c.wait(signedOut)
	c.click("#sign-in")
	c.decide(asanatest.ViewOnly, "allow")
	c.wait(signedIn)
	c.waitForMessage("Connected.")
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
	c.screenshot("9-unknown-license")
	c.click("#disconnect")
	c.waitForMessage("Disconnected")
	c.click("#sign-in")
	c.decide(asanatest.ViewOnly, "deny")
	c.waitForMessage("Asana did not give access, so nothing was connected. To connect, try again and press Allow.")
	c.wantNoMessages()
}

func TestBrowserLooks(t *testing.T) {
	c := openIfAsked(t)
	p := start(t, t.TempDir(), nil)
	c.emulateMedia("prefers-color-scheme", "dark")
	c.do(chromedp.Navigate(p.publicURL + "/"))
	c.wait(signedOut)
	c.screenshot("dark-1-signed-out")
	c.click("#sign-in")
	c.wait(atConsent)
	c.screenshot("dark-2-consent")
	c.decide(asanatest.Several, "allow")
	c.wait(signedIn)
	c.screenshot("dark-3-signed-in")
	if got := c.value(`getComputedStyle(document.body).backgroundColor`); got == "rgb(245, 246, 248)" {
		t.Errorf("got background color %s in dark mode, want a dark one", got)
	}
	c.emulateMedia("prefers-reduced-motion", "reduce")
	if got := c.value(`getComputedStyle(document.getElementById("ask")).transitionDuration`); got != "0s" {
		t.Errorf("got transition duration %s with reduced motion, want 0s", got)
	}
	c.emulateMedia("prefers-color-scheme", "light")
	for _, width := range []int64{320, 390, 768} {
		c.do(chromedp.EmulateViewport(width, 800))
		for _, id := range []string{"main", "step-license", "play", "trace-title", "kept"} {
			c.value(fmt.Sprintf(`document.getElementById(%q).scrollIntoView({behavior: "instant"}), ""`, id))
			c.screenshotVisible(fmt.Sprintf("narrow-%d-%s", width, id))
		}
		if got := c.value(`String(document.documentElement.scrollWidth)`); got != fmt.Sprint(width) {
			t.Errorf("at %d pixels: got page width %s, want the same", width, got)
		}
	}
	c.wantNoMessages()
}
