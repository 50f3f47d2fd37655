package main_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/cdproto/storage"
	"github.com/chromedp/chromedp"
)

// chromium is the tab of a headless Chromium, for one test.
type chromium struct {
	t   *testing.T
	ctx context.Context

	mu         sync.Mutex
	complaints []string // of the console, since the test began
}

// shared is the Chromium of all tests of this process, and its one tab: to start one
// takes longer than most of them, and a new window as long as some. The tests that
// use it are not parallel.
var shared struct {
	start sync.Once
	ctx   context.Context
	err   error
	end   func() // nil if it was not started
}

func TestMain(m *testing.M) {
	code := m.Run()
	if shared.end != nil {
		shared.end()
	}
	os.Exit(code)
}

// startBrowser starts the Chromium at path.
func startBrowser(path string) {
	profile, err := os.MkdirTemp("", "asanaauth-chromium")
	if err != nil {
		shared.err = err
		return
	}
	set := chromedp.Flag
	allocator, cancelAllocator := chromedp.NewExecAllocator(context.Background(),
		chromedp.ExecPath(path), chromedp.UserDataDir(profile), chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.NoFirstRun, chromedp.NoDefaultBrowserCheck, chromedp.WindowSize(1100, 900),
		set("disable-background-networking", true), set("disable-component-update", true), set("disable-sync", true),
		set("disable-dev-shm-usage", true), set("hide-scrollbars", true),
		// Pages of its own windows, which take more time than those of the tests.
		set("disable-features", "PreloadTopChromeWebUI,WebUIOmniboxPopup,SpareRendererForSitePerProcess"))
	ctx, cancel := chromedp.NewContext(allocator)
	shared.ctx, shared.err = ctx, chromedp.Do(ctx)
	shared.end = func() {
		chromedp.Cancel(ctx) // waits for the browser's end: its profile is removed next
		cancel()
		cancelAllocator()
		os.RemoveAll(profile)
	}
}

// openIfAsked is open for what costs more than a plain "go test ./..." must: the test
// is skipped unless CI, or a -run, asks for it.
func openIfAsked(t *testing.T) *chromium {
	t.Helper()
	if os.Getenv("CI_SERVERS") != "1" && flag.Lookup("test.run").Value.String() == "" {
		t.Skip("it runs with -run Browser, or CI_SERVERS=1")
	}
	return open(t)
}

// open gives the test the tab. If there is no Chromium the test is skipped, unless CI
// said that there has to be one.
func open(t *testing.T) *chromium {
	t.Helper()
	if testing.Short() {
		t.Skip("it needs a browser")
	}
	path := chromiumPath()
	if path == "" {
		const how = "no chromium on this machine (Debian: apt-get install chromium)"
		if os.Getenv("CI_SERVERS") == "1" {
			t.Fatal(how)
		}
		t.Skip(how)
	}
	shared.start.Do(func() { startBrowser(path) })
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	ctx, cancel := context.WithTimeout(shared.ctx, 3*time.Minute)
	c := &chromium{t: t, ctx: ctx}
	t.Cleanup(func() {
		c.forget()
		cancel() // of the context alone: the tab is the next test's
	})
	if err := chromedp.Listen(ctx, c.listen); err != nil {
		t.Fatal(err)
	}
	return c
}

// forget leaves the tab as it was when the browser started.
func (c *chromium) forget() {
	_, media := chromedp.Call(c.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{})
	_, cookies := chromedp.Call(c.ctx, network.ClearBrowserCookies, cdp.Empty{})
	_, stored := chromedp.Call(c.ctx, storage.ClearDataForOrigin, storage.ClearDataForOriginParams{Origin: "*", StorageTypes: "all"})
	if err := errors.Join(chromedp.Do(c.ctx, chromedp.Navigate("about:blank"), chromedp.ResetViewport()), media, cookies, stored); err != nil {
		c.t.Errorf("the tab cannot be used again: %v", err)
	}
}

func chromiumPath() string {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}

// listen notes what the console complains about: scripts that fail, policies
// that are violated. That an answer has a status of 400 and more is no complaint
// of the page's: signed out, /session is 401.
func (c *chromium) listen(event any) {
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		c.complain("exception: " + e.ExceptionDetails.Text)
	case *runtime.EventConsoleAPICalled:
		c.complain(fmt.Sprintf("console.%s", e.Type))
	case *log.EventEntryAdded:
		status := strings.Contains(e.Entry.Text, "the server responded with a status of")
		if !(e.Entry.Source == log.EntrySourceNetwork && status) {
			c.complain(fmt.Sprintf("%s %s: %s (%s)", e.Entry.Source, e.Entry.Level, e.Entry.Text, e.Entry.URL))
		}
	}
}

