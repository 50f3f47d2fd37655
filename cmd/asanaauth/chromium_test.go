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

// chromium controls the shared tab during one test.
type chromium struct {
	t   *testing.T
	ctx context.Context

	mu       sync.Mutex
	messages []string // console messages of the current test
}

// All tests share one Chromium process with one tab, because starting a browser or
// opening a window takes longer than most tests. Therefore tests with a browser must not
// run in parallel.
var shared struct {
	start sync.Once
	ctx   context.Context
	err   error
	end   func() // stops Chromium; nil if Chromium is not running
}

func TestMain(m *testing.M) {
	code := m.Run()
	if shared.end != nil {
		shared.end()
	}
	os.Exit(code)
}

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
		// Chromium's internal pages use much CPU time.
		set("disable-features", "PreloadTopChromeWebUI,WebUIOmniboxPopup,SpareRendererForSitePerProcess"))
	ctx, cancel := chromedp.NewContext(allocator)
	shared.ctx, shared.err = ctx, chromedp.Do(ctx)
	shared.end = func() {
		chromedp.Cancel(ctx) // waits until Chromium has exited, so that its profile can be removed
		cancel()
		cancelAllocator()
		os.RemoveAll(profile)
	}
}

// openIfAsked is like open, but skips the test unless CI_SERVERS is 1 or the flag -run is
// set, because "go test ./..." would otherwise be slow.
func openIfAsked(t *testing.T) *chromium {
	t.Helper()
	if os.Getenv("CI_SERVERS") != "1" && flag.Lookup("test.run").Value.String() == "" {
		t.Skip("runs only with -run Browser or CI_SERVERS=1")
	}
	return open(t)
}

// open skips the test if Chromium is not installed, or fails the test if CI_SERVERS is 1.
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
		c.reset()
		cancel() // cancels the test's context but leaves the tab open for the next test
	})
	if err := chromedp.Listen(ctx, c.listen); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *chromium) reset() {
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

// listen records console messages, such as script errors and violations of the
// Content-Security-Policy. Messages about the status of a response are ignored, because
// the tests cause failures on purpose.
func (c *chromium) listen(event any) {
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		c.addMessage("exception: " + e.ExceptionDetails.Text)
	case *runtime.EventConsoleAPICalled:
		c.addMessage(fmt.Sprintf("console.%s", e.Type))
	case *log.EventEntryAdded:
		status := strings.Contains(e.Entry.Text, "the server responded with a status of")
		if !(e.Entry.Source == log.EntrySourceNetwork && status) {
			c.addMessage(fmt.Sprintf("%s %s: %s (%s)", e.Entry.Source, e.Entry.Level, e.Entry.Text, e.Entry.URL))
		}
	}
}

func (c *chromium) addMessage(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.messages = append(c.messages, text)
}

func (c *chromium) wantNoMessages() {
	c.t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, message := range c.messages {
		c.t.Errorf("message in the console: %s", message)
	}
}

func (c *chromium) do(steps ...chromedp.Action[chromedp.Void]) {
	c.t.Helper()
	if err := chromedp.Do(c.ctx, steps...); err != nil {
		c.t.Fatal(err)
	}
}

func (c *chromium) wait(expression string) {
	c.t.Helper()
	for end := time.Now().Add(waitLimit); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		// The expression can fail while the tab navigates to another page.
		is, err := chromedp.Run(c.ctx, chromedp.Evaluate[bool]("!!("+expression+")"))
		if err == nil && is {
			return
		}
	}
	said, _ := chromedp.Run(c.ctx, chromedp.Evaluate[string](`location.origin + location.pathname + "\n" + document.querySelector("main").innerText.slice(0, 600)`))
	c.t.Fatalf("timeout: waited for %s, at %s", expression, said)
}

// value evaluates a JavaScript expression. The value must be a string, or a promise that
// resolves to a string.
func (c *chromium) value(expression string) string {
	c.t.Helper()
	text, err := chromedp.Run(c.ctx, chromedp.Evaluate[string](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		c.t.Fatal(err)
	}
	return text
}

func (c *chromium) waitForMessage(text string) {
	c.t.Helper()
	c.wait(fmt.Sprintf(`document.getElementById("said")?.textContent.includes(%q)`, text))
}

func (c *chromium) click(selector string) {
	c.t.Helper()
	c.wait(fmt.Sprintf(`document.querySelector(%q)?.checkVisibility()`, selector))
	c.do(chromedp.Click(chromedp.CSS(selector)))
}

func (c *chromium) choose(selector, value string) {
	c.t.Helper()
	c.wait(fmt.Sprintf(`document.querySelector(%q)?.checkVisibility()`, selector))
	c.value(fmt.Sprintf(`(() => { const list = document.querySelector(%q); list.value = %q; list.dispatchEvent(new Event("change", {bubbles: true})); return list.value })()`, selector, value))
}

// press accepts characters and the constants of package kb.
func (c *chromium) press(keys ...string) {
	c.t.Helper()
	for _, key := range keys {
		c.do(chromedp.KeyEvent(key))
	}
}

// tabTo presses the Tab key until the element has the focus, and checks that the focus is
// visible.
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

// screenshot saves a screenshot of the whole page in the folder SCREENSHOTS. If this
// environment variable is not set, screenshot does nothing.
func (c *chromium) screenshot(name string) {
	c.t.Helper()
	c.picture(name, chromedp.FullScreenshot(100))
}

func (c *chromium) screenshotVisible(name string) {
	c.t.Helper()
	c.picture(name, chromedp.CaptureScreenshot())
}

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

func (c *chromium) emulateMedia(name, value string) {
	c.t.Helper()
	features := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: name, Value: value}}}
	if _, err := chromedp.Call(c.ctx, emulation.SetEmulatedMedia, features); err != nil {
		c.t.Fatal(err)
	}
}
