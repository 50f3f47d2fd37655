package authtest

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
)

// Log collects log lines in memory. A Log is safe for concurrent use.
type Log struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write appends p to the log. It makes a Log an [io.Writer], to which a log handler can
// write.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// String returns everything that was logged.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// Says returns how many attributes in the log have the given name and the given value,
// which must be a string.
func (l *Log) Says(name, value string) int {
	return strings.Count(l.String(), `"`+name+`":"`+value+`"`)
}

// SaysRaw is like Says, but for values that are not strings.
func (l *Log) SaysRaw(name, value string) int {
	return strings.Count(l.String(), `"`+name+`":`+value)
}

// Lines returns the lines of the log that contain an attribute with the given name. Times
// and levels are left out.
func (l *Log) Lines(name string) []map[string]any {
	var lines []map[string]any
	for text := range strings.Lines(l.String()) {
		var line map[string]any
		if json.Unmarshal([]byte(text), &line) != nil || line[name] == nil {
			continue
		}
		delete(line, slog.TimeKey)
		delete(line, slog.LevelKey)
		lines = append(lines, line)
	}
	return lines
}

// Wiretap is an HTTP transport that records the refresh tokens in Asana's responses. A
// Wiretap is safe for concurrent use.
type Wiretap struct {
	next http.RoundTripper

	mu     sync.Mutex
	tokens []string
}

// RoundTrip sends r to Asana, and records the refresh token in the response.
func (w *Wiretap) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := w.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	body, err := readBack(resp)
	var tokens struct {
		Refresh string `json:"refresh_token"`
	}
	if json.Unmarshal(body, &tokens) == nil && tokens.Refresh != "" {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.tokens = append(w.tokens, tokens.Refresh)
	}
	return resp, err
}

// Seen returns the refresh tokens that Asana has returned so far.
func (w *Wiretap) Seen() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.tokens)
}

// readBack reads and returns the body of resp, and sets resp.Body so that the body can be
// read again.
func readBack(resp *http.Response) ([]byte, error) {
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return body, err
}

// LiveTokens returns how many of the refresh tokens that [Wiretap.Seen] returns are still
// valid at Asana.
func (inst *Installation) LiveTokens() int {
	inst.T.Helper()
	live := 0
	for _, refresh := range inst.Wire.Seen() {
		if inst.IsActive(refresh) {
			live++
		}
	}
	return live
}

// IsActive reports whether Asana's introspection endpoint (RFC 7662) says that a token is
// active.
func (inst *Installation) IsActive(token string) bool {
	inst.T.Helper()
	resp, err := inst.Asana.Client().PostForm(AsanaURL+IntrospectPath, url.Values{"token": {token}})
	if err != nil {
		inst.T.Fatal(err)
	}
	defer resp.Body.Close()
	var info struct{ Active bool }
	if err := json.NewDecoder(resp.Body).Decode(&info); err != nil {
		inst.T.Fatal(err)
	}
	return info.Active
}

// Tampered is an HTTP transport that changes the JSON in Asana's responses.
type Tampered struct {
	Next http.RoundTripper
	// Change can modify m, the JSON object in Asana's response to a request for path. If
	// status is not 0, it replaces the status of the response.
	Change func(path string, m map[string]any) (status int)
}

// RoundTrip sends r with Next, and passes the JSON object in the response to Change.
func (t Tampered) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := t.Next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	body, err := readBack(resp)
	if err != nil {
		return nil, err
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var m map[string]any
	if d.Decode(&m) == nil {
		if status := t.Change(r.URL.Path, m); status != 0 {
			resp.StatusCode = status
		}
		if body, err = json.Marshal(m); err != nil {
			return nil, err
		}
	}
	resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	return resp, nil
}
