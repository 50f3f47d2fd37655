package main_test

import (
	"bytes"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/google/go-cmp/cmp"
)

// edge is a reverse proxy in front of "asanaauth local". It also serves the service worker
// of an app on the same origin, and records the requests to /callback.
type edge struct {
	t       *testing.T
	process *process
	worker  string // the JavaScript of the service worker

	mu        sync.Mutex
	forms     []string      // the parameters of each request to /callback
	headers   []http.Header // the headers of each request
	responses []string      // the status, the redirect and the cookies of each response
}

// startEdge starts "asanaauth local" behind an edge. PUBLIC_URL is the address of the edge.
func startEdge(t *testing.T, worker string, environ ...string) *edge {
	t.Helper()
	addr := freeAddr(t)
	e := &edge{t: t, worker: worker}
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: addr})
	proxy.ModifyResponse = e.noteResponse
	proxy.ErrorLog = log.New(io.Discard, "", 0) // the browser cancels some requests
	mux := http.NewServeMux()
	mux.Handle("/", proxy)
	mux.HandleFunc("/callback", func(w http.ResponseWriter, r *http.Request) {
		e.noteRequest(r)
		proxy.ServeHTTP(w, r)
	})
	mux.HandleFunc("/worker.js", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/javascript")
		fmt.Fprint(w, e.worker)
	})
	mux.HandleFunc("/register", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, "<!doctype html><main>a page of the app</main>")
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	public := withHost(t, server.URL, "localhost")
	e.process = start(t, t.TempDir(), append(environ, "PUBLIC_URL="+public), "-addr", addr)
	return e
}

func (e *edge) noteRequest(r *http.Request) {
	form := r.URL.RawQuery
	if r.Method == http.MethodPost {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			e.t.Error(err)
		}
		form, r.Body = string(body), io.NopCloser(bytes.NewReader(body))
	}
	if form == "" {
		return // the request for the page that posts the fragment
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.forms, e.headers = append(e.forms, form), append(e.headers, r.Header.Clone())
}

func (e *edge) noteResponse(resp *http.Response) error {
	if resp.Request.URL.Path == "/callback" && resp.StatusCode != http.StatusOK {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.responses = append(e.responses, fmt.Sprint(resp.StatusCode, resp.Header["Location"], resp.Header["Set-Cookie"]))
	}
	return nil
}

// waitForCallbacks waits until the browser has sent n requests to /callback. It returns
// the parameters of the first one.
func (e *edge) waitForCallbacks(n int) string {
	e.t.Helper()
	waitUntil(e.t, fmt.Sprintf("the browser has sent %d callbacks", n), func() bool {
		e.mu.Lock()
		defer e.mu.Unlock()
		return len(e.forms) >= n
	})
	return e.forms[0]
}

// register registers the service worker and waits until it controls the page.
func (e *edge) register(c *chromium) {
	c.t.Helper()
	c.do(chromedp.Navigate(e.process.publicURL + "/register"))
	c.value(`navigator.serviceWorker.register("/worker.js").then(() => "registered")`)
	c.wait(`navigator.serviceWorker.controller`)
}

// wantOneSignIn checks that the browser sent at least n callbacks, that all responses were
// equal, and that they belong to one sign-in.
func (e *edge) wantOneSignIn(n int) {
	e.t.Helper()
	e.waitForCallbacks(n)
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.responses) == 0 || !strings.Contains(e.responses[0], "asana=connected") {
		e.t.Fatalf("got responses %q, want a sign-in", e.responses)
	}
	for _, response := range e.responses {
		if diff := cmp.Diff(e.responses[0], response); diff != "" {
			e.t.Errorf("responses of two callbacks (-first +other):\n%s", diff)
		}
	}
	logged := e.process.logged.String()
	if got := strings.Count(logged, `"audit":"connected"`); got != 1 || strings.Contains(logged, "login-expired") {
		e.t.Errorf("got %d sign-ins in the log, want one and no login-expired:\n%s", got, logged)
	}
}

