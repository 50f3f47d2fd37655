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

// chromium is a test's tab in a headless Chromium.
type chromium struct {
	t   *testing.T
	ctx context.Context

	mu         sync.Mutex
	complaints []string // messages in the console, since the test began
}

// shared is the one Chromium of this test process, with one tab. Starting a browser or
// opening a window takes longer than most tests. Tests that use it are not parallel.
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
		// Disable the browser's internal pages, which use much CPU.
		set("disable-features", "PreloadTopChromeWebUI,WebUIOmniboxPopup,SpareRendererForSitePerProcess"))
	ctx, cancel := chromedp.NewContext(allocator)
	shared.ctx, shared.err = ctx, chromedp.Do(ctx)
	shared.end = func() {
		chromedp.Cancel(ctx) // waits for the browser to exit before its profile is removed
		cancel()
		cancelAllocator()
		os.RemoveAll(profile)
	}
}

// openIfAsked is like open, but skips the test unless CI_SERVERS or -run is set, so that
// "go test ./..." stays fast.
func openIfAsked(t *testing.T) *chromium {
	t.Helper()
	if os.Getenv("CI_SERVERS") != "1" && flag.Lookup("test.run").Value.String() == "" {
		t.Skip("runs only with -run Browser or CI_SERVERS=1")
	}
	return open(t)
}

// open returns the tab. If Chromium is not installed, open skips the test, or fails it if
// CI_SERVERS is set.
func open(t *testing.T) *chromium {
	t.Helper()
	if testing.Short() {
		t.Skip("needs a browser")
	}
	path := chromiumPath()
	if path == "" {
		const how = "chromium is not installed (Debian: apt-get install chromium)"
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
		cancel() // cancels only the context; the next test uses the tab
	})
	if err := chromedp.Listen(ctx, c.listen); err != nil {
		t.Fatal(err)
	}
	return c
}

// forget resets the tab, with its cookies and storage, for the next test.
func (c *chromium) forget() {
	_, media := chromedp.Call(c.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{})
	_, cookies := chromedp.Call(c.ctx, network.ClearBrowserCookies, cdp.Empty{})
	_, stored := chromedp.Call(c.ctx, storage.ClearDataForOrigin, storage.ClearDataForOriginParams{Origin: "*", StorageTypes: "all"})
	if err := errors.Join(chromedp.Do(c.ctx, chromedp.Navigate("about:blank"), chromedp.ResetViewport()), media, cookies, stored); err != nil {
		c.t.Errorf("resetting the tab: %v", err)
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

// listen records messages in the console, such as script errors and violations of the
// Content-Security-Policy. It ignores messages about the status of a response, because
// the page expects some failures.
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

// wantNoComplaints fails the test if the console has messages. Call it at the end.
func (c *chromium) wantNoComplaints() {
	c.t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, complaint := range c.complaints {
		c.t.Errorf("message in the console: %s", complaint)
	}
}

// do runs steps in the tab.
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
	c.t.Fatalf("timeout: waited for %s, at %s", expression, said)
}

// value returns the value of a JavaScript expression, which is a string or a promise of a
// string.
func (c *chromium) value(expression string) string {
	c.t.Helper()
	text, err := chromedp.Run(c.ctx, chromedp.Evaluate[string](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		c.t.Fatal(err)
	}
	return text
}

// said waits until the message of the page contains text.
func (c *chromium) said(text string) {
	c.t.Helper()
	c.wait(fmt.Sprintf(`document.getElementById("said")?.textContent.includes(%q)`, text))
}

// click waits until the element is visible, and clicks it.
func (c *chromium) click(selector string) {
	c.t.Helper()
	c.wait(fmt.Sprintf(`document.querySelector(%q)?.checkVisibility()`, selector))
	c.do(chromedp.Click(chromedp.CSS(selector)))
}

// choose selects an option of a list, as a user would.
func (c *chromium) choose(selector, value string) {
	c.t.Helper()
	c.wait(fmt.Sprintf(`document.querySelector(%q)?.checkVisibility()`, selector))
	c.value(fmt.Sprintf(`(() => { const list = document.querySelector(%q); list.value = %q; list.dispatchEvent(new Event("change", {bubbles: true})); return list.value })()`, selector, value))
}

// press presses keys, which are constants of package kb or characters.
func (c *chromium) press(keys ...string) {
	c.t.Helper()
	for _, key := range keys {
		c.do(chromedp.KeyEvent(key))
	}
}

// tabTo presses Tab until the element has the focus, and checks that the focus is visible.
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
			c.t.Errorf("the focus on %s is not visible", selector)
		}
		return
	}
	c.t.Fatalf("Tab does not reach %s", selector)
}

// look saves a screenshot of the whole page in the folder SCREENSHOTS, if the variable is
// set.
func (c *chromium) look(name string) { c.t.Helper(); c.picture(name, chromedp.FullScreenshot(100)) }

// glance saves a screenshot of the visible part of the page.
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

// media emulates a CSS media feature, such as "prefers-color-scheme", "dark".
func (c *chromium) media(name, value string) {
	c.t.Helper()
	features := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: name, Value: value}}}
	if _, err := chromedp.Call(c.ctx, emulation.SetEmulatedMedia, features); err != nil {
		c.t.Fatal(err)
	}
}