func (c *chromium) complain(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.complaints = append(c.complaints, text)
}

// wantNoComplaints is the last word of a test.
func (c *chromium) wantNoComplaints() {
	c.t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, complaint := range c.complaints {
		c.t.Errorf("the console says: %s", complaint)
	}
}

func (c *chromium) do(steps ...chromedp.Action[chromedp.Void]) {
	c.t.Helper()
	if err := chromedp.Do(c.ctx, steps...); err != nil {
		c.t.Fatal(err)
	}
}

// wait waits until a JavaScript expression is true, across navigations.
func (c *chromium) wait(expression string) {
	c.t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		is, err := chromedp.Run(c.ctx, chromedp.Evaluate[bool]("!!("+expression+")"))
		if err == nil && is {
			return
		}
	}
	said, _ := chromedp.Run(c.ctx, chromedp.Evaluate[string](`location.origin + location.pathname + "\n" + document.querySelector("main").innerText.slice(0, 600)`))
	c.t.Fatalf("waited in vain for %s, at %s", expression, said)
}

// value is what a JavaScript expression gives, a string or a promise of one.
func (c *chromium) value(expression string) string {
	c.t.Helper()
	text, err := chromedp.Run(c.ctx, chromedp.Evaluate[string](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		c.t.Fatal(err)
	}
	return text
}

// said waits until the page says something.
func (c *chromium) said(text string) {
	c.t.Helper()
	c.wait(fmt.Sprintf(`document.getElementById("said")?.textContent.includes(%q)`, text))
}

// click clicks what a selector finds, once it can be seen.
func (c *chromium) click(selector string) {
	c.t.Helper()
	c.wait(fmt.Sprintf(`document.querySelector(%q)?.checkVisibility()`, selector))
	c.do(chromedp.Click(chromedp.CSS(selector)))
}

// choose picks an option, as a person does who opens the list.
func (c *chromium) choose(selector, value string) {
	c.t.Helper()
	c.wait(fmt.Sprintf(`document.querySelector(%q)?.checkVisibility()`, selector))
	c.value(fmt.Sprintf(`(() => { const list = document.querySelector(%q); list.value = %q; list.dispatchEvent(new Event("change", {bubbles: true})); return list.value })()`, selector, value))
}

// press presses keys, as kb names them.
func (c *chromium) press(keys ...string) {
	c.t.Helper()
	for _, key := range keys {
		c.do(chromedp.KeyEvent(key))
	}
}

// tabTo presses Tab until what a selector finds has the focus, and makes sure
// that this can be seen.
func (c *chromium) tabTo(selector string) {
	c.t.Helper()
	const tab = "\t"
	for range 40 {
		c.press(tab)
		if c.value(fmt.Sprintf(`String(document.activeElement.matches(%q))`, selector)) != "true" {
			continue
		}
		const outlined = `String([document.activeElement, document.activeElement.closest("label")].some(e => e && getComputedStyle(e).outlineStyle !== "none"))`
		if c.value(outlined) != "true" {
			c.t.Errorf("%s has the focus, and one cannot see it", selector)
		}
		return
	}
	c.t.Fatalf("Tab does not lead to %s", selector)
}

// look keeps a picture of the whole page in the folder SCREENSHOTS, where that
// is set.
func (c *chromium) look(name string) { c.t.Helper(); c.picture(name, chromedp.FullScreenshot(100)) }

// glance is look for what is in the window.
func (c *chromium) glance(name string) { c.t.Helper(); c.picture(name, chromedp.CaptureScreenshot()) }

func (c *chromium) picture(name string, take chromedp.Action[[]byte]) {
	c.t.Helper()
	folder := os.Getenv("SCREENSHOTS")
	if folder == "" {
		return
	}
	picture, err := chromedp.Run(c.ctx, take)
	if err != nil {
		c.t.Fatal(err)
	}
	if err := errors.Join(os.MkdirAll(folder, 0o700), os.WriteFile(filepath.Join(folder, name+".png"), picture, 0o600)); err != nil {
		c.t.Fatal(err)
	}
}

// media sets what style sheets can ask for, like "prefers-color-scheme", "dark".
func (c *chromium) media(name, value string) {
	c.t.Helper()
	features := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: name, Value: value}}}
	if _, err := chromedp.Call(c.ctx, emulation.SetEmulatedMedia, features); err != nil {
		c.t.Fatal(err)
	}
}