// TestBrowserRepeatsTheCallback checks that a person stays signed in if the browser loads
// the URL of the callback again, or if the person clicks Allow twice.
func TestBrowserRepeatsTheCallback(t *testing.T) {
	for name, c := range map[string]struct {
		environ []string
		before  string // what comes before the parameters of Asana's response
	}{
		"the query":    {nil, "/callback?"},
		"the fragment": {[]string{"ASANA_RESPONSE_TYPE=code id_token"}, "/callback#"},
	} {
		t.Run("reload, response in "+name, func(t *testing.T) {
			tab, e := openIfAsked(t), startEdge(t, "", c.environ...)
			tab.do(chromedp.Navigate(e.process.publicURL + "/"))
			tab.click("#sign-in")
			tab.decide(member, "allow")
			tab.wait(signedIn)
			again := e.process.publicURL + c.before + e.waitForCallbacks(1)
			tab.do(chromedp.Navigate(again))
			tab.wait(signedIn)
			tab.waitForMessage("Connected.")
			e.wantOneSignIn(2)
			tab.click("#sign-out")
			tab.wait(signedOut)
			tab.do(chromedp.Navigate(again))
			tab.wait(`document.querySelector("h1")?.innerText === "This sign-in has expired"`)
		})
	}
	t.Run("click twice", func(t *testing.T) {
		tab, e := openIfAsked(t), startEdge(t, "")
		newBrowser(t).setSwitches(e.process, `{"delay_ms":2000}`)
		tab.do(chromedp.Navigate(e.process.publicURL + "/"))
		tab.click("#sign-in")
		tab.wait(atConsent)
		// While the first callback runs, the tab still shows Asana's page.
		tab.value(`(setTimeout(() => document.querySelector("button[value=allow]").click(), 1500), "")`)
		tab.decide(member, "allow")
		tab.wait(signedIn)
		e.wantOneSignIn(2)
	})
}

// The service workers of an app on the origin of PUBLIC_URL. Each of them handles all
// navigations. The second and the third one let the browser preload the navigation, and
// then fetch the page again, or use the preloaded response.
const (
	workerThatFetches = `
		addEventListener("install", () => skipWaiting());
		addEventListener("activate", event => event.waitUntil(clients.claim()));
		addEventListener("fetch", event => event.respondWith(fetch(event.request)));`
	workerThatFetchesAgain = `
		addEventListener("install", () => skipWaiting());
		addEventListener("activate", event => event.waitUntil(registration.navigationPreload.enable().then(() => clients.claim())));
		addEventListener("fetch", event => event.respondWith(fetch(event.request)));`
	workerThatPreloads = `
		addEventListener("install", () => skipWaiting());
		addEventListener("activate", event => event.waitUntil(registration.navigationPreload.enable().then(() => clients.claim())));
		addEventListener("fetch", event => event.respondWith((async () => await event.preloadResponse || fetch(event.request))()));`
)

// TestBrowserServiceWorker checks that people can sign in if a service worker handles the
// navigations to asanaauth.
func TestBrowserServiceWorker(t *testing.T) {
	for name, c := range map[string]struct {
		worker         string
		environ        []string
		fetch, preload int // how many callbacks the worker and the preload send
	}{
		"fetch":                         {workerThatFetches, nil, 1, 0},
		"preload, but fetch":            {workerThatFetchesAgain, nil, 1, 1},
		"preload":                       {workerThatPreloads, nil, 0, 1},
		"fetch, response in a fragment": {workerThatFetchesAgain, []string{"ASANA_RESPONSE_TYPE=code id_token"}, 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			tab, e := openIfAsked(t), startEdge(t, c.worker, c.environ...)
			e.register(tab)
			tab.do(chromedp.Navigate(e.process.publicURL + "/"))
			tab.click("#sign-in")
			tab.decide(member, "allow")
			tab.wait(signedIn)
			tab.waitForMessage("Connected.")
			e.wantOneSignIn(c.fetch + c.preload)
			fetch, preload := 0, 0
			for _, h := range e.headers {
				if h.Get("Service-Worker-Navigation-Preload") != "" {
					preload++
				} else if h.Get("Sec-Fetch-Dest") == "empty" {
					fetch++
				}
			}
			if fetch != c.fetch || preload != c.preload {
				t.Errorf("got %d callbacks from the worker and %d from the preload, want %d and %d", fetch, preload, c.fetch, c.preload)
			}
		})
	}
}
